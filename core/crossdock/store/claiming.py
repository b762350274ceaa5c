"""Claiming: which run is next, who holds it, and what becomes of one whose worker is gone.

Statements that each run needs are built once, when the module is imported: building one takes longer
than SQLite takes for it.

The queue is first in, first out for each workflow. Claims are made one after another, so that no two
workers count the same free place: SQLite has one writer at a time, PostgreSQL a lock for it.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    and_,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    text,
    update,
)

from crossdock.decoding import decode
from crossdock.error_record import error_record
from crossdock.state import encode
from crossdock.store import schema
from crossdock.store.errors import WorkerGoneError
from crossdock.store.leases import Lease, Watch, place
from crossdock.store.reading import claimed_run
from crossdock.store.records import Claimed, Finish, Limit, micros

_run = schema.run
_other = schema.run.alias("other")
_OURS = 7306152050
"""What a process locks in PostgreSQL while it claims."""

_MINE = and_(_run.c.workflow == schema.workflow.c.name, _run.c.state == "available")
_DUE = or_(_run.c.due_at <= bindparam("now"), _run.c.queued_at > bindparam("now"))
"""A clock that was set back to before a run was queued says nothing about when it is due."""

_HELD_UP = exists().where(
    _other.c.workflow == _run.c.workflow,
    _other.c.serialize_by == _run.c.serialize_by,
    or_(_other.c.state == "claimed", and_(_other.c.state == "available", _other.c.number < _run.c.number)),
)
"""Another run that has the same in common goes on, or is before it."""


def _first(*conditions: ColumnElement[bool]) -> Any:
    return select(_run.c.number).where(_MINE, *conditions).order_by(_run.c.number).limit(1).scalar_subquery()


_HEADS = select(
    schema.workflow.c.name,
    _first().label("first"),
    _first(_DUE, ~_HELD_UP).label("next"),
    select(func.count())
    .where(_run.c.workflow == schema.workflow.c.name, _run.c.state == "claimed")
    .scalar_subquery()
    .label("claimed"),
)
_LEASES = select(_run.c.number, _run.c.fence, _run.c.beat, _run.c.lease, _run.c.place).where(_run.c.state == "claimed")
_CLAIM = (
    update(_run)
    .where(_run.c.number == bindparam("b_number"), _run.c.state == "available")
    .values(
        state="claimed",
        fence=_run.c.fence + 1,
        attempt=_run.c.attempt + 1,
        beat=0,
        cancelled=False,
        first_started_at=func.coalesce(_run.c.first_started_at, bindparam("now")),
    )
    .returning(*_run.c)
)
_FAILED = select(schema.step.c.failed).where(
    schema.step.c.run == bindparam("run"), schema.step.c.kept, schema.step.c.failed.is_not(None)
)
_BEGIN_ATTEMPT = insert(schema.attempt)
_ATTEMPT = update(schema.attempt).where(
    schema.attempt.c.run == bindparam("b_run"), schema.attempt.c.fence == bindparam("b_fence")
)


class Queue:
    """The runs that wait, and those that workers hold.

    Args:
        is_sqlite: Whether the database has one writer at a time anyway.
        watch: What this process saw of the workers.
        now: The time.
        follow: Called with a run that is dead, as it was when it was claimed; it accepts what follows from that.
    """

    def __init__(
        self,
        *,
        is_sqlite: bool,
        watch: Watch,
        now: Callable[[], datetime],
        follow: Callable[[Connection, Claimed, Finish, datetime], None],
    ) -> None:
        self._is_sqlite = is_sqlite
        self._watch = watch
        self._now = now
        self._follow = follow

    def claim(
        self, connection: Connection, worker: str, lease: float, limits: Mapping[str, Limit]
    ) -> RowMapping | None:
        """Give the row of a run that from now on belongs to this worker, if one can start."""
        self._alone(connection)
        is_due = self._watch.is_due
        number = None if is_due else self._next(connection, limits)
        if number is None and (self._expire(connection) or is_due):
            number = self._next(connection, limits)
        return None if number is None else self._take(connection, number, worker, lease)

    def _take(self, connection: Connection, number: int, worker: str, lease: float) -> RowMapping | None:
        now = micros(self._now())
        mine = {"b_number": number, "now": now, "lease": lease, "worker": worker, "place": place()}
        row = connection.execute(_CLAIM, mine).mappings().first()
        if row is not None:  # else it was cancelled just now
            attempt = {"run": number, "fence": row["fence"], "attempt": row["attempt"]}
            connection.execute(_BEGIN_ATTEMPT, {**attempt, "worker": worker, "started_at": now})
        return row

    def expire(self, connection: Connection) -> int:
        """Put back the runs whose worker is gone, and tell how many."""
        self._alone(connection)
        return self._expire(connection)

    def _alone(self, connection: Connection) -> None:
        """Let nobody else claim until the end of the transaction."""
        if not self._is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OURS})

    def _expire(self, connection: Connection) -> int:
        leases = [Lease(*row) for row in connection.execute(_LEASES)]
        return sum(self._put_back(connection, lease) for lease in self._watch.expired(leases))

    def _next(self, connection: Connection, limits: Mapping[str, Limit]) -> int | None:
        """Give the first run of those at the heads of the workflows that have room."""
        heads = connection.execute(_HEADS, {"now": micros(self._now())}).all()
        return min((head.next for head in heads if _may_start(head, limits.get(head.name, Limit()))), default=None)

    def _put_back(self, connection: Connection, lease: Lease) -> int:
        """Put a run back whose worker is gone; it is dead if it had all its attempts."""
        held = and_(_run.c.number == lease.number, _run.c.fence == lease.fence, _run.c.state == "claimed")
        columns = [_run.c.attempt, _run.c.most_attempts, _run.c.cancelled]
        row = connection.execute(select(*columns).where(held, _run.c.beat == lease.beat)).first()
        if row is None:  # it moved since we looked
            return 0
        error = WorkerGoneError(f"the worker of attempt {row.attempt} was gone before its end")
        now, gone = self._now(), {"outcome": error.outcome, "error_code": error.code}
        is_dead = row.attempt >= row.most_attempts and not row.cancelled
        record = error_record(error)
        if is_dead:
            state = {"state": "dead", "error": encode(record), **ended(connection, lease.number, micros(now)), **gone}
        else:
            state = back(connection, lease.number, micros(now), cancelled=row.cancelled)
        change = update(_run).where(held, _run.c.beat == lease.beat).values(place=None, **state)
        if connection.execute(change).rowcount == 0:
            return 0
        end_attempt(connection, lease.number, lease.fence, ended_at=micros(now), **gone)
        if is_dead:
            end = Finish(error.outcome, error=record, dead=True)
            self._follow(connection, claimed_run(connection, lease.number), end, now)
        return 1


def back(connection: Connection, number: int, now: int, *, cancelled: bool) -> dict[str, Any]:
    """Give what changes in a run that leaves its worker before its end."""
    if cancelled:
        return {"state": "ended", "outcome": "cancelled", **ended(connection, number, now)}
    return {"state": "available", "due_at": now}


def ended(connection: Connection, number: int, now: int) -> dict[str, Any]:
    """Give what changes in every run that ends: when, and how many items its steps put aside."""
    failed = connection.scalars(_FAILED, {"run": number})
    return {"ended_at": now, "failed_items": sum(len(decode(items)) for items in failed)}


def end_attempt(connection: Connection, number: int, fence: int, **values: Any) -> None:
    """Write down how an attempt ended."""
    connection.execute(_ATTEMPT, {"b_run": number, "b_fence": fence, **values})


def _may_start(head: Any, limit: Limit) -> bool:
    """Tell whether the workflow of a head has room; in a strict order nothing overtakes what waits to be tried again."""
    in_order = limit.concurrency > 1 or head.next == head.first
    return head.next is not None and head.claimed < limit.concurrency and in_order
