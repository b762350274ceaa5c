"""Pool: the workers of a server: each takes the next run, follows it to its end, and takes another one."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from crossdock.error_record import error_record
from crossdock.errors import CrossdockError, InputError, ProjectError
from crossdock.project.project import Project
from crossdock.server.metrics import Metrics
from crossdock.server.watch import Workers
from crossdock.store.errors import StoreError
from crossdock.store.records import Claimed, Finish, Limit
from crossdock.store.store import Store
from crossdock.worker.attempt import Attempt, Shop
from crossdock.worker.forking import Forks
from crossdock.worker.heart import Heart

_logger = logging.getLogger("crossdock.serve")

LEASE = 30.0
"""After how many seconds without a heartbeat a run goes to another worker."""

_LOOK_AGAIN = 0.5
"""After how many seconds a worker without work looks for some that nobody told it of."""

_LONGEST_PAUSE = 30.0


class Pool:
    """Workers that share a fork server.

    Args:
        project: What they run.
        version: Gives that of the project.
        store: Where the runs are.
        forks: What forks a child for each.
        workers: How many there are.
        lease: After how many seconds without a heartbeat a run goes to another worker.
        metrics: Where ends are counted.
    """

    def __init__(
        self,
        project: Project,
        version: Callable[[], str],
        store: Store,
        forks: Forks,
        workers: int,
        lease: float = LEASE,
        metrics: Metrics | None = None,
    ) -> None:
        self._lease = lease
        self._stopped = threading.Event()
        counted, heart = metrics or Metrics(), Heart(store, lease)
        self._shop = Shop(project, version, store, forks, heart, self._stopped, set(), counted)
        self._limits = {name: Limit(definition.concurrency) for name, definition in project.definitions.items()}
        self._draining = threading.Event()
        self._work = threading.Condition()
        self._news = 0
        self._threads = [
            threading.Thread(target=self._loop, args=(number,), name=f"crossdock-worker-{number}", daemon=True)
            for number in range(1, workers + 1)
        ]

    def start(self) -> None:
        """Begin to work."""
        self._shop.heart.start()
        for thread in self._threads:
            thread.start()

    def wake(self, *_: Any) -> None:
        """Say that there may be work: a worker that waits looks, and if it finds some, it wakes the next one."""
        with self._work:
            self._news += 1
            self._work.notify()

    def condition(self) -> Workers:
        """Tell how the workers are, and start again what can be: a fork server that died."""
        alive = sum(thread.is_alive() for thread in self._threads)
        heart = self._shop.heart
        whole = alive == len(self._threads) and heart.is_beating
        if self._threads and self._shop.forks.revive():
            _logger.error("the fork server had died, and was started again", extra={"event": "fork_server_died"})
            whole = False
        return Workers(len(self._threads), alive, heart.held, heart.beat_at, whole)

    def drain(self, grace: float) -> None:
        """Take no more runs, let those in work go on for a while, and give back those that take longer.

        Args:
            grace: How many seconds they have.
        """
        with self._work:
            self._draining.set()
            self._work.notify_all()
        deadline = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._stopped.set()
        self._shop.heart.end_all("stopped")
        for thread in self._threads:
            thread.join()
        self._shop.heart.stop()

    def _loop(self, number: int) -> None:
        worker, pause = f"{socket.gethostname()}-{os.getpid()}-{number}", _LOOK_AGAIN
        while not self._draining.is_set():
            news = self._news
            try:
                claimed = self._shop.store.claim(worker, lease=self._lease, limits=self._limits)
                if claimed is not None and self._draining.is_set():  # it was told to end meanwhile
                    self._shop.store.give_back(claimed)
                elif claimed is not None:
                    self._run(claimed)
                pause = _LOOK_AGAIN
            except StoreError as error:
                _logger.error(
                    "worker %d waits until the store can be used: %s",
                    number,
                    error,
                    extra={"event": "store_not_usable"},
                )
                claimed, pause = None, min(2 * pause, _LONGEST_PAUSE)
            except Exception:
                _logger.exception(
                    "worker %d goes on after a fault of crossdock; its run is taken up again",
                    number,
                    extra={"event": "fault"},
                )
                claimed = None
            if claimed is None:
                self._wait(news, pause)

    def _wait(self, news: int, seconds: float) -> None:
        with self._work:
            self._work.wait_for(lambda: self._draining.is_set() or self._news != news, seconds)

    def _run(self, claimed: Claimed) -> None:
        self.wake()
        try:
            attempt = Attempt(self._shop, claimed)
        except InputError as error:  # the project has no such workflow any more
            self._give_up(claimed, error, "run_refused")
        else:
            self._run_by(claimed, attempt, self._shop.version())

    def _run_by(self, claimed: Claimed, attempt: Attempt, version: str) -> None:
        """Run it; if another version of the project accepted it, say so, and do what the project says then."""
        message = f"version {claimed.project_version} of the project accepted the run, and this is {version}"
        if claimed.project_version == version:
            attempt.follow()
        elif self._shop.project.serve.on_change == "hold":
            held = ProjectError(message, fix="Repeat the run, or set serve: {on_change: run}.")
            self._give_up(claimed, held, "run_held")
        else:
            attempt.note(message)
            attempt.follow()

    def _give_up(self, claimed: Claimed, error: CrossdockError, event: str) -> None:
        """Let a run be dead that is not even tried."""
        self._shop.store.finish(claimed, Finish("refused", error=error_record(error), dead=True))
        about = {"event": event, "run": claimed.run, "message_id": claimed.message.id}
        _logger.warning("a run of %s is dead: %s", claimed.workflow, error, extra=about)
