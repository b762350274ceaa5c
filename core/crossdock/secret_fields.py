"""Which fields of a credential are secret: by their names, and by what a configuration declares."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, TypeVar

from crossdock.redaction import SHORTEST, looks_secret

T = TypeVar("T")

PUBLIC = "crossdock: public"
Public = Annotated[T, PUBLIC]
"""The type of a configuration field whose name looks secret and whose value is none: ``host_key: Public[str]``."""

_NO_SECRETS = frozenset(
    {"base_url", "host_url", "host", "port", "database", "dbname", "user", "username", "scheme"}
    | {"header", "query", "client_id", "token_url", "scope"}
)
"""Fields that hold no secret wherever they stand and come from; masking them would ruin every log."""

_WAYS_IN = frozenset({"basic", "digest", "bearer", "post"})
"""What a field such as ``auth`` may say instead of a secret."""

_IS_SECRET = re.compile(r"(password|passphrase|secret|token|api_?key|(^|_)(pat|pwd|pin))$", re.IGNORECASE)
"""The names of fields that hold a secret whoever reads them; others only sound like it: ``key``, ``token_type``."""


def secret_fields(fields: Any, name: str = "", *, secret: bool = False) -> Iterator[tuple[str, str]]:
    """Give what looks secret by its name, or the name of what holds it."""
    if isinstance(fields, Mapping):
        for key, value in fields.items():
            if not isinstance(value, str) or (key not in _NO_SECRETS and value not in _WAYS_IN):
                inside = secret or looks_secret(str(key))
                yield from secret_fields(value, f"{name}.{key}" if name else str(key), secret=inside)
    elif isinstance(fields, list | tuple):
        for item in fields:
            yield from secret_fields(item, name, secret=secret)
    elif (
        secret
        and isinstance(fields, str | int | float)
        and not isinstance(fields, bool)
        and len(str(fields)) >= SHORTEST
    ):
        yield name, str(fields)


def not_public(fields: Mapping[str, Any], public_fields: Callable[[], set[str]]) -> dict[str, Any]:
    """Give the fields of a credential but those that its adaptor declares ``Public``.

    Args:
        fields: What stands there.
        public_fields: Gives their names. It may have to load the adaptor, so it is called only where a name looks
            secret and does not say so; one that says so, such as ``token``, is never public.
    """
    names = (str(key) for key in fields)
    doubtful = {
        name for name in names if looks_secret(name) and name not in _NO_SECRETS and not _IS_SECRET.search(name)
    }
    public = doubtful & public_fields() if doubtful else doubtful
    return {key: value for key, value in fields.items() if key not in public}


def declared_public(model: Any) -> set[str]:
    """Give the fields that a configuration declares ``Public``; what it declares a secret, too, is one."""
    fields = getattr(model, "model_fields", {}).items()
    return {name for name, field in fields if PUBLIC in field.metadata and "Secret" not in str(field.annotation)}


def too_short(fields: Any, name: str = "", key: str = "") -> Iterator[tuple[str, str]]:
    """Give the secrets that a redactor refuses."""
    if isinstance(fields, Mapping):
        for inner, value in fields.items():
            yield from too_short(value, f"{name}.{inner}" if name else str(inner), str(inner))
    elif isinstance(fields, list | tuple):
        for item in fields:
            yield from too_short(item, name, key)
    elif (
        isinstance(fields, str | int)
        and not isinstance(fields, bool)
        and len(str(fields)) < SHORTEST
        and _IS_SECRET.search(key)
    ):
        yield name, str(fields)


def declared_secrets(configuration: Any) -> Iterable[tuple[str, str]]:
    """Give what a configuration declares secret, and what it derives from that."""
    yield from _declared("", configuration)
    derived = getattr(configuration, "secrets", None)
    if callable(derived):
        yield from (("secrets", secret) for secret in derived())


def _declared(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if hasattr(value, "get_secret_value"):
        yield name, str(value.get_secret_value())
    elif hasattr(type(value), "model_fields"):
        for field in type(value).model_fields:
            yield from _declared(f"{name}.{field}" if name else field, getattr(value, field))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _declared(f"{name}.{key}", item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _declared(name, item)


def is_masked(what: str) -> bool:
    """Tell whether the value of a field is masked that is kept elsewhere.

    >>> is_masked("kobo.token"), is_masked("kobo.base_url")
    (True, False)
    """
    return what.rpartition(".")[2] not in _NO_SECRETS
