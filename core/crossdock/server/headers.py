"""What a request says of itself: one header's value, and what of it goes to ``state.request``."""

from collections.abc import Iterable, Sequence
from typing import Any

from crossdock.redaction import looks_secret

Headers = Sequence[tuple[bytes, bytes]]
"""The headers of a request as they came, names in any case."""

_NO_SECRETS = frozenset({"idempotency-key"})
"""Headers that hold no secret although their names look so."""


def only_value(headers: Headers, name: bytes) -> bytes | None:
    """Give the value of a header, None unless it stands there exactly once.

    Args:
        headers: The headers of a request.
        name: Its name, in small letters.

    Example:
        >>> only_value([(b"X-Api-Key", b" s3cret ")], b"x-api-key")
        b's3cret'
        >>> only_value([(b"x-api-key", b"one"), (b"x-api-key", b"two")], b"x-api-key") is None
        True
    """
    values = [value for key, value in headers if key.lower() == name]
    return values[0].strip(b" \t") if len(values) == 1 else None


def describe_request(
    method: str, path: str, query: bytes, headers: Headers, *, secret: Iterable[str] = ()
) -> dict[str, Any]:
    """Give what ``state.request`` holds: method, path, query and headers, and no credentials.

    A header is left out if its name looks secret, as ``Authorization``, ``Cookie`` or
    ``X-Hub-Signature`` do. Names are in small letters; the values of one that repeats are joined
    with commas (RFC 9110, 5.3). A parameter of the query that repeats is a list.

    Args:
        method: The method.
        path: The path, decoded.
        query: What follows the question mark.
        headers: The headers as they came.
        secret: Names, in small letters, of further headers to leave out.

    Example:
        >>> describe_request("POST", "/inbox/visits", b"since=7&tag=a&tag=b", [(b"Cookie", b"c"), (b"Host", b"h")])
        {'method': 'POST', 'path': '/inbox/visits', 'query': {'since': '7', 'tag': ['a', 'b']}, 'headers': {'host': 'h'}}
    """
    return {
        "method": _unicode(method),
        "path": _unicode(path),
        "query": _parameters(query),
        "headers": _without_credentials(headers, frozenset(secret)),
    }


def _parameters(query: bytes) -> dict[str, str | list[str]]:
    from urllib.parse import parse_qs

    found = parse_qs(_text(query), keep_blank_values=True)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _without_credentials(headers: Headers, secret: frozenset[str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for key, value in headers:
        name = _text(key.lower())
        if name not in secret and (name in _NO_SECRETS or not looks_secret(name)):
            kept[name] = f"{kept[name]}, {_text(value)}" if name in kept else _text(value)
    return kept


def _text(raw: bytes) -> str:
    """Give the text of bytes that may be in any encoding."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unicode(text: str) -> str:
    return text.encode(errors="replace").decode()
