"""Watch: ``/metrics`` and ``/health``, what a served project tells of itself.

Everybody learns whether it is well, and totals. What the project names, and how much of everything
there is, learn those who prove that they may.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crossdock.server.authentication import Method, authenticate, challenge
from crossdock.server.errors import RequestError
from crossdock.server.failures import Failures
from crossdock.server.metrics import CONTENT_TYPE, Kind, Measured, Metrics
from crossdock.store.errors import StoreError
from crossdock.store.records import Queue
from crossdock.store.store import Store

_logger = logging.getLogger(__name__)

_FRESH = 1.0
"""For how many seconds counts of the store and a probe of it hold: strangers can't keep the disk busy."""

_PATIENCE = 5.0
"""After how many seconds without an answer the store counts as not writable."""

_WAITING = Kind("crossdock_runs_waiting", "Runs that wait.", ("workflow",))
_RUNNING = Kind("crossdock_runs_running", "Runs in work, of all servers that share the store.", ("workflow",))
_DEAD = Kind("crossdock_runs_dead", "Runs that were given up.", ("workflow",))
_OLDEST = Kind("crossdock_oldest_waiting_seconds", "How long the first run in the queue has waited.", ("workflow",))
_WORKERS = Kind("crossdock_workers", "Workers of this server.")
_BUSY = Kind("crossdock_workers_busy", "Workers of this server that have a run in work.")
_SIZE = Kind("crossdock_store_bytes", "How much space the store takes.")
_UP = Kind("crossdock_store_up", "Whether the store could be read for these figures.")
_BUILD = Kind("crossdock_build_info", "Which crossdock serves.", ("version",))


class Workers(NamedTuple):
    """How the workers of a server are."""

    all: int
    alive: int
    busy: int
    beat_at: datetime | None
    """When the heart last told the store of the runs in work."""
    are_well: bool
    """Whether all are there, their heart, and what forks the processes of runs."""


class Watch:
    """Tells how a served project is.

    Args:
        store: Its store.
        workers: Asked how the workers are.
        metrics: What is counted.
        methods: How somebody proves that it may see all; without any, nobody may.
        next_tick: Gives the next time of a cron trigger.
    """

    def __init__(
        self,
        store: Store,
        workers: Callable[[], Workers],
        metrics: Metrics,
        methods: Mapping[str, Method],
        next_tick: Callable[[], datetime | None],
    ) -> None:
        self.metrics = metrics
        self._store = store
        self._workers = workers
        self._methods = methods
        self._next_tick = next_tick
        self._failures = Failures(30, 60, time.monotonic)
        self._counted_at = self._probed_at = float("-inf")
        self._counting: asyncio.Task[tuple[list[Queue], int] | None] | None = None
        self._probe: Future[None] | None = None

    @property
    def routes(self) -> list[Route]:
        """Where it answers."""
        return [Route("/metrics", self._tell_metrics), Route("/health", self._tell_health)]

    async def _tell_metrics(self, request: Request) -> Response:
        whole, found, workers = self._is_allowed(request), await self._counts(), self._workers()
        text = await asyncio.to_thread(self.metrics.text, list(_measured(found, workers, whole=whole)), whole=whole)
        return Response(text, headers={"content-type": CONTENT_TYPE})

    async def _tell_health(self, request: Request) -> Response:
        whole, writable, workers = self._is_allowed(request), await self._is_writable(), self._workers()
        is_well = writable and workers.are_well
        told: dict[str, Any] = {"status": "ok" if is_well else "failing"}
        if whole:
            told |= await self._details(workers, writable=writable)
        return JSONResponse(told, 200 if is_well else 503)

    def _is_allowed(self, request: Request) -> bool:
        """Tell whether somebody may see all.

        Raises:
            RequestError: It gave credentials, and they are wrong; or it did so too often.
        """
        secrets = frozenset[str]().union(*(method.secret_headers for method in self._methods.values()))
        if not secrets & set(request.headers):
            return False
        sender = request.client.host if request.client else ""
        self._failures.check(sender)
        if authenticate(self._methods, request.headers.raw, b"", now=time.time()) is not None:
            return True
        self._failures.add(sender)
        about = {"event": "unauthorized"}
        _logger.warning("%s: a request from %s has wrong credentials", request.url.path, sender, extra=about)
        message, fix = "the credentials of the request are wrong", "Correct them, or send none and see totals."
        raise RequestError(
            401, "unauthorized", message, fix=fix, headers={"www-authenticate": challenge(self._methods)}
        )

    async def _counts(self) -> tuple[list[Queue], int] | None:
        """Give what the store holds, and its size; None if it can't be read."""
        if self._counting is None or (self._counting.done() and time.monotonic() - self._counted_at > _FRESH):
            self._counting, self._counted_at = asyncio.create_task(asyncio.to_thread(self._read)), time.monotonic()
        done, _ = await asyncio.wait([self._counting], timeout=_PATIENCE)
        return self._counting.result() if done else None

    def _read(self) -> tuple[list[Queue], int] | None:
        try:
            return self._store.history.queues(), self._store.size()
        except StoreError:
            return None

    async def _is_writable(self) -> bool:
        if self._probe is None or (self._probe.done() and time.monotonic() - self._probed_at > _FRESH):
            self._probe, self._probed_at = self._store.probe_soon(), time.monotonic()
        waiting = asyncio.wrap_future(self._probe)
        done, _ = await asyncio.wait([waiting], timeout=_PATIENCE)
        return bool(done) and waiting.exception() is None

    async def _details(self, workers: Workers, *, writable: bool) -> dict[str, Any]:
        found, file = await self._counts(), self._store.file
        queues, size = found or ([], None)
        return {
            "store": {
                "writable": writable,
                "bytes": size,
                "disk_free_bytes": None if file is None else shutil.disk_usage(file.parent).free,
            },
            "queue": {
                "waiting": sum(queue.waiting for queue in queues),
                "running": sum(queue.running for queue in queues),
                "dead": sum(queue.dead for queue in queues),
                "oldest_waiting_seconds": max(_ages(queues).values(), default=None),
            },
            "workers": {"all": workers.all, "alive": workers.alive, "busy": workers.busy, "well": workers.are_well},
            "last_heartbeat": _written(workers.beat_at),
            "next_tick": _written(self._next_tick()),
        }


def _measured(found: tuple[list[Queue], int] | None, workers: Workers, *, whole: bool) -> list[Measured]:
    """Give what is measured for those who ask now."""
    from importlib.metadata import version  # imported late: it is slow, and few ask

    measured = [Measured(_UP, {(): float(found is not None)})]
    if found is not None:
        queues, size = found
        measured += [
            Measured(_WAITING, {(queue.workflow,): queue.waiting for queue in queues}),
            Measured(_RUNNING, {(queue.workflow,): queue.running for queue in queues}),
            Measured(_DEAD, {(queue.workflow,): queue.dead for queue in queues}),
            Measured(_OLDEST, _ages(queues), oldest=True),
            Measured(_SIZE, {(): size}),
        ]
    measured += [Measured(_WORKERS, {(): workers.all}), Measured(_BUSY, {(): workers.busy})]
    if whole:  # which version it is may help an attacker
        measured.append(Measured(_BUILD, {(version("crossdock"),): 1}))
    return measured


def _ages(queues: list[Queue]) -> dict[tuple[str, ...], float]:
    """Give for each workflow how many seconds the first run in its queue has waited."""
    now = datetime.now(UTC)
    return {
        (queue.workflow,): max(0.0, (now - queue.first_waiting).total_seconds())
        for queue in queues
        if queue.first_waiting is not None
    }


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")
