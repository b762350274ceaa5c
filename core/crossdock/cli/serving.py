"""What ``crossdock serve`` is made of, from the first process to the last answer."""

import asyncio
import json
import logging
import os
import pickle
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crossdock.cli.ending import EXIT_CODES
from crossdock.credentials import resolve_reference
from crossdock.errors import ProjectError, ServerError
from crossdock.plugins import Plugins
from crossdock.redaction import Redactor
from crossdock.worker.forking import Forks

if TYPE_CHECKING:
    from uvicorn import Server

    from crossdock.project.project import Project
    from crossdock.store.store import Store

_logger = logging.getLogger("crossdock.serve")


def serve(project: "Project", host: str, port: int, workers: int) -> int:
    """Serve a project until a signal says to end, and give the exit code.

    Args:
        project: The project.
        host: The address to listen at.
        port: The port to listen at.
        workers: How many runs may be in work at once.

    Raises:
        CrossdockError: It can't be served; nothing was received.
    """
    with ExitStack() as closing:
        forks = Forks(project)  # first of all: what it imports, it imports while this process goes on
        closing.callback(forks.close)
        listening = closing.enter_context(_listening(host, port))
        store = closing.enter_context(_store(project))
        _check(forks)
        return asyncio.run(_serve(project, store, forks, listening, workers))


async def _serve(project: "Project", store: "Store", forks: Forks, listening: socket.socket, workers: int) -> int:
    """Receive and work until a signal comes, then let what is in work go on for a while."""
    from crossdock.server.inbox import inbox
    from crossdock.worker.addresses import addresses
    from crossdock.worker.clock import Clock
    from crossdock.worker.pool import Pool

    plugins, version = Plugins(), project.version()
    plugins.load()
    pool = Pool(project, version, store, forks, workers)
    clock = Clock(project, version, store, on_tick=pool.wake)
    app = inbox(addresses(project, plugins), _Waking(store, pool.wake), runs=_Ends(store), version=version)
    server = _server(app)
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _on_signal, number, told)
    loop.add_signal_handler(signal.SIGHUP, _logger.info, "SIGHUP is ignored: restart to serve a changed project.yaml")
    pool.start()
    clock.start()
    serving = asyncio.create_task(server.serve([listening]))
    address = "http://{}:{}".format(*listening.getsockname()[:2])
    _logger.info("ready: %s is served at %s", project.name, address, extra={"event": "ready", "address": address})
    await asyncio.wait([serving, asyncio.create_task(told.wait())], return_when=asyncio.FIRST_COMPLETED)
    grace = project.serve.grace.total_seconds()
    _logger.info("ending: what is in work has %g s", grace, extra={"event": "ending"})
    server.should_exit = True
    clock.stop()
    await asyncio.gather(serving, asyncio.to_thread(pool.drain, grace))
    _logger.info("ended", extra={"event": "ended"})
    return 0


def _on_signal(number: signal.Signals, told: asyncio.Event) -> None:
    """Begin to end; at the second signal, end at once: what is in work is taken up again by the next server."""
    if told.is_set():
        os._exit(EXIT_CODES["interrupted" if number == signal.SIGINT else "cancelled"])
    told.set()


def _server(app: Any) -> "Server":
    from uvicorn import Server

    from crossdock.server.protocol import configuration

    server = Server(configuration(app))
    server.capture_signals = nullcontext  # type: ignore[assignment] # they are ours
    return server


def _listening(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Raises:
        ServerError: That can't be done; it names the port.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"the server can't listen at {host}, port {port}: {reason}"
        raise ServerError(message, fix="Stop what uses the port, or choose another one: --port.") from None


def _store(project: "Project") -> "Store":
    from crossdock.store.records import Retention
    from crossdock.store.store import Store

    kept = project.retention
    return Store(
        resolve_reference(project.store) or project.store,
        folder=project.folder,
        serving=True,
        most_waiting=project.serve.max_pending,
        keeping=Retention(kept.payloads, kept.history, erase_all=kept.erase_all, keep_failed=kept.keep_failed),
    )


def _check(forks: Forks) -> None:
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
        listed = "".join(f"\n  {fault['message']}\n    fix: {fault['fix']}" for fault in faults)
        raise ProjectError(redactor(f"the workflows of {_name(faults)} can't be run:{listed}"))


def _name(faults: list[Any]) -> str:
    return "the project" if len(faults) > 1 else "this project"


class _Waking:
    """The store as the inbox sees it: what it keeps wakes the workers."""

    def __init__(self, store: "Store", wake: Callable[..., None]) -> None:
        self._store = store
        self._wake = wake

    def accept_soon(self, message: Any) -> Any:
        """Keep a message."""
        future = self._store.accept_soon(message)
        future.add_done_callback(self._wake)
        return future


class _Ends:
    """The store as those see it who wait for the end of a run."""

    def __init__(self, store: "Store") -> None:
        self._store = store

    def ended(self, run: str) -> Any:
        """Tell how a run ended, None as long as it goes on."""
        from crossdock.decoding import decode
        from crossdock.server.reply import Ended

        found = self._store.history.run(run)
        if found.run.state not in ("ended", "dead"):
            return None
        final = {} if found.final is None else decode(found.final)
        return Ended(found.run.outcome or "failed", final.get("reply"))


def log_to_stderr(*, as_json: bool) -> None:
    """Let the server log to standard error, a line each."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("crossdock").setLevel(logging.INFO)
    logging.captureWarnings(capture=True)


class _JsonLines(logging.Formatter):
    """Writes a record as a JSON object."""

    _ABOUT = ("event", "address", "run", "workflow", "attempt", "trigger", "tick")

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        about = {key: value for key in self._ABOUT if (value := getattr(record, key, None)) is not None}
        line = {"at": at, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        trace = {} if record.exc_info is None else {"trace": self.formatException(record.exc_info)}
        return json.dumps({**line, **about, **trace}, ensure_ascii=False)
