"""One job on one input, in a child process that is watched, reported and accounted for."""

import json
import signal
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crossdock.cli.cursors import CursorFile
from crossdock.cli.ending import EXIT_CODES, check_output, say, write_result
from crossdock.cli.order import InProject, Order
from crossdock.cli.screen import Screen
from crossdock.cli.summary import summary
from crossdock.cli.working import work
from crossdock.ending import Cancelled
from crossdock.error_record import error_record
from crossdock.errors import (
    CancelledRunError,
    CrossdockError,
    ExitedError,
    InterruptedRunError,
    Outcome,
    TimeLimitError,
)
from crossdock.job import Job
from crossdock.message import Message
from crossdock.redaction import Redactor
from crossdock.run import Run
from crossdock.state import State
from crossdock.worker.child import Child, Ended
from crossdock.workflow import Workflow

if TYPE_CHECKING:
    from crossdock.cli.drawing.picture import Picture


def supervise(order: Order, output: str | None, timeout: float | None) -> int:
    """Run a job, write its final state, and give the exit code.

    Args:
        order: What to run.
        output: The file for the final state; standard output by default.
        timeout: Seconds after which the run is killed; by default what the project file says.
    """
    message = Message.from_file(order.input, order.input_form) if order.input is not None else Message(State())
    timeout = order.timeout if timeout is None else timeout
    sources = [order.file, order.credentials, order.cursors]
    check_output(output, inputs=sources)
    check_output(order.page, "--report", inputs=[*sources, order.input])
    if isinstance(order.what, InProject) and not order.dry_run:
        order.what.outputs.make()
    if order.cursors is None:
        return _accounted(order, message, output, timeout)
    kept = CursorFile(order.cursors)
    with nullcontext() if order.dry_run else kept.locked():  # a dry run writes nothing, and may be unable to
        message.state = message.state | {"cursors": {**(message.state.get("cursors") or {}), **kept.read()}}
        return _accounted(order, message, output, timeout, kept)


def _accounted(
    order: Order, message: Message, output: str | None, timeout: float | None, kept: CursorFile | None = None
) -> int:
    """Run the job, and write what is left of it: its final state, and then its cursors."""
    report = _report(order, message, timeout, kept)
    if report["outcome"] != "refused":
        write_result(json.dumps(report["state"], indent=2, ensure_ascii=False) + "\n", output)
        if kept is not None and not order.dry_run:
            kept.write(report["state"].get("cursors") or {})
            kept.end_progress(report["outcome"])
        if isinstance(order.what, InProject) and not order.dry_run:
            order.what.outputs.tell(report["steps"])
    if order.page is not None:
        write_result(report["page"], order.page, "--report")
    code: int = report.get("exit", EXIT_CODES[report["outcome"]])
    return code


def _report(order: Order, message: Message, timeout: float | None, kept: CursorFile | None) -> dict[str, Any]:
    """Run the job in a child, show what it does, and give its report or one on its end."""
    screen, started = Screen(message, kept), time.perf_counter()
    try:
        ended = _stepped(order, message, screen) if order.stepping else _followed(order, message, screen, timeout)
    finally:
        screen.clear_away()
    report = screen.report
    if report is None:
        report = _without_report(order, message, ended, timeout, screen)
    if order.traced:
        report["traced"] = {"notes": {}, **report.get("traced", {}), **screen.traced()}
    seconds = time.perf_counter() - started
    shown = summary(order.name, report, seconds, dry_run=order.dry_run, tree=order.shows_trace)
    say(screen.redact(shown))
    if order.page is not None:
        report["page"] = _page(order, report, seconds, screen.redact)
    return report


def _followed(order: Order, message: Message, screen: Screen, timeout: float | None) -> Ended:
    """Run the job in a child that is watched."""
    child = Child(
        lambda send: work(order, message, send, screen),
        on_message=screen.take,
        on_output=screen.show,
        on_orphaned=screen.clear_away,
    )
    with screen:  # after the fork: the display has a thread of its own
        return child.follow(timeout=timeout, until=screen.deadline)


def _stepped(order: Order, message: Message, screen: Screen) -> Ended:
    """Run the job in this process, which has the terminal, and stop before each operation."""
    from crossdock.cli.stepping import foreground  # imported late: few runs are stepped through

    with foreground(screen.redact):
        try:
            work(order, message, screen.take, screen)
        except KeyboardInterrupt:
            return Ended("an interrupt", timed_out=False, signal=signal.SIGINT)
        except Cancelled:
            return Ended("signal SIGTERM", timed_out=False, signal=signal.SIGTERM)
    return Ended("exit code 0", timed_out=False, signal=None)


def _page(order: Order, report: dict[str, Any], seconds: float, redactor: Redactor) -> str:
    from crossdock.cli.report import page  # imported late: few runs have one

    given = {None: "none", "-": "standard input"}.get(order.input, order.input)
    started = datetime.now(UTC) - timedelta(seconds=seconds)
    about = {
        "job": order.file,
        "step": order.name,
        "input": given,
        "started": f"{started:%Y-%m-%d %H:%M:%S} UTC",
        "seconds": seconds,
        "dry_run": order.dry_run,
        "values": order.values,
    }
    return page(report, about, redactor, _picture(order, report))


def _picture(order: Order, report: dict[str, Any]) -> "Picture | None":
    """Give the drawing of a workflow as this run went through it."""
    if not isinstance(order.what, InProject):
        return None
    from crossdock.cli.drawing.definition import picture_of

    told = {step["name"]: step for step in report.get("steps", [])}
    return picture_of(order.name, order.what.project.definitions[order.name], told)


def _without_report(
    order: Order, message: Message, ended: Ended, timeout: float | None, screen: Screen
) -> dict[str, Any]:
    """Account for a child that ended without a report: what came in is left, and what it committed on the way."""
    error: CrossdockError
    outcome: Outcome
    if ended.timed_out:
        outcome, error = "killed", _over_time(screen, timeout)
    elif ended.signal is not None:
        error = (InterruptedRunError if ended.signal == signal.SIGINT else CancelledRunError)(screen.cursors)
        outcome = error.outcome
    else:
        outcome, error = "crashed", ExitedError(f"the job's process ended with {ended.how} without a result")
    state = Run(Workflow.of(Job(), order.name), message.state).state
    where = next(iter(screen.running), order.name)
    left, _ = screen.redact.in_value({**state, "cursors": screen.cursors, "errors": {where: error_record(error)}})
    steps = [*screen.ended, *({"name": name, "outcome": outcome} for name in screen.running)]
    return {"outcome": outcome, "state": left, "timings": [], "steps": steps}


def _over_time(screen: Screen, timeout: float | None) -> TimeLimitError:
    """Give the error for a run that was killed: a step of it took too long, or all of it."""
    for name, limit in screen.running.items():
        if limit.seconds is not None and time.monotonic() >= limit.at:
            return TimeLimitError(
                f"the step {name!r} took longer than {limit.seconds:g} s and was killed",
                fix="Make the step do less at a time, or allow more in the project file.",
            )
    return TimeLimitError(f"the run took longer than {timeout:g} s and was killed")
