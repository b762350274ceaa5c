"""``crossdock messages``: what was received, and what it starts when it is replayed."""

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
    stored,
)

if TYPE_CHECKING:
    from crossdock.store.records import Search, StoredMessage

_HEADS = {
    "MESSAGE": "id",
    "KIND": "kind",
    "SOURCE": "source",
    "RECEIVED": "received_at",
    "BYTES": "size",
    "ERASED": "wiped_at",
}
_PAYLOAD = ("headers", "request", "body")


@click.group()
def messages() -> None:
    """Look at the messages that a project received, replay and erase them."""


@messages.command("list")
@searching
@limited
@of_project
@as_json
def list_(search: "Search", place: str, limit: int, *, as_json: bool) -> None:
    """List messages without their payload, the newest first."""
    with stored(place) as store:
        show_all(store.history.messages(search), _HEADS, limit, as_json=as_json, without=_PAYLOAD)


@messages.command()
@click.argument("message")
@click.option("--body", is_flag=True, help="Print its body alone, byte by byte.")
@of_project
@as_json
def show(message: str, place: str, *, body: bool, as_json: bool) -> None:
    """Show a message with its payload, and the runs that it started."""
    from crossdock.store.records import Search  # imported late: --help needs none of it

    with stored(place) as store:
        found = store.history.message(message)
        runs = [run.id for run in store.history.runs(Search(message=message))][::-1]
    if body:
        click.echo(_whole(found), nl=False)
        return
    shown = plain(found) | {"runs": runs}
    show_json(shown) if as_json else _show(shown)


def _show(message: dict[str, Any]) -> None:
    facts = {name: value for name, value in message.items() if name not in (*_PAYLOAD, "number", "runs")}
    show_facts(facts | {"runs": ", ".join(message["runs"])})
    for name in _PAYLOAD:
        if message[name]:
            show_payload(name, message[name])


def _whole(message: "StoredMessage") -> bytes:
    """Give the body of a message that was not erased."""
    if message.body is None:
        from crossdock.store.errors import WipedError

        raise WipedError(f"the payload of the message {message.id} was erased")
    return message.body
