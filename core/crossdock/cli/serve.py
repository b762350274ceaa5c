"""``crossdock serve``: the command and its options; what it does is in ``serving``."""

import click


@click.command()
@click.argument("place", metavar="[PROJECT]", default=".")
@click.option("--env", metavar="NAME", help="The environment of the project whose credentials count.")
@click.option("--host", metavar="ADDRESS", help="Where to listen; by default as the project says, else 127.0.0.1.")
@click.option(
    "--port", metavar="N", type=click.IntRange(0, 65535), help="The port; by default as the project says, else 8080."
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=0),
    help="How many runs may be in work at once; by default as the project says, else 2. With 0 it only receives.",
)
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), default="json", help="How log lines are written; json."
)
def serve(
    place: str, env: str | None, host: str | None, port: int | None, workers: int | None, log_format: str
) -> None:
    """Serve a project: receive messages, watch the clock, and run what they start.

    PROJECT is a folder with a project.yaml, or that file; by default the folder that you are in.

    A message is acknowledged when it is on the disk, and from then on it is processed whatever
    happens: where a run was when the server went away, the next server goes on. One server uses a
    store of SQLite at a time; several may share one in PostgreSQL, with more machines that run
    `crossdock worker`.

    SIGTERM or Ctrl-C: no new messages, no new runs; those in work have as long as the project
    says under serve: grace, and are given back after that. A second one ends everything at once,
    and loses nothing either. SIGHUP is ignored: a changed project.yaml needs a restart; the files
    of jobs are read anew for each run, and runs that waited say so or are held.

    Exit codes: 0 ended as told, 2 wrong usage, 3 refused: the project has faults, the port is in
    use, another server uses the store; 130 and 143 after a second signal.
    """
    from crossdock.cli import serving  # imported late: --help needs none of it
    from crossdock.project import read_project

    project = read_project(place, env)
    serving.log_to_stderr(as_json=log_format == "json")
    chosen = project.serve
    code = serving.serve(
        project,
        chosen.host if host is None else host,
        chosen.port if port is None else port,
        chosen.workers if workers is None else workers,
    )
    click.get_current_context().exit(code)
