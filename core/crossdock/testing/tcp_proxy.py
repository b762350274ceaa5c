"""TcpProxy: a way to a real server that breaks where a test says."""

import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Protocol, TypeAlias

from crossdock.testing.flow import Flow, Tally
from crossdock.testing.places import PATIENCE, Listening, ungathered
from crossdock.testing.steps import Close, Reset, Stall, reset

Cut: TypeAlias = Close | Reset | Stall
_IN_GOOD_ORDER = Close()


class TcpProxy(Listening):
    r"""A TCP proxy in front of a server: it hands bytes on, counts them, and cuts the connection.

    Its attributes may be changed at any time; they hold from the next byte on. Offsets count within a connection: the
    cut comes as soon as that many bytes have passed, and 0 stands for the first byte, which does not pass.

    Args:
        host: Where the server is; a folder stands for the Unix socket of a PostgreSQL in it.
        port: Its port.
        cut_request_at: Cut after so many bytes from the client.
        cut_response_at: Cut after so many bytes from the server.
        cut_response_to: Cut at the first byte from the server after the client sent these bytes.
        cut: How: in good order, with a reset, or by handing on nothing more.
        delay: Seconds that each piece is kept before it is handed on.

    Example:
        >>> from crossdock.testing import FaultyServer, http_reply
        >>> with FaultyServer(http_reply(b"[]")) as server, TcpProxy(*server.address, cut_response_at=12) as proxy:
        ...     with socket.create_connection(proxy.address) as client:
        ...         client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        ...         client.recv(100), client.recv(100)
        ...     proxy.sent, proxy.received, proxy.cuts
        (b'HTTP/1.1 200', b'')
        (18, 12, 1)
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        cut_request_at: int | None = None,
        cut_response_at: int | None = None,
        cut_response_to: bytes | None = None,
        cut: Cut = _IN_GOOD_ORDER,
        delay: float = 0.0,
    ) -> None:
        super().__init__()
        self.cut_request_at = cut_request_at
        self.cut_response_at = cut_response_at
        self.cut_response_to = cut_response_to
        self.cut = cut
        self.delay = delay
        self.connections = 0
        """How often a client connected."""
        self.cuts = 0
        """How many connections were cut."""
        self._server = (host, port)
        self._tallies = Tally(), Tally()

    @property
    def sent(self) -> int:
        """How many bytes passed to the server."""
        return self._tallies[0].total

    @property
    def received(self) -> int:
        """How many bytes passed from the server."""
        return self._tallies[1].total

    def _serve(self) -> None:
        passages: list[_Passage] = []
        self._listener.setblocking(False)
        while not self._stopping.is_set():
            self._wait(passages)
            passages += self._accepted()
            for passage in passages:
                passage.move()
            passages = [passage for passage in passages if passage.is_open]
        for passage in passages:
            passage.close()

    def _wait(self, passages: "list[_Passage]") -> None:
        """Wait until there is something to do."""
        wanted = {self._listener: select.POLLIN}
        for each, event in chain.from_iterable(passage.wants for passage in passages):
            wanted[each] = wanted.get(each, 0) | event
        poll = select.poll()
        for each, events in wanted.items():
            poll.register(each, events)
        delays = [delay for passage in passages for delay in passage.delays]
        poll.poll(1000 * min(delays) if delays else None)

    def _accepted(self) -> "list[_Passage]":
        """Let in a client that waits, if there is one and the server takes it."""
        if self._stopping.is_set():
            return []
        try:
            client, _ = self._listener.accept()
        except BlockingIOError:
            return []
        self.connections += 1
        try:
            server = self._connected()
        except OSError:
            reset(client)
            return []
        return [_Passage(client, server, self, self._tallies)]

    def _connected(self) -> socket.socket:
        """Connect to the server."""
        host, port = self._server
        if not host.startswith("/"):
            return socket.create_connection((host, port), timeout=PATIENCE)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.connect(f"{host}/.s.PGSQL.{port}")
        except OSError:
            server.close()
            raise
        return server


class _Passage:
    """One connection through the proxy, in both directions; it ends by itself, or by a cut."""

    def __init__(
        self, client: socket.socket, server: socket.socket, proxy: TcpProxy, tallies: tuple[Tally, Tally]
    ) -> None:
        self._proxy = proxy
        self._sockets = (client, server)
        for each in self._sockets:
            ungathered(each).setblocking(False)
        self._request = Flow(client, server, tallies[0])
        self._response = Flow(server, client, tallies[1])
        self._seen = b""
        self._doomed_at: int | None = None
        self._ending: Cut | None = None

    @property
    def is_open(self) -> bool:
        return any(each.fileno() != -1 for each in self._sockets)

    @property
    def wants(self) -> Iterable[tuple[socket.socket, int]]:
        """What it waits for."""
        if self._ending is None:
            return [*self._request.wants.items(), *self._response.wants.items()]
        if isinstance(self._ending, Close):
            return [(each, select.POLLIN) for each in self._sockets if each.fileno() != -1]
        return []

    @property
    def delays(self) -> list[float]:
        """In how many seconds it has to do something by itself."""
        delays = (self._request.delay, self._response.delay) if self._ending is None else ()
        return [delay for delay in delays if delay]

    def move(self) -> None:
        """Do what can be done."""
        if isinstance(self._ending, Close):
            self._drain()
        elif self._ending is None:
            try:
                self._pass_on()
            except OSError:  # one side broke the connection, so the other learns it
                self._end(Reset())

    def close(self) -> None:
        """Close both sides."""
        for each in self._sockets:
            each.close()

    def _pass_on(self) -> None:
        proxy = self._proxy
        self._look_at(self._request.take(proxy.delay))
        if self._request.hand_on(proxy.cut_request_at):
            self._cut()
            return
        self._response.take(proxy.delay)
        if self._response.hand_on(self._response_limit()):
            self._cut()
        elif self._request.is_over and self._response.is_over:
            self.close()

    def _look_at(self, request: bytes) -> None:
        """See whether the client has now sent what it is to get no answer to."""
        mark = self._proxy.cut_response_to
        if mark is None or self._doomed_at is not None:
            return
        self._seen += request
        if mark in self._seen:
            self._doomed_at = self._response.passed
        self._seen = self._seen[-len(mark) :]

    def _response_limit(self) -> int | None:
        limits = (self._proxy.cut_response_at, self._doomed_at)
        return min((limit for limit in limits if limit is not None), default=None)

    def _cut(self) -> None:
        self._proxy.cuts += 1
        self._end(self._proxy.cut)

    def _end(self, ending: Cut) -> None:
        self._ending = ending
        if isinstance(ending, Reset):
            for each in self._sockets:
                reset(each)
        elif isinstance(ending, Close):
            for each in self._sockets:
                with suppress(OSError):  # it has gone already
                    each.shutdown(socket.SHUT_WR)

    def _drain(self) -> None:
        """Read what still comes, until both sides ended: with bytes unread, the end would be a reset."""
        for each in self._sockets:
            try:
                gone = not each.recv(65536)
            except BlockingIOError:
                continue
            except OSError:
                gone = True
            if gone:
                each.close()


class StartTcpProxy(Protocol):
    """The fixture ``tcp_proxy``: starts a TcpProxy that ends with the test."""

    def __call__(
        self,
        host: str,
        port: int,
        *,
        cut_request_at: int | None = None,
        cut_response_at: int | None = None,
        cut_response_to: bytes | None = None,
        cut: Cut = _IN_GOOD_ORDER,
        delay: float = 0.0,
    ) -> TcpProxy:
        """Start one; see TcpProxy."""
