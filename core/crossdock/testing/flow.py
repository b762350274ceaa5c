"""Flow: one direction of a connection through a proxy."""

import select
import socket
import threading
import time


class Tally:
    """Bytes that passed in one direction, over all connections."""

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._total = 0

    def send(self, target: socket.socket, data: bytes) -> int:
        """Send what the target takes, and count it before anybody who received it can ask."""
        with self._counting:
            count = target.send(data)
            self._total += count
        return count

    @property
    def total(self) -> int:
        """How many there were."""
        with self._counting:
            return self._total


class Flow:
    """One direction of a connection: what its source sends goes into its target, piece by piece.

    Neither socket may block.
    """

    def __init__(self, source: socket.socket, target: socket.socket, tally: Tally) -> None:
        self._source = source
        self._target = target
        self._tally = tally
        self._waiting = b""
        self._due = 0.0
        self._ended = False
        self.passed = 0

    @property
    def is_over(self) -> bool:
        """Whether the source ended and all of it has passed."""
        return self._ended and not self._waiting

    @property
    def delay(self) -> float | None:
        """Seconds until there is something to do again; None if that is up to the sockets."""
        return max(0.0, self._due - time.monotonic()) if self._waiting else None

    @property
    def wants(self) -> dict[socket.socket, int]:
        """What it waits for, as ``select.poll`` has it."""
        if self._waiting:
            return {} if self.delay else {self._target: select.POLLOUT}
        return {} if self._ended else {self._source: select.POLLIN}

    def take(self, delay: float) -> bytes:
        """Read the next piece, if there is one and the one before it has passed; it is due after a delay."""
        if self._waiting or self._ended:
            return b""
        try:
            self._waiting = self._source.recv(65536)
        except BlockingIOError:
            return b""
        self._due = time.monotonic() + delay
        if not self._waiting:
            self._ended = True
            self._target.shutdown(socket.SHUT_WR)
        return self._waiting

    def hand_on(self, limit: int | None) -> bool:
        """Send what is due of the piece, within a limit to all that passes; tell whether that is reached."""
        if not self._waiting or self.delay:
            return False
        allowed = self._waiting if limit is None else self._waiting[: max(0, limit - self.passed)]
        try:
            count = self._tally.send(self._target, allowed) if allowed else 0
        except BlockingIOError:
            return False
        self.passed += count
        self._waiting = self._waiting[count:]
        return limit is not None and self.passed >= limit
