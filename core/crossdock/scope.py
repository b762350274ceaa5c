"""Where an operation runs: the unit of work it belongs to, and through it the run.

A **unit** is what stands or falls together: a step, one item of ``each``, the inside of
``.catch``, one operation that a function calls. Connections of adaptors that know units join the
open ones when they are first used, the outermost first, and each unit ends them: well, or with
the error that ended it.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar, Token, copy_context
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, Protocol, Self, TypeVar

from crossdock.error_record import error_record
from crossdock.errors import ArgumentError, NoRunError

if TYPE_CHECKING:
    from crossdock.adaptor import Connections
    from crossdock.operation import Operation
    from crossdock.run import Run
    from crossdock.state import State

P = ParamSpec("P")
T = TypeVar("T")

current_state: ContextVar["State | None"] = ContextVar("current_state", default=None)
"""The state that the innermost running function received."""

acting_operation: ContextVar["Operation | None"] = ContextVar("acting_operation", default=None)
"""The innermost running operation of an adaptor; its credential is in force."""

open_unit: ContextVar["Unit | None"] = ContextVar("open_unit", default=None)
"""The innermost unit; the one way to the run in progress."""


def open_run() -> "Run | None":
    """Give the run that this code belongs to, or None outside of one."""
    unit = open_unit.get()
    return None if unit is None else unit.run


def run_in_progress(what: str) -> "Run":
    """Give the run that this code belongs to.

    Args:
        what: What needs a run, for the error.
    """
    run = open_run()
    if run is None:
        raise NoRunError(f"{what} needs a run, and none is in progress here")
    return run


def unit_in_progress(what: str) -> "Unit":
    """Give the innermost unit of the run that this code belongs to.

    Args:
        what: What needs a run, for the error.
    """
    run_in_progress(what)
    unit = open_unit.get()
    assert unit is not None  # noqa: S101 - a run is in progress
    return unit


def received(what: str) -> "State":
    """Give the state that the innermost running function received."""
    state = current_state.get()
    if state is None:
        raise NoRunError(
            f"{what} needs a state, and no function of a job is running here",
            fix="Call the operation with a state: operation(state).",
        )
    return state


def in_run(function: Callable[P, T]) -> Callable[P, T]:
    """Carry the run over to a thread of one's own.

    Args:
        function: What the thread will call.

    Returns:
        A function that runs in the same run, unit and state as the code that called ``in_run``.

    Example:
        >>> import threading
        >>> thread = threading.Thread(target=in_run(print), args=("in the same run",))
    """
    context, unit = copy_context(), open_unit.get()

    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(in_thread, *args, **kwargs)

    def in_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        if unit is None:
            return function(*args, **kwargs)
        own = Unit(unit.run, "call", unit, gate=unit.threads)
        try:
            with own:
                return function(*args, **kwargs)
        finally:
            unit.record.add(own.record)

    return carried


class StopStep(BaseException):
    """The way in which ``stop`` leaves a step; not an Exception, so that nothing swallows it."""

    def __init__(self, reason: str, state: "State") -> None:
        super().__init__(reason)
        self.reason = reason
        self.state = state


CountedKey = tuple[tuple[str, Any], ...]

MOST_EXAMPLES = 10
"""How many examples a counted warning keeps."""

MOST_INNER = 10_000
"""How many ends of steps a step remembers that ran inside of it."""

_counting = threading.Lock()
"""Threads that ``in_run`` started hand what they wrote down to the same record."""


class Record:
    """What a run writes down at once, so that no way of calling an operation loses it."""

    __slots__ = ("_counted", "cursors", "failed", "inner", "kept", "stopped_at", "warnings")

    def __init__(self) -> None:
        self.warnings: list[dict[str, Any]] = []
        self._counted: dict[CountedKey, dict[str, Any]] | None = None  # few items count, and there may be a million
        self.failed: list[dict[str, Any]] = []
        self.cursors: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        """The cursors of a step that are kept even if it fails later."""
        self.stopped_at: list[Any] = []
        self.inner: list[dict[str, Any]] = []
        """How steps of workflows ended that ran inside: at most the first of them."""

    def put_aside(
        self, item: Any, error: BaseException, index: int | None, key: Any, *, loop: str | None = None
    ) -> None:
        """Keep an item that failed, and why; ``loop`` is the one that a later run feeds it back to."""
        self.failed.append({"index": index, "key": key, "item": item, "error": error_record(error), "loop": loop})

    def add(self, other: "Record") -> None:
        """Take over what an item of a loop wrote down."""
        if other._counted is None:
            self.warnings += other.warnings
        else:
            self._add_warnings(other.warnings, other._counted)
        self.failed += other.failed
        self.cursors |= other.cursors
        self.stopped_at += other.stopped_at
        self.inner += other.inner[: MOST_INNER - len(self.inner)]

    def count(self, code: str, example: str, details: dict[str, Any]) -> None:
        """Write down a warning that many items may cause: it stands once, with how often and some examples."""
        self._count({**details, "count": 1, "examples": [example], "code": code})

    def has_counted(self, code: str, details: dict[str, Any]) -> bool:
        """Tell whether such a warning stands here."""
        return self._counted is not None and _counted_key({**details, "code": code}) in self._counted

    def _add_warnings(self, warnings: list[dict[str, Any]], counted: dict[CountedKey, dict[str, Any]]) -> None:
        those = {id(entry) for entry in counted.values()}
        for entry in warnings:
            if id(entry) in those:
                self._count(entry)
            else:
                self.warnings.append(entry)

    def _count(self, entry: dict[str, Any]) -> None:
        with _counting:
            self._counted = {} if self._counted is None else self._counted
            known = self._counted.setdefault(_counted_key(entry), entry)
            if known is entry:
                self.warnings.append(entry)
                return
            known["count"] += entry["count"]
            known["examples"] = list(dict.fromkeys([*known["examples"], *entry["examples"]]))[:MOST_EXAMPLES]


def _counted_key(entry: dict[str, Any]) -> CountedKey:
    return tuple((name, value) for name, value in entry.items() if name not in ("count", "examples"))


class Joinable(Protocol):
    """A connection as a unit sees it."""

    def unit(self) -> AbstractContextManager[Any]:
        """Give the context manager around one unit of work."""


UnitKind = Literal["step", "item", "attempt", "call"]


class Unit:
    """What stands or falls together: a step, an item, an attempt, one call from a function.

    Args:
        run: The run that it is part of.
        kind: What it is around.
        parent: The unit around it.
        protects: Whether somebody can go on after its failure; if not, the connections join
            only the units around it.
        gate: In a concurrent loop, the lock that lets one item at a time use connections that
            know units.
        connections: What it reaches systems through; by default as the unit around it.
        step: The name of the step of the run; by default as the unit around it.
    """

    __slots__ = (
        "_gate",
        "_inside",
        "_joined",
        "_mutex",
        "_stack",
        "_token",
        "connections",
        "kind",
        "parent",
        "protects",
        "record",
        "run",
        "step",
        "threads",
    )

    def __init__(
        self,
        run: "Run",
        kind: UnitKind,
        parent: "Unit | None" = None,
        *,
        protects: bool = True,
        gate: "threading.Lock | None" = None,
        connections: "Connections | None" = None,
        step: str = "",
    ) -> None:
        given = connections if connections is not None or parent is None else parent.connections
        assert given is not None  # noqa: S101 - the unit of a step is given its own
        self.connections: Connections = given
        self.run = run
        self.step: str = step if parent is None else parent.step
        self.kind = kind
        self.parent = parent
        self.protects = protects
        self.record = Record()
        self.threads = threading.Lock()
        """Lets one thread at a time that ``in_run`` started use connections that know units."""
        self._gate = gate
        self._inside = False
        self._mutex = threading.Lock()
        self._joined: set[Joinable] = set()
        self._stack = ExitStack()
        self._token: Token[Unit | None] | None = None

    def use(self, connection: Joinable) -> None:
        """Join a connection to this unit and to those around it, the outermost first."""
        self._pass_gates()
        self._join(connection)

    def commit(self) -> None:
        """End the work that is open so far well; what follows joins anew."""
        if self.kind in ("item", "attempt"):
            raise ArgumentError(
                "work can't be committed inside .catch, .retry or an item of each",
                fix='Commit outside of it, or write each(…, commit="item") at the top of the job.',
            )
        if self._gate is not None and not self._inside:
            return  # it used nothing, and what is open in the units around it is another item's
        self._end(None)
        if self.parent is not None:
            self.parent.commit()

    def failed(self) -> list[dict[str, Any]]:
        """Give the items that failed so far, here and in the units around."""
        return [*(self.parent.failed() if self.parent is not None else ()), *self.record.failed]

    def stopped_at(self) -> list[Any]:
        """Give the items at which loops stopped so far, here and in the units around."""
        return [*(self.parent.stopped_at() if self.parent is not None else ()), *self.record.stopped_at]

    def has_counted(self, code: str, details: dict[str, Any]) -> bool:
        """Tell whether such a counted warning stands here or in the units around."""
        return self.record.has_counted(code, details) or (
            self.parent is not None and self.parent.has_counted(code, details)
        )

    def _pass_gates(self) -> None:
        """Wait until no other item uses connections that know units; then they are this one's to its end."""
        if self.parent is not None:
            self.parent._pass_gates()
        with self._mutex:
            if self._gate is not None and not self._inside:
                self._gate.acquire()
                self._inside = True

    def _join(self, connection: Joinable) -> None:
        if self.parent is not None:
            self.parent._join(connection)
        with self._mutex:
            if self.protects and connection not in self._joined:
                self._stack.enter_context(connection.unit())
                self._joined.add(connection)

    def root(self) -> "Unit":
        """Give the unit around all: that of the step."""
        return self if self.parent is None else self.parent.root()

    def __enter__(self) -> Self:
        self.run.go_on()
        self._token = open_unit.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if self._token is not None:
            open_unit.reset(self._token)
        undone: BaseException | None = None if isinstance(error, StopStep) else error
        try:
            self._end(undone)
        except BaseException as failure:
            undone = failure
            raise
        finally:
            if undone is not None:
                self.record.cursors.clear()  # they stand for work that is undone
            if self.parent is not None and self._gate is None:  # a loop adds those of its items in their order
                self.parent.record.add(self.record)
            if self._inside and self._gate is not None:
                self._gate.release()

    def _end(self, error: BaseException | None) -> None:
        self._joined.clear()
        self._stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
