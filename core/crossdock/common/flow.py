"""What decides which operations run: each, when, stop, require, tap."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from functools import cached_property
from typing import Any, Literal, NamedTuple, NoReturn

from crossdock.errors import ArgumentError, JobError, WrongReturnError
from crossdock.job import all_parts
from crossdock.operation import Operation, OperationLike, as_operation, keeping_operation, operation
from crossdock.scope import Record, StopStep, Unit, open_unit
from crossdock.state import State

_logger = logging.getLogger("crossdock")

OnError = Literal["raise", "collect", "stop"]


@keeping_operation
def each(
    state: State,
    this: Operation,
    keep: bool,
    items: Iterable[Any] | None,
    operation: OperationLike,
    *,
    concurrency: int = 1,
    on_error: OnError = "raise",
    key: str | None = None,
    commit: Literal["step", "item"] = "step",
) -> Any:
    """Run an operation for every item.

    Every item starts from the state before the loop plus ``data`` (the item) and ``index``. What
    it leaves in the state is dropped, except its final ``data``: the list of these, in item
    order, is the result, for ``.into`` and ``.result()``. Afterwards the state is what it was.

    Args:
        items: Any iterable, also a lazy one: it is never turned into a list. None counts as empty.
        operation: What to run; in a function ``state.data`` is the item.
        concurrency: How many items may be in work at once.
        on_error: ``raise`` fails at the first item that fails; ``collect`` keeps it in
            ``state.failed`` as ``{index, key, item, error, loop}`` and goes on; ``stop`` keeps it and
            ends the loop there. With the last two the run ends as ``partial``. An error that
            shows that the job itself is broken is raised in any case.
        key: The field of an item that tells it from the others.
        commit: ``item`` commits before the loop and after every item, for "call an API, write
            down its answer".

    Example:
        >>> from crossdock import Job, each, state
        >>> double = each(state.data, lambda state: state.result(state.data * 2)).into("doubled")
        >>> Job(double)(State(data=[1, 2])).doubled
        [2, 4]
    """
    if on_error not in ("raise", "collect", "stop") or commit not in ("step", "item"):
        raise ArgumentError(
            f"each got on_error={on_error!r}, commit={commit!r}",
            fix="Use on_error raise, collect or stop; commit step or item.",
        )
    if concurrency < 1 or (on_error == "stop" and concurrency > 1):
        raise ArgumentError(
            f"each got concurrency={concurrency} with on_error={on_error!r}",
            fix="Use 1 or more, and 1 with on_error='stop': it keeps the order.",
        )
    loop = _Loop(state, as_operation(operation), this, on_error, key, commit == "item", concurrency)
    values: list[Any] = []
    sink = values.append if keep else _drop
    for done in loop.run(_items(items, this)):
        sink(done.value)
    after = loop.after()
    return (after, values) if keep else after


@operation
def when(state: State, condition: Any, then: OperationLike, otherwise: OperationLike | None = None) -> Any:
    """Run one operation or another.

    Args:
        condition: A value, a lazy path or a function of the state; Python's truth counts.
        then: What runs if it is true.
        otherwise: What runs if not; nothing by default.

    Example:
        >>> from crossdock import set_data, state, when
        >>> when(state.data["urgent"], set_data("call"), set_data("write"))(State(data={})).data
        'write'
    """
    chosen = then if condition else otherwise
    return state if chosen is None else as_operation(chosen)


@operation
def stop(state: State, reason: str) -> NoReturn:
    """End the step's job as a success, with the state that it received.

    Args:
        reason: Why there is nothing left to do; it is logged.

    Example:
        >>> from crossdock import Run, Job, Workflow, set_data
        >>> run = Run(Workflow.of(Job(set_data([]), when(lambda s: not s.data, stop("no visits")))))
        >>> run.execute(), run.stopped
        ('success', 'no visits')
    """
    raise StopStep(reason, state)


@operation
def require(state: State, condition: Any, message: str, *, code: str = "requirement_not_met") -> State:
    """Fail unless something holds.

    Args:
        condition: A value, a lazy path or a function of the state; Python's truth counts.
        message: What does not hold, without personal data.
        code: The code of the JobError.

    Example:
        >>> from crossdock import require, state
        >>> require(state.data["form"], "the message has no form")(State(data={"form": "visit"})).data
        {'form': 'visit'}
    """
    if not condition:
        raise JobError(code, message)
    return state


@operation
def tap(state: State, function: Callable[..., Any], *args: Any) -> State:
    """Call a plain function with resolved arguments, and leave the state as it is.

    Args:
        function: Any function; what it returns is dropped.
        args: Its arguments.

    Example:
        >>> from crossdock import state, tap
        >>> tap(print, "form:", state.form)(State(form="visit")).form
        form: visit
        'visit'
    """
    if isinstance(function(*args), Operation):
        raise WrongReturnError(
            f"tap({getattr(function, '__name__', 'function')}, …) built an operation and would drop it",
            fix="Put the operation itself there.",
        )
    return state


class _Done(NamedTuple):
    """What became of one item."""

    number: int
    item: Any
    value: Any
    error: BaseException | None
    record: Record | None
    ran: bool = True


class _Loop:
    """One running ``each``."""

    def __init__(
        self,
        state: State,
        operation: Operation,
        this: Operation,
        on_error: OnError,
        key: str | None,
        commits: bool,
        concurrency: int,
    ) -> None:
        self.state = state
        self.operation = operation
        self.this = this
        self.on_error = on_error
        self.key = key
        self.concurrency = concurrency
        self.commits = commits
        self.unit = open_unit.get()
        self.record = self.unit.record if self.unit else Record()
        self.gate = threading.Lock() if concurrency > 1 else None
        self.halted = threading.Event()
        self.draw_failed: list[BaseException] = []

    def run(self, items: Iterable[Any]) -> Iterator[_Done]:
        """Run the items, and give those that went well in their order; the failure that ends the loop comes last."""
        if self.commits and self.unit is not None:
            self.unit.commit()
        ending: list[BaseException] = []
        for done in self._concurrently(items) if self.concurrency > 1 else self._one_by_one(items):
            if done.record is not None:
                self.record.add(done.record)
            if done.error is not None:
                self._put_aside(done, ending)
            elif done.ran and not ending:
                yield done
        ending += self.draw_failed
        if ending:  # that a write may have happened is what must not be lost
            raise next((error for error in ending if getattr(error, "outcome", None) == "unknown"), ending[0])

    def after(self) -> State:
        """Give the state after the loop: the one before it."""
        if self.unit is None and self.record.failed:
            return self.state | {"failed": [*self.state.get("failed", []), *self.record.failed]}
        return self.state

    def _drawn(self, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Draw items until the loop is to end; a failure to draw waits until all that were drawn are done."""
        try:
            for index, item in enumerate(items):
                yield index, item
                if self.halted.is_set():
                    return
        except Exception as error:  # noqa: BLE001 - raised by run, after the items that were drawn
            self.draw_failed.append(error)

    def _one_by_one(self, items: Iterable[Any]) -> Iterator[_Done]:
        for index, item in self._drawn(items):
            yield self._item(index, item)

    def _concurrently(self, items: Iterable[Any]) -> Iterator[_Done]:
        """Keep at most twice as many items drawn as may be in work."""
        from concurrent.futures import Future, ThreadPoolExecutor  # imported late: few loops are concurrent

        pending: deque[Future[_Done]] = deque()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="each") as pool:
            try:
                for index, item in self._drawn(items):
                    pending.append(pool.submit(copy_context().run, self._item, index, item))
                    if len(pending) >= 2 * self.concurrency:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                self.halted.set()
                pool.shutdown(cancel_futures=True)

    def _item(self, index: int, item: Any) -> _Done:
        if self.halted.is_set():
            return _Done(index, item, None, None, None, ran=False)
        start = State({**self.state, "data": item, "index": index})
        if self.unit is None:
            return self._outcome(index, item, start, None)
        kind: Literal["call", "item"] = "call" if self.commits else "item"
        own = Unit(self.unit.run, kind, self.unit, protects=self.commits or self.on_error != "raise", gate=self.gate)
        return self._outcome(index, item, start, own)

    def _outcome(self, index: int, item: Any, start: State, own: Unit | None) -> _Done:
        record = own.record if own is not None and self.gate is not None else None
        try:
            value = self._in_unit(start, own)
        except (Exception, StopStep) as error:  # noqa: BLE001 - what becomes of it is on_error's to say
            if self.on_error != "collect" or not self._is_kept(error):
                self.halted.set()
            return _Done(index, item, None, error, record)
        return _Done(index, item, value, None, record)

    def _is_kept(self, error: BaseException) -> bool:
        """Tell whether an item's failure is its own; a broken job would break on every item."""
        return (
            self.on_error != "raise"
            and getattr(error, "outcome", "failed") != "crashed"
            and isinstance(error, Exception)
        )

    def _in_unit(self, start: State, own: Unit | None) -> Any:
        if own is None:
            return self.operation.perform(start).get("data")
        with own:
            value = self.operation.perform(start).get("data")
            if self.commits:
                own.commit()
        return value

    def _put_aside(self, done: _Done, ending: list[BaseException]) -> None:
        """Keep a failed item, or its error if that ends the loop."""
        error = done.error
        if isinstance(error, StopStep):
            ending.append(StopStep(error.reason, self.state))
        elif error is not None and not self._is_kept(error):
            error.add_note(f"in item {done.number}{self._named(done.item)} of each")
            ending.append(error)
        elif error is not None:
            self.record.put_aside(done.item, error, done.number, self._key_of(done.item), loop=self.name)
            if self.on_error == "stop":
                self.record.stopped_at.append(done.item)

    @cached_property
    def name(self) -> str | None:
        """The name by which ``--retry-failed`` finds the loop in its job; None if a function built it."""
        steps = self.unit.run.workflow.steps if self.unit is not None else ()
        known = any(part is self.this for step in steps for part in all_parts(step.job))
        return self.operation.name if known else None

    def _key_of(self, item: Any) -> Any:
        return item.get(self.key) if self.key is not None and isinstance(item, dict) else None

    def _named(self, item: Any) -> str:
        key = self._key_of(item)
        return f" ({self.key} {key!r})" if key is not None else ""


def _items(items: Any, this: Operation) -> Iterable[Any]:
    if items is None:
        _logger.info("%r (%s): its items are None, so there is nothing to do", this, this.site)
        return ()
    if isinstance(items, dict | str | bytes | Operation) or not isinstance(items, Iterable):
        raise ArgumentError(
            f"{this!r} ({this.site}) got a value of type {type(items).__name__} for its items",
            fix="Give it a list or another iterable of items.",
        )
    return items


def _drop(value: Any) -> None:
    """Forget a value that nobody asked for."""
