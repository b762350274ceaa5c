"""Run: one execution of a workflow on one input: its steps, log, outcome.

The engine is ``Run._steps`` and ``Run._operations``; everything else hangs on them from outside.
"""

import logging
import os
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextvars import copy_context
from copy import deepcopy
from datetime import UTC, datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from crossdock.adaptor import Connections, Lanes
from crossdock.credentials import Credentials
from crossdock.decoding import decode
from crossdock.ending import Cancelled, Ending, told
from crossdock.error_record import error_record
from crossdock.errors import CredentialError, Outcome
from crossdock.files import RunFiles
from crossdock.job import all_parts
from crossdock.lazy import Settings
from crossdock.operation import Operation
from crossdock.plan import completed
from crossdock.plugins import Plugins
from crossdock.progress import Progress
from crossdock.redaction import Redactor
from crossdock.scope import StopStep, Unit, UnitKind, unit_in_progress
from crossdock.sealed import Sealed
from crossdock.state import SIZE_LIMIT, State, encode
from crossdock.trace import Trace, watching
from crossdock.traceparent import Traceparent
from crossdock.walk import CUT_SHORT, GONE_WELL, WRITTEN, Ended, Walk
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
        unlisted: Name → adaptor of credentials that there are and no step may use; errors name them.
        plugins: Its plugins; none by default.
        redactor: What masks its secrets; it learns those of the credentials.
        now: The instant that the run counts as its start.
        size_limit: The most bytes that a state may have when a step ends.
        dry_run: Make no write of an adaptor, and list it under ``plan``; no cursor moves.
        files: The folder of its files; by default a temporary one, which ends with the run.
        record: Where adaptors that can keep what systems answer, for ``replay``.
        replay: Where adaptors that can read what systems answered, instead of asking them.
        trace: Where what its operations do is taken down.
        parallel: How many steps may run at the same time, where edges allow it.
        only: The names of the steps that may run; by default all.
        kept: How other steps ended in an earlier run, as plugins were told of it then.
        settings: What its jobs read as ``settings.name``.
        key: What tells it from others, the same for each of its attempts.
        allows: Tells whether its jobs may use an adaptor.

    Example:
        >>> from crossdock import Job, set_data
        >>> run = Run(Workflow.of(Job(set_data(7))))
        >>> run.execute()
        'success'
        >>> run.state.data
        7
    """

    on_checkpoint: Callable[[dict[str, Any]], None] | None = None
    """Called with cursors whose work was just committed: a supervising process keeps them."""

    traceparent: Traceparent | None = None
    """The trace that it is part of."""
    parent_of: Callable[[], Traceparent | None] | None = None
    """Gives what a request says of its trace, where a plugin records what the run does."""

    def __init__(
        self,
        workflow: Workflow,
        state: Mapping[str, Any] | None = None,
        *,
        credentials: Mapping[str, Mapping[str, Any]] | None = None,
        unlisted: Mapping[str, str] | None = None,
        plugins: Plugins | None = None,
        redactor: Redactor | None = None,
        now: datetime | None = None,
        size_limit: int = SIZE_LIMIT,
        dry_run: bool = False,
        files: "Path | None" = None,
        record: "Path | None" = None,
        replay: "Path | None" = None,
        trace: Trace | None = None,
        parallel: int = 1,
        only: Collection[str] | None = None,
        kept: Iterable[Ended] = (),
        settings: Mapping[str, Any] | None = None,
        key: str | None = None,
        allows: Callable[[str], bool] = bool,
    ) -> None:
        self.workflow = workflow
        self.settings = Settings(settings or {})
        self.state = State({"data": None, "cursors": {}} | dict(state or {})).without(*_NOT_INPUT)
        self.plugins, self.redactor = plugins or Plugins(), redactor or Redactor()
        self.credentials = Credentials(
            credentials or {}, unlisted, plugins=self.plugins, redactor=self.redactor, allows=allows
        )
        self._lock = threading.Lock()
        self._lanes = Lanes(self.credentials)
        self._told: type[BaseException] | None = None
        """What the run was told to end by, while several of its steps run."""
        self.now = now or datetime.now(UTC)
        self.key = key or os.urandom(16).hex()
        self.size_limit, self.dry_run, self.parallel = size_limit, dry_run, parallel
        self.plan: list[dict[str, Any]] = []
        """What a dry run would have written, in the order in which it came up."""
        self._given_cursors = deepcopy(self.state.get("cursors"))
        self.walk = Walk(workflow, self.state, only=only, kept=kept)
        """Which of its steps ran, how each ended, and what became of the edges."""
        self.files = RunFiles(files)
        self.record, self.replay, self.trace = record, replay, trace
        self.outcome: Outcome = "refused"
        self.timings: list[Timing] = []
        self.checkpoint: dict[str, Any] = {}
        """Cursors that are kept even if the run fails later."""
        self.progress = Progress(self.state)
        """How far its loops came, for the next run on the same input."""

    @property
    def error(self) -> BaseException | None:
        """The error that decided the outcome, if one did."""
        return self.walk.error()

    @property
    def stopped(self) -> str | None:
        """Why the job of a step ended early, if one did."""
        return next((ended.stopped for ended in self.walk.ended.values() if ended.stopped), None)

    def check(self) -> None:
        """Raise before anything runs if an operation of a job has no valid credential, or a secret can't be masked."""
        self.credentials.check_secrets()
        faults: dict[str, CredentialError] = {}
        steps = [step for step in self.workflow.steps if step.name in self.walk.only]
        for step, connections, adaptor, credential in _needs(steps, Connections(self.credentials)):
            try:
                connections.check(adaptor, credential)
            except CredentialError as error:
                where = f"step {step}: " if len(self.workflow.steps) > 1 else ""
                faults.setdefault(where + error.message, error)
        if faults:
            raise CredentialError("; ".join(sorted(faults)), fix=next(iter(faults.values())).fix)

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
                self._walked()
                self._conclude()
            finally:
                self._lanes.close()
                self.plugins.run_finished(self)
        return self.outcome

    def nested(self, workflow: Workflow, state: State, *, item: Any = None) -> State:
        """Run a workflow as part of the operation that is running, on the state that it received.

        Args:
            workflow: What to run.
            state: The state it starts from.
            item: What tells this time from others.

        Returns:
            The state with what the workflow left in it. What was written down in it is on the run.
        """
        walk, around = Walk(workflow, state), unit_in_progress(f"the workflow {workflow.name!r}")
        self._steps(walk, around)
        around.record.inner += _told_of(walk, item)
        if walk.outcome() in CUT_SHORT:  # nothing that a job does may take this for a failure
            raise KeyboardInterrupt if walk.outcome() == "interrupted" else Cancelled
        if (error := walk.error()) is not None:
            raise error
        left = walk.final()
        if "inputs" in left:  # several steps were last
            left = left | {"data": left["inputs"]}
        return left.without("inputs", *WRITTEN) | state.only("inputs", "index", *WRITTEN)

    def request_trace(self) -> Traceparent | None:
        """Give what the next request of an adaptor says of its trace; None if the run is part of none."""
        if self.parent_of is not None:
            return self.parent_of()
        return None if self.traceparent is None else self.traceparent.child()

    def go_on(self) -> None:
        """Raise what the run was told to end by, if it was: a signal reaches only the main thread."""
        if self._told is not None:
            raise self._told

    def _walked(self) -> None:
        try:
            self._steps(self.walk)
        except (KeyboardInterrupt, Cancelled) as error:
            self.walk.cut_short = told(error, self.checkpoint)

    def _steps(self, walk: Walk, around: Unit | None = None) -> None:
        """Run the steps of a walk, each when all that leads to it is decided."""
        if self.parallel > 1 and around is None:
            return self._steps_at_once(walk)
        while ready := walk.ready():
            walk.end(self._step(ready[0], *walk.begin(ready[0]), around))
        return None

    def _step(self, step: Step, received: Sealed, written: dict[str, Any], around: Unit | None = None) -> Ended:
        """Run one step: whatever comes of it is how it ended."""
        if around is not None:
            return self._worked(step, received, written, around.connections, around)
        lane = self._lanes.take()
        self.plugins.step_started(self, step)
        ended = self._worked(step, received, written, lane, None)
        self._lanes.give_back(lane, broken=ended.outcome not in GONE_WELL)
        self.plugins.step_finished(self, step, ended)
        return ended

    def _worked(
        self, step: Step, received: Sealed, written: dict[str, Any], lane: Connections, around: Unit | None
    ) -> Ended:
        """Do the work of a step in a unit of its own."""
        kind: UnitKind = "step" if around is None else "call"
        unit = Unit(self, kind, around, connections=lane.within(step.credentials), step=step.name)
        started, given = perf_counter(), received.received() | written
        ending = Ending(self, step, received, given, unit.record)
        try:
            with unit:
                after = self._operations(step, given, ending)
                if around is None and step.name in self.walk.beginnings:
                    ending.account_for_rows(len(self.walk.beginnings))
                ended = ending.well(*after)
        except BaseException as error:  # noqa: BLE001 - whatever a job raises is its outcome, not ours
            ended = ending.badly(error)
        return ended._replace(seconds=perf_counter() - started)

    def _operations(self, step: Step, state: State, ending: Ending) -> tuple[State, dict[str, Operation]]:
        origins, operations = dict[str, Operation](), step.operations
        try:
            for number, operation in enumerate(operations, 1):
                self.go_on()
                before, state = state, self._performed(step, f"{number} of {len(operations)}", operation, state)
                origins |= {key: operation for key, value in state.items() if before.get(key) is not value}
        except StopStep as stop:
            _logger.info("%s stopped: %s", step.name, stop.reason)
            ending.stopped = stop.reason
            state = stop.state
        return state, origins

    def _performed(self, step: Step, which: str, operation: Operation, state: State) -> State:
        """Perform an operation of a step; those of the run's own steps are timed, and plugins may wrap them."""
        unit = unit_in_progress(step.name)
        try:
            return operation.perform(state) if unit.parent is not None else self._timed(step, operation, state)
        except StopStep:
            raise
        except BaseException as error:
            error.add_note(f"in operation {which} of {step.name}: {operation!r} ({operation.site})")
            raise

    def _timed(self, step: Step, operation: Operation, state: State) -> State:
        started, failed = perf_counter(), True
        try:
            state = self.plugins.perform(operation, state)
            failed = False
        except StopStep:
            failed = False
            raise
        finally:
            self.timings.append(Timing(step.name, operation, perf_counter() - started, failed))
        return state

    def _steps_at_once(self, walk: Walk) -> None:
        """Run the steps of a walk like ``_steps``, those that are ready at the same time."""
        from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait  # imported late: few runs do

        running: set[Future[Ended]] = set()
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="step") as pool:
            try:
                while True:
                    for step in walk.ready()[: self.parallel - len(running)]:
                        received, written = walk.begin(step)
                        running.add(pool.submit(copy_context().run, self._step, step, received, written, None))
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        walk.end(future.result())
                        running.discard(future)
            except (KeyboardInterrupt, Cancelled) as error:
                self._told = type(error)
                for future in running:  # what they committed until they see it must not be lost
                    walk.end(future.result())
                raise

    def _conclude(self) -> None:
        """Take from the walk how the run ended, and what is left of it."""
        state = self.walk.final()
        self.outcome = self.walk.outcome()
        if self.outcome not in GONE_WELL:  # what was saved stands for work that the next run has to do again
            cursors = {**(self._given_cursors or {}), **self.checkpoint}
            state = state.without("cursors") | ({"cursors": cursors} if cursors else {})
        if "errors" in state:
            state = state | {"errors": self.redactor.in_value(state["errors"])[0]}
        places = {name: place for place, name in enumerate(self.workflow.order)}
        self.timings.sort(key=lambda timing: places[timing.step])
        self.plan.sort(key=lambda entry: places[entry.get("step", self.workflow.order[0])])
        self.state = self._planned(state) if self.dry_run else state

    def plan_write(self, entry: Mapping[str, Any]) -> None:
        """List a write that a dry run does not make, as JSON and without secrets.

        Args:
            entry: What would be written, and how. The ``operation`` of the adaptor that does it, its
                ``line`` and its ``system`` are added unless they are there, and the ``step`` if the
                workflow has several.
        """
        several = len(self.workflow.steps) > 1
        step = {"step": unit_in_progress("a planned write").step} if several else {}
        listed = self.redactor.in_value(decode(encode({**step, **completed(entry)})))[0]
        with self._lock:
            self.plan.append(listed)

    def _planned(self, state: State) -> State:
        """Give the final state of a dry run: beside it the plan, and the cursors that came in."""
        cursors = {"cursors": self._given_cursors} if self._given_cursors else {}
        return state.without("cursors") | cursors | {"plan": self.redactor.in_value(self.plan)[0]}

    def keep(self, cursors: dict[str, Any]) -> None:
        """Keep cursors even if the run fails later; the work that they stand for is committed."""
        if self.dry_run:
            return
        unit_in_progress("a checkpoint").root().record.kept.update(cursors)
        with self._lock:
            self.checkpoint |= cursors
            if self.on_checkpoint is not None:
                self.on_checkpoint(cursors)


def _told_of(walk: Walk, item: Any) -> list[dict[str, Any]]:
    """Tell how the steps of a workflow ended that ran inside of another one."""
    told = []
    for ended in walk.ended.values():
        code = None if ended.error is None else error_record(ended.error)["code"]
        told.append({"item": item, "step": ended.step, "outcome": ended.outcome, "code": code})
    return told


def _needs(steps: Iterable[Step], connections: Connections) -> Iterator[tuple[str, Connections, Any, str | None]]:
    """Give what the operations of steps reach, and how the step that they belong to sees it."""
    for step in steps:
        seen = connections.within(step.credentials)
        for part in all_parts(step.job):
            if isinstance(part, Workflow):
                yield from _needs(part.steps, seen)
            elif part.declaration.adaptor is not None:
                yield step.name, seen, part.declaration.adaptor, part.credential
