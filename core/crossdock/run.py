"""Run: one execution of a workflow on one input: its steps, log, outcome.

The engine is ``Run._steps`` and ``Run._operations``; everything else hangs on them from outside.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from crossdock.adaptor import Connections
from crossdock.credentials import Credentials
from crossdock.errors import (
    CancelledRunError,
    CredentialError,
    CrossdockError,
    ExitedError,
    InterruptedRunError,
    Outcome,
    StateEncodingError,
    error_record,
    outcome_of,
)
from crossdock.files import RunFiles
from crossdock.job import all_parts
from crossdock.operation import Operation, mark
from crossdock.plan import NO_ANSWER, completed
from crossdock.plugins import Plugins
from crossdock.redaction import Redactor
from crossdock.scope import Record, StopStep, Unit
from crossdock.state import SIZE_LIMIT, State, decode, encode
from crossdock.trace import Trace, watching
from crossdock.workflow import Step, Workflow

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger("crossdock")

_NOT_INPUT = ("configuration", "errors", "failed", "warnings", "plan")
"""What an input may hold and a run does not take over: secrets, and what an earlier run wrote down."""


class Timing(NamedTuple):
    """How long one top-level operation took, and whether it failed."""

    step: str
    operation: Operation
    seconds: float
    failed: bool


class Run:
    """One execution of a workflow on one input: its steps, log, outcome.

    Args:
        workflow: What to run.
        state: The input of its first step. What an earlier run wrote into it under ``errors``,
            ``failed``, ``warnings`` and ``plan`` is left out.
        credentials: Name → fields, with the adaptor's name under ``adaptor``.
        plugins: Its plugins; none by default.
        redactor: What masks its secrets; it learns those of the credentials.
        now: The instant that the run counts as its start.
        size_limit: The most bytes that a state may have when a step ends.
        dry_run: Make no write of an adaptor, and list it under ``plan``; no cursor moves.
        files: The folder of its files; by default a temporary one, which ends with the run.
        record: Where adaptors that can keep what systems answer, for ``replay``.
        replay: Where adaptors that can read what systems answered, instead of asking them.
        trace: Where what its operations do is taken down.

    Example:
        >>> from crossdock import Job, set_data
        >>> run = Run(Workflow.of(Job(set_data(7))))
        >>> run.execute()
        'success'
        >>> run.state.data
        7
    """

    def __init__(
        self,
        workflow: Workflow,
        state: Mapping[str, Any] | None = None,
        *,
        credentials: Mapping[str, Mapping[str, Any]] | None = None,
        plugins: Plugins | None = None,
        redactor: Redactor | None = None,
        now: datetime | None = None,
        size_limit: int = SIZE_LIMIT,
        dry_run: bool = False,
        files: "Path | None" = None,
        record: "Path | None" = None,
        replay: "Path | None" = None,
        trace: Trace | None = None,
    ) -> None:
        self.workflow = workflow
        self.state = State({"data": None, "cursors": {}} | dict(state or {})).without(*_NOT_INPUT)
        self.plugins = plugins or Plugins()
        self.redactor = redactor or Redactor()
        self.credentials = Credentials(credentials or {}, plugins=self.plugins, redactor=self.redactor)
        self.connections = Connections(self.credentials)
        self.now = now or datetime.now(UTC)
        self.size_limit = size_limit
        self.dry_run = dry_run
        self.plan: list[dict[str, Any]] = []
        """What a dry run would have written, in the order in which it came up."""
        self._planning = threading.Lock()
        self._given_cursors = deepcopy(self.state.get("cursors"))
        self.files = RunFiles(files)
        self.record = record
        self.replay = replay
        self.trace = trace
        self.outcome: Outcome = "refused"
        self.error: BaseException | None = None
        self.stopped: str | None = None
        self.timings: list[Timing] = []
        self.checkpoint: dict[str, Any] = {}
        """Cursors that are kept even if the run fails later."""
        self.on_checkpoint: Callable[[dict[str, Any]], None] | None = None
        """Called with cursors whose work was just committed: a supervising process keeps them."""

    def check(self) -> None:
        """Raise before anything runs if an operation of a job has no valid credential."""
        needed = {
            (part.declaration.adaptor, part.credential) for step in self.workflow.steps for part in all_parts(step.job)
        }
        faults: list[CredentialError] = []
        for adaptor, credential in needed:
            try:
                if adaptor is not None:
                    self.connections.check(adaptor, credential)
            except CredentialError as error:
                faults.append(error)
        if faults:
            raise CredentialError("; ".join(sorted(fault.message for fault in faults)), fix=faults[0].fix)

    def execute(self) -> Outcome:
        """Run the steps, and say how it ended; ``state`` and ``error`` say more.

        Raises:
            CredentialError: Something that the jobs need is missing; nothing ran.
        """
        self.check()
        self.outcome = "failed"  # until a step ended well
        self.plugins.run_started(self)
        with self.files, watching(self.trace):
            try:
                self._steps()
                if self.dry_run:
                    self.state = self._planned()
            finally:
                self.connections.close()
                self.plugins.run_finished(self)
        return self.outcome

    def _steps(self) -> None:
        for step in self.workflow.steps:
            received = encode(self.state)
            self.plugins.step_started(self, step)
            unit = Unit(self, "step")
            try:
                with unit:
                    state, origins = self._operations(step)
                    self.state = self._sealed(state, origins, unit.record)
            except (KeyboardInterrupt, Cancelled, SystemExit) as ended:
                error = _instead_of(ended, self.checkpoint)
                self._fail(step, error.outcome, error, received, unit.record)
            except Exception as error:  # noqa: BLE001 - whatever a job raises is its outcome, not ours
                self._fail(step, outcome_of(error), error, received, unit.record)
            self.plugins.step_finished(self, step)
            if self.error is not None:
                return

    def _operations(self, step: Step) -> tuple[State, dict[str, Operation]]:
        state, origins = self.state, dict[str, Operation]()
        try:
            for number, operation in enumerate(step.job, 1):
                before, state = state, self._timed(step, number, operation, state)
                origins |= {key: operation for key, value in state.items() if before.get(key) is not value}
        except StopStep as stop:
            _logger.info("%s stopped: %s", step.name, stop.reason)
            self.stopped = stop.reason
            state = stop.state
        return state, origins

    def _timed(self, step: Step, number: int, operation: Operation, state: State) -> State:
        started, failed = perf_counter(), True
        try:
            state = self.plugins.perform(operation, state)
            failed = False
        except StopStep:
            failed = False
            raise
        except BaseException as error:
            error.add_note(f"in operation {number} of {len(step.job)} of {step.name}: {operation!r} ({operation.site})")
            raise
        finally:
            self.timings.append(Timing(step.name, operation, perf_counter() - started, failed))
        return state

    def _sealed(self, state: State, origins: Mapping[str, Operation], record: Record) -> State:
        """Give the state that a step hands on: JSON, without secrets, with what the run wrote down."""
        cursors = {**(self.state.get("cursors") or {}), **(state.get("cursors") or {}), **record.cursors}
        state = _with_record(state.without("response", "index"), record, cursors)
        try:
            if self.redactor.finds(encode(state, limit=self.size_limit).decode()):
                state = self._masked(state)
        except StateEncodingError as error:
            raise _blamed(error, origins) from None
        self.outcome = "partial" if record.failed else "success"
        return state

    def _masked(self, state: State) -> State:
        """Mask the secrets in a state, and warn of each."""
        masked, paths = self.redactor.in_value(state)
        places = [self.redactor(path) for path in paths]
        for place in places:
            _logger.warning("a secret stood in the state at %s and is stored as ***", place)
        warnings = [{"code": "secret_in_state", "path": place} for place in places]
        return State(masked) | {"warnings": [*masked.get("warnings", []), *warnings]}

    def plan_write(self, entry: Mapping[str, Any]) -> None:
        """List a write that a dry run does not make, as JSON and without secrets.

        Args:
            entry: What would be written, and how. The ``operation`` of the adaptor that does it, its
                ``line`` and its ``system`` are added unless they are there.
        """
        listed = self.redactor.in_value(decode(encode(completed(entry))))[0]
        with self._planning:
            self.plan.append(listed)

    def _planned(self) -> State:
        """Give the final state of a dry run: beside it the plan, and the cursors that came in."""
        cursors = {"cursors": self._given_cursors} if self._given_cursors else {}
        return self.state.without("cursors") | cursors | {"plan": self.redactor.in_value(self.plan)[0]}

    def keep(self, cursors: dict[str, Any]) -> None:
        """Keep cursors even if the run fails later; the work that they stand for is committed."""
        if self.dry_run:
            return
        self.checkpoint |= cursors
        if self.on_checkpoint is not None:
            self.on_checkpoint(cursors)

    def _fail(self, step: Step, outcome: Outcome, error: BaseException, received: bytes, record: Record) -> None:
        """End the run: what came in, and the error, are what is left of it."""
        self.outcome, self.error = outcome, error
        if self.plan:
            error.add_note(NO_ANSWER)
        left = State(decode(received))
        cursors = {**(left.get("cursors") or {}), **self.checkpoint}
        whole = _with_record(left, record, cursors) | {"errors": {step.name: error_record(error)}}
        if not _is_json(whole):  # what can't be said must not hide why it failed
            for entry in (*record.failed, *record.warnings):
                entry.update({key: f"<{type(value).__name__}>" for key, value in entry.items() if not _is_json(value)})
            whole = _with_record(left, record, cursors) | {
                "errors": {step.name: error_record(error, with_details=False)}
            }
        if not _is_json(whole):
            whole = left | {"cursors": cursors, "errors": {step.name: error_record(error, with_details=False)}}
        self.state = State(self.redactor.in_value(whole)[0])


def _instead_of(ended: BaseException, cursors: Mapping[str, Any]) -> CrossdockError:
    """Give the error that says what ended a run that did not fail by itself, with the place where that was."""
    error: CrossdockError
    if isinstance(ended, SystemExit):
        error = ExitedError(f"the job called sys.exit({ended.code!r})")
    else:
        error = InterruptedRunError(cursors) if isinstance(ended, KeyboardInterrupt) else CancelledRunError(cursors)
    operation = getattr(ended, "crossdock_operation", None)
    if operation is not None:
        mark(error, operation)
    return error.with_traceback(ended.__traceback__)


def _is_json(value: Any) -> bool:
    try:
        encode(value)
    except StateEncodingError:
        return False
    return True


class Cancelled(BaseException):
    """The run was told to end: SIGTERM."""


def _with_record(state: State, record: Record, cursors: Mapping[str, Any]) -> State:
    written = {"failed": record.failed, "warnings": record.warnings, "cursors": cursors}
    return State({**state.without(*written), **{key: value for key, value in written.items() if value}})


def _blamed(error: StateEncodingError, origins: Mapping[str, Operation]) -> StateEncodingError:
    """Name the operation that put what is not JSON into the state."""
    operation = origins.get(error.details.get("key", ""))
    if operation is None:
        return error
    blamed = f"{error.message}, put there by {operation.name} ({operation.site})"
    named = StateEncodingError(blamed, fix=error.fix, **error.details)
    mark(named, operation)
    return named
