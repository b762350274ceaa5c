"""FaultyServer: an HTTP server that answers with the very bytes, and the very faults, of a script."""

import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from crossdock.testing.http_messages import RequestReader
from crossdock.testing.places import PATIENCE, Listening, ungathered
from crossdock.testing.steps import Reply, Step, play, steps_of

if TYPE_CHECKING:  # it takes 10 ms, and who serves TLS has it
    import ssl


class FaultyServer(Listening):
    r"""An HTTP server that follows a script.

    It reads a request with its body, and plays the next reply. A connection is kept for the next request, unless a
    step ends it.

    Args:
        reply: What the first request gets.
        more: What the ones after it get; the last reply is for all that follow.
        tls: Serve HTTPS with this context.

    Example:
        >>> from crossdock.testing import Close
        >>> with FaultyServer([b"HTTP/1.1 200 OK\r\n", Close()]) as server:
        ...     with socket.create_connection(server.address) as client:
        ...         client.sendall(b"GET /people HTTP/1.1\r\n\r\n")
        ...         client.recv(100), client.recv(100)
        ...     server.requests, server.connections
        (b'HTTP/1.1 200 OK\r\n', b'')
        ([b'GET /people HTTP/1.1\r\n\r\n'], 1)
    """

    def __init__(self, reply: Reply, *more: Reply, tls: "ssl.SSLContext | None" = None) -> None:
        super().__init__()
        self.requests: list[bytes] = []
        """Each request that came whole, as it was sent."""
        self.connections = 0
        """How often a client connected."""
        self._tls = tls
        if tls is not None:
            _check(tls)
        self._changed = threading.Condition()
        self.script(reply, *more)

    @property
    def url(self) -> str:
        """Its base URL."""
        return self.address.url if self._tls is None else self.address.url.replace("http", "https", 1)

    def script(self, reply: Reply, *more: Reply) -> None:
        """Answer from now on with other replies."""
        with self._changed:
            self._replies = deque([reply, *more])

    def wait_for_requests(self, count: int = 1, *, timeout: float = PATIENCE) -> None:
        """Wait until that many requests came.

        Raises:
            TimeoutError: They did not.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came within {timeout:g} s")

    def _reply_to(self, request: bytes) -> Reply:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            return self._replies.popleft() if len(self._replies) > 1 else self._replies[0]

    def _serve(self) -> None:
        conversations: list[_Conversation] = []
        while (connection := self._accepted()) is not None:
            conversations = [conversation for conversation in conversations if conversation.is_alive()]
            conversations.append(_Conversation(connection, self._reply_to, self._stopping))
        for conversation in conversations:
            conversation.stop()

    def _accepted(self) -> socket.socket | None:
        """Wait for the next connection; there is none when it is to stop."""
        while True:
            connection, _ = self._listener.accept()
            if self._stopping.is_set():
                connection.close()
                return None
            self.connections += 1
            if self._tls is None:
                return ungathered(connection)
            with suppress(OSError):  # the client is gone already
                return self._tls.wrap_socket(ungathered(connection), server_side=True, do_handshake_on_connect=False)
            connection.close()


def _check(tls: "ssl.SSLContext") -> None:
    """Raise what is wrong with a context for a server now, where its author sees it."""
    from ssl import MemoryBIO

    tls.wrap_bio(MemoryBIO(), MemoryBIO(), server_side=True)


class _Conversation(threading.Thread):
    """One connection of a client, in a thread of its own."""

    def __init__(
        self, connection: socket.socket, reply_to: Callable[[bytes], Reply], stopping: threading.Event
    ) -> None:
        super().__init__(name=f"connection from {connection.getsockname()}", daemon=True)
        self._connection = connection
        self._reply_to = reply_to
        self._stopping = stopping
        self.start()

    def run(self) -> None:
        """Answer until a step, the client or the test ends it."""
        with self._connection:
            if not self._shakes_hands():
                return
            reader = RequestReader(self._connection)
            while (request := self._next(reader)) is not None:
                self._play(steps_of(self._reply_to(request), request))

    def stop(self) -> None:
        """End it, wherever it is."""
        with suppress(OSError):  # it ended
            # Not the method of an SSLSocket, which would take the TLS away under the hands of the thread.
            socket.socket.shutdown(self._connection, socket.SHUT_RDWR)
        self.join()

    def _shakes_hands(self) -> bool:
        """Do what TLS begins with; a client that is refused hears why before the end."""
        if not hasattr(self._connection, "do_handshake"):
            return True
        try:
            self._connection.do_handshake()
        except OSError:
            with suppress(OSError):
                # To close with bytes unread would be a reset, and the client might not see the alert.
                self._connection.shutdown(socket.SHUT_WR)
                while socket.socket.recv(self._connection, 65536):
                    pass
            return False
        return True

    def _next(self, reader: RequestReader) -> bytes | None:
        if self._connection.fileno() == -1:  # a step ended it
            return None
        try:
            return reader.next()
        except (EOFError, OSError):  # the client had enough, or the test ended
            return None

    def _play(self, steps: Sequence[Step]) -> None:
        with suppress(OSError):  # the client had enough, or the test ended
            for step in steps:
                play(step, self._connection, self._stopping)


class StartFaultyServer(Protocol):
    """The fixture ``faulty_server``: starts a FaultyServer that ends with the test."""

    def __call__(self, reply: Reply, *more: Reply, tls: "ssl.SSLContext | None" = None) -> FaultyServer:
        """Start one; see FaultyServer."""
