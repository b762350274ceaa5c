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

from crossdock.errors import ArgumentError, NoRunError
from crossdock.record import Record

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
    gate = None if unit is None else unit.threads

    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(in_thread, *args, **kwargs)

    def in_thread(*args: P.args, **kwargs: P.kwargs) -> T:
        if unit is None:
            return function(*args, **kwargs)
        own = Unit(unit.run, "call", unit, gate=gate)
        try:
            with own:
                return function(*args, **kwargs)
        finally:
            unit.add(own)

    return carried


class StopStep(BaseException):
    """The way in which ``stop`` leaves a step; not an Exception, so that nothing swallows it."""

    def __init__(self, reason: str, state: "State") -> None:
        super().__init__(reason)
        self.reason = reason
        self.state = state


class Joinable(Protocol):
    """A connection as a unit sees it."""

    def unit(self) -> AbstractContextManager[Any]:
        """Give the context manager around one unit of work."""


UnitKind = Literal["step", "item", "committed item", "attempt", "call"]

_making = threading.Lock()
"""Threads that use one unit make what it needs once."""


class _Joined:
    """The connections that joined a unit, and what ends them."""

    __slots__ = ("connections", "inside", "mutex", "stack")

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.inside = False
        self.connections: set[Joinable] = set()
        self.stack = ExitStack()


class Unit:
    """What stands or falls together: a step, an item, an attempt, one call from a function.

    There is one for each item of a loop and each operation that a function calls, and few of them
    reach a system or write something down: what is needed for that is made when it is.

    Args:
        run: The run that it is part of.
        kind: What it is around; a ``committed item`` ends its own work well.
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
        "_joined",
        "_record",
        "_threads",
        "_token",
        "connections",
        "kind",
        "parent",
        "protects",
        "run",
        "step",
        "touched",
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
        self._gate = gate
        self._joined: _Joined | None = None
        self._record: Record | None = None
        self._threads: threading.Lock | None = None
        self._token: Token[Unit | None] | None = None
        self.touched = False
        """Whether anything was done in it; if not, it can be the unit of the next item too."""

    @property
    def record(self) -> Record:
        """What is written down in it."""
        if self._record is None:
            with _making:
                self.touched = True
                self._record = Record() if self._record is None else self._record
        return self._record

    @property
    def threads(self) -> "threading.Lock":
        """What lets one thread at a time that ``in_run`` started use connections that know units."""
        if self._threads is None:
            with _making:
                self.touched = True
                self._threads = threading.Lock() if self._threads is None else self._threads
        return self._threads

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
        if self._gate is not None and not self._is_inside:
            return  # it used nothing, and what is open in the units around it is another item's
        self._end(None)
        if self.parent is not None:
            self.parent.commit()

    @property
    def is_in_item(self) -> bool:
        """Tell whether it is inside an item of a loop or an attempt, which may come again or be undone."""
        around = self.parent is not None and self.parent.is_in_item
        return around or self.kind in ("item", "committed item", "attempt")

    def add(self, other: "Unit") -> None:
        """Take over what was written down in another unit."""
        if other._record is not None:
            self.record.add(other._record)

    def failed(self) -> list[dict[str, Any]]:
        """Give the items that failed so far, here and in the units around."""
        here = self._record.failed if self._record is not None else ()
        return [*(self.parent.failed() if self.parent is not None else ()), *here]

    def stopped_at(self) -> list[Any]:
        """Give the items at which loops stopped so far, here and in the units around."""
        here = self._record.stopped_at if self._record is not None else ()
        return [*(self.parent.stopped_at() if self.parent is not None else ()), *here]

    def has_counted(self, code: str, details: dict[str, Any]) -> bool:
        """Tell whether such a counted warning stands here or in the units around."""
        return (self._record is not None and self._record.has_counted(code, details)) or (
            self.parent is not None and self.parent.has_counted(code, details)
        )

    @property
    def _is_inside(self) -> bool:
        return self._joined is not None and self._joined.inside

    def _used(self) -> _Joined:
        """Give what is known of its connections, from their first use on."""
        if self._joined is None:
            with _making:
                self.touched = True
                self._joined = _Joined() if self._joined is None else self._joined
        return self._joined

    def _pass_gates(self) -> None:
        """Wait until no other item uses connections that know units; then they are this one's to its end."""
        if self.parent is not None:
            self.parent._pass_gates()
        if self._gate is None:
            return
        used = self._used()
        with used.mutex:
            if not used.inside:
                self._gate.acquire()
                used.inside = True

    def _join(self, connection: Joinable) -> None:
        if self.parent is not None:
            self.parent._join(connection)
        if not self.protects:
            return
        used = self._used()
        with used.mutex:
            if connection not in used.connections:
                used.stack.enter_context(connection.unit())
                used.connections.add(connection)

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
        if self.touched:
            self._close(None if isinstance(error, StopStep) else error)

    def _close(self, undone: BaseException | None) -> None:
        try:
            self._end(undone)
        except BaseException as failure:
            undone = failure
            raise
        finally:
            if undone is not None and self._record is not None:
                self._record.cursors.clear()  # they stand for work that is undone
            if self.parent is not None and self._gate is None:  # a loop adds those of its items in their order
                self.parent.add(self)
            if self._gate is not None and self._is_inside:
                self._gate.release()

    def _end(self, error: BaseException | None) -> None:
        if self._joined is not None:
            self._joined.connections.clear()
            self._joined.stack.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)
