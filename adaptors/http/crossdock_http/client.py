"""Client: one HTTP system, asked safely. The one module that imports httpx."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, Unpack
from urllib.parse import urljoin

import httpx
from crossdock import AdaptorError, Answer, UnknownOutcomeError
from pydantic import SecretStr

from crossdock_http.address import next_url, shown, url_of
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.content import Query, RequestOptions, content_of, headers_of, query_of
from crossdock_http.errors import HttpConnectionError, HttpError, RedirectError
from crossdock_http.patience import patiently
from crossdock_http.reply import READS, Reply

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_logger = logging.getLogger("crossdock.http")


class _Request(NamedTuple):
    """A request as it is sent."""

    method: str
    url: str
    query: Query
    headers: Mapping[str, str]
    body: bytes | None
    timeout: float

    def __str__(self) -> str:
        return f"{self.method} {shown(self.url)}"


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
        key = configuration.api_key
        own = {key.header: key.value} if key is not None and key.header is not None else {}
        self._headers = headers_of({"authorization": configuration.authorization(), **own, **(headers or {})})
        self._query = query_of({key.query: key.value.get_secret_value()}) if key is not None and key.query else []
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
        return self._request(method, self.url(path, options.get("params")), options)

    def _request(self, method: str, url: str, options: RequestOptions) -> Answer:
        content, own = content_of(options), options.get("headers") or {}
        left_out = {name.lower() for name, value in own.items() if value is None}
        kept = {name: value for name, value in self._headers.items() if name not in left_out}
        request = _Request(
            method.upper(),
            url,
            self._query + query_of(options.get("query") or {}),
            {**kept, **headers_of({"content-type": content.type}), **headers_of(own)},
            content.body,
            options.get("timeout") or self._configuration.timeout,
        )
        retry, idempotent = options.get("retry"), bool(options.get("idempotent"))
        times = self._configuration.retry if retry is None else retry
        reply = patiently(lambda: self._followed(request), method=request.method, retry=times, idempotent=idempotent)
        return reply.answer(options.get("parse") or "auto", options.get("ok"))

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

    def head(self, path: str, **options: Unpack[RequestOptions]) -> Answer:
        """Send a HEAD request; the options are those of ``request``."""
        return self.request("HEAD", path, **options)

    def pages(self, path: str, **options: Unpack[RequestOptions]) -> Iterator[Answer]:
        """Give a page and those that its ``next`` links lead to.

        A link that leaves the origin or was followed before is an error.
        """
        url, seen = self.url(path, options.pop("params", None)), set[str]()
        while True:
            answer = self._request("GET", url, options)
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

    def _followed(self, request: _Request) -> Reply:
        """Send a request, and follow it to where it was redirected on its own origin."""
        for _ in range(_MOST_REDIRECTS + 1):
            reply = self._sent(request)
            location = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not location:
                return reply
            if request.method not in READS and reply.status not in (307, 308):
                raise RedirectError(
                    f"{request} was redirected to {shown(urljoin(request.url, location))}", status=reply.status
                )
            request = request._replace(url=next_url(request.url, location), query=self._query)
        raise RedirectError(
            f"{request} was redirected more than {_MOST_REDIRECTS} times", fix="Check base_url and the path."
        )

    def _sent(self, request: _Request) -> Reply:
        """Send a request once, and read its reply within its time and size."""
        if self._http is None:
            raise RuntimeError("the Client is not open: use it in a with statement")
        started = time.perf_counter()
        with (
            _mapped(request),
            self._http.stream(
                request.method,
                _address(request),
                headers=request.headers,
                content=request.body,
                timeout=request.timeout,
            ) as response,
        ):
            body = self._read(request, response, started + request.timeout)
        seconds = time.perf_counter() - started
        _logger.debug("%s: %s in %.3f s", request, response.status_code, seconds)
        url = shown(str(response.url))
        return Reply(
            request.method, url, response.status_code, response.reason_phrase, dict(response.headers), body, seconds
        )

    def _read(self, request: _Request, response: httpx.Response, deadline: float) -> bytes:
        """Read a body: no more than the limit, and no longer than the deadline."""
        limit, body = self._configuration.max_response_bytes, bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                raise _too_much(request, limit)
            if time.perf_counter() > deadline:
                raise httpx.ReadTimeout("the answer took too long", request=response.request)
        return bytes(body)


def _too_much(request: _Request, limit: int) -> AdaptorError:
    """Give the error of an answer over the limit; a write that was answered may have happened."""
    kind = HttpError if request.method in READS else UnknownOutcomeError
    return kind(
        f"{request} answered more than {limit} bytes",
        fix="Ask for less, or raise max_response_bytes in the credential.",
    )


def _address(request: _Request) -> httpx.URL:
    address = httpx.URL(request.url)
    if not request.query:
        return address
    added = httpx.QueryParams(request.query)
    return address.copy_merge_params(added) if address.query else address.copy_with(params=added)


@contextmanager
def _mapped(request: _Request) -> Iterator[None]:
    """Turn what httpx raises into our errors, without URLs' secrets."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise HttpConnectionError(f"{request}: no connection ({type(error).__name__})", sent=False) from error
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise HttpError(
            f"{request} can't be sent ({type(error).__name__})", fix="Check the URL, the headers and the body."
        ) from error
    except httpx.TransportError as error:
        what = (
            f"no whole answer within {request.timeout:g} s"
            if isinstance(error, httpx.TimeoutException)
            else "no whole answer"
        )
        if request.method in READS:
            raise HttpConnectionError(f"{request}: {what} ({type(error).__name__})") from error
        raise UnknownOutcomeError(f"{request} was sent, and {what} came ({type(error).__name__})") from error
    except httpx.DecodingError as error:
        kind = HttpError if request.method in READS else UnknownOutcomeError
        raise kind(f"{request} answered with a broken encoding", fix="Check what the system sends.") from error
