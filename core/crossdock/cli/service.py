"""Service: a project that is served: its inbox, its clock, its workers, and the signals that end them."""

import asyncio
import errno
import gc
import logging
import os
import pickle
import signal
import socket
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from functools import partial
from typing import Any

from uvicorn import Server

from crossdock.cli.ending import EXIT_CODES
from crossdock.cli.operating import open_store, store_address
from crossdock.errors import ProjectError
from crossdock.plugins import Plugins
from crossdock.project.project import Project
from crossdock.project.version import Version
from crossdock.redaction import Redactor
from crossdock.server.addresses import addresses_of, methods_of
from crossdock.server.authentication import Method
from crossdock.server.counting import count_refusal
from crossdock.server.errors import ServerError
from crossdock.server.inbox import inbox
from crossdock.server.metrics import Metrics
from crossdock.server.protocol import configuration
from crossdock.server.watch import Watch
from crossdock.store.errors import OneMachineError
from crossdock.store.records import Accepted, NewMessage
from crossdock.store.store import Store
from crossdock.traceparent import HEADER, Traceparent
from crossdock.worker import policy
from crossdock.worker.clock import Clock
from crossdock.worker.forking import Forks
from crossdock.worker.housekeeping import Housekeeping
from crossdock.worker.pool import Pool
from crossdock.worker.silence import Silence

_logger = logging.getLogger("crossdock.serve")

_OTHER_PORT = "Stop what uses the port, or choose another one: --port."


class Service:
    """A project that is served.

    Args:
        project: The project.
        forks: What forks a child for each run.
        workers: How many runs may be in work at once; without any it only receives.
    """

    def __init__(self, project: Project, forks: Forks, workers: int) -> None:
        self._project = project
        self._forks = forks
        self._workers = workers
        self._version = Version(project)

    def run(self, host: str, port: int) -> int:
        """Serve until a signal says to end, and give the exit code.

        Args:
            host: The address to listen at.
            port: The port to listen at.

        Raises:
            CrossdockError: It can't be served; nothing was received.
        """
        with listen_at(host, port) as listening, self._store() as store:
            check_jobs(self._forks)
            if not self._workers:
                self._forks.close()
            gc.collect()
            gc.freeze()  # what is there stays; each collection would look at all of it
            return asyncio.run(self._serve(store, listening))

    def work(self) -> int:
        """Run what servers elsewhere receive until a signal says to end, and give the exit code.

        Raises:
            CrossdockError: That can't be done; nothing was run.
        """
        _refuse_file(self._project)
        with self._store() as store:
            check_jobs(self._forks)
            return asyncio.run(self._work(store))

    def _store(self) -> Store:
        follow = partial(policy.following, self._project, self._version)
        return open_store(self._project, serving=True, most_waiting=self._project.serve.max_pending, follow=follow)

    async def _serve(self, store: Store, listening: socket.socket) -> int:
        project, version = self._project, self._version
        plugins, metrics = Plugins(), Metrics()
        plugins.load()
        pool = Pool(project, version, store, self._forks, self._workers, metrics=metrics)
        clock = Clock(project, version, store, on_tick=pool.wake)
        silence = Silence(project, version, store, on_notice=pool.wake)
        housekeeping = Housekeeping(store, pool.wake, silence)
        watch = Watch(store, pool.condition, metrics, readers_of(project, plugins), lambda: clock.next_tick)
        addresses, waking = addresses_of(project, plugins), _Waking(store, pool.wake, plugins)
        app = inbox(addresses, waking, runs=store.history, version=version, watch=watch)
        refused = partial(count_refusal, metrics)
        server = Server(configuration(app, trusted_proxies=project.serve.trusted_proxies, on_refusal=refused))
        server.capture_signals = nullcontext  # type: ignore[assignment] # they are ours
        told = _told_to_end()
        for part in (pool, clock, housekeeping):
            part.start()
        serving = asyncio.create_task(server.serve([listening]))
        address = "http://{}:{}".format(*listening.getsockname()[:2])
        _logger.info("ready: %s is served at %s", project.name, address, extra={"event": "ready", "address": address})
        await asyncio.wait([serving, asyncio.create_task(told.wait())], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping = asyncio.gather(serving, *(asyncio.to_thread(stop) for stop in (clock.stop, housekeeping.stop)))
        return await self._ended(pool, stopping)

    async def _work(self, store: Store) -> int:
        project = self._project
        pool, told = Pool(project, self._version, store, self._forks, self._workers), _told_to_end()
        pool.start()
        _logger.info("ready: what is received for %s is run here", project.name, extra={"event": "ready"})
        await told.wait()
        return await self._ended(pool)

    async def _ended(self, pool: Pool, *stopping: Awaitable[Any]) -> int:
        """Let what is in work end, after what gives it more to do has stopped, and give the exit code."""
        grace = self._project.serve.grace.total_seconds()
        _logger.info("ending: what is in work has %g s", grace, extra={"event": "ending"})
        await asyncio.gather(*stopping)
        await asyncio.to_thread(pool.drain, grace)
        _logger.info("ended", extra={"event": "ended"})
        return 0


def _refuse_file(project: Project) -> None:
    """Refuse a store that is a file: it belongs to the one server of its machine.

    Raises:
        OneMachineError: It is one.
    """
    if store_address(project).startswith("sqlite:"):
        raise OneMachineError("the store is a file of SQLite, which belongs to one server, with its own workers")


def readers_of(project: Project, plugins: Plugins) -> Mapping[str, Method]:
    """Give how somebody proves that it may see more of the metrics than totals."""
    metrics = project.serve.metrics
    return {} if metrics is None else methods_of(metrics.auth, plugins, "auth of serve.metrics")


def _told_to_end() -> asyncio.Event:
    """Give what is set by the first signal that says to end."""
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, number, told)
    loop.add_signal_handler(signal.SIGHUP, _logger.info, "SIGHUP is ignored: restart to serve a changed project.yaml")
    return told


def _on_signal(number: signal.Signals, told: asyncio.Event) -> None:
    """Begin to end; at the second signal, end at once: what is in work is taken up again by the next server."""
    if told.is_set():
        os._exit(EXIT_CODES["interrupted" if number == signal.SIGINT else "cancelled"])
    told.set()


def listen_at(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Raises:
        ServerError: That can't be done; it names the port.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # where it was bound to is said already
        message = f"the server can't listen at {host}, port {port}: {reason}"
        is_elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        fix = "Name an address of this machine: --host." if is_elsewhere else _OTHER_PORT
        raise ServerError(message, fix=fix) from None


def check_jobs(forks: Forks) -> None:
    """Refuse a project whose workflows can't be run, in a child: its jobs are loaded for that.

    Raises:
        ProjectError: It lists all that is wrong.
    """
    told: dict[str, Any] = {}
    printed: list[str] = []
    redactor = Redactor()

    def take(message: dict[str, Any]) -> None:
        if "secret" in message:
            redactor.add(message["secret"], what="a secret")
        told.update(message)

    child = forks.fork(pickle.dumps(None), on_message=take, on_output=printed.append)
    child.watch(lambda: float("inf"))
    faults = told.get("faults")
    if faults is None:
        raise ProjectError(redactor(f"the jobs can't be loaded: {''.join(printed) or 'their process ended'}"))
    if faults:
        raise ProjectError(redactor(f"what the project is to run can't be loaded:{_listed(faults)}"))


def _listed(faults: Iterable[Mapping[str, str]]) -> str:
    """List each fault once, behind the workflows that have it."""
    having = dict[tuple[str, str], list[str]]()
    for fault in faults:
        having.setdefault((fault["message"], fault["fix"]), []).append(fault["workflow"])
    return "".join(f"\n  {', '.join(names)}: {said}\n    fix: {fix}" for (said, fix), names in having.items())


class _Waking:
    """The store as the inbox sees it: what it keeps wakes the workers."""

    def __init__(self, store: Store, wake: Callable[..., None], plugins: Plugins) -> None:
        self._store = store
        self._wake = wake
        self._plugins = plugins

    def accept_soon(self, message: NewMessage) -> "Future[Accepted]":
        """Keep a message."""
        message = self._plugins.message_received(message)
        future = self._store.accept_soon(message)
        future.add_done_callback(partial(self._kept, message))
        return future

    def _kept(self, message: NewMessage, future: "Future[Accepted]") -> None:
        self._wake()
        accepted = None if future.cancelled() or future.exception() is not None else future.result()
        self._plugins.message_accepted(message, accepted)
        if accepted is not None:
            _log_accepted(message, accepted)


def _log_accepted(message: NewMessage, accepted: Accepted) -> None:
    known = {"event": "message_accepted", "inbox": message.source, "message_id": accepted.message}
    trace = Traceparent.read(dict(message.headers).get(HEADER, ""))
    more = {"runs": list(accepted.runs), "duplicate": accepted.duplicate, "trace": trace and trace.trace}
    _logger.info("inbox %s: a message was accepted", message.source, extra=known | more)
