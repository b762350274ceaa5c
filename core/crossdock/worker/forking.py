"""Forking: how the server gets a child for a run from its fork server."""

import os
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from signal import SIGKILL
from typing import Any

from crossdock.project.project import Project
from crossdock.worker.forkserver import FORK, KILL, REQUEST, STATUS
from crossdock.worker.watched import Watched

PATIENCE = 30.0
"""How many seconds a child may take to read what it is to do."""


class Forks:
    """The fork server of a project, as its owner sees it; if it dies, the next request starts another one.

    Args:
        project: What its children run.
    """

    def __init__(self, project: Project) -> None:
        self._project = pickle.dumps(project)
        self._lock = threading.Lock()
        self._count = 0
        self._start()

    def fork(
        self, order: bytes, *, on_message: Callable[[dict[str, Any]], None], on_output: Callable[[str], None]
    ) -> "Forked":
        """Start a child.

        Args:
            order: What it is to do.
            on_message: Called with each object that it sends.
            on_output: Called with each piece of text that it prints.
        """
        channel, theirs = socket.socketpair()
        printed, output = os.pipe()
        lifeline, held = os.pipe()
        ended, status = os.pipe()
        with self._lock:
            self._count += 1
            number = self._count
            self._ask(FORK, number, (theirs.fileno(), output, lifeline, status))
        theirs.close()
        for fd in (output, lifeline, status):
            os.close(fd)
        child = Forked(self, number, channel, printed, held, ended, on_message=on_message, on_output=on_output)
        child.tell(order)
        return child

    def kill(self, number: int) -> None:
        """End a child at once, with all that it started; nothing if it has ended."""
        with self._lock, suppress(OSError):  # the server is gone, and its children with it
            self._requests.sendall(REQUEST.pack(KILL, number))

    def revive(self) -> bool:
        """Start the fork server again if it has died, and tell whether it had."""
        with self._lock:
            if self._process.poll() is None:
                return False
            self._requests.close()
            self._start()
            return True

    @property
    def pid(self) -> int:
        """The process id of the fork server."""
        return self._process.pid

    def close(self) -> None:
        """End the fork server, and all of its children."""
        self._requests.close()
        self._process.wait()

    def _ask(self, kind: bytes, number: int, fds: Iterable[int]) -> None:
        request = [REQUEST.pack(kind, number)]
        try:
            socket.send_fds(self._requests, request, list(fds))
        except OSError:
            self._requests.close()
            self._process.wait()
            self._start()
            socket.send_fds(self._requests, request, list(fds))

    def _start(self) -> None:
        self._requests, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "crossdock.worker.forkserver", str(theirs.fileno())]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=2, pass_fds=[theirs.fileno()], process_group=0
        )
        theirs.close()
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(self._project)


class Forked(Watched):
    """A child of the fork server; the arguments are its ends of what leads to it."""

    def __init__(
        self,
        forks: Forks,
        number: int,
        channel: socket.socket,
        output: int,
        lifeline: int,
        ended: int,
        *,
        on_message: Callable[[dict[str, Any]], None],
        on_output: Callable[[str], None],
    ) -> None:
        super().__init__(channel.fileno(), output, lifeline, on_message=on_message, on_output=on_output)
        self._forks = forks
        self._number = number
        self._channel = channel
        self._ended = ended
        self.most_memory: int | None = None
        """The most that it had, in kB; known when it has ended."""
        self.forsaken = False
        """Whether nobody can tell how it ended: the fork server is gone, or could not fork it."""
        channel.settimeout(PATIENCE)

    def tell(self, data: bytes) -> None:
        """Send something to it; if it is gone, it will be found out."""
        with suppress(OSError):
            self._channel.sendall(data)

    def kill(self) -> None:
        """End it at once, with all that it started."""
        self._forks.kill(self._number)

    def reaped(self) -> int | None:
        """Give the status that it ended with; if nobody can tell, it is as good as killed."""
        try:
            told = os.read(self._ended, STATUS.size)
        except BlockingIOError:
            return None
        if not told:
            self.forsaken = True
            return SIGKILL
        status, self.most_memory = STATUS.unpack(told)
        return int(status)

    def wakers(self) -> Iterable[int]:
        """Give the descriptor through which its end is told."""
        return [self._ended]

    def close(self) -> None:
        """Close what leads to it; if it is still there, it ends."""
        os.close(self._output)
        os.close(self._lifeline)
        os.close(self._ended)
        self._channel.close()
