"""``crossdock run``: the command and its options; what it does is in ``supervision``."""

import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = click.Path(file_okay=False, writable=True, resolve_path=True)
_EXISTING_FOLDER = click.Path(file_okay=False, exists=True, resolve_path=True)


def _instant(_: click.Context, __: click.Parameter, value: str | None) -> datetime:
    if value is None:
        return datetime.now(UTC)
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("write it as 2024-05-02T10:00:00Z") from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _made(path: str | None, option: str) -> "Path | None":
    """Make a folder that only its owner can read, if there is none."""
    from pathlib import Path  # imported late: --help needs none of it

    if path is None:
        return None
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(
            f"the folder {path!r} can't be made: {error.strerror}", param_hint=repr(option)
        ) from None
    return Path(path)


def _check_terminal(state_file: str | None, timeout: float | None) -> None:
    """Refuse to step where nobody could answer, or with what a run in this process can't have."""
    if timeout is not None:
        raise click.UsageError("--step and --timeout can't be given together: nobody ends a run that waits for you.")
    if state_file == "-":
        raise click.UsageError("--step needs standard input for itself: name a state file.")
    terminals = [stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr)]
    if sys.stdout is None or not all(terminals):
        raise click.UsageError("--step needs a terminal as standard input and error, and an open standard output.")


@click.command()
@click.argument("job", metavar="JOB")
@click.option("--state", "state_file", metavar="FILE", help="The input: a JSON file, or - for standard input.")
@click.option(
    "--retry-failed",
    metavar="FILE",
    help="Run only the loops again, on the items that failed in the run whose final state this is.",
)
@click.option("--output", metavar="FILE", help="Where the final state goes; standard output by default.")
@click.option("--credentials", metavar="FILE", help="The credentials: YAML or JSON.")
@click.option(
    "--cursors",
    metavar="FILE",
    help="Where the job's cursors are kept from run to run; they win over those of the input.",
)
@click.option(
    "--timeout", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), help="End the run after this time."
)
@click.option("--now", metavar="INSTANT", callback=_instant, help="The instant that the run counts as its start.")
@click.option("--dry-run", is_flag=True, help="Read, but list what would be written instead of writing it.")
@click.option(
    "--files", metavar="DIR", type=_FOLDER, help="Where the files of the run stay; else they end with the run."
)
@click.option(
    "--record", metavar="DIR", type=_FOLDER, help="Keep there what systems answer; so far only http adaptors do."
)
@click.option(
    "--replay",
    metavar="DIR",
    type=_EXISTING_FOLDER,
    help="Take what was recorded there instead of asking; so far only http adaptors do.",
)
@click.option(
    "--trace",
    "traced",
    is_flag=True,
    help="Show what each operation did: time, what it changed in the state, requests and statements.",
)
@click.option("--report", metavar="FILE", help="Write a page (HTML) that shows the same and how the run ended.")
@click.option("--values", is_flag=True, help="With --trace or --report: show values too, cut and without secrets.")
@click.option(
    "--step", "stepping", is_flag=True, help="Stop before each operation, with pdb at hand; needs a terminal."
)
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks, and what the adaptors log.")
def run(
    job: str,
    state_file: str | None,
    retry_failed: str | None,
    output: str | None,
    credentials: str | None,
    cursors: str | None,
    timeout: float | None,
    now: datetime,
    files: str | None,
    record: str | None,
    replay: str | None,
    report: str | None,
    *,
    dry_run: bool,
    traced: bool,
    values: bool,
    stepping: bool,
    verbose: bool,
) -> None:
    """Run the job of a Python file.

    Its final state goes to standard output as JSON; all else goes to standard error. The exit
    code says how it ended: 0 success, 1 failed, 2 wrong usage or input, 3 refused before it ran,
    4 crashed, 5 killed, 6 partial, 7 unknown, 130 interrupted, 143 cancelled.

    With --dry-run the operations of adaptors that write are listed under 'plan' in the final
    state and not called, the job's own functions run, and no cursor moves.

    With --retry-failed every item under 'failed' goes to the loop that put it aside: the each(…)
    of the job that runs an operation or function of that name. Nothing else of the job runs, and
    no cursor moves. What came of it is the same state with those under 'failed' that failed again.
    Refused is what can't be told apart: two loops that run the same name, items that a function
    put aside, the item at which a loop stopped, the state of a failed run.

    With --trace a tree shows the operations of the job and those that run inside them. All runs
    of one operation from one line, as for the items of a loop, are one line with their number,
    their time, the slowest and how many failed. --report writes this as one page that loads
    nothing from anywhere, for a browser or to hand on.

    With --step the job runs in this process, because that has the terminal: before each operation
    of the job Python's debugger stands at its line, with the state in 'state'. 'c' runs it and
    stops at the next, 's' steps into it, 'finish' runs the rest, 'q' gives up (exit code 130).
    Nobody watches such a run: there is no --timeout, and open transactions wait with you. The
    tree of --trace is shown at the end, since the times of the run would count your looking.
    """
    from crossdock.cli.supervision import Order, supervise  # imported late: --help needs none of it

    if record is not None and replay is not None:
        raise click.UsageError("--record and --replay can't be given together.")
    if values and not traced and report is None:
        raise click.UsageError("--values needs --trace or --report.")
    if report is not None and report == output:
        raise click.UsageError("--report and --output name the same file.")
    if retry_failed is not None and state_file is not None:
        raise click.UsageError("--retry-failed and --state can't be given together: the failed items are the input.")
    if stepping:
        _check_terminal(state_file or retry_failed, timeout)
    order = Order(
        job,
        state_file,
        credentials,
        now,
        verbose,
        dry_run,
        files=_made(files, "--files"),
        record=_made(record, "--record"),
        replay=_made(replay, "--replay"),
        cursors=cursors,
        shows_trace=traced or stepping,
        values=values,
        page=report,
        stepping=stepping,
        retry_failed=retry_failed,
    )
    click.get_current_context().exit(supervise(order, output, timeout))
