"""``crossdock stats``: how much there is of each workflow."""

from typing import Any

import click

from crossdock.cli.operating import Place, as_json, brief, of_project, plain, show_json, show_table, stored

_HEADS = {
    "WORKFLOW": "workflow",
    "WAITING": "waiting",
    "RUNNING": "running",
    "DEAD": "dead",
    "ENDED": "ended",
    "FAILED ITEMS": "failed_items",
    "OLDEST WAITING (UTC)": "oldest_waiting",
}


@click.command()
@of_project
@as_json
def stats(place: Place, *, as_json: bool) -> None:
    """Show how many runs of each workflow wait, are in work, are dead, and how the others ended."""
    with stored(place) as store:
        rows = [plain(of_workflow) for of_workflow in store.history.stats()]
    if as_json:
        show_json(rows)
    elif rows:
        show_table([list(_HEADS), *(brief(row | {"ended": _counts(row["ended"])}, _HEADS.values()) for row in rows)])


def _counts(ended: dict[str, Any]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(ended.items()))
