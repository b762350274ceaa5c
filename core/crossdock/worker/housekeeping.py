"""Housekeeping: what a server does with its store from time to time."""

import logging
import threading
import time
from collections.abc import Callable

from crossdock.store.errors import StoreError
from crossdock.store.store import Store
from crossdock.worker.silence import Silence

_logger = logging.getLogger("crossdock.serve")

_TIDY = 5.0
"""After how many seconds it looks again for runs whose worker is gone."""

_PRUNE = 3600.0
"""After how many seconds it erases again what has been kept for long enough."""


class Housekeeping:
    """Puts back the runs whose worker is gone, tells of silence, and erases what has been kept for long enough.

    Args:
        store: The store.
        wake: Called when there are runs to be taken up again.
        silence: What tells of workflows that are silent.
    """

    def __init__(self, store: Store, wake: Callable[[], None], silence: Silence) -> None:
        self._store = store
        self._silence = silence
        self._wake = wake
        self._pruned = float("-inf")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="crossdock-housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopped.wait(_TIDY):
            try:
                if self._store.tidy():
                    self._wake()
                self._silence.look()
                if time.monotonic() - self._pruned > _PRUNE:
                    self._store.prune()
                    self._pruned = time.monotonic()
            except StoreError as error:
                _logger.warning("the store can't be tidied now: %s", error, extra={"event": "store_not_usable"})
            except Exception:
                _logger.exception("housekeeping goes on after a fault of crossdock", extra={"event": "fault"})
