"""Connections: kept alive, only to addresses that may be reached, and within a deadline.

httpx knows a timeout for each read and no deadline, and connects anywhere. Both are added here through
what httpcore offers for it: a network backend of one's own, and timeouts that it hands on untouched.
"""

import ssl
import threading
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from crossdock_http.configuration import HttpConfiguration
from crossdock_http.deadline import Deadline
from crossdock_http.library import httpcore, httpx
from crossdock_http.network import Reach
from crossdock_http.tls import tls_context

_CHUNK = 65536


class Pools(httpx.BaseTransport):
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
            "ssl_context": tls_context(self._configuration) if scheme == "https" else None,  # it takes 28 ms
            "max_connections": 100,
            "max_keepalive_connections": 20,
            "keepalive_expiry": 5.0,
            "network_backend": _Guard(self._reach if proxy is None else Reach(everywhere=True)),
        }
        if proxy is None:
            return httpcore.ConnectionPool(**options)
        parts = urlsplit(proxy)
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
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
