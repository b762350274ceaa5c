"""The child of ``crossdock run``: it loads what is to be run, runs it, and reports."""

import json
import logging
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from crossdock.cli.ending import EXIT_CODES, exit_code
from crossdock.cli.order import InProject, Order
from crossdock.cli.screen import Screen
from crossdock.cli.selection import Selection
from crossdock.credentials import entries_from, learn
from crossdock.error_record import error_record
from crossdock.errors import CredentialError, CrossdockError
from crossdock.installed import installed
from crossdock.job import all_parts, load_job
from crossdock.loading import ADAPTORS
from crossdock.message import Message
from crossdock.operation import Operation
from crossdock.plugins import Plugins, hookimpl
from crossdock.redaction import Redactor
from crossdock.retrying import retried
from crossdock.run import Run, Timing
from crossdock.state import SIZE_LIMIT, encode
from crossdock.trace import Trace
from crossdock.walk import Ended
from crossdock.worker.child import Send
from crossdock.workflow import Step, Workflow

_step: ContextVar[str] = ContextVar("_step", default="")
"""The step that is running in this thread."""


def work(order: Order, message: Message, send: Send, screen: Screen) -> None:
    """Do all of it: load, check, run, report.

    Args:
        order: What to run.
        message: Its input.
        send: Hands a JSON object to the supervising process.
        screen: This process' own copy of what people see, for when it is orphaned.
    """

    def tell(folder: str) -> None:
        screen.take({"files": folder})
        send({"files": folder})

    log_to_stderr(verbose=order.verbose)
    redactor = Redactor()
    redactor.tell = lambda secret: send({"secret": secret})
    try:
        run = _prepared(order, message, redactor, send)
        run.files.tell = tell
        screen.carry(run)
        run.execute()
    except CrossdockError as error:
        send(_refusal(error, verbose=order.verbose))
        return
    if order.verbose and run.error is not None:
        sys.stderr.write(_traceback(run.error))
    send(_reported(run))


def _prepared(order: Order, message: Message, redactor: Redactor, send: Send) -> Run:
    """Load what is to be run, with the credentials that it needs."""
    from crossdock import adaptors

    plugins = Plugins()
    plugins.load()
    plugins.register("crossdock", _Progress(send, order))
    if order.stepping:
        from crossdock.cli.stepping import Stepper

        plugins.register("crossdock step", Stepper(str(order.folder)))
    given = _given(order, message)
    for fields, _ in given:
        learn(fields, plugins=plugins, redactor=redactor)  # a job's file may print them while it is imported
    if order.memory_mb is not None:
        from crossdock.worker.working import limit_memory  # imported late: a job alone needs none of it

        limit_memory(order.memory_mb)
    loaded = (
        _of_project(order, order.what) if isinstance(order.what, InProject) else _of_job(order, order.what, message)
    )
    for name, module in adaptors.opened.items():
        plugins.register(f"adaptor {name}", module)
    trace = Trace(redactor, values=order.values, tell=lambda span: send({"span": {**span, "step": _step.get()}}))
    entries = _entries(given, {*adaptors.opened, *_adaptors(loaded.workflow)}, message)
    run = Run(
        loaded.workflow,
        message.input,
        credentials=entries,
        unlisted={name: adaptor for name, adaptor in loaded.unlisted.items() if name not in entries},
        plugins=plugins,
        redactor=redactor,
        now=order.now,
        size_limit=loaded.size_limit,
        dry_run=order.dry_run,
        files=order.files,
        record=order.record,
        replay=order.replay,
        trace=trace if order.traced else None,
        parallel=loaded.parallel,
        only=loaded.only,
        kept=loaded.kept,
        settings=loaded.settings,
        allows=order.what.project.adaptors.allows if isinstance(order.what, InProject) else bool,
    )
    run.on_checkpoint = lambda cursors: send({"checkpoint": cursors})
    return run


class _Loaded(NamedTuple):
    """What is to be run."""

    workflow: Workflow
    parallel: int = 1
    only: list[str] | None = None
    kept: Iterable[Ended] = ()
    settings: Mapping[str, Any] | None = None
    size_limit: int = SIZE_LIMIT
    unlisted: Mapping[str, str] = {}


def _of_job(order: Order, file: str, message: Message) -> _Loaded:
    job = load_job(file)
    if order.retry_failed is not None:
        job = retried(job, message.state, f"the state file {order.retry_failed!r}")
    return _Loaded(Workflow.of(job, order.name))


def _of_project(order: Order, what: InProject) -> _Loaded:
    workflow = what.project.workflow(what.workflow)
    chosen = Selection(workflow, what.start, what.end)
    kept = chosen.kept(what.outputs, has_state=order.state is not None)
    if not order.dry_run:
        what.outputs.forget(chosen.steps)
    project, name = what.project, what.workflow
    return _Loaded(
        workflow, what.parallel, chosen.steps, kept, project.settings, what.limits.state_bytes, project.unlisted(name)
    )


def _adaptors(workflow: Workflow) -> Iterator[str]:
    """Give the names of the adaptors that the jobs of a workflow use."""
    for part in (part for step in workflow.steps for part in all_parts(step.job)):
        if isinstance(part, Workflow):
            yield from _adaptors(part)
        elif part.declaration.adaptor is not None:
            yield part.declaration.adaptor.name


def _given(order: Order, message: Message) -> list[tuple[Any, str]]:
    """Give the credentials as they were given, and where: the later ones count more."""
    given: list[tuple[Any, str]] = []
    if message.configuration is not None:
        given.append((message.configuration, "'configuration' of the input"))
    if isinstance(order.what, InProject) and (listed := order.what.project.credentials_of(order.what.workflow)):
        given.append((listed, order.file))
    if order.credentials is not None:
        from crossdock.documents import read_document

        what = f"the credentials file {order.credentials!r}"
        given.append((read_document(order.credentials, what=what, error=CredentialError).content, what))
    return given


def _entries(given: list[tuple[Any, str]], used: set[str], message: Message) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {}
    for fields, what in given:
        if used or fields is not message.configuration:  # an input in OpenFn's form may bring secrets that nobody needs
            entries |= entries_from(fields, used, what=what)
    return entries


class _Progress:
    """A plugin that tells the supervising process what runs, and keeps what steps hand on."""

    def __init__(self, send: Send, order: Order) -> None:
        self._send = send
        self._outputs = order.what.outputs if isinstance(order.what, InProject) and not order.dry_run else None

    @hookimpl
    def crossdock_step_started(self, step: Step) -> None:
        _step.set(step.name)
        self._send({"step": step.name, "seconds": step.seconds})
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)

    @hookimpl
    def crossdock_step_finished(self, ended: Ended) -> None:
        """From here on the work is committed or undone: a signal could only keep that from being said."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        self._send({"step": ended.step, "outcome": ended.outcome, "seconds": ended.seconds})
        if self._outputs is not None:
            self._outputs.keep(ended)

    @hookimpl(wrapper=True)
    def crossdock_operation(self, operation: Operation) -> Any:
        self._send({"operation": {"name": operation.name, "line": str(operation.site)}})
        return (yield)


_ENDING = (signal.SIGINT, signal.SIGTERM)


# What is reported


def _reported(run: Run) -> dict[str, Any]:
    """Give the report on a run that began."""
    timings = [_timing(timing) for timing in run.timings]
    report = {"outcome": run.outcome, "state": json.loads(encode(run.state)), "stopped": run.stopped}
    return {**report, **_traced(run), "timings": timings, "steps": _steps(run)}


def _steps(run: Run) -> list[dict[str, Any]]:
    """Tell of each step how it ended, or why it did not run."""
    skipped = run.walk.skipped()
    steps: list[dict[str, Any]] = []
    for name in run.workflow.order:
        if name in skipped:
            steps.append({"name": name, "outcome": "skipped", "why": skipped[name]})
        elif (ended := run.walk.ended.get(name)) is not None:
            handled = run.walk.left_of(name) != ended.outcome
            told: dict[str, Any] = {
                "outcome": ended.outcome,
                "kept": ended.kept,
                "handled": handled,
                "stopped": ended.stopped,
            }
            followed = [d.edge.to for d in run.walk.decisions if d.origin == name and d.followed]
            inner = [*Counter((end["step"], end["code"] or end["outcome"]) for end in ended.inner).items()]
            steps.append({"name": name, **told, "seconds": ended.seconds, "followed": followed, "inner": inner})
    return steps


def _traced(run: Run) -> dict[str, Any]:
    """Give what is traced of a run beside its operations: what came after them, and with what it ran."""
    if run.trace is None:
        return {}
    from crossdock import adaptors

    used = {entry.distribution: entry.version for entry in installed(ADAPTORS) if entry.name in adaptors.opened}
    return {"traced": {"notes": run.trace.described(run.trace.root)["notes"]}, "adaptors": used}


def _timing(timing: Timing) -> dict[str, Any]:
    site = timing.operation.site
    shown = {"name": timing.operation.name, "line": str(site), "text": site.text, "step": timing.step}
    return {**shown, "seconds": timing.seconds, "failed": timing.failed}


def _refusal(error: CrossdockError, *, verbose: bool) -> dict[str, Any]:
    """Report an error that came before anything ran; whatever it is, the run was refused."""
    code = exit_code(error) if error.outcome == "refused" else EXIT_CODES["refused"]
    record = {**error_record(error), **_loading(error)}
    return {"outcome": "refused", "exit": code, "error": record, "trace": _traceback(error) if verbose else None}


def _loading(error: BaseException) -> dict[str, str]:
    """Give the line of the job's file that was loading when an error came out of it."""
    what = "while loading "
    lines = [note.removeprefix(what) for note in getattr(error, "__notes__", ()) if note.startswith(what)]
    return {"line": lines[0]} if lines else {}


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def log_to_stderr(*, verbose: bool) -> None:
    """Show on standard error what is logged: warnings and what is for information, or all of it."""
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
