"""Retention: how long what is stored stays, and how it goes.

SQLite writes zeros over what it deletes, and its log is emptied afterwards. PostgreSQL gives the space of
deleted rows to new ones when it vacuums, and to the disk by ``VACUUM FULL``.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, literal, or_, select, update

from crossdock.store import schema
from crossdock.store.accepting import forget_keys
from crossdock.store.errors import RunStateError
from crossdock.store.history import message_holds, run_holds
from crossdock.store.progress import GONE_WELL
from crossdock.store.records import Pruned, Retention, micros

CHUNK = 500
"""How many messages one transaction erases: others wait for it."""

_run, _message, _step, _log = schema.run, schema.message, schema.step, schema.log


def prune(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    """Erase some of what has stayed long enough; nothing erased means that nothing is left to erase."""
    old = _older(connection, retention, "history", now)
    remove(connection, old)
    wiped = _older(connection, retention, "payload", now, _message.c.wiped_at.is_(None))
    wipe(connection, wiped, now)
    return Pruned(len(wiped), len(old))


def forget(connection: Connection, windows: Mapping[str, timedelta], now: datetime) -> int:
    """Forget some of the idempotency keys whose time is over; 0 means that none is left."""
    over = [
        and_(_message.c.source == source, _since_is_before(micros(now - window))) for source, window in windows.items()
    ]
    if not over:
        return 0
    some_key = _message.c.idempotency > b""  # by the index of the keys, which are fewer than the messages
    old = list(connection.scalars(select(_message.c.id).where(some_key, or_(*over)).limit(CHUNK)))
    forget_keys(connection, old)
    return len(old)


def _since_is_before(at: int) -> ColumnElement[bool]:
    """Compare when messages came, without the index of that: nearly all came before."""
    return _message.c.received_at + 0 < at


def wipe(connection: Connection, messages: Collection[str], now: datetime) -> None:
    """Erase the payloads of messages, and all that their runs made of them."""
    if not messages:
        return
    runs = select(_run.c.number).where(_run.c.message.in_(messages))
    emptied = dict.fromkeys(("written", "failed", "received", "output"))
    connection.execute(update(_step).where(_step.c.run.in_(runs)).values(**emptied))
    connection.execute(delete(_log).where(_log.c.run.in_(runs)))
    left = {"error": None, "final": None, "failed_items": 0}
    connection.execute(update(_run).where(_run.c.message.in_(messages)).values(**left))
    gone = {"headers": None, "request": None, "body": None, "wiped_at": micros(now)}
    connection.execute(update(_message).where(_message.c.id.in_(messages)).values(**gone))


def remove(connection: Connection, messages: Collection[str]) -> None:
    """Remove messages and all that is known of their runs."""
    if not messages:
        return
    runs = select(_run.c.number).where(_run.c.message.in_(messages))
    for table in (_log, _step, schema.attempt):
        connection.execute(delete(table).where(table.c.run.in_(runs)))
    connection.execute(delete(_run).where(_run.c.message.in_(messages)))
    connection.execute(delete(_message).where(_message.c.id.in_(messages)))


def erase(connection: Connection, messages: Sequence[str], now: datetime) -> dict[str, str]:
    """Erase the payloads of messages that are named, whatever became of them; runs that wait are cancelled.

    Returns:
        Those that stay, because a worker is busy with them: message → run.
    """
    busy = _busy(connection, messages)
    named = [message for message in messages if message not in busy]
    mine = _run.c.message.in_(named)
    ended = {"state": "ended", "ended_at": func.coalesce(_run.c.ended_at, micros(now))}
    waiting = update(_run).where(mine, _run.c.state == "available")
    connection.execute(waiting.values(outcome="cancelled", cancelled=True, **ended))
    connection.execute(update(_run).where(mine, _run.c.state == "dead").values(**ended))
    wipe(connection, named, now)
    return busy


def busy_with(run: str) -> RunStateError:
    """Give the refusal to erase what a worker is busy with."""
    return RunStateError(f"a worker is busy with the run {run}", fix="Cancel the run or wait for its end first.")


def _busy(connection: Connection, messages: Sequence[str]) -> dict[str, str]:
    claimed = select(_run.c.message, _run.c.id).where(_run.c.message.in_(messages), _run.c.state == "claimed")
    return {row.message: row.id for row in connection.execute(claimed)}


def holding(connection: Connection, text: str) -> list[str]:
    """Give the messages that hold a text, themselves or in what their runs made of them."""
    left = or_(message_holds(text), _message.c.id.in_(select(_run.c.message).where(run_holds(text))))
    return list(connection.scalars(select(_message.c.id).where(left).order_by(_message.c.number)))


def workflows_of(connection: Connection, message: str) -> set[str]:
    """Give the workflows that a message started."""
    return set(connection.scalars(select(_run.c.workflow).where(_run.c.message == message)))


def all_went_well(connection: Connection, message: str) -> bool:
    """Tell whether all runs of a message were a success, or were repeated by others that were."""
    open_ = _run.c.state != "ended"
    others = _run.c.message == message, or_(open_, and_(_run.c.outcome != "success", ~_run.c.settled))
    return connection.scalar(select(_run.c.id).where(*others).limit(1)) is None


def _older(
    connection: Connection,
    retention: Retention,
    period: Literal["payload", "history"],
    now: datetime,
    *more: ColumnElement[bool],
) -> list[str]:
    """Give some messages whose time is over and that are needed no more."""
    times = {name: _limit(of, period, now) for name, of in retention.workflows.items()}
    usual = _limit(retention, period, now)
    if not (latest := max(usual, *times.values(), 0)):
        return []
    runs_since = case(times, value=_run.c.workflow, else_=usual) if times else literal(usual)
    mine = _run.c.message == _message.c.id
    needed = exists().where(mine, or_(_message.c.received_at >= runs_since, *_needed(retention)))
    starts_none = ~exists().where(mine)
    over = or_(_message.c.received_at < usual, ~starts_none)
    wanted = select(_message.c.id).where(_message.c.received_at < latest, over, ~needed, *more)
    return list(connection.scalars(wanted.order_by(_message.c.received_at).limit(CHUNK)))


def _limit(retention: Retention, period: Literal["payload", "history"], now: datetime) -> int:
    """Give the time before which a message is old; with no period that is the beginning of time."""
    length: timedelta | None = getattr(retention, period)
    return 0 if length is None else micros(now - length)


def _needed(retention: Retention) -> Iterator[ColumnElement[bool]]:
    """Give what makes a run keep the payload of its message."""
    yield _run.c.state.in_(("available", "claimed"))
    others = [name for name, of in retention.workflows.items() if of.keep_failed != retention.keep_failed]
    keeps = _run.c.workflow.not_in(others) if retention.keep_failed else _run.c.workflow.in_(others)
    if retention.keep_failed or others:
        ended_badly = and_(_run.c.outcome.not_in((*GONE_WELL, "cancelled")), ~_run.c.settled)
        yield and_(keeps, or_(_run.c.state == "dead", _run.c.failed_items > 0, ended_badly))
