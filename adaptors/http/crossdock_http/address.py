"""From a path that a job gives to the URL that may be requested."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from crossdock_http.arguments import check_options, text_of
from crossdock_http.errors import UrlError

_PLACE = re.compile(r"\{(\w+)\}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def url_of(base_url: str | None, path: str, params: Mapping[str, Any] | None = None) -> str:
    """Give the URL of a path below the base URL.

    Args:
        base_url: The system's address; without it ``path`` must be a whole URL.
        path: A path, or a URL on the system's own origin; ``{name}`` takes a value of params.
        params: The values, each of which becomes exactly one segment.

    Raises:
        UrlError: The path leaves the base URL, or a value has no place, or is missing, empty or a dot segment.

    Example:
        >>> url_of("https://kobo.example.org/api", "/people/{id}", {"id": "a/b"})
        'https://kobo.example.org/api/people/a%2Fb'
    """
    check_options({"params": params})
    url = _located(base_url, path)
    if "#" in url:
        raise UrlError(
            f"the path {_named(path)} holds a fragment (#), which is never sent", fix="Put values with '#' into params."
        )
    _check_segments(url)  # before the values come in: those are quoted, each into one segment
    return _filled(url, params)


def _located(base_url: str | None, path: Any) -> str:
    """Give the URL of a path, without values."""
    if not isinstance(path, str):
        raise UrlError(
            f"the path is of type {type(path).__name__}, not text",
            fix="Give it text; a lazy path gives None where the state has nothing.",
        )
    if _SCHEME.match(path) or path.startswith(("//", "\\")):
        _check_origin(base_url, path)
        return path
    if base_url is None:
        raise UrlError(
            f"the path {_named(path)} needs a base_url, and the credential has none",
            fix="Add base_url to the credential, or give a whole URL.",
        )
    return f"{base_url}/{path.lstrip('/')}" if path else base_url


def _filled(url: str, params: Mapping[str, Any] | None) -> str:
    """Put values into their places; what has no place, or no value, was meant otherwise."""
    places = frozenset(_PLACE.findall(url if params is not None else url.partition("?")[0]))
    if spare := sorted(str(name) for name in params or {} if name not in places):
        raise UrlError(
            f"params has {', '.join(spare)!s:.200}, and the path {_named(url)} has no such place",
            fix=f"Write {{{spare[0]:.80}}} where the value belongs, or leave it out of params.",
        )
    return _PLACE.sub(lambda match: _segment(match[1], params or {}), url) if places else url


def next_url(current: str, link: str) -> str:
    """Give the URL of a link to the next page, which must stay on the origin of this one."""
    target = target_of(current, link)
    if origin(target) != origin(current):
        raise UrlError(
            f"the next page is on another origin, {origin(target)}, than this one, {origin(current)}",
            fix="Set base_url to the origin that the system links to.",
        )
    return target


def target_of(current: str, link: str) -> str:
    """Give the http or https URL that a link of a system leads to."""
    try:
        target = urljoin(current, link)
        scheme = urlsplit(target).scheme
    except ValueError:
        scheme = target = ""
    if scheme not in ("http", "https"):
        raise UrlError(
            f"{shown(current)} leads to {scheme or 'something'}:…, which is no http or https URL",
            fix="Look at what the system sends; check base_url.",
        )
    return target.partition("#")[0]


def origin(url: str) -> str:
    """Give scheme, host and port of a URL.

    >>> origin("HTTPS://Example.org/x") == origin("https://example.org:443/y")
    True
    """
    parts = _parts(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}:{port}"


def _parts(url: str) -> SplitResult:
    """Take a URL apart; a user or a port that can't be is refused."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise UrlError(
            f"the URL {url.partition('?')[0]!r:.200} has a host or port that can't be",
            fix="Check its brackets, and use a port up to 65535.",
        ) from None
    if "@" in parts.netloc:
        raise UrlError(f"a URL of {parts.hostname} holds a user or password", fix="Put them into the credential.")
    return parts


def shown(url: str) -> str:
    """Give a URL without user, query and fragment, for messages."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"


def _check_origin(base_url: str | None, url: str) -> None:
    parts = _parts(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UrlError(f"{_named(url)} is no http or https URL")
    if base_url is not None and origin(url) != origin(base_url):
        raise UrlError(
            f"{origin(url)} is another origin than that of base_url, {origin(base_url)}",
            fix="Give the operation the credential of that system.",
        )


def _segment(name: str, params: Mapping[str, Any]) -> str:
    value = params.get(name)
    if value is None or value in ("", ".", "..") or isinstance(value, Mapping | list | tuple):
        got = repr(value) if value is None or isinstance(value, str) else f"of type {type(value).__name__}"
        raise UrlError(
            f"params[{name!r}] is {got}, which is no path segment", fix="Give it a value, or stop before the request."
        )
    return quote(text_of(value, f"params[{name!r:.80}]"), safe="")


def _named(path: str) -> str:
    """Show a path without its query and fragment, where secrets may stand."""
    return repr(re.split("[?#]", path, maxsplit=1)[0][:200])


def _check_segments(path: str) -> None:
    """Refuse what a server might read as a step out of the base path."""
    decoded = unquote(unquote(urlsplit(path).path)).replace("\\", "/")
    if any(segment.split(";")[0] in (".", "..") for segment in decoded.split("/")) or any(ord(c) < 33 for c in path):
        raise UrlError(f"the path {_named(path)} holds a dot segment, a blank or a control character")
