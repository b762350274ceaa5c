"""``crossdock run``: the command and its options; what it does is in ``supervision``."""

from datetime import UTC, datetime

import click


def _instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime:
    if value is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("write it as 2024-05-02T10:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


@click.command()
@click.argument("job", metavar="JOB")
@click.option("--state", "state_file", metavar="FILE", help="The input: a JSON file, or - for standard input.")
@click.option("--output", metavar="FILE", help="Where the final state goes; standard output by default.")
@click.option("--credentials", metavar="FILE", help="The credentials: YAML or JSON.")
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), help="End the run after this time."
)
@click.option("--now", metavar="INSTANT", callback=_instant, help="The instant that the run counts as its start.")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks, and what the adaptors log.")
def run(
    job: str,
    state_file: str | None,
    output: str | None,
    credentials: str | None,
    timeout: float | None,
    now: datetime,
    *,
    verbose: bool,
) -> None:
    """Run the job of a Python file.

    Its final state goes to standard output as JSON; all else goes to standard error. The exit
    code says how it ended: 0 success, 1 failed, 2 wrong usage or input, 3 refused before it ran,
    4 crashed, 5 killed, 6 partial, 7 unknown, 130 interrupted, 143 cancelled.
    """
    from crossdock.cli.supervision import Order, supervise  # imported late: --help needs none of it

    click.get_current_context().exit(supervise(Order(job, state_file, credentials, now, verbose), output, timeout))
