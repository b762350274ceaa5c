"""What a request is made of: its options, and how its query, headers and body are written."""

import json as json_module
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypedDict
from urllib.parse import urlencode

from crossdock.state import encode
from pydantic import SecretStr

from crossdock_http.errors import HttpError

Parse = Literal["auto", "json", "text", "xml", "bytes", "lines"]
Query = list[tuple[str, str | int | float | bool | None]]


class RequestOptions(TypedDict, total=False):
    """What every request may be given; None stands for the default."""

    params: Mapping[str, Any] | None
    """Values for ``{name}`` in the path; each becomes one segment."""
    query: Mapping[str, Any] | None
    """Query parameters; a list repeats its key, None leaves it out."""
    headers: Mapping[str, Any] | None
    """Headers for this request; None leaves one out."""
    json: Any
    """A body to send as JSON: any JSON value, also a list."""
    form: Mapping[str, Any] | None
    """A body to send as an HTML form does; a list repeats its key, None leaves it out."""
    body: str | bytes | None
    """A body to send as it is; text goes as UTF-8."""
    content_type: str | None
    """The type of ``body``."""
    parse: Parse | None
    """How the answer is read; ``auto`` by default."""
    ok: set[int] | None
    """Statuses from 300 up that count as success."""
    timeout: float | None
    """Seconds for the whole request, its answer included."""
    retry: int | None
    """How often a request is repeated after the first try, where that can do no harm."""
    idempotent: bool | None
    """Whether the system keeps a write from happening twice, so that ``retry`` may repeat it."""


class Content(NamedTuple):
    """A body and its type."""

    body: bytes | None
    type: str | None


def content_of(options: RequestOptions) -> Content:
    """Give the body of a request; there is at most one."""
    given = [name for name in ("json", "form", "body") if options.get(name) is not None]
    type_ = options.get("content_type")
    if len(given) > 1:
        raise HttpError(f"the request has several bodies: {', '.join(given)}", fix="Give one of them.")
    if options.get("json") is not None:
        return Content(encode(options["json"]), type_ or "application/json")
    if fields := options.get("form"):
        return Content(urlencode(query_of(fields)).encode(), "application/x-www-form-urlencoded")
    body = options.get("body")
    if isinstance(body, str):
        return Content(body.encode(), type_ or "text/plain; charset=utf-8")
    return Content(body, type_ or (None if body is None else "application/octet-stream"))


def headers_of(given: Mapping[str, Any]) -> dict[str, str]:
    """Give headers with lower-case names; None leaves one out.

    Raises:
        HttpError: A value holds a line break or NUL, which would start another header.
    """
    headers: dict[str, str] = {}
    for name, value in given.items():
        plain = value.get_secret_value() if isinstance(value, SecretStr) else value
        if plain is not None and not f"{name}{plain}".isascii():
            raise HttpError(
                f"the header {name!r:.80} holds characters that are not ASCII; nothing was sent",
                fix="Encode the value as the system's documentation says.",
            )
        if plain is not None and any(character in "\r\n\0" for character in f"{name}{plain}"):
            raise HttpError(
                f"the header {name!r:.80} holds a line break or NUL; nothing was sent", fix="Remove it from the value."
            )
        if plain is not None:
            headers[name.lower()] = str(plain)
    return headers


def query_of(given: Mapping[str, Any]) -> Query:
    """Give query parameters; a list repeats its key, None leaves it out, a dict is JSON."""
    pairs = [
        (key, item) for key, value in given.items() for item in (value if isinstance(value, list | tuple) else [value])
    ]
    return [(key, _text(value)) for key, value in pairs if value is not None]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    plain = json_module.loads(encode(value))
    return plain if isinstance(plain, str) else encode(value).decode()
