"""One job on one input, in a child process that is watched, reported and accounted for."""

import json
import logging
import signal
import sys
import time
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from crossdock.cli.cursors import CursorFile
from crossdock.cli.ending import EXIT_CODES, check_output, exit_code, say, write_result
from crossdock.cli.retrying import retried
from crossdock.cli.screen import Screen
from crossdock.cli.summary import summary
from crossdock.credentials import entries_from, learn
from crossdock.ending import Cancelled
from crossdock.error_record import error_record
from crossdock.errors import (
    CancelledRunError,
    CredentialError,
    CrossdockError,
    ExitedError,
    InterruptedRunError,
    Outcome,
    TimeLimitError,
)
from crossdock.installed import installed
from crossdock.job import Job, all_parts, load_job
from crossdock.loading import ADAPTORS
from crossdock.message import Message
from crossdock.plugins import Plugins, hookimpl
from crossdock.redaction import Redactor
from crossdock.run import Run, Timing
from crossdock.state import State, encode
from crossdock.trace import Trace
from crossdock.worker.child import Child, Ended, Send
from crossdock.workflow import Workflow


class Order(NamedTuple):
    """What ``crossdock run`` was asked to do."""

    job: str
    state: str | None
    credentials: str | None
    now: datetime
    verbose: bool
    dry_run: bool = False
    files: Path | None = None
    record: Path | None = None
    replay: Path | None = None
    cursors: str | None = None
    shows_trace: bool = False
    values: bool = False
    page: str | None = None
    stepping: bool = False
    retry_failed: str | None = None

    @property
    def input(self) -> str | None:
        """The file that the first state comes from."""
        return self.state if self.retry_failed is None else self.retry_failed

    @property
    def traced(self) -> bool:
        """Whether somebody wants to see what the operations did."""
        return self.shows_trace or self.page is not None

    @property
    def step(self) -> str:
        """The name of the job's one step."""
        return Path(self.job).stem


def supervise(order: Order, output: str | None, timeout: float | None) -> int:
    """Run a job, write its final state, and give the exit code.

    Args:
        order: What to run.
        output: The file for the final state; standard output by default.
        timeout: Seconds after which the run is killed.
    """
    message = Message.from_file(order.input) if order.input is not None else Message(State())
    check_output(output)
    check_output(order.page, "--report")
    if order.cursors is None:
        return _accounted(order, message, output, timeout)
    kept = CursorFile(order.cursors)
    with kept.locked():
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
    shown = summary(order.step, report, seconds, dry_run=order.dry_run, tree=order.shows_trace)
    say(screen.redact(shown))
    if order.page is not None:
        report["page"] = _page(order, report, seconds, screen.redact)
    return report


def _followed(order: Order, message: Message, screen: Screen, timeout: float | None) -> Ended:
    """Run the job in a child that is watched."""
    child = Child(
        lambda send: _work(order, message, send, screen),
        on_message=screen.take,
        on_output=screen.show,
        on_orphaned=screen.clear_away,
    )
    with screen:  # after the fork: the display has a thread of its own
        return child.follow(timeout=timeout)


def _stepped(order: Order, message: Message, screen: Screen) -> Ended:
    """Run the job in this process, which has the terminal, and stop before each operation."""
    from crossdock.cli.stepping import foreground  # imported late: few runs are stepped through

    with foreground(screen.redact):
        try:
            _work(order, message, screen.take, screen)
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
        "job": order.job,
        "step": order.step,
        "input": given,
        "started": f"{started:%Y-%m-%d %H:%M:%S} UTC",
        "seconds": seconds,
        "dry_run": order.dry_run,
        "values": order.values,
    }
    return page(report, about, redactor)


def _work(order: Order, message: Message, send: Send, screen: Screen) -> None:
    """Do all of it in the child: load, check, run, report."""

    def tell(folder: str) -> None:
        screen.take({"files": folder})  # the child's own copy, for when it is orphaned
        send({"files": folder})

    _log_to_stderr(verbose=order.verbose)
    redactor = Redactor()
    redactor.tell = lambda secret: send({"secret": secret})
    try:
        run = _prepared(order, message, redactor, send)
        run.files.tell = tell
        run.execute()
    except CrossdockError as error:
        send(_refusal(error, verbose=order.verbose))
        return
    if order.verbose and run.error is not None:
        sys.stderr.write(_trace(run.error))
    report = {"outcome": run.outcome, "state": json.loads(encode(run.state)), "stopped": run.stopped}
    send({**report, **_traced(run), "timings": [_timing(timing) for timing in run.timings]})


def _traced(run: Run) -> dict[str, Any]:
    """Give what is traced of a run beside its operations: what came after them, and with what it ran."""
    if run.trace is None:
        return {}
    from crossdock import adaptors

    used = {entry.distribution: entry.version for entry in installed(ADAPTORS) if entry.name in adaptors.opened}
    return {"traced": {"notes": run.trace.described(run.trace.root)["notes"]}, "adaptors": used}


def _refusal(error: CrossdockError, *, verbose: bool) -> dict[str, Any]:
    """Report an error that came before anything ran; whatever it is, the run was refused."""
    code = exit_code(error) if error.outcome == "refused" else EXIT_CODES["refused"]
    record = {**error_record(error), **_loading(error)}
    return {"outcome": "refused", "exit": code, "error": record, "trace": _trace(error) if verbose else None}


def _timing(timing: Timing) -> dict[str, Any]:
    site = timing.operation.site
    shown = {"name": timing.operation.name, "line": str(site), "text": site.text}
    return {**shown, "seconds": timing.seconds, "failed": timing.failed}


def _prepared(order: Order, message: Message, redactor: Redactor, send: Send) -> Run:
    from crossdock import adaptors

    plugins = Plugins()
    plugins.load()
    plugins.register("crossdock", _Progress(send))
    if order.stepping:
        from crossdock.cli.stepping import Stepper

        plugins.register("crossdock step", Stepper(str(Path(order.job).resolve().parent)))
    given = _given(order, message)
    for fields, _ in given:
        learn(fields, plugins=plugins, redactor=redactor)  # the job's file may print them while it is imported
    job = load_job(order.job)
    if order.retry_failed is not None:
        job = retried(job, message.state, f"the state file {order.retry_failed!r}")
    for name, module in adaptors.opened.items():
        plugins.register(f"adaptor {name}", module)
    used = set(adaptors.opened) | {part.declaration.adaptor.name for part in all_parts(job) if part.declaration.adaptor}
    entries: dict[str, dict[str, Any]] = {}
    for fields, what in given:
        if used or fields is not message.configuration:  # an input in OpenFn's form may bring secrets that nobody needs
            entries |= entries_from(fields, used, what=what)
    trace = Trace(redactor, values=order.values, tell=lambda span: send({"span": span}))
    run = Run(
        Workflow.of(job, order.step),
        message.state,
        credentials=entries,
        plugins=plugins,
        redactor=redactor,
        now=order.now,
        dry_run=order.dry_run,
        files=order.files,
        record=order.record,
        replay=order.replay,
        trace=trace if order.traced else None,
    )
    run.on_checkpoint = lambda cursors: send({"checkpoint": cursors})
    return run


class _Progress:
    """A plugin that tells the parent which operation runs."""

    def __init__(self, send: Send) -> None:
        self._send = send

    @hookimpl
    def crossdock_step_finished(self) -> None:
        """From here on the work is committed or undone: a signal could only keep that from being said."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)

    @hookimpl(wrapper=True)
    def crossdock_operation(self, operation: Any) -> Any:
        self._send({"operation": {"name": operation.name, "line": str(operation.site)}})
        return (yield)


def _given(order: Order, message: Message) -> list[tuple[Any, str]]:
    """Give the credentials as they were given, and where: those of the file count more."""
    given: list[tuple[Any, str]] = []
    if message.configuration is not None:
        given.append((message.configuration, "'configuration' of the input"))
    if order.credentials is not None:
        from crossdock.documents import read_document

        what = f"the credentials file {order.credentials!r}"
        given.append((read_document(order.credentials, what=what, error=CredentialError).content, what))
    return given


def _log_to_stderr(*, verbose: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s") if verbose else _Plain())
    logging.basicConfig(handlers=[handler], level=logging.DEBUG if verbose else logging.WARNING, force=True)
    logging.getLogger("crossdock").setLevel(logging.DEBUG if verbose else logging.INFO)
    logging.getLogger("stamina").setLevel(logging.ERROR)  # it says in one word what we say in a line
    logging.captureWarnings(capture=True)


class _Plain(logging.Formatter):
    """What is for information stands alone; a warning says that it is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line of a record."""
        mark = f"{record.levelname.lower()}: " if record.levelno > logging.INFO else ""
        return mark + super().format(record)


def _loading(error: BaseException) -> dict[str, str]:
    """Give the line of the job's file that was loading when an error came out of it."""
    what = "while loading "
    lines = [note.removeprefix(what) for note in getattr(error, "__notes__", ()) if note.startswith(what)]
    return {"line": lines[0]} if lines else {}


def _trace(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _without_report(
    order: Order, message: Message, ended: Ended, timeout: float | None, screen: Screen
) -> dict[str, Any]:
    """Account for a child that ended without a report: what came in is left, and what it committed on the way."""
    error: CrossdockError
    outcome: Outcome
    if ended.timed_out:
        outcome, error = "killed", TimeLimitError(f"the run took longer than {timeout:g} s and was killed")
    elif ended.signal is not None:
        error = (InterruptedRunError if ended.signal == signal.SIGINT else CancelledRunError)(screen.cursors)
        outcome = error.outcome
    else:
        outcome, error = "crashed", ExitedError(f"the job's process ended with {ended.how} without a result")
    state = Run(Workflow.of(Job(), order.step), message.state).state
    left, _ = screen.redact.in_value({**state, "cursors": screen.cursors, "errors": {order.step: error_record(error)}})
    return {"outcome": outcome, "state": left, "timings": []}
