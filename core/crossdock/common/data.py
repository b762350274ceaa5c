"""What reads the run and writes to its state and record: set_data, cursors, log, warn, put_aside, now, idempotency_key."""

import logging
from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Any

from crossdock.cursors import Type, furthest, kept
from crossdock.errors import ArgumentError, NoRunError
from crossdock.operation import operation
from crossdock.record import Record
from crossdock.scope import open_unit, run_in_progress, unit_in_progress
from crossdock.state import State, encode

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
    type: Type | None = None,  # noqa: A002 - the word that cursors are described with
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
        type: How positions are compared and kept: ``text``, ``number``, or ``instant``, a moment
            that is kept in UTC; by default as they are.
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
    if of is None or at is None:
        reached = None if value is None else kept(name, value, type)
    else:
        reached = _reached(list(of), at, failed, stopped, name, type)
    if checkpoint and unit is not None:
        unit.commit()
        unit.run.keep({} if reached is None else {name: reached})
    if reached is not None:
        record.cursors[name] = reached
    return state if unit is not None else state | {"cursors": {**(state.get("cursors") or {}), **record.cursors}}


def _reached(
    items: list[Any], at: str, failed: list[dict[str, Any]], stopped: list[Any], name: str, type_: Type | None
) -> Any:
    """Give the maximum over what was delivered, short of the oldest item that was not."""
    for item in stopped:
        if item in items:
            items = items[: items.index(item)]
    delivered: list[Any] = [item[at] for item in items if isinstance(item, dict) and item.get(at) is not None]
    missed: list[Any] = [entry["item"].get(at) if isinstance(entry["item"], dict) else None for entry in failed]
    if None in missed:  # nobody can say where it stands, so the cursor must not pass it
        return None
    return furthest(name, delivered, missed, type_)


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


def put_aside(item: Any, error: BaseException, *, index: int | None = None, key: Any = None) -> None:
    """Record an item that failed, and go on: it is kept in ``state.failed``, and the run ends as ``partial``.

    For a destination that took some of several items, as ``each`` does with ``on_error="collect"``.

    Args:
        item: What was not delivered, as a later run would need it.
        error: Why.
        index: Where it stood among the others.
        key: What tells it from the others.

    Raises:
        NoRunError: No run is in progress.
    """
    unit = open_unit.get()
    if unit is None:
        raise NoRunError(
            "put_aside(…) needs a run, and none is in progress here",
            fix="Use it in a function of a job that `crossdock run` runs.",
        )
    unit.record.put_aside(item, error, index, key)


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


def idempotency_key(*about: Any) -> str:
    """Give a key for a system that drops what it gets twice.

    It stays the same when the run is taken up again after a crash, tried again or repeated, since it
    is made of the message, the workflow, the step, and what you name.

    Args:
        about: What tells this write from the others of the step, such as the id of a record.

    Example:
        >>> from crossdock import Job, Run, Workflow
        >>> job = Job(lambda state: state.result(idempotency_key("visit", 7)))
        >>> first, again = (Run(Workflow.of(job), key="message 1") for _ in range(2))
        >>> first.execute(), again.execute(), first.state.data == again.state.data
        ('success', 'success', True)
    """
    unit = unit_in_progress("idempotency_key(…)")
    return sha256(encode([unit.run.key, unit.step, *about])).hexdigest()[:32]
