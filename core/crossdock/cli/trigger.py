"""``crossdock trigger``: starts workflows by hand, and says which ones a message starts."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from crossdock.cli.ending import say, table, wrapped, write_result
from crossdock.cli.operating import Place, as_json, existing_store, of_project, show_json
from crossdock.errors import InputError, closest, cut, printable

if TYPE_CHECKING:
    from crossdock.project.project import Project
    from crossdock.server.explaining import Explanation, Obstacle
    from crossdock.server.headers import Headers

_SHOWN = 60
"""The most characters of a value that are shown."""


@click.group()
def trigger() -> None:
    """Start workflows of a project by hand, and see what a message would start."""


@trigger.command("run")
@click.argument("workflow")
@click.option(
    "--project", "place", metavar="FOLDER", default=".", help="The project; by default the folder you are in."
)
@click.option("--env", metavar="NAME", help="The environment that it is served for.")
@click.option("--state", metavar="FILE", help="The input: a JSON file, or - for standard input.")
def run(workflow: str, place: str, env: str | None, state: str | None) -> None:
    """Start a run of a workflow now, in the server of its project.

    The run waits in the store until a server takes it. Standard output gets the ids of the message
    and of its run as JSON.
    """
    from crossdock.message import Message  # imported late: --help needs none of it
    from crossdock.project import read_project
    from crossdock.server.address import runs_of
    from crossdock.server.addresses import target
    from crossdock.state import State, encode
    from crossdock.store.records import NewMessage

    project = read_project(place, env)
    given = State() if state is None else Message.from_file(state).state
    body = encode(given.without("cursors"))
    starts = target(workflow, "manual", project.definition(workflow))
    runs = runs_of([starts], given.get("data"), {}, project.version())
    with existing_store(project) as store:
        accepted = store.accept(NewMessage("manual", body, runs, kind="manual", content_type="application/json"))
    write_result(json.dumps({"message_id": accepted.message, "run_ids": accepted.runs}) + "\n", None)


@trigger.command()
@click.argument("file", type=click.File("rb"), required=False)
@click.option("--message", metavar="ID", help="A message of the store in the place of a file.")
@click.option("--webhook", metavar="NAME", help="Only the triggers with this address.")
@click.option("--values", is_flag=True, help="Show the values of the payload that do not fit, too.")
@of_project
@as_json
def explain(
    file: BinaryIO | None, message: str | None, webhook: str | None, place: Place, *, values: bool, as_json: bool
) -> None:
    """Say which triggers take a message, and what keeps the others from it. Nothing is started.

    FILE holds what a sender would send: JSON, or XML; - is standard input. Of each trigger that does
    not take it, it is told which key is not as wanted: its path and what it is, and no value of it.
    """
    from crossdock.server.explaining import explain as explained  # imported late: --help needs none of it

    if (file is None) == (message is None):
        raise click.UsageError("name a file, or say --message ID")
    project = place.project()
    if webhook is not None:
        _check_webhook(project, webhook)
    if file is not None:
        body, headers = _as_sent(file.read())
    else:
        body, headers, source = _received(project, str(message))
        webhook = webhook or source
    found = explained(project, body, headers, webhook=webhook)
    show_json([_facts(one, values=values) for one in found]) if as_json else _show(found, values=values)


def _as_sent(body: bytes) -> tuple[bytes, "Headers"]:
    kind = b"application/xml" if body.lstrip().startswith(b"<") else b"application/json"
    return body, [(b"content-type", kind)]


def _received(project: "Project", message: str) -> tuple[bytes, "Headers", str]:
    from crossdock.cli.replaying import whole

    with existing_store(project) as store:
        found = store.history.message(store.history.message_id(message))
    if found.kind != "webhook":
        fix = "Name one that came to a webhook: crossdock messages list."
        raise InputError(f"the message {message} came by {found.kind}, and no filter was asked", fix=fix)
    encoding = (found.request or {}).get("headers", {}).get("content-encoding", "identity")
    headers = [
        (b"content-type", (found.content_type or "").encode("latin-1")),
        (b"content-encoding", encoding.encode("latin-1")),
    ]
    return whole(found), headers, found.source


def _check_webhook(project: "Project", name: str) -> None:
    from crossdock.project.triggers import Webhook

    triggers = [trigger for of in project.definitions.values() for trigger in of.triggers.values()]
    known = list(dict.fromkeys(trigger.path for trigger in triggers if isinstance(trigger, Webhook)))
    if name not in known:
        close = closest(name, known)
        fix = f"Did you mean {close}?" if close else f"There are: {', '.join(known) or 'none'}."
        raise InputError(f"no trigger has the webhook {name!r:.60}", fix=fix)


def _facts(one: "Explanation", *, values: bool) -> dict[str, Any]:
    """Give what is told of a trigger as JSON has it."""
    facts = {name: value for name, value in one._asdict().items() if name != "payload"}
    return facts | {"obstacles": [_obstacle(one, obstacle, values=values) for obstacle in one.obstacles]}


def _obstacle(one: "Explanation", obstacle: "Obstacle", *, values: bool) -> dict[str, Any]:
    shown = list(_value(one, obstacle)) if values else []
    return obstacle._asdict() | ({"value": shown[0]} if shown else {})


def _value(one: "Explanation", obstacle: "Obstacle") -> Iterator[Any]:
    """Give the value that does not fit, if there is one."""
    from crossdock.common.paths import value_at

    if obstacle.part not in ("include", "schema"):
        return
    found = one.payload if obstacle.path == "$" else value_at(one.payload, obstacle.path)
    if found is not None:
        yield found


def _show(found: "list[Explanation]", *, values: bool) -> None:
    """Show what takes a message, and below each trigger that does not what keeps it from it."""
    if not found:
        say("the project has no webhook triggers")
        return
    rows = [["yes" if one.takes else "no", one.workflow, one.trigger, one.webhook] for one in found]
    head, *lines = table([["TAKES IT", "WORKFLOW", "TRIGGER", "WEBHOOK"], *rows]).split("\n")
    shown = [head]
    for one, line in zip(found, lines, strict=True):
        shown.append(line)
        shown += [wrapped(_said(_obstacle(one, obstacle, values=values)), indent=10) for obstacle in one.obstacles]
    write_result("\n".join(shown) + "\n", None)


def _said(obstacle: dict[str, Any]) -> str:
    where = f"{obstacle['path']} " if obstacle["path"] else ""
    value = f"; it is {cut(json.dumps(obstacle['value'], ensure_ascii=False), _SHOWN)}" if "value" in obstacle else ""
    return printable(f"{obstacle['part']}: {where}{obstacle['reason']}{value}")
