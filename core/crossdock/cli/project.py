"""``crossdock project``: about project files."""

import json

import click

from crossdock.cli.ending import write_result


@click.group()
def project() -> None:
    """Show what a project file may hold."""


@project.command()
def schema() -> None:
    """Print the JSON Schema of project files, for editors.

    With the line '# yaml-language-server: $schema=FILE' at its top, editors complete a project file
    and mark what does not fit.
    """
    from crossdock.project.schema import project_schema  # imported late: --help needs none of it

    write_result(json.dumps(project_schema(), indent=2, ensure_ascii=False) + "\n", None)
