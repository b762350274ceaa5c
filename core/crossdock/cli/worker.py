"""``crossdock worker``: the command and its options; what it does is in ``serving``."""

import click


@click.command()
@click.argument("place", metavar="[PROJECT]", default=".")
@click.option("--env", metavar="NAME", help="The environment of the project whose credentials count.")
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many runs may be in work at once; by default as the project says, else 2.",
)
@click.option(
    "--log-format", type=click.Choice(["json", "text"]), default="json", help="How log lines are written; json."
)
def worker(place: str, env: str | None, workers: int | None, log_format: str) -> None:
    """Run what `crossdock serve` receives on other machines that share a store in PostgreSQL.

    PROJECT is a folder with a project.yaml, or that file; by default the folder that you are in.
    It has to be the same on all machines.

    It listens nowhere and watches no clock. Runs whose machine is gone are taken up by the others,
    where they were.

    SIGTERM or Ctrl-C: no new runs; those in work have as long as the project says under serve:
    grace, and are given back after that. A second one ends everything at once, and loses nothing
    either.

    Exit codes: 0 ended as told, 2 wrong usage, 3 refused: the project has faults, its store is a
    file of SQLite; 130 and 143 after a second signal.
    """
    from crossdock.cli import serving  # imported late: --help needs none of it
    from crossdock.project import read_project

    project = read_project(place, env)
    serving.log_to_stderr(as_json=log_format == "json")
    code = serving.work(project, project.serve.workers if workers is None else workers)
    click.get_current_context().exit(code)
