"""What the operations of this adaptor may be given."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypedDict

from crossdock.errors import ArgumentError
from crossdock_http import Errors

OnWarning = Literal["warn", "error", "ignore"]


class Options(TypedDict, total=False):
    """What every operation may be given; None stands for the default."""

    headers: Mapping[str, Any] | None
    ok: set[int] | None
    errors: Errors | None
    timeout: float | None
    retry: int | None
    api_version: int | None
    credential: str | None


class WriteOptions(Options, total=False):
    """What an operation that writes may be given beside that."""

    allow_ignored: bool | None
    on_warning: OnWarning | None


class Policy(NamedTuple):
    """What a job says of reports: whether ignored records are fine, and what a warning is."""

    allow_ignored: bool = False
    on_warning: OnWarning = "warn"


_NOT_OF_REQUESTS = ("credential", "allow_ignored", "on_warning")


def sent(options: Mapping[str, Any]) -> dict[str, Any]:
    """Give the options of requests among those of an operation."""
    return {name: value for name, value in options.items() if value is not None and name not in _NOT_OF_REQUESTS}


def policy_of(options: Mapping[str, Any]) -> Policy:
    """Give what the options of an operation say of reports."""
    on_warning: OnWarning = options.get("on_warning") or "warn"
    if on_warning not in ("warn", "error", "ignore"):
        raise ArgumentError(f"on_warning={on_warning!r:.40} is not known", fix="Use warn, error or ignore.")
    return Policy(bool(options.get("allow_ignored")), on_warning)
