"""``crossdock doctor``: whether all is well with a project, its store, and the machine under it."""

import click

from crossdock.cli.ending import EXIT_CODES, write_result
from crossdock.cli.operating import Place, as_json, of_project, plain, show_json


@click.command()
@click.option(
    "--min-free",
    metavar="MB",
    type=click.IntRange(min=0),
    default=500,
    show_default=True,
    help="The space that the disk of the store has to have.",
)
@click.option("--host", metavar="ADDRESS", help="Where it is served; by default as the project says.")
@click.option("--port", metavar="N", type=click.IntRange(0, 65535), help="The port; by default as the project says.")
@of_project
@as_json
def doctor(place: Place, min_free: int, host: str | None, port: int | None, *, as_json: bool) -> None:
    """Look whether all is well: the project, its jobs, its store, its server, and the machine.

    All of a store of SQLite is read, so it takes as long as that. Credentials are looked for as the
    server does: say it in the same environment. The exit code is 3 if something is not well, and 0 if
    all is.
    """
    from crossdock.cli.looking import looks, shown  # imported late: --help needs none of it

    found = list(looks(place, min_free, host, port))
    if as_json:
        show_json([plain(look) for look in found])
    else:
        write_result("\n".join(map(shown, found)) + "\n", None)
    well = all(look.is_well for look in found)
    click.get_current_context().exit(0 if well else EXIT_CODES["refused"])
