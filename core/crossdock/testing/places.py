"""Places on this machine that a client may turn to: one that listens, one that refuses, one that is deaf."""

import select
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import NamedTuple, Self

HOST = "127.0.0.1"
PATIENCE = 10.0
"""Seconds that a thread has to end; it needs far less."""


class Address(NamedTuple):
    """Where a client connects to."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The base URL for HTTP."""
        return f"http://{self.host}:{self.port}"


class Listening(ABC):
    """What listens on a port of its own, in a thread of its own, for as long as its ``with`` block lasts."""

    address: Address
    _listener: socket.socket
    _thread: threading.Thread

    def __init__(self) -> None:
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self._listener = socket.create_server((HOST, 0), backlog=socket.SOMAXCONN)
        self.address = Address(*self._listener.getsockname())
        # A daemon, so that a thread that hangs is an error of its test and not the end of all tests.
        self._thread = threading.Thread(target=self._serve, name=f"{type(self).__name__} {self.url}", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with suppress(OSError):  # it may have ended by itself
            socket.create_connection(self.address, timeout=PATIENCE).close()  # wakes the thread
        self._thread.join(PATIENCE)
        self._listener.close()
        if self._thread.is_alive():
            raise RuntimeError(f"the thread of {self._thread.name} did not end")

    @property
    def url(self) -> str:
        """Its base URL."""
        return self.address.url

    @abstractmethod
    def _serve(self) -> None:
        """Accept connections until it is to stop."""


def ungathered(connection: socket.socket) -> socket.socket:
    """Have each piece go out when it is sent, and not wait to be gathered with the next (RFC 896)."""
    with suppress(OSError):  # it is gone already, or is none of TCP
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


@contextmanager
def closed_port() -> Iterator[Address]:
    """Give an address where a connection is refused, and that nobody else gets meanwhile.

    Example:
        >>> with closed_port() as address, socket.socket() as client:
        ...     client.connect(address)  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        ConnectionRefusedError: Connection refused
    """
    with socket.socket() as bound:  # and not listening
        bound.bind((HOST, 0))
        yield Address(*bound.getsockname())


@contextmanager
def deaf_port() -> Iterator[Address]:
    """Give an address where nobody accepts and the backlog is full, so that a connection times out.

    Example:
        >>> with deaf_port() as address:
        ...     socket.create_connection(address, timeout=0.1)
        Traceback (most recent call last):
        TimeoutError: timed out
    """
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((HOST, 0))
        listener.listen(0)
        # Linux keeps one connection more than the backlog says; the others only make sure.
        waiting = [stack.enter_context(socket.socket()) for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        select.select([], waiting, [], PATIENCE)
        yield Address(*listener.getsockname())
