"""Looking: what ``crossdock doctor`` looks at, and what it says of each."""

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import urlopen

from crossdock.cli.ending import wrapped
from crossdock.cli.operating import Place, existing_store
from crossdock.cli.service import check_jobs, listen_at, readers_of
from crossdock.errors import CrossdockError, printable
from crossdock.plugins import Plugins
from crossdock.project import project_file
from crossdock.project.check import check_project
from crossdock.project.project import Project
from crossdock.server.addresses import addresses_of
from crossdock.server.errors import ServerError
from crossdock.store.lock import server_of
from crossdock.store.records import Search, StoredRun
from crossdock.store.store import Store
from crossdock.worker.forking import Forks

_AHEAD = timedelta(minutes=1)
_LATE = timedelta(minutes=1)
"""How long a run may be in work after its time is over."""

_PATIENCE = 5.0
"""How many seconds a server may take to say that it is there."""


class Look(NamedTuple):
    """What a look at one part said."""

    part: str
    is_well: bool
    said: str
    fix: str | None = None


def looks(place: Place, min_free: int, host: str | None, port: int | None) -> Iterator[Look]:
    """Look at everything.

    Args:
        place: The project.
        min_free: How many MB the disk of the store has to have.
        host: Where it is served; None for what the project says.
        port: The port; None for what the project says.
    """
    yield from _of_files(place)
    try:
        project = place.project()
    except CrossdockError as error:
        yield Look("store", is_well=False, said=f"it is not known: {error.message}", fix=error.fix)
        return
    yield _of_jobs(project)
    yield _of_senders(project)
    try:
        with existing_store(project) as store:
            yield from _of_store(project, store, min_free)
            server = None if store.file is None else server_of(store.file)
            yield _of_server(project, server, project.serve.host if host is None else host, port)
    except CrossdockError as error:
        yield Look("store", is_well=False, said=error.message, fix=error.fix)


def shown(look: Look) -> str:
    """Show a look to people, in lines that fit a terminal."""
    lines = [*look.said.splitlines(), *([] if look.fix is None else [f"fix: {look.fix}"])]
    text = "\n".join(wrapped(printable(line), indent=20) for line in lines)
    return f"{'well' if look.is_well else 'FAULT':7}{look.part:13}{text[20:]}"


def _of_files(place: Place) -> Iterator[Look]:
    found = check_project(project_file(place.folder))
    faults = [finding for finding in found.findings if not finding.is_advice]
    for fault in faults:
        yield Look("project", is_well=False, said=f"{fault.file}:{fault.line}: {fault.message}", fix=fault.fix)
    if not faults:
        yield Look("project", is_well=True, said=f"{len(found.files)} files have no faults")


def _of_jobs(project: Project) -> Look:
    """Load the jobs as a server does before it begins: in a child of a fork server, with their credentials."""
    try:
        with closing(Forks(project)) as forks:
            check_jobs(forks)
    except CrossdockError as error:
        return Look("jobs", is_well=False, said=error.message, fix=error.fix)
    return Look("jobs", is_well=True, said="a fork server starts, and loads them with their credentials")


def _of_senders(project: Project) -> Look:
    """Read the secrets of senders as a server does before it begins, and tell who may send without one."""
    plugins = Plugins()
    plugins.load()
    try:
        addresses = addresses_of(project, plugins)
        readers_of(project, plugins)
    except CrossdockError as error:
        return Look("senders", is_well=False, said=error.message, fix=error.fix)
    of_all = ", ".join(address.name for address in addresses if address.enabled and not address.methods)
    said = (
        f"everybody may send to {of_all}: no auth" if of_all else "nobody may send without a key, password or signature"
    )
    return Look("senders", is_well=True, said=said)


def _of_store(project: Project, store: Store, min_free: int) -> Iterator[Look]:
    faults = store.faults()
    for fault in faults:
        yield Look("store", is_well=False, said=fault, fix="Stop the server, and put a backup in its place.")
    if not faults:
        yield Look("store", is_well=True, said=f"{store.name} can be read, and is of this version")
    if store.file is not None:  # PostgreSQL has a disk of its own
        yield _of_permissions(store.file.parent)
        yield _of_disk(store.file.parent, min_free)
    yield _of_clock(store)
    yield _of_work(project, store)
    yield _of_dead(store)


def _of_permissions(folder: Path) -> Look:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        said = f"others can write to the folder {folder}: its mode is {mode:o}"
        return Look("permissions", is_well=False, said=said, fix=f"Close it to them: chmod go-w {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        said = f"the folder {folder} can't be written to"
        return Look("permissions", is_well=False, said=said, fix="Let it belong to the user of the server.")
    return Look("permissions", is_well=True, said="the folder of the store is its owner's to write to")


def _of_disk(folder: Path, min_free: int) -> Look:
    free = shutil.disk_usage(folder).free // 1_000_000
    fix = "Make space: without it no message can be accepted."
    return Look("disk", free >= min_free, f"{free} MB are free", None if free >= min_free else fix)


def _of_clock(store: Store) -> Look:
    """Tell whether the clock stands before what it said when the newest message came."""
    newest = next(store.history.messages(Search()), None)
    if newest is None or newest.received_at <= datetime.now(UTC) + _AHEAD:
        return Look("clock", is_well=True, said="it is not behind the newest message")
    said = f"the newest message came at {newest.received_at:%Y-%m-%d %H:%M:%S} UTC, which is still to come"
    return Look("clock", is_well=False, said=said, fix="Set the clock of the machine, by NTP if it can.")


def _of_work(project: Project, store: Store) -> Look:
    """Tell of runs in work that nobody works at, or that should have ended by themselves."""
    gone = store.history.abandoned()
    late = [run.id for run in store.history.runs(Search(outcome="claimed")) if _is_late(project, store, run)]
    if stuck := sorted({*gone, *late}):
        said = f"{len(stuck)} in work are stuck, the first is {stuck[0]}"
        fix = "Start the server, which takes up what another one left; if it runs, look at its log, and start it again."
        return Look("work", is_well=False, said=said, fix=fix)
    waiting, most = sum(of_workflow.waiting for of_workflow in store.history.stats()), project.serve.max_pending
    if waiting >= most:
        said = f"{waiting} runs wait, and max_pending allows {most}: senders get 503"
        fix = "See what takes so long with `crossdock runs list --outcome claimed`, or allow more: serve: {max_pending: …}."
        return Look("work", is_well=False, said=said, fix=fix)
    return Look("work", is_well=True, said=f"{waiting} runs wait, and none in work is stuck")


def _is_late(project: Project, store: Store, run: StoredRun) -> bool:
    definition, attempts = project.definitions.get(run.workflow), store.history.run(run.id).attempts
    if definition is None or not attempts:
        return False
    may_take = timedelta(seconds=definition.limits.seconds) + _LATE
    return attempts[-1].started_at + may_take < datetime.now(UTC)


def _of_dead(store: Store) -> Look:
    stats = store.history.stats()
    dead, failed = sum(one.dead for one in stats), sum(one.failed_items for one in stats)
    if not dead:
        kept = f", and {failed} failed items are kept: `crossdock runs list --outcome partial`" if failed else ""
        return Look("runs", is_well=True, said=f"none is dead{kept}")
    return Look(
        "runs",
        is_well=False,
        said=f"{dead} {'is' if dead == 1 else 'are'} dead",
        fix="Look at them with `crossdock dead list`.",
    )


def _of_server(project: Project, server: int | None, host: str, port: int | None) -> Look:
    """Tell whether the server of a store answers, and if there is none, whether one could listen."""
    number = project.serve.port if port is None else port
    at, answers = f"{host}, port {number}", _answers(host, number)
    if server is not None:
        said = f"the process {server} uses the store, and {'answers' if answers else 'nothing answers'} at {at}"
        fix = None if answers else "Say --host and --port as the server has them; if it does, look at its log."
        return Look("server", answers, said, fix)
    if answers and project.store is not None and not project.store.startswith("sqlite:"):
        return Look("server", is_well=True, said=f"one answers at {at}")
    try:
        listen_at(host, number).close()
    except ServerError as error:
        return Look("server", is_well=False, said=f"none uses the store, and {error.message}", fix=error.fix)
    return Look("server", is_well=True, said=f"none is there, and one could listen at {at}")


def _answers(host: str, port: int) -> bool:
    """Tell whether a server says that it is there."""
    name = f"[{host}]" if ":" in host else host
    try:
        with urlopen(f"http://{name}:{port}/health", timeout=_PATIENCE) as answer:
            return isinstance(json.load(answer), dict)
    except HTTPError as error:
        error.close()
        return False
    except (OSError, ValueError):
        return False
