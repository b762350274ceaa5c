"""The steps that a reply is made of: the faults of a network, by name."""

import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Drip:
    """Send bytes one by one.

    Args:
        data: What to send.
        every: Seconds between two bytes.
    """

    data: bytes
    every: float = 0.1


@dataclass(frozen=True)
class Forever:
    """Send the same bytes again and again, until the client goes."""

    chunk: bytes

    def __post_init__(self) -> None:
        if not self.chunk:
            raise ValueError("Forever needs at least one byte to send")


@dataclass(frozen=True)
class Stall:
    """Say nothing more, and keep the connection open until the client goes or the test ends."""


@dataclass(frozen=True)
class Close:
    """End the connection in good order, with a FIN; over TLS without TLS's own goodbye."""


@dataclass(frozen=True)
class Reset:
    """End the connection with an RST, as a system does that crashed or was started anew."""


Step: TypeAlias = bytes | Drip | Forever | Stall | Close | Reset
"""Bytes are sent as they are, at once."""

Reply: TypeAlias = Step | Sequence[Step] | Callable[[bytes], "Reply"]
"""What a request gets: a step, several one after another, or a function of the request that gives one of these."""


def steps_of(reply: Reply, request: bytes) -> Sequence[Step]:
    """Give the steps of a reply to a request."""
    while callable(reply):
        reply = reply(request)
    return reply if isinstance(reply, Sequence) and not isinstance(reply, bytes) else [reply]


def play(step: Step, connection: socket.socket, stopping: threading.Event) -> None:
    """Do a step on a connection; the event ends one that takes long."""
    match step:
        case bytes():
            connection.sendall(step)
        case Drip():
            _drip(step, connection, stopping)
        case Forever():
            while not stopping.is_set():
                connection.sendall(step.chunk)
        case Stall():
            _stall(connection, stopping)
        case Close():
            connection.close()
        case Reset():
            reset(connection)


def _drip(step: Drip, connection: socket.socket, stopping: threading.Event) -> None:
    for byte in step.data:
        connection.sendall(bytes([byte]))
        if stopping.wait(step.every):
            return


def _stall(connection: socket.socket, stopping: threading.Event) -> None:
    while not stopping.is_set() and connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    """Close a connection so that the other side gets an RST: with a linger of no time (socket(7))."""
    with connection, suppress(OSError):  # it may be gone already
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
