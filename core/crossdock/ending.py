"""Ending: what becomes of a step when its operations are done or one of them failed.

Well or badly, what a step hands on crosses the strict encoder, and no secret goes with it.
"""

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from crossdock.error_record import error_record, outcome_of
from crossdock.errors import (
    CancelledRunError,
    CrossdockError,
    ExitedError,
    InterruptedRunError,
    MemoryLimitError,
    Outcome,
    StateEncodingError,
)
from crossdock.operation import Operation, mark
from crossdock.plan import NO_ANSWER
from crossdock.record import Record
from crossdock.rows import Rows
from crossdock.sealed import Sealed
from crossdock.state import State, encode
from crossdock.walk import WRITTEN, Ended
from crossdock.workflow import Step

if TYPE_CHECKING:
    from crossdock.run import Run

_logger = logging.getLogger("crossdock")

_MUCH = 0.8
"""From which part of its limit on a state's size is warned of."""


class Cancelled(BaseException):
    """The run was told to end: SIGTERM."""


class Ending:
    """How one step ends.

    Args:
        run: The run that it is part of.
        step: The step.
        received: What it received from the steps before.
        given: The state that its first operation was given: what it received, and what the run had written down.
        record: What the run writes down in it.
    """

    def __init__(self, run: "Run", step: Step, received: Sealed, given: State, record: Record) -> None:
        self._run = run
        self._step = step
        self._received = received
        self._given = given
        self._record = record
        self.stopped: str | None = None
        """Why the step's job ended early, if it did."""

    def well(self, state: State, origins: Mapping[str, Operation]) -> Ended:
        """Give what a step hands on: JSON, without secrets.

        Args:
            state: What its last operation gave.
            origins: Key of the state → the operation that put it there.
        """
        self._refuse_own(state)
        lists = _non_empty(failed=self._record.failed, warnings=self._record.warnings, cursors=self._moved(state))
        own, limit = state.without("response", "index", "inputs", *WRITTEN), self._run.size_limit
        try:
            sealed, written = self._received.then(own, self._given, limit=limit), Sealed.of(lists, limit=limit)
        except StateEncodingError as error:
            raise _blamed(error, origins) from None
        if len(sealed.raw) > _MUCH * limit:
            _logger.warning(
                "the state after %s has %d bytes of the %d that it may have", self._step.name, len(sealed.raw), limit
            )
        if self._holds_secret(sealed) or self._holds_secret(written):
            masked = self._masked(own | lists)
            sealed, written = Sealed.of(masked.without(*WRITTEN)), Sealed.of(masked.only(*WRITTEN))
        outcome: Outcome = "partial" if self._record.failed else "success"
        return Ended(self._step.name, outcome, sealed, written, stopped=self.stopped, inner=self._record.inner)

    def account_for_rows(self, steps: int) -> None:
        """See to it that no row of the input is lost in silence: what the step leaves has none of them.

        Args:
            steps: How many steps receive them.

        Raises:
            StateError: None of these steps walked them.
        """
        rows = self._given.get("data")
        if isinstance(rows, Rows) and self.stopped is None and (what := rows.pass_step(steps)) is not None:
            _logger.warning("%s did not read the rows of %s to their end", self._step.name, what)
            self._record.warnings.append({"code": "rows_not_read", "step": self._step.name, "input": what})

    def _moved(self, state: State) -> dict[str, Any]:
        """Give the cursors that the step moved."""
        saved = {**(state.get("cursors") or {}), **self._record.kept, **self._record.cursors}
        known = self._given.get("cursors") or {}
        return {name: at for name, at in saved.items() if known.get(name) != at}

    def _refuse_own(self, state: State) -> None:
        """Warn of what a job put where only the run writes: it goes no further."""
        for key in ("errors", "failed", "warnings"):
            if key in state and state[key] is not self._given.get(key):
                _logger.warning("the job wrote into state.%s, which is the run's: use a key of your own", key)
                self._record.warnings.append({"code": "key_of_the_run", "key": key})

    def badly(self, error: BaseException) -> Ended:
        """Give what is left of a step that failed: what it had received, and the error."""
        outcome, error = told(error, self._run.checkpoint)
        if self._run.plan:
            error.add_note(NO_ANSWER)
        received = self._received
        if self._holds_secret(received):
            received = Sealed.of(self._run.redactor.in_value(received.state())[0])
        written = Sealed.of(self._run.redactor.in_value(self._left(error))[0])
        return Ended(self._step.name, outcome, received, written, error, inner=self._record.inner)

    def _left(self, error: BaseException) -> dict[str, Any]:
        """Give what the run wrote down, and the error; what can't be said must not hide why it failed."""
        lists = _non_empty(failed=self._record.failed, warnings=self._record.warnings, cursors=self._record.kept)
        errors = {"errors": {self._step.name: error_record(error)}}
        if _is_json({**lists, **errors}):
            return {**lists, **errors}
        for entry in (*self._record.failed, *self._record.warnings):
            entry.update({key: f"<{type(value).__name__}>" for key, value in entry.items() if not _is_json(value)})
        short = {"errors": {self._step.name: error_record(error, with_details=False)}}
        return {**lists, **short} if _is_json({**lists, **short}) else short

    def _holds_secret(self, sealed: Sealed) -> bool:
        return self._run.redactor.finds(sealed.raw)

    def _masked(self, state: State) -> State:
        """Mask the secrets in a state, and warn of each."""
        masked, paths = self._run.redactor.in_value(state)
        places = [self._run.redactor(path) for path in paths]
        for place in places:
            _logger.warning("a secret stood in the state at %s and is stored as ***", place)
        warnings = [{"code": "secret_in_state", "path": place} for place in places]
        return State(masked) | {"warnings": [*masked.get("warnings", []), *warnings]}


def told(error: BaseException, cursors: Iterable[str]) -> tuple[Outcome, BaseException]:
    """Give the outcome that an error means, and the error that says so.

    Args:
        error: What ended a step.
        cursors: The names of those that were kept on the way.
    """
    instead: CrossdockError
    if isinstance(error, KeyboardInterrupt):
        instead = InterruptedRunError(cursors)
    elif isinstance(error, Cancelled):
        instead = CancelledRunError(cursors)
    elif isinstance(error, SystemExit):
        instead = ExitedError(f"the job called sys.exit({error.code!r})")
    elif isinstance(error, MemoryError):
        instead = MemoryLimitError("the run needed more memory than it may have")
    elif isinstance(error, Exception):
        return outcome_of(error), error
    else:
        raise error
    if (operation := getattr(error, "crossdock_operation", None)) is not None:
        mark(instead, operation)
    return instead.outcome, instead.with_traceback(error.__traceback__)


def _non_empty(**written: Any) -> dict[str, Any]:
    return {key: value for key, value in written.items() if value}


def _is_json(value: Any) -> bool:
    try:
        encode(value)
    except StateEncodingError:
        return False
    return True


def _blamed(error: StateEncodingError, origins: Mapping[str, Operation]) -> StateEncodingError:
    """Name the operation that put what is not JSON into the state."""
    operation = origins.get(error.details.get("key", ""))
    if operation is None:
        return error
    blamed = f"{error.message}, put there by {operation.name} ({operation.site})"
    named = StateEncodingError(blamed, fix=error.fix, **error.details)
    mark(named, operation)
    return named
