"""A child process as its parent sees it: what it sends and prints is handed on until it has ended."""

import json
import os
import selectors
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

_QUIET = 0.05
_POLL = 0.5
_SOON = 0.002
_AT_ONCE = 16
"""How many pieces are read before the time is looked at again."""

_MOST_OF_A_LINE = 64 * 1024
"""How much is printed without a line's end before it is handed on."""


class Watched(ABC):
    """A child process that is followed to its end.

    Args:
        report: Where it sends JSON objects, a line each.
        output: Where it prints.
        lifeline: What it takes for this process' life: it ends when this is closed.
        on_message: Called with each object that it sends.
        on_output: Called with each piece of text that it or what it started printed. All that was
            sent before has been handled.
    """

    def __init__(
        self,
        report: int,
        output: int,
        lifeline: int,
        *,
        on_message: Callable[[dict[str, Any]], None],
        on_output: Callable[[str], None],
    ) -> None:
        self._report, self._output, self._lifeline = report, output, lifeline
        self._on_message = on_message
        self._on_output = on_output
        self._received = bytearray()
        self._printed = bytearray()

    @abstractmethod
    def kill(self) -> None:
        """End it at once, with all that it started."""

    @abstractmethod
    def reaped(self) -> int | None:
        """Give the status that it ended with, None as long as it goes on."""

    def wakers(self) -> Iterable[int]:
        """Give descriptors that can be read when its status may be there."""
        return ()

    def watch(self, deadline: Callable[[], float]) -> tuple[int, float | None]:
        """Hand on what it sends and prints until it has ended.

        Args:
            deadline: Gives the instant of ``time.monotonic`` after which it is killed; it may change.

        Returns:
            Its status, and when it was killed for being late.
        """
        try:
            status, killed_at = self._watched(deadline)
            self._drain()
            self._print(all_of_it=True)
        finally:
            self.kill()  # whatever it started ends with it, and so does all of it if it is followed no more
            self.close()
        return status, killed_at

    def _watched(self, deadline: Callable[[], float]) -> tuple[int, float | None]:
        killed_at: float | None = None
        with selectors.DefaultSelector() as selector:
            for fd in (self._report, self._output, *self.wakers()):
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ)
            while (status := self._wait(selector, deadline() if killed_at is None else float("inf"))) is None:
                if killed_at is None and time.monotonic() >= deadline():
                    killed_at = time.monotonic()
                    self.kill()
        self.kill()  # what it started may print for ever
        return status, killed_at

    def close(self) -> None:
        """Close what leads to it; if it is still there, it ends."""
        for fd in (self._report, self._output, self._lifeline):
            os.close(fd)

    def _wait(self, selector: selectors.BaseSelector, until: float) -> int | None:
        pause = _SOON if not selector.get_map() else _QUIET if self._printed else _POLL
        ready = selector.select(max(0.0, min(pause, until - time.monotonic())))
        # The end of the report does not show the child's end: what it forked may hold it open.
        for fd in self._drain():
            if fd in selector.get_map():
                selector.unregister(fd)
        self._print(all_of_it=not ready)
        return self.reaped()

    def _drain(self) -> list[int]:
        """Read what is there: output first, then the messages, which may be about that output."""
        closed = [
            fd
            for fd, buffer in ((self._output, self._printed), (self._report, self._received))
            if _read_into(fd, buffer)
        ]
        *lines, rest = bytes(self._received).split(b"\n")
        self._received[:] = rest
        for line in lines:
            self._on_message(json.loads(line))
        return closed

    def _print(self, *, all_of_it: bool) -> None:
        """Hand on whole lines, or everything once the child is quiet."""
        end = len(self._printed) if all_of_it else self._printed.rfind(b"\n") + 1
        if not end and len(self._printed) > _MOST_OF_A_LINE:
            end = len(self._printed)
        if end:
            self._on_output(bytes(self._printed[:end]).decode("utf-8", "backslashreplace"))
            del self._printed[:end]


def how(status: int) -> str:
    """Say what a process ended with, such as ``exit code 3`` or ``signal SIGSEGV``."""
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _read_into(fd: int, buffer: bytearray) -> bool:
    """Read what is there, up to a limit; say whether that was the end."""
    for _ in range(_AT_ONCE):
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
        if not chunk:
            return True
        buffer += chunk
    return False
