"""Loop: one running ``each``."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import nullcontext
from contextvars import copy_context
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from crossdock.common.checkpoints import Checkpoints
from crossdock.errors import ArgumentError
from crossdock.job import all_parts
from crossdock.operation import Operation
from crossdock.record import Record
from crossdock.scope import StopStep, Unit, UnitKind, open_unit
from crossdock.state import State
from crossdock.trace import open_span, watched

if TYPE_CHECKING:
    from concurrent.futures import Future

OnError = Literal["raise", "collect", "stop"]

OF_STEP = "step "
"""What the name of a loop begins with that is a whole step, run once per item."""

_logger = logging.getLogger("crossdock")


class Options(NamedTuple):
    """What ``each`` was asked for beside its items and its operation."""

    concurrency: int
    on_error: OnError
    key: str | None
    commit: Literal["step", "item"]
    checkpoint: int | None

    def check(self, *, keep: bool) -> None:
        """Refuse what can't be.

        Args:
            keep: Whether the results of the items are asked for.
        """
        if self.on_error not in ("raise", "collect", "stop") or self.commit not in ("step", "item"):
            raise ArgumentError(
                f"each got on_error={self.on_error!r}, commit={self.commit!r}",
                fix="Use on_error raise, collect or stop; commit step or item.",
            )
        if self.concurrency < 1 or (self.on_error == "stop" and self.concurrency > 1):
            raise ArgumentError(
                f"each got concurrency={self.concurrency} with on_error={self.on_error!r}",
                fix="Use 1 or more, and 1 with on_error='stop': it keeps the order.",
            )
        if self.checkpoint is not None and self.checkpoint < 1:
            raise ArgumentError(f"each got checkpoint={self.checkpoint}", fix="Use 1 or more items.")
        if self.checkpoint is not None and keep:
            raise ArgumentError(
                "each with checkpoint= has no results: a run that goes on has none of the items that are done",
                fix="Leave out .into and .result(): write down what an item gives where the next step reads it.",
            )


class _Done(NamedTuple):
    """What became of one item."""

    number: int
    item: Any
    value: Any = None
    error: BaseException | None = None
    unit: Unit | None = None
    ran: bool = True


class Loop:
    """One running ``each``.

    Args:
        state: The state before it.
        operation: What runs for every item.
        this: The ``each`` itself.
        options: What it was asked for.
        sink: Called with the final ``data`` of each item that went well, in their order.
    """

    def __init__(
        self, state: State, operation: Operation, this: Operation, options: Options, sink: Callable[[Any], None]
    ) -> None:
        self._state = state
        self._operation = operation
        self._this = this
        self._options = options
        self._sink = sink
        self._unit = open_unit.get()
        self._record = self._unit.record if self._unit else Record()
        self._commits = options.commit == "item"
        self._gate = threading.Lock() if options.concurrency > 1 else None
        self._pending: deque[Future[_Done]] = deque()
        """Those in work, as futures of what becomes of them."""
        self._halted = False
        self._last = -1
        """The number of the item that was put aside last."""
        self._ending: list[BaseException] = []
        self._draw_failed: list[BaseException] = []
        self._checkpoints = self._made_checkpoints()

    def run(self, items: Iterable[Any]) -> State:
        """Run the items, and give the state after the loop: the one before it."""
        if self._unit is not None and (self._commits or self._checkpoints is not None):
            self._unit.commit()
        if self._options.concurrency > 1:
            self._concurrently(items)
        else:
            self._one_by_one(items)
        ending = [*self._ending, *self._draw_failed]
        if ending:  # that a write may have happened is what must not be lost
            raise next((error for error in ending if getattr(error, "outcome", None) == "unknown"), ending[0])
        if self._halted:
            self._tell_of_the_rest(items)
        if self._checkpoints is not None:
            self._checkpoints.keep(complete=not self._halted)
        if self._unit is None and self._record.failed:
            return self._state | {"failed": [*self._state.get("failed", []), *self._record.failed]}
        return self._state

    def _made_checkpoints(self) -> Checkpoints | None:
        every, unit = self._options.checkpoint, self._unit
        if every is None or unit is None or unit.run.dry_run:
            return None
        return Checkpoints(every, unit, self._this, self._operation.name)

    def _numbered(self, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Give the items that are to be done, each with its number, with the checkpoints between them."""
        return enumerate(items) if self._checkpoints is None else self._with_checkpoints(items, self._checkpoints)

    def _with_checkpoints(self, items: Iterable[Any], checkpoints: Checkpoints) -> Iterator[tuple[int, Any]]:
        for numbered in checkpoints.left(items):
            yield numbered
            if checkpoints.passed():
                if not self._settle():
                    return
                checkpoints.keep()

    def _one_by_one(self, items: Iterable[Any]) -> None:
        numbered = self._numbered(items)
        if self._checkpoints is not None or type(items) not in (list, tuple):
            numbered = self._outside(numbered)
        last = self._next_of(numbered)
        while last is not None:
            self._take(last)
            last = None if self._halted else self._next_of(numbered)

    def _next_of(self, numbered: Iterator[tuple[int, Any]]) -> _Done | None:
        """Run items to one that did something in its unit or failed, and give what became of it; None if all are done."""
        at: list[_Done] = []
        unit = self._unit_of_item()
        try:
            with unit or nullcontext():
                self._run_many(numbered, unit, at)
        except (Exception, StopStep) as error:
            if not at:  # it was no item that failed
                raise
            return at[0]._replace(error=error)
        return at[0] if at else None

    def _outside(self, numbered: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        """Draw what somebody's code gives in the unit around the loop, and not in that of an item."""
        while True:
            token = open_unit.set(self._unit)
            try:
                drawn = next(numbered, None)
            finally:
                open_unit.reset(token)
            if drawn is None:
                return
            yield drawn

    def _run_many(self, numbered: Iterator[tuple[int, Any]], unit: Unit | None, at: list[_Done]) -> None:
        """Run items until one did something in their unit, which then ends with it.

        Most items leave nothing in it, and a unit for each would take as long as all the rest.
        """
        operation, state, sink = self._operation, self._state, self._sink
        commit = unit.commit if self._commits and unit is not None else None
        work = operation.work if open_span.get() is None else partial(watched, operation)
        go_on = unit.run.go_on if unit is not None and unit.run.parallel > 1 else None
        for index, item in numbered:
            start = State({**state, "data": item, "index": index})
            try:
                if go_on is not None:
                    go_on()
                after = work(start, False)
                value = (after if type(after) is State else operation.accepted(after, start)).get("data")
                if commit is not None:
                    commit()
            except BaseException:
                at.append(_Done(index, item))
                raise
            if unit is not None and unit.touched:
                at.append(_Done(index, item, value))
                return
            sink(value)

    def _drawn(self, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Draw items until the loop is to end; a failure to draw waits until all that were drawn are done."""
        try:
            for numbered in self._numbered(items):
                yield numbered
                if self._halted:
                    return
        except Exception as error:  # noqa: BLE001 - raised by run, after the items that were drawn
            self._draw_failed.append(error)

    def _concurrently(self, items: Iterable[Any]) -> None:
        """Keep at most twice as many items drawn as may be in work."""
        from concurrent.futures import ThreadPoolExecutor  # imported late: few loops are concurrent

        with ThreadPoolExecutor(self._options.concurrency, thread_name_prefix="each") as pool:
            try:
                for index, item in self._drawn(items):
                    self._pending.append(pool.submit(copy_context().run, self._beside_others, index, item))
                    if len(self._pending) >= 2 * self._options.concurrency:
                        self._take(self._pending.popleft().result())
                self._settle()
            finally:
                self._halted = self._halted or bool(self._pending)
                pool.shutdown(cancel_futures=True)

    def _settle(self) -> bool:
        """Wait for those in work, and tell whether the loop goes on."""
        while self._pending:
            self._take(self._pending.popleft().result())
        return not self._halted

    def _beside_others(self, index: int, item: Any) -> _Done:
        if self._halted:
            return _Done(index, item, ran=False)
        unit = self._unit_of_item()
        try:
            return _Done(index, item, self._in_unit(index, item, unit), unit=unit)
        except (Exception, StopStep) as error:  # noqa: BLE001 - what becomes of it is on_error's to say
            self._halted = self._halted or not self._goes_on(error)
            return _Done(index, item, error=error, unit=unit)

    def _take(self, done: _Done) -> None:
        """Take what became of the next item in their order."""
        if done.unit is not None and self._unit is not None:
            self._unit.add(done.unit)
        if done.error is not None:
            self._put_aside(done.number, done.item, done.error)
        elif done.ran and not self._ending:
            self._sink(done.value)

    def _unit_of_item(self) -> Unit | None:
        if self._unit is None:
            return None
        kind: UnitKind = "committed item" if self._commits else "item"
        protects = self._commits or self._options.on_error != "raise"
        return Unit(self._unit.run, kind, self._unit, protects=protects, gate=self._gate)

    def _in_unit(self, index: int, item: Any, unit: Unit | None) -> Any:
        start = State({**self._state, "data": item, "index": index})
        if unit is None:
            return self._operation.perform(start).get("data")
        with unit:
            value = self._operation.perform(start).get("data")
            if self._commits:
                unit.commit()
        return value

    def _goes_on(self, error: BaseException) -> bool:
        return self._options.on_error == "collect" and self._is_kept(error)

    def _is_kept(self, error: BaseException) -> bool:
        """Tell whether an item's failure is its own; a broken job would break on every item."""
        return (
            self._options.on_error != "raise"
            and getattr(error, "outcome", "failed") != "crashed"
            and isinstance(error, Exception)
        )

    def _put_aside(self, index: int, item: Any, error: BaseException) -> None:
        """Keep a failed item, or its error if that ends the loop."""
        self._halted = self._halted or not self._goes_on(error)
        if isinstance(error, StopStep):
            self._ending.append(StopStep(error.reason, self._state))
        elif not self._is_kept(error):
            error.add_note(f"in item {index}{self._named(item)} of each")
            self._ending.append(error)
        else:
            self._record.put_aside(item, error, index, self._key_of(item), loop=self._name)
            self._last = index
            if self._options.on_error == "stop":
                self._record.stopped_at.append(item)
            elif self._checkpoints is not None:
                self._checkpoints.failed.append(self._record.failed[-1])

    def _tell_of_the_rest(self, items: Iterable[Any]) -> None:
        """Say what the loop left alone when it stopped at an item."""
        count = len(items) - self._last - 1 if isinstance(items, Sized) else None
        if count != 0:
            how_many = "those after it" if count is None else f"{count} more"
            where = f"{self._this.name} ({self._this.site})"
            _logger.warning("%s stopped at item %d; %s were not started", where, self._last, how_many)
            told = {"code": "items_not_started", "loop": self._name, "stopped_at": self._last, "count": count}
            self._record.warnings.append(told)

    @cached_property
    def _name(self) -> str | None:
        """The name by which a retry finds the loop in its job or among the steps; None if a function built it."""
        steps = self._unit.run.workflow.steps if self._unit is not None else ()
        of_step = next((step.name for step in steps if step.loop is self._this), None)
        if of_step is not None:
            return f"{OF_STEP}{of_step}"
        known = any(part is self._this for step in steps for part in all_parts(step.job))
        return self._operation.name if known else None

    def _key_of(self, item: Any) -> Any:
        key = self._options.key
        return item.get(key) if key is not None and isinstance(item, dict) else None

    def _named(self, item: Any) -> str:
        key = self._key_of(item)
        return f" ({self._options.key} {key!r})" if key is not None else ""
