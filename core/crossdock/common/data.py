"""What reads the run and writes to its state and record: set_data, cursors, log, warn, now."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from crossdock.errors import ArgumentError, NoRunError
from crossdock.operation import operation
from crossdock.scope import Record, open_unit, run_in_progress
from crossdock.state import State

_job_logger = logging.getLogger("crossdock.job")


@operation
def set_data(state: State, value: Any) -> State:
    """Make a value the result.

    Args:
        value: The new ``data``: a value, a lazy path or a function of the state.

    Example:
        >>> from crossdock import set_data, state
        >>> set_data({"id": state.data["_id"]})(State(data={"_id": 7})).data
        {'id': 7}
    """
    return state.result(value)


@operation
def save_cursor(
    state: State,
    name: str,
    value: Any = None,
    *,
    of: Iterable[Any] | None = None,
    at: str | None = None,
    checkpoint: bool = False,
) -> State:
    """Keep where the next run starts, under a name that ``cursor`` reads.

    It is kept if the run ends as ``success`` or ``partial``. With ``of`` and ``at`` it is the
    maximum over the items that were delivered, and never at or beyond the oldest item that
    failed. None, or nothing delivered, leaves it as it was.

    Args:
        name: The cursor's name.
        value: Where the next run starts.
        of: The items that were to be delivered.
        at: The field of an item to take the maximum of.
        checkpoint: Commit the step's open work first, and keep the cursor even if the run fails
            later; not inside ``.catch`` or an item of ``each``.

    Example:
        >>> from crossdock import save_cursor, state
        >>> visits = [{"at": "2024-05-01"}, {"at": "2024-05-02"}]
        >>> save_cursor("visits", of=state.data, at="at")(State(data=visits)).cursors
        {'visits': '2024-05-02'}
    """
    unit = open_unit.get()
    record = unit.record if unit is not None else Record()
    failed, stopped = (unit.failed(), unit.stopped_at()) if unit is not None else (list(state.get("failed") or ()), [])
    if (of is None) != (at is None):
        raise ArgumentError(f"save_cursor({name!r}) got only one of of= and at=", fix="Give both, or a value.")
    reached = value if of is None or at is None else _reached(list(of), at, failed, stopped, name)
    if checkpoint and unit is not None:
        unit.commit()
        unit.run.keep({} if reached is None else {name: reached})
    if reached is not None:
        record.cursors[name] = reached
    return state if unit is not None else state | {"cursors": {**(state.get("cursors") or {}), **record.cursors}}


def _reached(items: list[Any], at: str, failed: list[dict[str, Any]], stopped: list[Any], name: str) -> Any:
    """Give the maximum over what was delivered, short of the oldest item that was not."""
    for item in stopped:
        if item in items:
            items = items[: items.index(item)]
    delivered: list[Any] = [item[at] for item in items if isinstance(item, dict) and item.get(at) is not None]
    missed: list[Any] = [entry["item"].get(at) if isinstance(entry["item"], dict) else None for entry in failed]
    if None in missed:  # nobody can say where it stands, so the cursor must not pass it
        return None
    try:
        return max([position for position in delivered if not missed or position < min(missed)], default=None)
    except TypeError:
        kinds = ", ".join(sorted({type(position).__name__ for position in delivered + missed}))
        raise ArgumentError(
            f"save_cursor({name!r}): {at!r} is of several types ({kinds}), which have no order",
            fix="Make it one type first.",
        ) from None


def log(*values: Any) -> None:
    """Write a line to the run's log; secrets are masked.

    Args:
        values: What to write, separated by blanks.
    """
    _job_logger.info("%s", _masked(" ".join(str(value) for value in values)))


def warn(code: str, /, **details: Any) -> None:
    """Record a warning on the run: it goes to ``state.warnings`` and the log.

    Args:
        code: A stable code that reports can count.
        details: Facts, without personal data.

    Raises:
        NoRunError: No run is in progress: in a list of operations write ``tap(warn, code)``.
    """
    unit = open_unit.get()
    if unit is None:
        raise NoRunError(
            f"warn({code!r}) needs a run, and none is in progress here",
            fix=f"In a list of operations write tap(warn, {code!r}).",
        )
    unit.record.warnings.append({**details, "code": code})
    _job_logger.warning("%s", _masked(code + "".join(f" {name}={value!r}" for name, value in details.items())))


def warn_counted(code: str, example: str, /, **details: Any) -> None:
    """Record a warning that many items may cause: it stands once on the run, with its count.

    Outside of a run it goes to the log alone.

    Args:
        code: A stable code that reports can count.
        example: What caused it this time; the warning keeps a few of these.
        details: What tells it from other warnings of that code.
    """
    unit = open_unit.get()
    known = unit is not None and unit.has_counted(code, details)
    if unit is not None:
        unit.record.count(code, example, details)
    if not known:
        told = {**details, "example": example}
        _job_logger.warning("%s", _masked(code + "".join(f" {name}={value!r}" for name, value in told.items())))


def _masked(text: str) -> str:
    unit = open_unit.get()
    return text if unit is None else unit.run.redactor(text)


def now() -> datetime:
    """Give the instant at which the run started: one clock for the whole run.

    Returns:
        An aware datetime in UTC.
    """
    return run_in_progress("now()").now
