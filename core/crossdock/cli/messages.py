"""``crossdock messages``: what was received, and what it starts when it is replayed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from crossdock.cli.ending import EXIT_CODES, say, show_error
from crossdock.cli.operating import (
    Place,
    as_json,
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
    stored,
)
from crossdock.errors import CrossdockError

if TYPE_CHECKING:
    from crossdock.store.records import Search
    from crossdock.store.store import Store

_HEADS = {
    "MESSAGE": "id",
    "RECEIVED (UTC)": "received_at",
    "SOURCE": "source",
    "KIND": "kind",
    "BYTES": "size",
    "ERASED (UTC)": "wiped_at",
}
PAYLOAD = ("headers", "request", "body")


@click.group()
def messages() -> None:
    """Look at the messages that a project received, replay and erase them."""


@messages.command("list")
@searching
@limited
@of_project
@as_json
def list_(search: "Search", place: Place, limit: int, *, as_json: bool) -> None:
    """List messages without their payload, the newest first."""
    with stored(place) as store:
        show_all(store.history.messages(search), _HEADS, limit, as_json=as_json, without=PAYLOAD)


@messages.command()
@click.argument("message")
@click.option("--body", is_flag=True, help="Print its body alone, byte by byte.")
@of_project
@as_json
def show(message: str, place: Place, *, body: bool, as_json: bool) -> None:
    """Show a message with its payload, and the runs that it started."""
    from crossdock.cli.replaying import whole  # imported late: --help needs none of it
    from crossdock.store.records import Search

    with stored(place) as store:
        found = store.history.message(store.history.message_id(message))
        runs = [run.id for run in store.history.runs(Search(message=found.id))][::-1]
    if body:
        click.echo(whole(found), nl=False)
        return
    shown = plain(found) | {"runs": runs}
    show_json(shown) if as_json else _show(shown)


def _show(message: dict[str, Any]) -> None:
    facts = {name: value for name, value in message.items() if name not in (*PAYLOAD, "number", "runs")}
    show_facts(facts | {"runs": ", ".join(message["runs"])})
    for name in PAYLOAD:
        if message[name]:
            show_payload(name, message[name])


@messages.command()
@click.argument("messages", metavar="MESSAGE...", nargs=-1, required=True)
@of_project
def replay(messages: tuple[str, ...], place: Place) -> None:
    """Receive messages again: the filters decide anew, and what passes them starts new runs.

    Standard output gets the ids of the new runs of each as JSON. The exit code is 3 if one could not
    be replayed; the others are.
    """
    from crossdock.cli.replaying import Replaying  # imported late: --help needs none of it

    project = place.project()
    with existing_store(project) as store:
        refused = show_each(list(map(store.history.message_id, messages)), Replaying(project, store).replay)
    click.get_current_context().exit(EXIT_CODES["refused"] if refused else 0)


@messages.command()
@click.argument("message")
@click.option("--body", type=click.File("rb"), required=True, help="The file with the new body; - for standard input.")
@of_project
def edit_and_replay(message: str, body: BinaryIO, place: Place) -> None:
    """Receive another body in the place of a message.

    The message stays as it was; the new one names it. `crossdock messages show MESSAGE --body` gives
    the body to edit. Standard output gets the ids of the new message and of its runs as JSON.
    """
    from crossdock.cli.replaying import Replaying

    project = place.project()
    with existing_store(project) as store:
        show_json(Replaying(project, store).edit_and_replay(store.history.message_id(message), body.read()))


@messages.command()
@click.argument("messages", metavar="[MESSAGE]...", nargs=-1)
@click.option("--text", help="Erase all that hold this text, themselves or in what their runs made of them.")
@of_project
def erase(messages: tuple[str, ...], text: str | None, place: Place) -> None:
    """Erase the payloads of messages and all that their runs made of them, for good.

    What became of them stays known. `crossdock messages list --text` lists what --text would erase.
    Standard output gets the ids of those that are erased as JSON. The exit code is 3 if one could not
    be erased; the others are.
    """
    if bool(messages) == bool(text):
        raise click.UsageError("name the messages, or say --text TEXT")
    with stored(place) as store:
        erased, refusals = (
            _erased_by_text(store, text) if text else _erased(store, list(map(store.history.message_id, messages)))
        )
    for refusal in refusals:
        show_error(refusal)
    show_json(erased)
    say(f"{len(erased)} erased")
    click.get_current_context().exit(EXIT_CODES["refused"] if refusals else 0)


def _erased(store: "Store", messages: Iterable[str]) -> tuple[list[str], list[CrossdockError]]:
    from crossdock.store.errors import NoRecordError, RunStateError  # imported late: --help needs none of it

    erased, refusals = list[str](), list[CrossdockError]()
    for message in messages:
        try:
            store.erase(message)
            erased.append(message)
        except (NoRecordError, RunStateError) as refusal:
            refusals.append(refusal)
    return erased, refusals


def _erased_by_text(store: "Store", text: str) -> tuple[list[str], list[CrossdockError]]:
    from crossdock.store.retention import busy_with  # imported late: --help needs none of it

    done = store.erase_text(text)
    return list(done.messages), [busy_with(run) for run in done.busy.values()]
