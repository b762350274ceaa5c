"""``crossdock runs``: what runs, what ran, and what to do with it."""

import json
from typing import TYPE_CHECKING, Any

import click

from crossdock.cli.ending import EXIT_CODES, say
from crossdock.cli.operating import (
    Place,
    as_json,
    cells,
    existing_store,
    limited,
    of_project,
    plain,
    searching,
    show_all,
    show_each,
    show_facts,
    show_json,
    show_payload,
    show_rows,
    stored,
)

if TYPE_CHECKING:
    from crossdock.store.records import RunDetails, Search

HEADS = {
    "RUN": "id",
    "WORKFLOW": "workflow",
    "STATE": "state",
    "OUTCOME": "outcome",
    "QUEUED (UTC)": "queued_at",
    "ERROR": "error_code",
    "ATTEMPT": "attempt",
    "FAILED ITEMS": "failed_items",
}

_LINE = ["at", "level", "step", "text"]


@click.group()
def runs() -> None:
    """Look at the runs of a project that is served, and run them again."""


@runs.command("list")
@searching
@limited
@of_project
@as_json
def list_(search: "Search", place: Place, limit: int, *, as_json: bool) -> None:
    """List runs, the newest first."""
    with stored(place) as store:
        show_all(store.history.runs(search), HEADS, limit, as_json=as_json)


@runs.command()
@click.argument("run")
@of_project
@as_json
def show(run: str, place: Place, *, as_json: bool) -> None:
    """Show a run: its attempts, its steps, its error, and the states that they left."""
    with stored(place) as store:
        show_run(store.history.run(store.history.run_id(run)), as_json=as_json)


def show_run(found: "RunDetails", *, as_json: bool) -> None:
    """Show all of a run but its log."""
    trace = found.message.traceparent
    details = plain(found) | {"trace": None if trace is None else trace.trace}
    show_json(details) if as_json else _show(details)


def _show(details: dict[str, Any]) -> None:
    run, error = details["run"], details["error"]
    show_facts({name: value for name, value in run.items() if name != "number"} | {"trace": details["trace"]})
    show_rows("attempts", details["attempts"], ["attempt", "worker", "started_at", "ended_at", "outcome", "error_code"])
    steps = [step | {"seconds": round(step["seconds"] or 0, 3)} for step in details["steps"]]
    show_rows("steps", steps, ["step", "outcome", "error_code", "seconds"])
    if error:
        show_payload("error", error)
    if details["final"] is not None:
        show_payload("final state", details["final"])


@runs.command()
@click.argument("run")
@of_project
@click.option("--follow", is_flag=True, help="Go on with the lines to come, until the run has ended.")
@as_json
def logs(run: str, place: Place, *, follow: bool, as_json: bool) -> None:
    """Print the log of a run, a line each.

    With --follow it ends when the run does; Ctrl-C ends it before, with the exit code 130.
    """
    with stored(place) as store:
        run = store.history.run_id(run)
        for line in store.history.lines(run, follow=follow):
            row = plain(line)
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else "  ".join(cells(row, _LINE)))
        ended = store.history.run(run).run.outcome
    if ended not in (None, "success") and not as_json:
        say(f"the run is over: {ended}; crossdock runs show {run} says why")


@runs.command()
@click.argument("run")
@of_project
def cancel(run: str, place: Place) -> None:
    """Cancel a run: one that waits ends now, one that a worker is busy with in a few seconds."""
    with stored(place) as store:
        state = store.cancel(store.history.run_id(run))
    say("the run was cancelled" if state == "ended" else "the worker of the run is told to end it")


@runs.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--from", "start", metavar="STEP", help="The first step to run again; what the others handed on counts.")
@click.option("--failed", "only_failed", is_flag=True, help="Run it for the items alone that it put aside.")
@searching
@click.option("--dry-run", is_flag=True, help="Only say which runs would be repeated.")
@of_project
def retry(
    runs: tuple[str, ...], start: str | None, search: "Search", place: Place, *, only_failed: bool, dry_run: bool
) -> None:
    """Repeat runs that ended: those that are named, or all that fit the filters, the oldest first.

    With filters, an --outcome has to be given. Left out are runs that were repeated or dropped
    before, and those that another one of the batch starts again by its end.

    The new runs use the project as it is now. Standard output gets the id of the new run of each as
    JSON. The exit code is 3 if one could not be repeated; the others are.
    """
    from crossdock.cli.repeating import Repeating  # imported late: --help needs none of it

    project = place.project()
    with existing_store(project) as store:
        repeating = Repeating(project, store, start, only_failed=only_failed)
        chosen = list(map(store.history.run_id, runs)) or repeating.fitting(_checked(search))
        if dry_run:
            for run in chosen:
                store.history.run(run)
            show_json(chosen)
            return
        refused = show_each(chosen, repeating.repeat)
    click.get_current_context().exit(EXIT_CODES["refused"] if refused else 0)


def _checked(search: "Search") -> "Search":
    """Refuse to repeat all runs there are."""
    if search.outcome is None or search.outcome in ("available", "claimed"):
        raise click.UsageError("name the runs, or say which: --outcome failed, with --workflow, --since … if you like")
    return search._replace(unsettled=True)
