"""Fork server: a warm process of one thread that forks a fresh child for each run.

It has imported what the runs need, and runs no code of a job: a child starts in milliseconds and
sees nothing that another one left behind. It waits for its children, ends with each of them all
that it started, and tells how it ended. When its owner is gone, all of it ends.
"""

import gc
import os
import pickle
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from crossdock.worker.child import Send, be_child, flush, open_streams

if TYPE_CHECKING:
    from crossdock.project.project import Project

REQUEST = struct.Struct("!cQ")
"""What the owner sends: ``FORK`` with four descriptors, or ``KILL``; and the number that it gave the child."""
FORK, KILL = b"F", b"K"

STATUS = struct.Struct("!iQ")
"""What is told of the end of a child: its status, and the most memory that it had, in kB."""

Work = Callable[[Send, int], None]
"""What a child does: it is given what sends to the owner, and where it can read what the owner sends."""


class ForkServer:
    """Forks children on request.

    Args:
        requests: Where requests come from.
        work: What each child does.
    """

    def __init__(self, requests: socket.socket, work: Work) -> None:
        self._requests = requests
        self._work = work
        self._pids: dict[int, int] = {}
        self._told: dict[int, tuple[int, int]] = {}
        """Process → the number that the owner gave it, and where its end is told."""
        self._woken, self._wake = os.pipe()

    def serve(self) -> None:
        """Serve until the owner is gone."""
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while self._asked({key.fd for key, _ in selector.select()}):
                self._reap()
        for pid in self._told:
            _end(pid)

    def _asked(self, ready: set[int]) -> bool:
        """Do what was asked for, and tell whether there is still somebody to ask."""
        if self._woken in ready:
            with suppress(BlockingIOError):
                os.read(self._woken, 4096)
        if self._requests.fileno() not in ready:
            return True
        request, fds, *_ = socket.recv_fds(self._requests, REQUEST.size, 4)
        if not request:
            return False
        kind, number = REQUEST.unpack(request)
        if kind == FORK:
            self._fork(number, *fds)
        elif number in self._pids:
            _end(self._pids[number])
        return True

    def _fork(self, number: int, report: int, output: int, lifeline: int, status: int) -> None:
        flush()
        try:
            pid = os.fork()
        except OSError as error:  # the owner sees that nobody has the other ends
            with suppress(OSError):  # nobody may read it
                sys.stderr.write(f"crossdock: no process can be forked: {error.strerror}\n")
            for fd in (report, output, lifeline, status):
                os.close(fd)
            return
        if pid == 0:
            self._be_child(report, output, lifeline, status)
        with suppress(OSError):  # the child does the same; a request to end it may come first
            os.setpgid(pid, pid)
        for fd in (report, output, lifeline):
            os.close(fd)
        self._pids[number] = pid
        self._told[pid] = (number, status)

    def _be_child(self, report: int, output: int, lifeline: int, status: int) -> None:
        """Let go of all that is the server's, and work."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._requests.close()
        for fd in (self._woken, self._wake, status, *(told for _, told in self._told.values())):
            os.close(fd)
        be_child(lambda send: self._work(send, report), None, report, output, lifeline)

    def _reap(self) -> None:
        """Tell of the children that have ended, and end what they started."""
        while self._told:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            _end(pid)
            number, told = self._told.pop(pid)
            del self._pids[number]
            with suppress(OSError):  # nobody may want to know any more
                os.write(told, STATUS.pack(status, usage.ru_maxrss))
            os.close(told)


def _end(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main() -> None:
    """Be the fork server: the project comes on standard input, requests through the descriptor that is named."""
    requests = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    open_streams()
    project: Project = pickle.load(sys.stdin.buffer)  # noqa: S301 - it comes from the owner
    from crossdock.worker.preloading import preload
    from crossdock.worker.rehearsal import rehearse
    from crossdock.worker.working import Work

    plugins = preload(project)
    rehearse()
    work = Work(project, plugins)
    gc.collect()
    gc.freeze()  # what is there stays in the memory that the children share
    ForkServer(requests, work).serve()


if __name__ == "__main__":
    main()
