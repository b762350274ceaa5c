"""``crossdock doctor``: whether all is well with a project, its store, and the machine under it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import click

from crossdock.cli.ending import EXIT_CODES, table, write_result
from crossdock.cli.operating import Place, as_json, existing_store, of_project, plain, show_json
from crossdock.errors import CrossdockError, printable

if TYPE_CHECKING:
    from crossdock.project.project import Project
    from crossdock.store.store import Store

_AHEAD = timedelta(minutes=1)


class Look(NamedTuple):
    """What a look at one part said."""

    part: str
    is_well: bool
    said: str
    fix: str | None = None


@click.command()
@click.option(
    "--min-free",
    metavar="MB",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="The space that the disk of the store has to have.",
)
@of_project
@as_json
def doctor(place: Place, min_free: int, *, as_json: bool) -> None:
    """Look whether all is well: the project, its store, the disk, the clock.

    All of a store of SQLite is read, so it takes as long as that. The exit code is 3 if something is
    not well, and 0 if all is.
    """
    looks = list(_looks(place, min_free))
    if as_json:
        show_json([plain(look) for look in looks])
    else:
        write_result(table([_line(look) for look in looks]) + "\n", None)
    well = all(look.is_well for look in looks)
    click.get_current_context().exit(0 if well else EXIT_CODES["refused"])


def _line(look: Look) -> list[str]:
    fix = "" if look.fix is None else f"; fix: {look.fix}"
    return ["well" if look.is_well else "FAULT", look.part, printable(look.said + fix).replace("\n", " ")]


def _looks(place: Place, min_free: int) -> Iterator[Look]:
    from crossdock.project import project_file  # imported late: --help needs none of it
    from crossdock.project.check import check_project

    found = check_project(project_file(place.folder))
    faults = [finding for finding in found.findings if not finding.is_advice]
    for fault in faults:
        yield Look("project", is_well=False, said=f"{fault.file}:{fault.line}: {fault.message}", fix=fault.fix)
    if not faults:
        yield Look("project", is_well=True, said=f"{len(found.files)} files have no faults")
    try:
        yield from _of_store(place.project(), min_free)
    except CrossdockError as error:
        yield Look("store", is_well=False, said=error.message, fix=error.fix)


def _of_store(project: "Project", min_free: int) -> Iterator[Look]:
    with existing_store(project) as store:
        faults = store.faults()
        for fault in faults:
            yield Look("store", is_well=False, said=fault, fix="Stop the server, and put a backup in its place.")
        if not faults:
            yield Look("store", is_well=True, said="it can be read")
        yield from _of_disk(store, min_free)
        yield _of_clock(store)
        yield _of_dead(store)


def _of_disk(store: "Store", min_free: int) -> Iterator[Look]:
    if store.file is None:
        return  # PostgreSQL has a disk of its own
    free = shutil.disk_usage(store.file.parent).free // 1_000_000
    fix = "Make space: without it no message can be accepted."
    yield Look("disk", free >= min_free, f"{free} MB are free", None if free >= min_free else fix)


def _of_clock(store: "Store") -> Look:
    """Tell whether the clock stands before what it said when the newest message came."""
    from crossdock.store.records import Search

    newest = next(store.history.messages(Search()), None)
    if newest is None or newest.received_at <= datetime.now(UTC) + _AHEAD:
        return Look("clock", is_well=True, said="it is not behind the newest message")
    said = f"the newest message came at {newest.received_at:%Y-%m-%d %H:%M:%S} UTC, which is still to come"
    return Look("clock", is_well=False, said=said, fix="Set the clock of the machine, by NTP if it can.")


def _of_dead(store: "Store") -> Look:
    dead = sum(of_workflow.dead for of_workflow in store.history.stats())
    if not dead:
        return Look("runs", is_well=True, said="none is dead")
    return Look("runs", is_well=False, said=f"{dead} are dead", fix="Look at them with `crossdock dead list`.")
