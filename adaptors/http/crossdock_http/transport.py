"""Transport: one request sent and its reply read. The one module that imports httpx and its httpcore.

Three things are added to httpx here, all through what httpcore offers for them: a deadline for the
whole operation instead of a timeout for each read, connections only to addresses that may be
reached, and errors without URLs' secrets.
"""

import logging
import ssl
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx
from crossdock import AdaptorError, UnknownOutcomeError

from crossdock_http.address import origin, shown
from crossdock_http.configuration import HttpConfiguration
from crossdock_http.content import Part, Request
from crossdock_http.deadline import Deadline
from crossdock_http.encoding import ACCEPTED, EncodingError, decoded
from crossdock_http.errors import (
    DeadlineError,
    HttpConnectionError,
    HttpError,
    NoAnswerError,
    RedirectError,
    ResponseTooLargeError,
    TlsError,
    TruncatedAnswerError,
)
from crossdock_http.network import Reach
from crossdock_http.reply import READS, Live, Reply
from crossdock_http.tls import identify, trusting

_CHUNK = 65536
_FIX_ENCODING = "Check what the system sends; ask for it plain: headers={'Accept-Encoding': 'identity'}."
_CONNECT = 10.0
"""Seconds that a connection may take; it is tried again while the deadline lasts."""

_logger = logging.getLogger("crossdock.http")
for _name in ("httpx", "httpcore"):  # they log whole URLs, with the secrets in them
    logging.getLogger(_name).setLevel(logging.WARNING)


class Exchange(Protocol):
    """What sends requests: a network, or the record of an earlier run."""

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:
        """Send a request once and give its reply, read to its end unless it is to be ``live``."""

    def log_in(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request whose reply is a token."""


class Transport:
    """Sends requests over the network with the credentials of one system.

    Args:
        configuration: What the credential holds.
    """

    def __init__(self, configuration: HttpConfiguration) -> None:
        self._configuration = configuration
        self._origin = origin(configuration.base_url) if configuration.base_url is not None else None
        self._open = ExitStack()
        self._digests = threading.local()

    def __enter__(self) -> Self:
        pools = _Pools(self._configuration)
        policy = DefaultCookiePolicy(allowed_domains=None if self._configuration.keep_cookies else ())
        # Another origin never sees the cookies of the system's own.
        self._own = self._open.enter_context(_client(pools, CookieJar(policy)))
        self._foreign = self._open.enter_context(_client(pools, CookieJar(DefaultCookiePolicy(allowed_domains=()))))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def send(self, request: Request, deadline: Deadline, *, live: bool = False) -> Reply:
        """Send a request once.

        Args:
            request: What to send.
            deadline: Until when the reply must have been read; until its head came if it is live.
            live: Whether the body of a success is left to be read bit by bit.
        """
        started = perf_counter()
        with _mapped(request, deadline), ExitStack() as stack:
            response = self._response(request, deadline, stack)
            head = (request.method, shown(request.url), response.status_code, response.reason_phrase)
            headers = dict(response.headers)
            if live and response.is_success:
                left = stack.pop_all()
                body = Live(_chunks(request, deadline, response), left.close)
                return Reply(*head, headers, b"", perf_counter() - started, body)
            content = _read(request, response, self._configuration.max_response_bytes)
        reply = Reply(*head, headers, content, perf_counter() - started)
        _logger.debug("%s: %s in %.3f s", request, reply.status, reply.duration)
        return reply

    def log_in(self, request: Request, deadline: Deadline) -> Reply:
        """Send a request for a token; to the network it is one like any other."""
        return self.send(request, deadline)

    def _response(self, request: Request, deadline: Deadline, stack: ExitStack) -> httpx.Response:
        ours = origin(request.url) == self._origin
        client = self._own if ours else self._foreign
        built = client.build_request(
            request.method,
            request.url,
            headers=request.headers,
            **_body(request.body, stack),
            extensions={"timeout": _timeouts(deadline)},
        )
        response = client.send(built, auth=self._digest() if ours else None, stream=True)
        stack.callback(response.close)
        return response

    def _digest(self) -> httpx.Auth | None:
        """Give what answers digest challenges; each thread counts its own nonces."""
        known = self._configuration
        if known.auth != "digest" or known.username is None or known.password is None:
            return None
        if not hasattr(self._digests, "auth"):
            self._digests.auth = httpx.DigestAuth(known.username, known.password.get_secret_value())
        auth: httpx.Auth = self._digests.auth
        return auth


def _client(transport: httpx.BaseTransport, cookies: CookieJar) -> httpx.Client:
    # The environment is not asked: a run depends on its credentials alone.
    return httpx.Client(
        transport=transport,
        follow_redirects=False,
        trust_env=False,
        cookies=cookies,
        headers={"accept-encoding": ACCEPTED},
    )


def _timeouts(deadline: Deadline) -> dict[str, Any]:
    """Give the timeouts of a request in httpcore's form; our streams understand a deadline there."""
    left = max(deadline.left(), 0.001)
    return {"connect": min(left, _CONNECT), "read": deadline, "write": deadline, "pool": left}


def _tls(configuration: HttpConfiguration) -> ssl.SSLContext:
    """Make the TLS context of a credential: TLS 1.2 at least, certificates checked unless it says otherwise."""
    known = configuration
    if known.ca is not None and known.verify:
        context = trusting(known.ca)
    else:
        context = httpx.create_ssl_context(verify=known.verify, trust_env=known.trust_env)
    if known.cert is not None and known.key is not None:
        identify(context, known.cert, known.key.get_secret_value())
    return context


def _body(body: bytes | tuple[Part, ...] | None, stack: ExitStack) -> dict[str, Any]:
    if not isinstance(body, tuple):
        return {"content": body}
    return {"files": [(part.name, _form_part(part, stack)) for part in body]}


def _form_part(part: Part, stack: ExitStack) -> tuple[Any, ...]:
    content = stack.enter_context(part.content.open("rb")) if isinstance(part.content, Path) else part.content
    return (part.filename, content) if part.type is None else (part.filename, content, part.type)


def _read(request: Request, response: httpx.Response, limit: int) -> bytes:
    """Read a body, no more than the limit."""
    body = bytearray()
    for chunk in decoded(response.iter_raw(), response.headers.get("content-encoding", "")):
        body += chunk
        if len(body) > limit:
            raise too_large(request.method, str(request), limit)
    return bytes(body)


def _chunks(request: Request, deadline: Deadline, response: httpx.Response) -> Iterator[bytes]:
    """Give a body as it comes; the deadline holds for each silence, not for the time that the job takes."""
    with _mapped(request, deadline):
        yield from decoded(_renewing(deadline, response.iter_raw()), response.headers.get("content-encoding", ""))


def _renewing(deadline: Deadline, chunks: Iterator[bytes]) -> Iterator[bytes]:
    deadline.renew()
    for chunk in chunks:
        yield chunk
        deadline.renew()


def too_large(method: str, what: str, limit: int) -> AdaptorError:
    """Give the error of an answer over the limit; a write that was answered may have happened."""
    kind = ResponseTooLargeError if method in READS else UnknownOutcomeError
    return kind(f"{what} answered more than {limit} bytes", fix=ResponseTooLargeError.fix)


class _Pools(httpx.BaseTransport):
    """Connections, kept alive: one pool without a proxy, and one for each proxy in use."""

    def __init__(self, configuration: HttpConfiguration) -> None:
        self._configuration = configuration
        self._pools: dict[tuple[str, str | None], httpcore.ConnectionPool] = {}
        named = (configuration.base_url, configuration.oauth2 and configuration.oauth2.token_url)
        hosts = (urlsplit(url).hostname for url in named if url)
        self._reach = Reach(hosts, everywhere=configuration.allow_private_addresses)
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over a connection that is free, or a new one."""
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        assert isinstance(request.stream, httpx.SyncByteStream)  # noqa: S101 - the client is a synchronous one
        sent = httpcore.Request(
            request.method, target, headers=request.headers.raw, content=request.stream, extensions=request.extensions
        )
        proxy = self._proxy(url)
        if proxy is not None:
            self._reach.check(url.host, url.port or (443 if url.scheme == "https" else 80))
        reply = self._pool(url.scheme, proxy).handle_request(sent)
        assert isinstance(reply.stream, Iterable)  # noqa: S101 - so is the pool
        return httpx.Response(
            reply.status, headers=reply.headers, stream=_Body(reply.stream), extensions=reply.extensions
        )

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _pool(self, scheme: str, proxy: str | None) -> httpcore.ConnectionPool:
        with self._lock:
            if (scheme, proxy) not in self._pools:
                self._pools[scheme, proxy] = self._opened(scheme, proxy)
            return self._pools[scheme, proxy]

    def _opened(self, scheme: str, proxy: str | None) -> httpcore.ConnectionPool:
        options: dict[str, Any] = {
            "ssl_context": _tls(self._configuration) if scheme == "https" else None,  # it takes 28 ms
            "max_connections": 100,
            "max_keepalive_connections": 20,
            "keepalive_expiry": 5.0,
            "network_backend": _Guard(self._reach if proxy is None else Reach(everywhere=True)),
        }
        if proxy is None:
            return httpcore.ConnectionPool(**options)
        parts = urlsplit(proxy)
        auth = (parts.username or "", parts.password or "") if parts.username else None
        return httpcore.HTTPProxy(proxy.replace(f"{parts.netloc.rpartition('@')[0]}@", ""), proxy_auth=auth, **options)

    def _proxy(self, url: httpx.URL) -> str | None:
        known = self._configuration
        if known.proxy is not None:
            return known.proxy.get_secret_value()
        return getproxies().get(url.scheme) if known.trust_env and not proxy_bypass(url.host) else None


class _Body(httpx.SyncByteStream):
    """The body of a response, as it comes from the connection."""

    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        """Give the connection back."""
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


class _Guard(httpcore.NetworkBackend):
    """Connects only where that is allowed.

    Args:
        reach: Where that is.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = httpcore.SyncBackend()

    def connect_tcp(self, host: str, port: int, timeout: Any = None, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Connect to one of the addresses of a host, the very ones that were judged."""
        addresses, deadline = self._addresses(host, port), Deadline(timeout)
        failure: Exception = httpcore.ConnectError("no address")
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = max(deadline.left() / left, 0.001)  # one that is deaf leaves time for the others
            try:
                return _Stream(self._inner.connect_tcp(address, port, timeout=share, socket_options=[]))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            return self._reach.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("no such host") from error


class _Stream(httpcore.NetworkStream):
    """A connection on which a timeout may be a deadline."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self.close = inner.close  # type: ignore[method-assign]
        self.get_extra_info = inner.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        """Read what is there, or wait for it."""
        return self._inner.read(max_bytes, _seconds(timeout))

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        """Write it all."""
        for start in range(0, len(buffer), _CHUNK):
            self._inner.write(buffer[start : start + _CHUNK], _seconds(timeout))

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        """Give the encrypted connection over this one."""
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _seconds(timeout)))


def _seconds(timeout: Any) -> float | None:
    if not isinstance(timeout, Deadline):
        return timeout  # type: ignore[no-any-return]
    left = timeout.left()
    if left <= 0:
        raise httpcore.ReadTimeout("the deadline has passed")
    return left


@contextmanager
def _mapped(request: Request, deadline: Deadline) -> Iterator[None]:
    """Turn what httpx and httpcore raise into our errors, without URLs' secrets."""
    try:
        yield
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError) as error:
        raise _no_connection(request, error) from error
    except (httpcore.LocalProtocolError, httpx.LocalProtocolError, httpx.InvalidURL, httpcore.UnsupportedProtocol) as e:
        raise HttpError(
            f"{request} can't be sent ({type(e).__name__})", fix="Check the URL, the headers and the body."
        ) from e
    except httpcore.TimeoutException as error:
        raise _unanswered(request, DeadlineError, f"no whole answer within {deadline.seconds:g} s") from error
    except httpx.RemoteProtocolError as error:  # httpx itself has this for the Location of a redirect only
        raise RedirectError(f"{request} was redirected to something that is no URL") from error
    except (httpcore.RemoteProtocolError, httpcore.NetworkError, httpx.TransportError) as error:
        broke_off = "complete message body" in str(error) or "incomplete chunked read" in str(error)
        kind = TruncatedAnswerError if broke_off else NoAnswerError
        raise _unanswered(request, kind, f"no whole answer ({type(error).__name__})") from error
    except EncodingError as error:
        broken = HttpError if request.method in READS else UnknownOutcomeError
        raise broken(f"{request} answered in an encoding that can't be undone: {error}", fix=_FIX_ENCODING) from error


def _no_connection(request: Request, error: Exception) -> HttpConnectionError:
    """Give the error of a connection that did not come about: nothing was sent."""
    host = urlsplit(request.url)
    reason = error.__cause__ or error
    if isinstance(reason, ssl.SSLError):
        why = getattr(reason, "verify_message", None) or reason.reason or type(reason).__name__
        return TlsError(f"{request}: no secure connection: {why}")
    what = f"no connection to {host.hostname}:{host.port or (443 if host.scheme == 'https' else 80)}"
    return HttpConnectionError(f"{request}: {what} ({type(reason).__name__})")


def _unanswered(request: Request, kind: type[NoAnswerError], what: str) -> AdaptorError:
    """Give the error of a request that was sent and not answered: a write may have happened."""
    if request.method in READS:
        return kind(f"{request}: {what}")
    return UnknownOutcomeError(f"{request} was sent, and {what} came", reason=kind.code)
