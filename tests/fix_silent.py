"""A server that reads a whole request, and then says nothing or hangs up."""

import socket
import threading
from collections.abc import Iterator

import pytest


class Silent:
    """A server that never answers.

    ``received`` is set once a whole request was read; with ``hangs_up`` the connection ends then.
    """

    def __init__(self) -> None:
        self.hangs_up = False
        self.received = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    @property
    def address(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:  # it was stopped
                return
            self._open.append(connection)
            _read_request(connection)
            self.received.set()
            if self.hangs_up:
                connection.close()

    def stop(self) -> None:
        """Close everything."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._open:
            connection.close()
        self._thread.join(timeout=10)


def _read_request(connection: socket.socket) -> None:
    with connection.makefile("rb") as file:
        length = 0
        while (line := file.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        file.read(length)


@pytest.fixture
def silent() -> Iterator[Silent]:
    """A server that never answers."""
    server = Silent()
    yield server
    server.stop()
