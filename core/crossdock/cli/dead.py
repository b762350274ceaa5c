"""``crossdock dead``: runs that were given up, until somebody replays or drops them."""

from typing import TYPE_CHECKING

import click

from crossdock.cli.ending import EXIT_CODES, say
from crossdock.cli.operating import Place, as_json, existing_store, limited, of_project, show_all, show_each, stored
from crossdock.cli.runs import HEADS, show_run

if TYPE_CHECKING:
    from crossdock.store.store import Store


@click.group()
def dead() -> None:
    """Look at runs that were given up, and replay or drop them."""


@dead.command("list")
@limited
@of_project
@as_json
def list_(place: Place, limit: int, *, as_json: bool) -> None:
    """List the runs that were given up, the newest first."""
    from crossdock.store.records import Search  # imported late: --help needs none of it

    with stored(place) as store:
        show_all(store.history.runs(Search(outcome="dead")), HEADS, limit, as_json=as_json)


@dead.command()
@click.argument("run")
@of_project
@as_json
def show(run: str, place: Place, *, as_json: bool) -> None:
    """Show a run that was given up: why, what it received, and how far it came."""
    with stored(place) as store:
        [id_] = _dead(store, (run,))
        show_run(store.history.run(id_), as_json=as_json)


@dead.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@of_project
def replay(runs: tuple[str, ...], place: Place) -> None:
    """Run dead runs again, from their first step.

    The new runs use the project as it is now: what they died of may have been mended in it. Standard
    output gets the id of the new run of each as JSON. All are looked up first: if one of them is not
    dead, nothing is done. The exit code is 3 if one could not be run again; the others are.
    """
    from crossdock.cli.repeating import Repeating  # imported late: --help needs none of it

    project = place.project()
    with existing_store(project) as store:
        refused = show_each(_dead(store, runs), Repeating(project, store, None, only_failed=False).repeat)
    click.get_current_context().exit(EXIT_CODES["refused"] if refused else 0)


@dead.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@of_project
def drop(runs: tuple[str, ...], place: Place) -> None:
    """Let dead runs go: they have ended, and nothing keeps their payload any more."""
    with stored(place) as store:
        ids = _dead(store, runs)
        for run in ids:
            store.drop(run)
    say(f"dropped: {', '.join(ids)}")


def _dead(store: "Store", runs: tuple[str, ...]) -> list[str]:
    """Give the ids of runs, all of which have to be dead."""
    from crossdock.store.errors import RunStateError

    ids = list(map(store.history.run_id, runs))
    for id_ in ids:
        state = store.history.run(id_).run.state
        if state != "dead":
            fix = "List those that are with `crossdock dead list`; `crossdock runs retry` repeats one that ended."
            raise RunStateError(f"the run {id_} is not dead but {state}", fix=fix)
    return ids
