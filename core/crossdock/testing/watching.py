"""What a test sees of a process from outside: what it reaches for, and what it leaves open."""

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

_REACHING = {
    "socket.connect": "a connection",
    "socket.bind": "a socket",
    "socket.sendto": "a datagram",
    "socket.getaddrinfo": "a look-up of a name",
    "socket.gethostbyname": "a look-up of a name",
    "subprocess.Popen": "a process",
    "os.system": "a process",
    "open": "a file",
}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_PATIENCE = 2.0

_watching: list[list[str]] = []
_hooked: list[bool] = []


@contextmanager
def reaching() -> Iterator[list[str]]:
    """Note what is reached for outside of the process: connections, names, written files, other processes."""
    if not _hooked:
        sys.addaudithook(_note)  # there is no way to take it away again
        _hooked.append(True)
    seen: list[str] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching or event not in _REACHING or (event == "open" and not _is_writing(*arguments)):
        return
    for seen in _watching:
        seen.append(_REACHING[event])


def _is_writing(path: Any, _: str | None, flags: int) -> bool:
    return bool(flags & _WRITES) and "__pycache__" not in str(path)


def open_descriptors() -> set[tuple[int, int, int]]:
    """Give the files and sockets that this process has open."""
    found = set()
    for name in os.listdir("/dev/fd"):
        try:
            about = os.fstat(int(name))
        except OSError:  # the descriptor of the listing itself
            continue
        found.add((int(name), about.st_dev, about.st_ino))
    return found


def left_open(before: set[tuple[int, int, int]]) -> int:
    """Count what is open and was not; a server of the test gets a moment to notice that its client left."""
    if open_descriptors() - before:
        gc.collect()  # what nobody holds any more is not open for long
    deadline = time.monotonic() + _PATIENCE
    while (found := open_descriptors() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return len(found)


def holding(connect: Callable[[Any], AbstractContextManager[Any]], held: list[Any]) -> Callable[[Any], Any]:
    """Give a ``connect`` that keeps a hold of each connection, so that being forgotten closes none."""

    @contextmanager
    def held_connect(configuration: Any) -> Iterator[Any]:
        manager = connect(configuration)
        with manager as resource:
            held.append((manager, resource))
            yield resource

    return held_connect
