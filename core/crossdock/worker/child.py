"""A child process that does one piece of work: watched, captured, and always accounted for.

The parent learns of everything that can become of it: it reports and ends, it ends without a
report (``os._exit``, a signal, a crash), it takes too long, or the parent itself is told to end.
"""

import fcntl
import io
import json
import os
import resource
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from crossdock.ending import Cancelled
from crossdock.worker.watched import Watched, how

Send = Callable[[dict[str, Any]], None]

GRACE = 10.0
"""Seconds that the child has to end after a signal was passed on to it."""


class Ended(NamedTuple):
    """How the child ended."""

    how: str
    """What it ended with, such as ``exit code 3`` or ``signal SIGSEGV``."""
    timed_out: bool
    signal: int | None
    """The signal that the parent passed on to it."""


class Child(Watched):
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
        on_orphaned: Callable[[], None] | None = None,
    ) -> None:
        open_standard()
        ours, report = os.pipe()
        printed, output = os.pipe()
        lifeline, held = os.pipe()
        flush()
        self.pid = os.fork()
        if self.pid == 0:
            for fd in (ours, printed, held):
                os.close(fd)
            open_streams()
            be_child(work, on_orphaned, report, output, lifeline)
        with suppress(OSError):  # the child does the same; a signal may come before it got there
            os.setpgid(self.pid, self.pid)
        for fd in (report, output, lifeline):
            os.close(fd)
        super().__init__(ours, printed, held, on_message=on_message, on_output=on_output)
        self._signalled: int | None = None
        self._deadline = float("inf")

    def follow(self, *, timeout: float | None = None, until: Callable[[], float] = lambda: float("inf")) -> Ended:
        """Wait for the child's end, and hand on what it sends and prints until then.

        Args:
            timeout: Seconds after which it is killed, with all that it started.
            until: Gives the instant of ``time.monotonic`` after which it is killed; it may change.
        """
        limit = time.monotonic() + timeout if timeout is not None else float("inf")

        def deadline() -> float:
            return min(limit, until(), self._deadline)

        with self._signals_passed_on():
            status, killed_at = self.watch(deadline)
        timed_out = killed_at is not None and killed_at >= min(limit, until())
        return Ended(how(status), timed_out, self._signalled)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        self._end(signal.SIGKILL)

    def reaped(self) -> int | None:
        """Give the status that it ended with; never waited for: a job may close what it was given and go on."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        return status if done else None

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


def open_standard() -> None:
    """Open those of the descriptors 0 to 2 that are closed, so that no pipe of ours gets their number."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest free number: this one


def flush() -> None:
    """Write out what is waiting to be printed: a fork would print it twice."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()


def be_child(
    work: Callable[[Send], None], on_orphaned: Callable[[], None] | None, report: int, output: int, lifeline: int
) -> None:
    """Do the work, and leave the process without going back to the parent's code."""
    code = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # its memory holds secrets
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
        flush()
        os._exit(code)


def _capture(output: int) -> None:
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    # A job that reads the terminal would stop for ever: its process group is not the terminal's.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def open_streams() -> None:
    """Let what is printed go to the descriptors 1 and 2, whatever it went to before."""
    sys.stdout, sys.stderr = _text_stream(1), _text_stream(2)


def _text_stream(descriptor: int) -> io.TextIOWrapper:
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _die_with_parent(lifeline: int, on_orphaned: Callable[[], None] | None) -> None:
    """End as soon as the parent is gone, however it went."""
    if on_orphaned is None and sys.platform == "linux":
        _leave_it_to_the_kernel(lifeline)
    else:
        threading.Thread(target=_watch, args=(lifeline, on_orphaned), daemon=True, name="lifeline").start()


def _leave_it_to_the_kernel(lifeline: int) -> None:
    """Let the other end's close kill the process group, even while a job lets no Python code run.

    The thread that this saves costs as much as a tenth of a small run.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETFL, os.O_ASYNC)
    ends = select.poll()
    ends.register(lifeline)
    if ends.poll(0):  # it was closed before
        os.killpg(0, signal.SIGKILL)


def _watch(lifeline: int, on_orphaned: Callable[[], None] | None) -> None:
    os.read(lifeline, 1)
    try:
        if on_orphaned is not None:
            on_orphaned()
    finally:
        os.killpg(0, signal.SIGKILL)


def cancel(*_: object) -> None:
    """Handle SIGTERM: end the run."""
    raise Cancelled("SIGTERM")


def _write_line(fd: int, message: dict[str, Any]) -> None:
    with io.FileIO(fd, "w", closefd=False) as pipe:
        line = memoryview(json.dumps(message, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
        while line:
            line = line[pipe.write(line) or 0 :]
