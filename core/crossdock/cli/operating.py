"""What the operator's commands have in common: the store of a project, what to look for, how records are shown."""

import functools
import json
import sys
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, get_args

import click

from crossdock.cli.ending import say, show_error, table, write_result
from crossdock.errors import InputError, Outcome, ProjectError, printable

if TYPE_CHECKING:
    from crossdock.project.project import Project
    from crossdock.project.shape import Retention as Kept
    from crossdock.store.records import Retention
    from crossdock.store.store import Store

F = TypeVar("F", bound=Callable[..., Any])

_OUTCOMES = [*get_args(Outcome), "available", "claimed", "dead"]


def _moment(_: click.Context, option: click.Parameter, text: str | None) -> datetime | None:
    """Give a moment: ISO 8601, in UTC unless it says otherwise, or how long ago it was, such as ``2 hours``."""
    from crossdock.cursors import length_of  # imported late: --help needs none of it

    if text is None:
        return None
    try:
        ago = length_of(text)
        moment = datetime.fromisoformat(text) if ago is None else datetime.now(UTC) - ago
    except (ValueError, OverflowError):
        fault = f"{text!r} is no moment; write 2024-05-02T10:00, or how long ago: '2 hours'"
        raise click.BadParameter(fault, param=option) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


_SHORT = 16
"""How much of an id is shown where there is little room: its time, and enough to tell two of one moment apart."""

_TIMES = ("queued_at", "received_at", "wiped_at", "oldest_waiting")


class Place(NamedTuple):
    """Whose store a command is about."""

    folder: str
    environment: str | None

    def project(self) -> "Project":
        """Read the project."""
        from crossdock.project import read_project  # imported late: --help needs none of it

        return read_project(self.folder, self.environment)


def of_project(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say whose store it is about; it gets them as ``place``."""

    @functools.wraps(command)
    def with_place(*args: Any, folder: str, env: str | None, **options: Any) -> Any:
        return command(*args, place=Place(folder, env), **options)

    env = click.option("--env", metavar="NAME", help="The environment that it is served for.")
    folder = click.option(
        "--project", "folder", metavar="FOLDER", default=".", help="The project; by default the folder you are in."
    )
    return folder(env(with_place))


def as_json(command: F) -> F:
    """Give a command the option to print for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def limited(command: F) -> F:
    """Give a command the option that says how many records it shows."""
    return click.option(
        "--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many to show, the newest first."
    )(command)


def searching(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what to look for; it gets them as ``search``."""

    @functools.wraps(command)
    def with_search(*args: Any, **options: Any) -> Any:
        from crossdock.store.records import Search  # imported late: --help needs none of it

        asked = {name: options.pop(name) for name in ("workflow", "outcome", "since", "until", "text")}
        return command(*args, search=Search(**asked), **options)

    for option in reversed(_SEARCH):
        with_search = option(with_search)
    return with_search


_SEARCH = [
    click.option("--workflow", metavar="NAME", help="Only those of this workflow."),
    click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only those that ended so, or that are there now."),
    click.option(
        "--since", metavar="TIME", callback=_moment, help="Only those from then on: 2024-05-02T10:00, or '2 hours' ago."
    ),
    click.option("--until", metavar="TIME", callback=_moment, help="Only those from before then."),
    click.option("--text", help="Only those whose payload, states or log hold this text."),
]


def open_store(project: "Project", **options: Any) -> "Store":
    """Open the store of a project.

    Args:
        project: The project.
        options: What the store takes besides: ``create``, ``upgrade``, ``serving``, ``most_waiting``.

    Raises:
        ProjectError: Its environment has no store of its own.
        StoreError: It can't be opened.
    """
    from crossdock.store.store import Store

    return Store(store_address(project), folder=project.folder, keeping=retention_of(project), **options)


def store_address(project: "Project") -> str:
    """Give the address of the store of a project, which the project may keep elsewhere: ``env:NAME``.

    Raises:
        ProjectError: Its environment has no store of its own.
    """
    from crossdock.references import resolve_reference

    if project.store is None:
        at = f"environments.{project.environment}"
        message = f"{at} has no store, and what came for another environment must not run in it"
        raise ProjectError(message, fix=f"Write {at}.store: an address of its own, or the same one if that is meant.")
    return resolve_reference(project.store) or project.store


def retention_of(project: "Project") -> "Retention":
    """Give how long the store of a project keeps what."""
    from crossdock.project.triggers import Webhook
    from crossdock.store.records import Retention

    def said(kept: "Kept") -> Retention:
        return Retention(kept.payloads, kept.history, erase_all=kept.erase_all, keep_failed=kept.keep_failed)

    own = {name: of.retention for name, of in project.definitions.items() if of.retention != project.retention}
    triggers = [trigger for of in project.definitions.values() for trigger in of.triggers.values()]
    windows = {one.path: one.idempotency.window for one in triggers if isinstance(one, Webhook) and one.enabled}
    return said(project.retention)._replace(workflows={name: said(kept) for name, kept in own.items()}, windows=windows)


def existing_store(project: "Project") -> "Store":
    """Open the store of a project beside its server: it is neither made nor brought up to this version.

    Raises:
        StoreMissingError: Nothing was ever served.
        OlderStoreError: An older crossdock made it, and its server may be at work.
    """
    return open_store(project, create=False, upgrade=False)


def stored(place: Place) -> "Store":
    """Open the store of the project at a place; see ``existing_store``."""
    return existing_store(place.project())


def show_all(
    records: Iterable[Any], heads: Mapping[str, str], limit: int, *, as_json: bool, without: Collection[str] = ()
) -> None:
    """Show records in a table, or as JSON.

    Args:
        records: The records.
        heads: Head → the name of what stands in the column.
        limit: How many to show at most; if there are more, that is said.
        as_json: Whether to print all of each, as JSON.
        without: What a list does not have of a record.
    """
    found = list(islice(records, limit + 1))
    rows = [{name: value for name, value in plain(record).items() if name not in without} for record in found[:limit]]
    if as_json:
        show_json(rows)
    elif rows:
        show_table([list(heads), *(brief(row, heads.values()) for row in rows)])
    elif sys.stdout.isatty():
        say("there is none")
    if len(found) > limit:
        say(f"there are more than {limit}; --limit shows more of them")


def show_table(rows: list[list[str]]) -> None:
    """Show a table; in a terminal that is too narrow for it, ids are shortened, and its last columns left out."""
    text = table(rows)
    if sys.stdout.isatty():
        width = get_terminal_size().columns
        if max(map(len, text.split("\n"))) > width:
            rows = _shortened(rows)
            text = table(rows)
        while len(rows[0]) > 1 and max(map(len, text.split("\n"))) > width:
            rows = [row[:-1] for row in rows]
            text = table(rows)
    write_result(text + "\n", None)


def _shortened(rows: list[list[str]]) -> list[list[str]]:
    """Shorten the ids of records: the commands take the beginning of one, if it tells them apart."""
    short = [row[0][:_SHORT] for row in rows]
    if rows[0][0] not in ("RUN", "MESSAGE") or len(set(short)) < len(short):
        return rows
    return [[id_, *row[1:]] for id_, row in zip(short, rows, strict=True)]


def brief(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Give what a line of a list has of a record: of a time no more than its minute, in UTC."""
    said = {name: _cell(row[name]) for name in names}
    return [text[:16].replace("T", " ") if name in _TIMES else text for name, text in said.items()]


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    write_result(json.dumps(value, indent=2, ensure_ascii=False) + "\n", None)


def show_facts(facts: Mapping[str, Any]) -> None:
    """Show what is known of one thing, a line each; what is not known is left out."""
    rows = [[name, _cell(value)] for name, value in facts.items() if value is not None]
    write_result(table(rows) + "\n", None)


def show_payload(title: str, value: Any) -> None:
    """Show a payload to people."""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    write_result(f"\n{title}\n{printable(text, len(text))}\n", None)


def plain(record: Any) -> dict[str, Any]:
    """Give a record as JSON has it."""
    return {name: _plain(value) for name, value in record._asdict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, bytes):
        return readable(value)
    if hasattr(value, "_asdict"):
        return plain(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def readable(payload: bytes) -> Any:
    """Give a payload as the JSON value that it holds, else as a text, else as base64."""
    from crossdock.decoding import decode

    try:
        return decode(payload)
    except InputError:
        pass  # XML, or compressed
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(payload).decode()}


def cells(row: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    """Give what a line for people has of a record."""
    return [_cell(row[name]) for name in names]


def _cell(value: Any) -> str:
    return "" if value is None else printable(str(value)).replace("\n", " ")


def show_rows(title: str, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Show a part of a record that has rows, if it has any."""
    if rows:
        lines = [cells(row, names) for row in rows]
        write_result(f"\n{title}\n{table([[name.upper() for name in names], *lines])}\n", None)


def show_each(ids: Iterable[str], work: Callable[[str], Any]) -> bool:
    """Do something with each of several things, and print what it gave as JSON.

    What can't be done is told, and the next one comes.

    Returns:
        Whether there was something that could not be done.
    """
    from crossdock.store.errors import NoRecordError, RunStateError, WipedError

    done, refused = dict[str, Any](), False
    for id_ in ids:
        try:
            done[id_] = work(id_)
        except (NoRecordError, RunStateError, WipedError) as error:
            show_error(error)
            refused = True
    show_json(done)
    return refused
