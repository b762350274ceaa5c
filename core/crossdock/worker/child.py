"""A child process that does one piece of work: watched, captured, and always accounted for.

The parent learns of everything that can become of it: it reports and ends, it ends without a
report (``os._exit``, a signal, a crash), it takes too long, or the parent itself is told to end.
"""

import io
import json
import os
import selectors
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from crossdock.ending import Cancelled

Send = Callable[[dict[str, Any]], None]

GRACE = 10.0
"""Seconds that the child has to end after a signal was passed on to it."""

_QUIET = 0.05
_POLL = 0.5
_SOON = 0.002
_AT_ONCE = 16
"""How many pieces are read before the time is looked at again."""


class Ended(NamedTuple):
    """How the child ended."""

    how: str
    """What it ended with, such as ``exit code 3`` or ``signal SIGSEGV``."""
    timed_out: bool
    signal: int | None
    """The signal that the parent passed on to it."""


class Child:
    """A forked child that works and reports.

    Args:
        work: Called in the child with a function that sends a JSON object to the parent.
        on_message: Called in the parent with each object that the child sends.
        on_output: Called in the parent with each piece of text that the child or what it
            started printed, on whichever descriptor. All that was sent before has been handled.
        on_orphaned: Called in the child if the parent is gone, before all of it ends.
    """

    def __init__(
        self,
        work: Callable[[Send], None],
        *,
        on_message: Callable[[dict[str, Any]], None],
        on_output: Callable[[str], None],
        on_orphaned: Callable[[], None],
    ) -> None:
        self._on_message = on_message
        self._on_output = on_output
        _open_standard()
        self._report, report = os.pipe()
        self._output, output = os.pipe()
        lifeline, self._lifeline = os.pipe()
        _flush()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (self._report, self._output, self._lifeline):
                os.close(fd)
            _be_child(work, on_orphaned, report, output, lifeline)
        with suppress(OSError):  # the child does the same; a signal may come before it got there
            os.setpgid(self.pid, self.pid)
        for fd in (report, output, lifeline):
            os.close(fd)
        self._received = bytearray()
        self._printed = bytearray()
        self._signalled: int | None = None
        self._deadline = float("inf")
        self._status: int | None = None

    def follow(self, *, timeout: float | None = None, until: Callable[[], float] = lambda: float("inf")) -> Ended:
        """Wait for the child's end, and hand on what it sends and prints until then.

        Args:
            timeout: Seconds after which it is killed, with all that it started.
            until: Gives the instant of ``time.monotonic`` after which it is killed; it may change.
        """
        limit = time.monotonic() + timeout if timeout is not None else float("inf")
        timed_out = False
        with self._signals_passed_on(), selectors.DefaultSelector() as selector:
            for fd in (self._report, self._output):
                os.set_blocking(fd, False)
                selector.register(fd, selectors.EVENT_READ)
            while self._status is None:
                self._wait(selector, min(limit, until(), self._deadline))
                if self._status is None and time.monotonic() >= min(limit, until(), self._deadline):
                    timed_out = time.monotonic() >= min(limit, until())
                    self._end(signal.SIGKILL)
                    self._status = os.waitpid(self.pid, 0)[1]
        self._end(signal.SIGKILL)  # whatever it started ends with it
        self._drain()
        self._print(all_of_it=True)
        for fd in (self._report, self._output, self._lifeline):
            os.close(fd)
        return Ended(_how(self._status), timed_out, self._signalled)

    def _wait(self, selector: selectors.BaseSelector, until: float) -> None:
        pause = _SOON if not selector.get_map() else _QUIET if self._printed else _POLL
        ready = selector.select(max(0.0, min(pause, until - time.monotonic())))
        # The end of the report does not show the child's end: what it forked may hold it open.
        closed = self._drain()
        for fd in closed:
            with suppress(KeyError):
                selector.unregister(fd)
        self._print(all_of_it=not ready)
        # Never waited for: a job may close what it was given and go on.
        done, status = os.waitpid(self.pid, os.WNOHANG)
        self._status = status if done else None

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
        if end:
            self._on_output(bytes(self._printed[:end]).decode("utf-8", "backslashreplace"))
            del self._printed[:end]

    @contextmanager
    def _signals_passed_on(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _pass_on(self, number: int, _: object) -> None:
        """Hand a signal on; the second one ends the child at once."""
        self._end(signal.SIGKILL if self._signalled is not None else signal.Signals(number))
        self._signalled = self._signalled or number
        self._deadline = min(self._deadline, time.monotonic() + GRACE)

    def _end(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


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


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"


def _open_standard() -> None:
    """Open those of the descriptors 0 to 2 that are closed, so that no pipe of ours gets their number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest free number: this one


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()


def _be_child(
    work: Callable[[Send], None], on_orphaned: Callable[[], None], report: int, output: int, lifeline: int
) -> None:
    """Do the work, and leave the process without going back to the parent's code."""
    code = 70
    try:
        os.setpgid(0, 0)
        _capture(output)
        _die_with_parent(lifeline, on_orphaned)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, cancel)
        sending = threading.Lock()  # steps and items that run at the same time report at the same time

        def send(message: dict[str, Any]) -> None:
            with sending:
                _write_line(report, message)

        work(send)
        code = 0
    except (KeyboardInterrupt, Cancelled):  # the parent passed the signal on, and says so
        pass
    except BaseException:  # noqa: BLE001 - nothing may leave the child but its exit code
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)


def _capture(output: int) -> None:
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    # A job that reads the terminal would stop for ever: its process group is not the terminal's.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdout, sys.stderr = _text_stream(1), _text_stream(2)


def _text_stream(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _die_with_parent(lifeline: int, on_orphaned: Callable[[], None]) -> None:
    """End as soon as the parent is gone, however it went."""

    def watch() -> None:
        os.read(lifeline, 1)
        try:
            on_orphaned()
        finally:
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


def cancel(*_: object) -> None:
    """Handle SIGTERM: end the run."""
    raise Cancelled("SIGTERM")


def _write_line(fd: int, message: dict[str, Any]) -> None:
    with io.FileIO(fd, "w", closefd=False) as pipe:
        line = memoryview(json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        while line:
            line = line[pipe.write(line) or 0 :]
