"""``crossdock new``: a folder with something that works, to go on from."""

import os
import re
from typing import Any

import click

from crossdock.cli.ending import say
from crossdock.errors import InputError, PluginError


@click.group()
def new() -> None:
    """Make something new from a template."""


@new.command()
@click.argument("name")
def project(name: str) -> None:
    """Make the folder NAME with a small project that works: a workflow, its jobs, an input and a test."""
    _check_name(name)
    if os.path.lexists(name):
        raise InputError(f"there is something called {name!r} already; it stays as it is", fix="Choose another name.")
    _bake("project", {"name": name})
    say(
        f"made {name}: a project with the workflow visits. Go on with:\n"
        f"  cd {name}\n  crossdock check\n  crossdock graph\n  crossdock run visits --state sample.json"
    )


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


def _bake(template: str, answers: dict[str, Any]) -> None:
    """Fill in a template, in the folder that we are in; what was begun is gone if that fails."""
    from importlib.resources import as_file, files

    try:
        from cookiecutter.exceptions import CookiecutterException
        from cookiecutter.generate import generate_files  # imported late: no other command needs it
    except ImportError:
        raise PluginError(
            "the templates need cookiecutter, which is not installed", fix="Install it: pip install 'crossdock[new]'."
        ) from None
    with as_file(files("crossdock").joinpath("scaffold", template)) as folder:
        try:
            generate_files(str(folder), {"cookiecutter": answers}, output_dir=".", accept_hooks=False)
        except (CookiecutterException, OSError) as error:
            raise InputError(f"{answers['name']!r} can't be made here: {error}", fix="Try another folder.") from error
