"""Heart: tells the store that the runs in work are still in work, and their children that they are to end."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from crossdock.store.errors import StaleLeaseError, StoreError
from crossdock.store.records import Claimed
from crossdock.store.store import Store

_logger = logging.getLogger("crossdock.serve")

_BEATS = 3
"""How often a heart beats at least while a lease lasts."""

_LONGEST_PAUSE = 2.0
"""After how many seconds it beats at the latest: only so does a run learn that somebody cancelled it."""


class Heart:
    """Beats for the runs that this process holds.

    Args:
        store: Where they are.
        lease: How many seconds a run may be without a heartbeat.
    """

    def __init__(self, store: Store, lease: float) -> None:
        self._store = store
        self._pause = min(lease / _BEATS, _LONGEST_PAUSE)
        self._lock = threading.Lock()
        self._held: dict[int, tuple[Claimed, Callable[[str], None]]] = {}
        self._stopped = threading.Event()
        self.beat_at: datetime | None = None
        """When it beat last."""
        self._thread = threading.Thread(target=self._beat, name="crossdock-heart", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopped.set()
        self._thread.join()

    @property
    def held(self) -> int:
        """How many runs it beats for."""
        return len(self._held)

    @property
    def is_beating(self) -> bool:
        """Whether its thread is there."""
        return self._thread.is_alive()

    @contextmanager
    def beating(self, claimed: Claimed, end: Callable[[str], None]) -> Iterator[None]:
        """Beat for a run.

        Args:
            claimed: The run.
            end: Called with ``lost`` or ``cancelled`` if it is not to go on.
        """
        with self._lock:
            self._held[claimed.number] = (claimed, end)
        try:
            yield
        finally:
            with self._lock:
                del self._held[claimed.number]

    def end_all(self, why: str) -> None:
        """End all runs that are in work."""
        with self._lock:
            held = list(self._held.values())
        for _, end in held:
            end(why)

    def _beat(self) -> None:
        while not self._stopped.wait(self._pause):
            with self._lock:
                held = list(self._held.values())
            for claimed, end in held:
                self._beat_for(claimed, end)
            self.beat_at = datetime.now(UTC)

    def _beat_for(self, claimed: Claimed, end: Callable[[str], None]) -> None:
        try:
            if not self._store.heartbeat(claimed):
                end("cancelled")
        except StaleLeaseError:
            end("lost")
        except StoreError as error:
            _logger.warning(
                "the run %s has no heartbeat now: %s",
                claimed.run,
                error,
                extra={"event": "no_heartbeat", "run": claimed.run},
            )
