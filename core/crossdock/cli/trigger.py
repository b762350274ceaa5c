"""``crossdock trigger``: starts workflows by hand."""

import json

import click

from crossdock.cli.ending import write_result
from crossdock.cli.operating import existing_store


@click.group()
def trigger() -> None:
    """Start workflows of a project that is served."""


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
    from crossdock.server.address import Address
    from crossdock.server.addresses import target
    from crossdock.state import State, encode
    from crossdock.store.records import NewMessage

    project = read_project(place, env)
    given = State() if state is None else Message.from_file(state).state
    body = encode(given.without("cursors"))
    runs = Address("", [target(workflow, "manual", project.definition(workflow))]).runs(
        given.get("data"), {}, project.version()
    )
    with existing_store(project) as store:
        accepted = store.accept(NewMessage("manual", body, runs, kind="manual", content_type="application/json"))
    write_result(json.dumps({"message_id": accepted.message, "run_ids": accepted.runs}) + "\n", None)
