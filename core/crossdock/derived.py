"""What ``.into``, ``.catch`` and ``.retry`` do: operations that are made from an operation."""

import logging
from collections.abc import Callable
from typing import Any, Protocol

from crossdock.errors import AdaptorError, message_of
from crossdock.lazy import call_with
from crossdock.scope import Unit, open_unit
from crossdock.state import State

_logger = logging.getLogger("crossdock")


class Performable(Protocol):
    """An operation, as these functions see it."""

    def __call__(self, state: Any) -> State:
        """Run it."""

    def perform(self, state: State) -> State:
        """Run it as part of the unit that is open."""

    def outcome(self, state: State) -> tuple[State, Any]:
        """Run it, and give its result beside the state."""

    def accepted(self, result: Any, state: State) -> State:
        """Make a state of what a function gave."""


def into(state: State, this: Performable, keep: bool, operation: Performable, name: str) -> Any:
    """Keep the result of an operation under a name."""
    after, value = operation.outcome(state)
    kept = {**after, name: value}
    kept.pop("data", None)
    if "data" in state:
        kept["data"] = state["data"]
    return (State(kept), value) if keep else State(kept)


def catch(
    state: State,
    this: Performable,
    keep: bool,
    operation: Performable,
    handler: Callable[[Exception, State], Any],
) -> Any:
    """Run an operation, and a handler on its failure."""
    try:
        return _attempt(state, keep, operation)
    except Exception as error:  # noqa: BLE001 - the handler decides; it re-raises what it does not know
        failure = error
    is_operation = hasattr(handler, "perform")
    result = handler if is_operation else call_with(lambda state: handler(failure, state), state)
    handled = this.accepted(result, state)
    return (handled, handled.get("data")) if keep else handled


def retry(state: State, this: Performable, keep: bool, operation: Performable, times: int, wait: float) -> Any:
    """Repeat an operation that fails."""
    import stamina  # imported late: few jobs retry, and it takes 20 ms

    left, unit = times, open_unit.get()
    failed = unit.record.failed if unit is not None else []
    before = len(failed)

    def decide(error: Exception) -> bool:
        nonlocal left
        left -= 1
        if left < 0 or not _may_help(error):
            return False
        del failed[before:]  # all that the try did is undone, and the items come again
        _logger.info("%s failed and is tried again: %s: %s", operation, type(error).__name__, message_of(error))
        return True

    attempts = stamina.retry_context(
        on=decide, attempts=None, timeout=None, wait_initial=wait, wait_max=max(wait, 60.0), wait_jitter=wait / 10
    )
    for attempt in attempts:
        with attempt:
            return _attempt(state, keep, operation)
    raise AssertionError("stamina gives up by raising")


def _attempt(state: State, keep: bool, operation: Performable) -> Any:
    """Run an operation as a unit of its own, which is undone if it fails."""
    unit = open_unit.get()
    if unit is None:
        return operation.outcome(state) if keep else operation.perform(state)
    with Unit(unit.run, "attempt", unit):
        return operation.outcome(state) if keep else operation.perform(state)


def _may_help(error: Exception) -> bool:
    """Tell whether to do it again can help, and can do no harm."""
    if isinstance(error, AdaptorError):
        return error.transient and error.outcome == "failed"
    return getattr(error, "outcome", "failed") == "failed"
