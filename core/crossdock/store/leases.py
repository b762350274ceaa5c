"""Leases: whether a worker that holds a run is still there.

A worker's heart beats: it counts up a number beside its run. Whoever wants to know whether it is still
there watches that number, by a clock of its own that only goes forward. So no clock is ever compared
with another one, and none that is set or stands still can take a run away from its worker or keep it
for one that is gone. A worker on this machine is gone as soon as its process is.
"""

import os
import socket
import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

_SOON = 0.5
"""After how many seconds it is looked again whether workers are there, even while there is other work."""


class Lease(NamedTuple):
    """A run that a worker holds, as it stands in the store."""

    number: int
    fence: int
    beat: int
    seconds: float
    place: str | None


class Watch:
    """What one process saw of the hearts of all workers.

    Args:
        monotonic: A clock that only goes forward.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._seen: dict[tuple[int, int], tuple[int, float]] = {}
        self._looked = float("-inf")

    @property
    def is_due(self) -> bool:
        """Whether it has not looked for a while."""
        return self._monotonic() - self._looked >= _SOON

    def expired(self, leases: Iterable[Lease]) -> list[Lease]:
        """Give those of all leases whose worker is gone, or let its heart stand still for too long."""
        now, before, self._seen = self._monotonic(), self._seen, {}
        self._looked, gone = now, list[Lease]()
        for lease in leases:
            key = (lease.number, lease.fence)
            beat, since = before.get(key, (lease.beat, now))
            self._seen[key] = (beat, since) if beat == lease.beat else (lease.beat, now)
            if now - self._seen[key][1] >= lease.seconds or is_gone(lease.place):
                gone.append(lease)
        return gone


def place() -> str:
    """Name this process, for processes that see the same process ids, and for no others."""
    return f"{_processes()} {os.getpid()}"


def is_gone(place: str | None) -> bool:
    """Tell whether a process is certainly not there any more; of one elsewhere nothing is certain."""
    where, _, pid = (place or "").rpartition(" ")
    if where != _processes():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@cache
def _processes() -> str:
    """Name what gives process ids here: this start of this machine, or a container on it."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:  # not Linux
        return socket.gethostname()
