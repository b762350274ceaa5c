"""What decides which operations run: each, when, stop, require, tap."""

import logging
from collections.abc import Callable, Iterable
from typing import Any, Literal, NoReturn

from crossdock.common.loop import Loop, OnError, Options
from crossdock.errors import ArgumentError, JobError, WrongReturnError
from crossdock.operation import Operation, OperationLike, as_operation, keeping_operation, operation
from crossdock.scope import StopStep
from crossdock.state import State

_logger = logging.getLogger("crossdock")


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
    checkpoint: int | None = None,
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
        checkpoint: After how many items each time the open work is committed and then the progress
            kept (``crossdock run --cursors FILE``): the next run on the same input goes on there.
            Nothing from before the last checkpoint is done twice; what was in work after it is done again.
            With ``concurrency`` the loop waits at a checkpoint for the items in work. The loop has no
            results then. Not inside ``.catch`` or an item of ``each``.

    Example:
        >>> from crossdock import Job, each, state
        >>> double = each(state.data, lambda state: state.result(state.data * 2)).into("doubled")
        >>> Job(double)(State(data=[1, 2])).doubled
        [2, 4]
    """
    options = Options(concurrency, on_error, key, commit, checkpoint)
    options.check(keep=keep)
    values: list[Any] = []
    loop = Loop(state, as_operation(operation), this, options, values.append if keep else _drop)
    after = loop.run(_items(items, this))
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
