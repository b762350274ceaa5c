"""``crossdock runs``: what runs, what ran, and what to do with it."""

from typing import TYPE_CHECKING, Any

import click

from crossdock.cli.operating import (
    as_json,
    limited,
    of_project,
    plain,
    searching,
    show_all,
    show_facts,
    show_json,
    show_payload,
    show_rows,
    stored,
)

if TYPE_CHECKING:
    from crossdock.store.records import Search

HEADS = {
    "RUN": "id",
    "WORKFLOW": "workflow",
    "STATE": "state",
    "OUTCOME": "outcome",
    "ERROR": "error_code",
    "ATTEMPT": "attempt",
    "FAILED ITEMS": "failed_items",
    "QUEUED": "queued_at",
}


@click.group()
def runs() -> None:
    """Look at the runs of a project that is served, and run them again."""


@runs.command("list")
@searching
@limited
@of_project
@as_json
def list_(search: "Search", place: str, limit: int, *, as_json: bool) -> None:
    """List runs, the newest first."""
    with stored(place) as store:
        show_all(store.history.runs(search), HEADS, limit, as_json=as_json)


@runs.command()
@click.argument("run")
@of_project
@as_json
def show(run: str, place: str, *, as_json: bool) -> None:
    """Show a run: its attempts, its steps, its error, and the states that they left."""
    with stored(place) as store:
        details = plain(store.history.run(run))
    show_json(details) if as_json else _show(details)


def _show(details: dict[str, Any]) -> None:
    run, error = details["run"], details["error"]
    show_facts({name: value for name, value in run.items() if name != "number"})
    show_rows("attempts", details["attempts"], ["attempt", "worker", "started_at", "ended_at", "outcome", "error_code"])
    show_rows("steps", details["steps"], ["step", "outcome", "error_code", "seconds"])
    if error:
        show_payload("error", error)
    if details["final"] is not None:
        show_payload("final state", details["final"])
