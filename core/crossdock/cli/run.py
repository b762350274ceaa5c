"""``crossdock run``: the command and its options; what it does is in ``supervision``."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.cli.order import InProject, Order

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
@click.argument("what", metavar="[PROJECT] [WORKFLOW | JOB.py]", nargs=-1)
@click.option("--env", metavar="NAME", help="The environment of the project whose credentials count.")
@click.option("--start", metavar="STEP", help="Begin at this step, with what the steps before it handed on last.")
@click.option("--end", metavar="STEP", help="End after this step.")
@click.option("--only", metavar="STEP", help="Run this step alone.")
@click.option(
    "--parallel",
    metavar="N",
    type=click.IntRange(min=1),
    help="How many steps may run at the same time; by default as the project says.",
)
@click.option("--state", metavar="FILE", help="The input: a file, or - for standard input.")
@click.option(
    "--state-format",
    type=click.Choice(["json", "jsonl", "csv"]),
    help="What the input is; else a .jsonl, .ndjson or .csv file is rows, and all else JSON.",
)
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
    is_flag=True,
    help="Show what each operation did: time, what it changed in the state, requests and statements.",
)
@click.option("--report", metavar="FILE", help="Write a page (HTML) that shows the same and how the run ended.")
@click.option("--values", is_flag=True, help="With --trace or --report: show values too, cut and without secrets.")
@click.option("--step", is_flag=True, help="Stop before each operation, with pdb at hand; needs a terminal.")
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks, and what the adaptors log.")
def run(what: tuple[str, ...], output: str | None, timeout: float | None, **given: Any) -> None:
    """Run the job of a Python file, or a workflow of a project.

    PROJECT is a folder with a project.yaml, or that file; by default the folder that you are in.
    WORKFLOW may be left out where the project has only one. What each step hands on is kept in
    .crossdock/ beside the project file, so that --start and --only can go on from there; a
    --state that is given counts more.

    The final state goes to standard output as JSON; all else goes to standard error. The exit
    code says how it ended: 0 success, 1 failed, 2 wrong usage or input, 3 refused before it ran,
    4 crashed, 5 killed, 6 partial, 7 unknown, 130 interrupted, 143 cancelled.

    The input is a JSON object, the whole state; or rows, in JSON lines or CSV, which become its
    'data'. Rows are read as the job walks them, once: each(state.data, …) takes the memory of
    one row. No state holds them: 'data' is null in what is written down.

    With --cursors a run that was interrupted in each(…, checkpoint=n) goes on where it stopped:
    how far it came is kept beside that file until a run ends well.

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
    from crossdock.cli.supervision import supervise  # imported late: --help needs none of it

    _refuse(_TOGETHER, {**given, "output": output})
    if given["step"]:
        _check_terminal(given["state"] or given["retry_failed"], timeout)
    click.get_current_context().exit(supervise(_order(what, given), output, timeout))


Given = dict[str, Any]
"""The options that were given, by their names."""

_TOGETHER: dict[str, Callable[[Given], Any]] = {
    "--record and --replay can't be given together.": lambda given: given["record"] and given["replay"],
    "--values needs --trace or --report.": lambda given: given["values"] and not (given["trace"] or given["report"]),
    "--report and --output name the same file.": lambda given: given["report"] and given["report"] == given["output"],
    "--retry-failed and --state can't be given together: the failed items are the input.": (
        lambda given: given["retry_failed"] is not None and given["state"] is not None
    ),
    "--state-format needs --state.": lambda given: given["state_format"] and given["state"] is None,
    "--only can't be given together with --start or --end.": (
        lambda given: given["only"] and (given["start"] or given["end"])
    ),
}
_OF_A_JOB: dict[str, Callable[[Given], Any]] = {
    "--env, --start, --end, --only and --parallel are for a workflow of a project.": (
        lambda given: given["env"] or given["start"] or given["end"] or given["only"] or given["parallel"]
    ),
}
_OF_A_WORKFLOW: dict[str, Callable[[Given], Any]] = {
    "--retry-failed is for a job file: name the job whose loop put them aside, or run the workflow again on its input.": (
        lambda given: given["retry_failed"] is not None
    ),
}


def _refuse(rules: dict[str, Callable[[Given], Any]], given: Given) -> None:
    """Refuse options that don't go together: what is said → whether it is so."""
    for said, is_so in rules.items():
        if is_so(given):
            raise click.UsageError(said)


def _order(what: tuple[str, ...], given: Given) -> "Order":
    """Give what was asked for."""
    from crossdock.cli.order import Order

    chosen, cursors = _chosen(what, given["env"]), given["cursors"]
    if isinstance(chosen, str):
        _refuse(_OF_A_JOB, given)
    else:
        _refuse(_OF_A_WORKFLOW, given)
        start, end = given["only"] or given["start"], given["only"] or given["end"]
        parallel = given["parallel"] or chosen.project.definition(chosen.workflow).parallel
        chosen = chosen._replace(start=start, end=end, parallel=parallel)
        cursors = cursors or chosen.cursors
    folders: dict[str, Any] = {name: _made(given[name], f"--{name}") for name in ("files", "record", "replay")}
    same = {
        name: given[name]
        for name in ("state", "state_format", "credentials", "now", "verbose", "dry_run", "values", "retry_failed")
    }
    shows_trace, page = given["trace"] or given["step"], given["report"]
    return Order(chosen, **same, **folders, cursors=cursors, shows_trace=shows_trace, page=page, stepping=given["step"])


def _chosen(what: tuple[str, ...], environment: str | None) -> "str | InProject":
    """Tell what the arguments name: the file of a job, or a workflow of a project."""
    from crossdock.cli.order import InProject, is_project
    from crossdock.project import FILE_NAME

    if len(what) > 2 or not (what or os.path.isfile(FILE_NAME)):
        raise click.UsageError("Name a job file, or a project and one of its workflows.")
    if len(what) == 1 and not is_project(what[0]) and (_is_file(what[0]) or not os.path.isfile(FILE_NAME)):
        return what[0]
    return InProject.named(what, environment)


def _is_file(path: str) -> bool:
    return path.endswith(".py") or os.path.exists(path)
