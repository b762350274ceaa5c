"""Client: one HTTP system, asked safely. The one module that imports httpx."""

import json as json_module
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, Self, TypedDict, Unpack

import httpx
from crossdock import Answer, UnknownOutcomeError
from crossdock.state import encode
from pydantic import SecretStr

from crossdock_http.address import next_url, shown, url_of
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.errors import HttpConnectionError, HttpError, RedirectError

Parse = Literal["auto", "json", "text"]


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
    body: str | bytes | None
    """A body to send as it is; text goes as UTF-8."""
    content_type: str | None
    """The type of ``body``."""
    parse: Parse | None
    """``auto`` (the default) reads JSON where the answer says that it is, else text; or ``json``, ``text``."""
    ok: set[int] | None
    """Statuses from 300 up that count as success."""


TRANSIENT = frozenset({408, 425, 429, 502, 503, 504})
"""The statuses after which the same request may succeed."""

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_MOST_REDIRECTS = 5
_EXCERPT = 2000
_logger = logging.getLogger("crossdock.http")


class Client:
    """One HTTP system, asked safely: only below its base URL, with its credentials nowhere else.

    Args:
        configuration: Where the system is and how to identify oneself.
        headers: Headers for every request; None leaves one out.

    Example:
        >>> with Client(HttpConfiguration(base_url="https://kobo.example.org")) as client:
        ...     client.url("/api/v2/assets")
        'https://kobo.example.org/api/v2/assets'
    """

    def __init__(
        self, configuration: HttpConfiguration, *, headers: Mapping[str, str | SecretStr | None] | None = None
    ) -> None:
        self._configuration = configuration
        self._headers = _headers({"authorization": configuration.authorization(), **(headers or {})})
        self._http: httpx.Client | None = None

    def __enter__(self) -> Self:
        # Proxies and certificates of the environment are not used: a run depends on its credentials alone.
        self._http = httpx.Client(timeout=self._configuration.timeout, follow_redirects=False, trust_env=False)
        return self

    def __exit__(self, *_: object) -> None:
        if self._http is not None:
            self._http.close()

    def url(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """Give the URL of a path below the base URL."""
        return url_of(self._configuration.base_url, path, params)

    def request(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send one request and give the answer.

        Args:
            method: The HTTP method.
            path: A path below the base URL, or a URL on its origin.
            options: See RequestOptions.

        Raises:
            HttpError: The answer is an error, or is not what ``parse`` asks for.
            HttpConnectionError: There is no connection, or no answer to a read.
            UnknownOutcomeError: A write was sent, and no answer came.
        """
        method, started = method.upper(), time.perf_counter()
        content, type_ = _content(options.get("json"), options.get("body"), options.get("content_type"))
        headers = {**self._headers, **_headers({"content-type": type_}), **_headers(options.get("headers") or {})}
        url, query = self.url(path, options.get("params")), _query(options.get("query") or {})
        response = self._followed(method, url, query, headers, content)
        _logger.debug("%s %s: %s", method, shown(url), response.status_code)
        return _answer(method, response, time.perf_counter() - started, options)

    def get(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a GET request; the options are those of ``request``."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a POST request; the options are those of ``request``."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a PUT request; the options are those of ``request``."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a PATCH request; the options are those of ``request``."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a DELETE request; the options are those of ``request``."""
        return self.request("DELETE", path, **options)

    def pages(self, path: str, **options: Unpack[RequestOptions]) -> Iterator[Answer]:
        """Give a page and those that its ``next`` links lead to.

        A link that leaves the origin or was followed before is an error.
        """
        url, seen = self.url(path, options.pop("params", None)), set[str]()
        while True:
            answer = self.get(url, **options)
            yield answer
            link = answer.data.get("next") if isinstance(answer.data, dict) else None
            if not link:
                return
            url = next_url(url, link)
            options["query"] = None
            if url in seen:
                raise HttpError(
                    f"the next page of {shown(url)} is one that was read before",
                    fix="Check how the system pages.",
                    pages=len(seen),
                )
            seen.add(url)

    def _followed(
        self, method: str, url: str, query: Query, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        """Send a request, and follow a read to where it was redirected on the same origin."""
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._send(method, url, query, headers, content)
            location = response.headers.get("location")
            if response.status_code not in (301, 302, 303, 307, 308) or not location:
                return response
            if method not in _READS:
                raise RedirectError(
                    f"{method} {shown(url)} was redirected to {shown(str(response.url.join(location)))}",
                    status=response.status_code,
                )
            url, query = next_url(str(response.url), location), []
        raise RedirectError(
            f"{method} {shown(url)} was redirected more than {_MOST_REDIRECTS} times",
            fix="Check base_url and the path.",
        )

    def _send(
        self, method: str, url: str, query: Query, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        if self._http is None:
            raise RuntimeError("the Client is not open: use it in a with statement")
        address = httpx.URL(url)
        if query:
            address = (
                address.copy_merge_params(httpx.QueryParams(query))
                if address.query
                else address.copy_with(params=httpx.QueryParams(query))
            )
        with _mapped(method, url):
            return self._http.request(method, address, headers=headers, content=content)


@contextmanager
def _mapped(method: str, url: str) -> Iterator[None]:
    """Turn what httpx raises into our errors, without URLs' secrets."""
    what = f"{method} {shown(url)}"
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise HttpConnectionError(f"{what}: no connection ({type(error).__name__})") from error
    except httpx.TransportError as error:
        if method in _READS:
            raise HttpConnectionError(f"{what}: no whole answer ({type(error).__name__})") from error
        raise UnknownOutcomeError(f"{what} was sent, and no whole answer came ({type(error).__name__})") from error
    except (httpx.DecodingError, httpx.InvalidURL) as error:
        raise HttpError(f"{what}: {type(error).__name__}", fix="Check the URL and what the system sends.") from error


def _answer(method: str, response: httpx.Response, seconds: float, options: RequestOptions) -> Answer:
    metadata = {
        "method": method,
        "url": shown(str(response.url)),
        "status": response.status_code,
        "headers": {name: value for name, value in response.headers.items() if name != "set-cookie"},
        "duration": round(seconds, 6),
    }
    if response.status_code >= 300 and response.status_code not in (options.get("ok") or ()):
        raise _status_error(method, response, metadata)
    return Answer(
        _parsed(method, response, options.get("parse") or "auto"), response=metadata, status=response.status_code
    )


def _status_error(method: str, response: httpx.Response, metadata: dict[str, Any]) -> HttpError:
    status = response.status_code
    try:
        data = _parsed(method, response, "auto")
    except HttpError:
        data = response.text
    return HttpError(
        f"{method} {metadata['url']} answered {status} {response.reason_phrase}".rstrip(),
        fix=_FIXES.get(status),
        transient=status in TRANSIENT,
        answer=Answer(data, response=metadata, status=status),
        status=status,
        method=method,
        url=metadata["url"],
        body=response.text[:_EXCERPT],
    )


_FIXES = {
    401: "Check the user, password or token of the credential.",
    403: "Give the user of the credential the right to do this.",
    404: "Check the path and base_url.",
    429: "Send less at a time, or repeat later: .retry(times, wait=seconds).",
}


def _parsed(method: str, response: httpx.Response, parse: Parse) -> Any:
    type_ = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if method == "HEAD" or not response.content:
        return None
    if parse == "text" or (parse == "auto" and type_ != "application/json" and not type_.endswith("+json")):
        return response.text
    try:
        return json_module.loads(response.content, parse_constant=_refuse)
    except ValueError as error:
        raise HttpError(
            f"{method} {shown(str(response.url))} answered {type_ or 'no content type'} of {len(response.content)} bytes where JSON was expected",
            fix="Check base_url and the login: a page for people may stand there. Or ask for parse='text'.",
            status=response.status_code,
        ) from error


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _content(json: Any, body: str | bytes | None, content_type: str | None) -> tuple[bytes | None, str | None]:
    if json is not None and body is not None:
        raise HttpError("the request has both json= and body=", fix="Give one of them.")
    if json is not None:
        return encode(json), content_type or "application/json"
    if body is None:
        return None, content_type
    return (
        (body.encode(), content_type or "text/plain; charset=utf-8")
        if isinstance(body, str)
        else (body, content_type or "application/octet-stream")
    )


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    plain = {
        name.lower(): value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in given.items()
    }
    return {name: str(value) for name, value in plain.items() if value is not None}


def _query(given: Mapping[str, Any]) -> Query:
    pairs = [
        (key, item) for key, value in given.items() for item in (value if isinstance(value, list | tuple) else [value])
    ]
    return [(key, _query_text(value)) for key, value in pairs if value is not None]


def _query_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else encode(value).decode().strip('"')
