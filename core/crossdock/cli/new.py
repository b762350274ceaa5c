"""``crossdock new``: a folder with something that works, to go on from."""

import os
import re
from typing import Any

import click

from crossdock.cli.baking import answers, bake
from crossdock.cli.ending import say
from crossdock.errors import InputError


@click.group()
def new() -> None:
    """Make something new from a template."""


@new.command()
@click.argument("name")
def project(name: str) -> None:
    """Make the folder NAME with a small project that works: a workflow, its jobs, an input and a test."""
    _check_name(name)
    _check_free(name)
    bake("project", answers("project", {"name": name}))
    say(
        f"made {name}: a project with the workflow visits. Go on with:\n"
        f"  cd {name}\n  crossdock check\n  crossdock graph\n  crossdock run visits --state sample.json"
    )


@new.command()
@click.argument("system_name", metavar="SYSTEM")
@click.option("--author", default="Your Name", help="Who writes it.")
@click.option("--description", help="What it is, in one sentence.")
@click.option(
    "--kind",
    type=click.Choice(["http", "database", "other"]),
    default="http",
    show_default=True,
    help="What kind of system it is.",
)
@click.option("--openapi", type=click.Path(), help="An OpenAPI 3 document, JSON or YAML: its operations are made.")
def adaptor(openapi: str | None, **given: str | None) -> None:
    """Make a package with an adaptor for SYSTEM, such as Acme or "Acme Registry".

    It holds two operations that work, tests on a real server, the contract that every adaptor keeps to, and
    all that it takes to publish it. With --openapi its operations are those that a document describes.
    """
    known = answers("adaptor", {name: value for name, value in given.items() if value is not None})
    folder = f"crossdock-{known['__name']}"
    _check_free(folder)
    if openapi is not None:
        known |= {"_api": _api(openapi, known)}
    bake("adaptor", known)
    say(
        f"made {folder}: the adaptor {known['__module']}. Go on with:\n  cd {folder}\n  pip install -e '.[test]'\n  pytest"
    )


def _api(openapi: str, known: dict[str, Any]) -> dict[str, Any]:
    """Give what the template is told of an API that a document describes."""
    from crossdock.cli.openapi.answers import api_answers  # imported late: --help needs none of it
    from crossdock.cli.openapi.document import read_api
    from crossdock.cli.openapi.operations import api_of

    if known["kind"] != "http":
        raise InputError(f"OpenAPI describes an HTTP API, and --kind is {known['kind']}", fix="Leave --kind out.")
    document = read_api(openapi)
    api = api_of(document)
    for reason in api.left_out:
        say(f"left out: {reason}")
    return api_answers(document, api, known)


def _check_free(name: str) -> None:
    if os.path.lexists(name):
        raise InputError(f"there is something called {name!r} already; it stays as it is", fix="Choose another name.")


def _check_name(name: str) -> None:
    from crossdock.credentials import CREDENTIAL_NAME  # imported late: --help needs none of it

    if CREDENTIAL_NAME.fullmatch(name):
        return
    if os.sep in name:
        raise InputError(
            f"{name!r:.60} is a path, not a name", fix="Go to the folder that it is to lie in, and give its name alone."
        )
    plain = re.sub(r"[^a-z0-9_]+", "-", name.lower()).lstrip("-_0123456789")[:50].rstrip("-")
    raise InputError(
        f"{name!r:.60} can't be the name of a project: it is a small letter, then small letters, digits, '-' and '_', at most 50",
        fix=f"Call it {plain}." if plain else "Choose another name, such as clinic-sync.",
    )
