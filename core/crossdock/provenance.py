"""Where the values of credentials come from: told for each field, and never the value."""

from collections.abc import Iterator, Mapping
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from crossdock.credentials import look_up
from crossdock.errors import CredentialError, CrossdockError
from crossdock.redaction import Redactor
from crossdock.references import Resolved, is_own
from crossdock.secret_fields import is_masked, not_public, secret_fields

if TYPE_CHECKING:
    from crossdock.plugins import Plugins

Status = Literal["ok", "empty", "missing"]


class Origin(NamedTuple):
    """Where the value of one field comes from."""

    path: tuple[str | int, ...]
    """The keys and indices that lead to it in its credential."""
    source: str
    """``inline``, or the reference and the plugin that knows it."""
    secret: bool = False
    """Whether its value is a secret, wherever that stands."""
    status: Status = "ok"
    problem: CrossdockError | None = None

    @property
    def field(self) -> str:
        """Its name: ``token``, ``api_key.value``, ``hosts[0]``."""
        return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).removeprefix(".")


def origins(name: str, entry: Mapping[str, Any], *, plugins: "Plugins", redactor: Redactor) -> Iterator[Origin]:
    """Tell where each field of a credential comes from; references are looked up, to know what is missing.

    Args:
        name: The credential.
        entry: Its fields as they are written, with the adaptor's name under ``adaptor``.
        plugins: They resolve references.
        redactor: It learns every secret.
    """
    masked = not_public(entry, partial(plugins.public_fields, str(entry.get("adaptor"))))
    for path, value in _leaves({key: value for key, value in entry.items() if key != "adaptor"}):
        written = Origin(path, "inline")
        what = f"{name}.{written.field}"
        try:
            found = look_up(what, value, plugins=plugins, redactor=redactor)
        except CredentialError as error:
            yield _missing(written, value, error)
        else:
            if found is not None:
                yield _found(written, value, found)
            else:
                yield _inline(written, what, value, redactor) if path[0] in masked else written


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(item, (*path, str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value


def _found(written: Origin, reference: str, found: Resolved) -> Origin:
    source = reference if found.by is None else f"{reference} ({found.by})"
    secret = is_masked(written.field)
    return written._replace(source=source, secret=secret, status="ok" if found.secret else "empty")


def _missing(written: Origin, value: str, error: CredentialError) -> Origin:
    # What a plugin failed at may be no reference at all, but a secret with a colon: it is not shown.
    source = value if is_own(value) else error.details["by"]
    return written._replace(source=source, secret=is_masked(written.field), status="missing", problem=error)


def _inline(written: Origin, what: str, value: Any, redactor: Redactor) -> Origin:
    """Tell whether a secret stands there itself: its name and the names of what holds it say so."""
    entry = reduce(lambda inner, key: {str(key): inner}, reversed(written.path), value)
    secrets = [secret for _, secret in secret_fields(entry)]
    for secret in secrets:
        redactor.add(secret, what=what)
    return written._replace(secret=bool(secrets))
