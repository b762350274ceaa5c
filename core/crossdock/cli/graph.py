"""``crossdock graph``: a drawing of a workflow, with how its steps ended when it last ran."""

import shutil
import sys
from typing import TYPE_CHECKING

import click

from crossdock.cli.ending import check_output, say, write_result

if TYPE_CHECKING:
    from crossdock.cli.drawing.picture import Picture


@click.command()
@click.argument("what", metavar="[PROJECT] [WORKFLOW]", nargs=-1)
@click.option("--output", metavar="FILE.svg", help="Write the drawing as SVG instead of showing it.")
def graph(what: tuple[str, ...], output: str | None) -> None:
    """Draw a workflow of a project: what starts it, its steps, and when each way is taken.

    PROJECT is a folder with a project.yaml, or that file; by default the folder that you are in.
    WORKFLOW may be left out where the project has only one. If it ran, each step shows how it
    ended when it did last. None of its jobs is loaded. Where the terminal is too narrow for the
    drawing, the steps are listed.
    """
    from crossdock.cli.drawing.definition import picture_of  # imported late: --help needs none of it
    from crossdock.cli.order import InProject

    if len(what) > 2:
        raise click.UsageError("Name a project and one of its workflows.")
    if output is not None and not output.endswith(".svg"):
        raise click.UsageError("--output writes SVG: name a file that ends in .svg.")
    chosen = InProject.named(what)
    definition = chosen.project.definitions[chosen.workflow]
    picture = picture_of(chosen.workflow, definition, chosen.outputs.outcomes(definition.steps))
    if output is None:
        write_result(_for_terminal(picture), None)
    else:
        from crossdock.cli.drawing.svg import svg_file

        check_output(output)
        write_result(svg_file(picture), output)
        say(f"the workflow {picture.title} is drawn in {output}")


def _for_terminal(picture: "Picture") -> str:
    from crossdock.cli.drawing.terminal import drawn

    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    columns = shutil.get_terminal_size().columns if on_terminal else None
    return drawn(picture, encoding, columns=columns, coloured=on_terminal) + "\n"
