"""``auth:`` of a webhook trigger, read from the project file."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

from crossdock.errors import CredentialError
from crossdock.server.authentication import ApiKey, Basic, Hmac, Method, StandardWebhooks, one_of

_KINDS: Mapping[str, type[Method]] = {
    "api_key": ApiKey,
    "basic": Basic,
    "standard_webhooks": StandardWebhooks,
    "hmac": Hmac,
}


def read_methods(auth: Any, *, what: str = "auth") -> dict[str, Method]:
    """Read the methods of an ``auth:``: by kind, each one or a list.

    Args:
        auth: ``{api_key: KEY}``, ``{basic: {user: …, password: …}}``, ``{standard_webhooks: SECRET}``,
            ``{hmac: {header: …, secret: …, algorithm: …, prefix: …, encoding: …}}``, secrets as plain text.
        what: Where it stands, for the error.

    Returns:
        The methods by name: their kind, numbered where there are several of it.

    Raises:
        CredentialError: It names the method and the field, and shows no secret.

    Example:
        >>> read_methods({"api_key": ["old-s3cret", "new-s3cret"], "standard_webhooks": "whsec_MTIzNA=="})
        {'api_key 1': <ApiKey>, 'api_key 2': <ApiKey>, 'standard_webhooks': <StandardWebhooks>}
    """
    given = auth if isinstance(auth, Mapping) else {}
    methods = {name: method for kind, setting in given.items() for name, method in _methods(kind, setting, what)}
    if not methods:
        raise CredentialError(f"{what} names no method", fix='Write auth: {api_key: "env:NAME"}.')
    return methods


def _methods(kind: Any, setting: Any, what: str) -> Iterator[tuple[str, Method]]:
    one_of(tuple(_KINDS), kind, f"method in {what}")
    if not isinstance(setting, list):
        yield kind, _method(_KINDS[kind], setting, f"{what}.{kind}")
        return
    for number, one in enumerate(setting, 1):
        yield f"{kind} {number}", _method(_KINDS[kind], one, f"{what}.{kind}[{number - 1}]")


def _method(kind: type[Method], setting: Any, where: str) -> Method:
    parameters = inspect.signature(kind).parameters
    needed = [name for name, parameter in parameters.items() if parameter.default is parameter.empty]
    fields = setting if isinstance(setting, Mapping) else {needed[0]: setting} if len(needed) == 1 else {}
    for name, value in fields.items():
        one_of(tuple(parameters), name, f"field in {where}")
        if not isinstance(value, str):
            raise CredentialError(
                f"{where}.{name} is of type {type(value).__name__}, not text", fix="Put it in quotes."
            )
    if missing := [name for name in needed if name not in fields]:
        raise CredentialError(f"{where} lacks {', '.join(missing)}", fix=f"Give it: {missing[0]}: ….")
    try:
        return kind(**fields)
    except CredentialError as error:
        raise CredentialError(f"{where}: {error.message}", fix=error.fix) from None
