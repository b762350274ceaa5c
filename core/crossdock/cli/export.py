"""``crossdock export``: what is known of runs or messages, for other programs, without their payloads."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from crossdock.cli.messages import PAYLOAD
from crossdock.cli.operating import Place, of_project, plain, searching, stored

if TYPE_CHECKING:
    from crossdock.store.records import Search
    from crossdock.store.store import Store


@click.command()
@click.argument("what", type=click.Choice(["runs", "messages"]), default="runs")
@click.option(
    "--format", "format_", type=click.Choice(["jsonl", "csv"]), required=True, help="A JSON object a line, or CSV."
)
@searching
@of_project
def export(what: Literal["runs", "messages"], format_: str, search: "Search", place: Place) -> None:
    """Write all runs, or all messages, to standard output, the newest first.

    They are written while they are read, however many there are. Payloads are not among it.
    """
    write = _write_csv if format_ == "csv" else _write_lines
    with stored(place) as store:
        write(_rows(store, what, search), _names(what))


def _names(what: str) -> Sequence[str]:
    from crossdock.store.records import StoredMessage, StoredRun  # imported late: --help needs none of it

    fields = StoredRun._fields if what == "runs" else StoredMessage._fields
    return [name for name in fields if name not in PAYLOAD]


def _rows(store: "Store", what: str, search: "Search") -> Iterator[dict[str, Any]]:
    found: Iterable[Any] = store.history.runs(search) if what == "runs" else store.history.messages(search)
    return (plain(record) for record in found)


def _write_csv(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> None:
    writer = csv.DictWriter(sys.stdout, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _write_lines(rows: Iterable[dict[str, Any]], names: Sequence[str]) -> None:
    for row in rows:
        click.echo(json.dumps({name: row[name] for name in names}, ensure_ascii=False))
