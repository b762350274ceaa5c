"""Operation: a callable ``State -> State`` that a helper builds and that runs later.

``@operation`` turns a function ``(state, …) -> State`` into a builder. Calling the builder does
nothing but remember the arguments and the line; running what it built resolves the arguments,
calls the function and makes sure that a state came out.
"""

import inspect
import logging
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping
from sys import _getframe
from types import FrameType
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from crossdock.declaration import Declaration, Effect
from crossdock.derived import catch, into, retry
from crossdock.errors import AdaptorError, ArgumentError, WrongReturnError
from crossdock.lazy import Lazy
from crossdock.plan import is_planned
from crossdock.scope import Unit, acting_operation, current_state, open_unit, received
from crossdock.site import Site, site_of
from crossdock.sketch import arguments_text
from crossdock.state import FRAMEWORK_KEYS, State
from crossdock.trace import open_span, watched

P = ParamSpec("P")
T = TypeVar("T")
_logger = logging.getLogger("crossdock")


class NeverRunWarning(UserWarning):
    """An operation was built as a bare statement and thrown away."""


class Operation:
    """A callable ``State -> State`` that remembers what to do, and the line that built it."""

    __slots__ = ("_static", "arguments", "credential", "declaration", "site")

    def __init__(
        self, declaration: Declaration, arguments: tuple[Any, ...], credential: str | None, frame: FrameType
    ) -> None:
        self.declaration = declaration
        self.arguments = arguments
        self.credential = credential
        self._static = False
        self.site: Site = site_of(frame)
        if self.site.drops and self.site.call in (declaration.name, ""):
            report_never_run(self)

    def __call__(self, state: Mapping[str, Any]) -> State:
        """Run it on a state and give the new one; inside a run as a unit of its own."""
        given = state if type(state) is State else State(state)
        unit = open_unit.get()
        if unit is not None and self.declaration.makes_unit:
            with Unit(unit.run, "call", unit):
                return self.perform(given)
        if unit is not None:
            return self.perform(given)
        result = self.work(given, False)  # as ``perform`` does where nobody can trace
        return result if type(result) is State else self.accepted(result, given)

    def perform(self, state: State) -> State:
        """Run it on a state as part of the unit that is open."""
        result = self.work(state, False) if open_span.get() is None else watched(self, state, False)
        return result if type(result) is State else self.accepted(result, state)

    def outcome(self, state: State) -> tuple[State, Any]:
        """Run it like ``perform``, and give its result beside the state."""
        if self.declaration.keeps:
            state, value = self.work(state, True) if open_span.get() is None else watched(self, state, True)
            return state, value
        state = self.perform(state)
        return state, state.get("data")

    def result(self) -> Any:
        """Run it on the state that the function around it received, and give its result.

        Example:
            >>> from crossdock import Job, set_data
            >>> def count(state):
            ...     return state.replace(total=len(set_data([1, 2, 3]).result()))
            >>> Job(count)(State()).total
            3
        """
        return self._as_unit(self.outcome, received(f"{self.name}.result()"))[1]

    def into(self, name: str) -> "Operation":
        """Keep the result under ``state[name]`` and leave ``data`` as it was.

        Args:
            name: A key of the job's own.
        """
        if not isinstance(name, str) or name in FRAMEWORK_KEYS or hasattr(State, name) or name == "configuration":
            raise ArgumentError(
                f".into({name!r}) can't be: the name belongs to the state itself", fix="Choose another name."
            )
        return Operation(_into, (self, name), None, _getframe(1))

    def catch(self, handler: Callable[[Exception, State], Any]) -> "Operation":
        """Go on with what a handler gives when it fails; what it had written is undone.

        Args:
            handler: ``handler(error, state) -> State``, or an operation to run. ``state`` is the
                one that this operation received.
        """
        return Operation(_catch, (self, handler), None, _getframe(1))

    def retry(self, times: int, *, wait: float = 1.0) -> "Operation":
        """Repeat it when it fails.

        Not repeated is what can't help or may do harm: a system's refusal that will not pass
        (its error is not ``transient``), a write of which nobody knows whether it happened, and
        an error that shows that the job itself is broken.

        Args:
            times: How often to repeat after the first try.
            wait: Seconds before the first repetition; they double up to a minute, with jitter.
        """
        return Operation(_retry, (self, times, wait), None, _getframe(1))

    @property
    def name(self) -> str:
        """What a job calls it."""
        if self.declaration in _METHODS:
            return f"{self.arguments[0].name}.{self.declaration.name}"
        return self.declaration.full_name

    @property
    def effect(self) -> Effect | None:
        """Whether it reads or writes a system; None if it does neither by itself."""
        return self.declaration.effect_of(self.arguments)

    @property
    def system(self) -> str | None:
        """The name of the credential that it runs with."""
        unit, adaptor = open_unit.get(), self.declaration.adaptor
        if unit is None or adaptor is None:
            return self.credential
        if adaptor.connect is None:
            return self.credential or adaptor.name
        return unit.connections.credentials.choose(adaptor.name, self.credential).name

    def parts(self) -> "Iterator[Operation]":
        """Give the operations that it was given as arguments."""
        for argument in self.arguments:
            if isinstance(argument, Operation):
                yield argument

    def __repr__(self) -> str:
        shown = arguments_text(self.declaration.parameters, self.arguments)
        if self.credential is not None:
            shown.append(f"credential={self.credential!r}")
        if self.declaration in _METHODS:
            return f"{self.arguments[0]!r}.{self.declaration.name}({', '.join(shown[1:])})"
        return f"{self.name}({', '.join(shown)})"

    def _as_unit(self, work: Callable[[State], T], state: State) -> T:
        """Do what a function asked for: the function may go on after a failure, so it is a unit."""
        unit = open_unit.get()
        if unit is None or not self.declaration.makes_unit:
            return work(state)
        with Unit(unit.run, "call", unit):
            return work(state)

    def work(self, state: State, keep: bool) -> Any:
        """Call its function with resolved arguments.

        Args:
            state: The state that it receives.
            keep: Whether one whose result is not ``data`` gives a state and its result.
        """
        declaration = self.declaration
        arguments = self.arguments
        if not self._static:
            arguments = declaration.resolve(arguments, state)
            self._static = arguments is self.arguments
        token = current_state.set(state)
        try:
            if declaration.effect is not None and is_planned(self, arguments):
                return state.result(None)
            if declaration.adaptor is not None:
                return self._bound(state, arguments)
            return declaration.call(state, arguments, self, keep)
        except BaseException as error:
            mark(error, self)
            raise
        finally:
            current_state.reset(token)

    def _bound(self, state: State, arguments: tuple[Any, ...]) -> Any:
        """Call the function with this operation's credential in force, and no longer than that."""
        token = acting_operation.set(self)
        try:
            result = self.declaration.call(state, arguments, self, False)
        except AdaptorError as error:
            error.details.setdefault("system", self.system)
            raise
        finally:
            acting_operation.reset(token)
        if isinstance(result, State) and isinstance(result.get("data"), Iterator):
            return result | {"data": RecordIterator(result["data"], self)}
        return result

    def accepted(self, result: Any, state: State) -> State:
        """Make a state of what the function gave, or say what is wrong with it."""
        if isinstance(result, State):
            return result
        if isinstance(result, Operation):
            return result.perform(state)
        if isinstance(result, dict):
            return State() | result
        if isinstance(result, Coroutine | Generator):
            result.close()
        wrong = f"{self.name} ({self.site}) returned {_what(result)} instead of a state"
        error = WrongReturnError(wrong, **_hint(result))
        mark(error, self)
        raise error


OperationLike = Operation | Callable[[State], Any]
"""An operation, or a function of the state that gives a state or an operation."""


class FunctionOperation(Operation):
    """A function of the state that stands in a job."""

    __slots__ = ()

    def __init__(self, function: Callable[[State], Any], frame: FrameType) -> None:
        code = getattr(function, "__code__", None)
        self.declaration = _function
        self.arguments = (function,)
        self.credential = None
        self.site = Site(code.co_filename, code.co_firstlineno) if code is not None else site_of(frame)

    @property
    def name(self) -> str:
        """The name of the function."""
        return getattr(self.arguments[0], "__name__", type(self.arguments[0]).__name__)

    def work(self, state: State, keep: bool) -> Any:
        """Call the function with the state."""
        token = current_state.set(state)
        try:
            return self.arguments[0](state)
        except BaseException as error:
            mark(error, self)
            raise
        finally:
            current_state.reset(token)

    def __repr__(self) -> str:
        return self.name


def mark(error: BaseException, operation: Operation) -> None:
    """Note on an error which operation raised it: the innermost one, which is the first to see it."""
    if not hasattr(error, "crossdock_operation"):
        error.crossdock_operation = operation  # type: ignore[attr-defined]


def as_operation(value: Any, frame: FrameType | None = None) -> Operation:
    """Make an operation of an operation or a function of the state.

    Args:
        value: What stands in a job.
        frame: The frame of the line that put it there.

    Raises:
        ArgumentError: It is neither, or a helper that was not called.
    """
    if isinstance(value, Operation):
        return value
    if not isinstance(value, Lazy) and hasattr(value, "declaration"):
        name = value.declaration.full_name
        raise ArgumentError(f"{name} stands here without being called", fix=f"Write {name}(…).")
    if inspect.iscoroutinefunction(value):
        raise ArgumentError(
            f"{value.__name__} is an async function, and jobs are not",
            fix="Write a plain function: def, not async def.",
        )
    if not callable(value) or isinstance(value, type | Lazy):
        raise ArgumentError(
            f"{_what(value)} stands where an operation belongs",
            fix="Give an operation, or a function that takes the state and returns one.",
        )
    return FunctionOperation(value, frame or _getframe(1))


@overload
def operation(function: Callable[Concatenate[State, P], Any], /) -> Callable[P, Operation]: ...
@overload
def operation(
    *, effect: Effect | Callable[..., Effect] | None = None
) -> Callable[[Callable[Concatenate[State, P], Any]], Callable[P, Operation]]: ...
def operation(function: Any = None, /, *, effect: Any = None) -> Any:
    """Turn a function ``(state, …) -> State`` into a builder of operations.

    Args:
        function: Takes the state first and returns a new one.
        effect: ``"read"`` or ``"write"`` if it reaches a system, or a function of the arguments
            that says which.

    Returns:
        A function with the same parameters without ``state``.

    Example:
        >>> @operation
        ... def add(state, number):
        ...     return state.result(state.data + number)
        >>> add(2)(State(data=1)).data
        3
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Operation]:
        return Declaration(function, effect=effect).builder(Operation)

    return decorate if function is None else decorate(function)


def keeping_operation(function: Callable[Concatenate[State, Operation, bool, P], Any]) -> Callable[P, Operation]:
    """Turn a function ``(state, this, keep, …)`` into a builder of operations whose result is not ``data``.

    ``this`` is the operation that runs. If ``keep`` is true the function returns a state and its
    result, else a state.
    """
    return Declaration(function, keeps=True).builder(Operation)


def report_never_run(built: Operation) -> None:
    """Say that an operation was built and thrown away, on the run or as a Python warning."""
    message = f"{built.site}: {built.name}(…) is built here and never run: return it, or run it: {built.name}(…)(state), {built.name}(…).result()"
    unit = open_unit.get()
    if unit is not None:
        unit.record.warnings.append({"code": "operation_never_run", "operation": built.name, "line": str(built.site)})
        _logger.warning("%s", message)
    else:
        warnings.warn_explicit(message, NeverRunWarning, built.site.file, built.site.line)


class RecordIterator:
    """An iterator that an operation returned: it works in the name of that operation, under its credential."""

    __slots__ = ("_iterator", "_operation")

    def __init__(self, iterator: Iterator[Any], operation: Operation) -> None:
        self._iterator = iterator
        self._operation = operation

    def __iter__(self) -> "RecordIterator":
        return self

    def __next__(self) -> Any:
        token = acting_operation.set(self._operation)
        try:
            return next(self._iterator)
        finally:
            acting_operation.reset(token)

    def close(self) -> None:
        """Close what it iterates, where that can be closed."""
        close = getattr(self._iterator, "close", None)
        if close is not None:
            close()


def _call_function(state: State, function: Callable[[State], Any]) -> Any:
    """Call a function of the state."""
    return function(state)


def _what(value: Any) -> str:
    if value is None or isinstance(value, Lazy):
        return "a lazy path" if value is not None else "None"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a value of type {type(value).__name__}"


def _hint(result: Any) -> dict[str, str]:
    if isinstance(result, Lazy):
        return {"fix": "Use the state that the function received: its parameter, not the imported one."}
    if isinstance(result, Coroutine):
        return {"fix": "Write a plain function: def, not async def."}
    return {"fix": "Return a state from it: return state, or return state.result(value)."}


_function = Declaration(_call_function)
_into, _catch, _retry = _METHODS = [Declaration(function, keeps=True) for function in (into, catch, retry)]
