"""Retention: how long what is stored stays, and how it goes.

SQLite writes zeros over what it deletes, and its log is emptied afterwards. PostgreSQL gives the space of
deleted rows to new ones when it vacuums, and to the disk by ``VACUUM FULL``.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, or_, select, update

from crossdock.store import schema
from crossdock.store.errors import RunStateError
from crossdock.store.history import message_holds, run_holds
from crossdock.store.progress import GONE_WELL
from crossdock.store.records import Pruned, Retention, micros

CHUNK = 500
"""How many messages one transaction erases: others wait for it."""

_run, _message, _step, _log = schema.run, schema.message, schema.step, schema.log


def prune(connection: Connection, retention: Retention, now: datetime) -> Pruned:
    """Erase some of what has stayed long enough; nothing erased means that nothing is left to erase."""
    old, wiped = list[str](), list[str]()
    if retention.history is not None:
        old = _older(connection, micros(now - retention.history), retention)
        remove(connection, old)
    if retention.payload is not None:
        wiped = _older(connection, micros(now - retention.payload), retention, _message.c.wiped_at.is_(None))
        wipe(connection, wiped, now)
    return Pruned(len(wiped), len(old))


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


def all_went_well(connection: Connection, message: str) -> bool:
    """Tell whether all runs of a message were a success, or were repeated by others that were."""
    open_ = _run.c.state != "ended"
    others = _run.c.message == message, or_(open_, and_(_run.c.outcome != "success", ~_run.c.settled))
    return connection.scalar(select(_run.c.id).where(*others).limit(1)) is None


def _older(connection: Connection, at: int, retention: Retention, *more: ColumnElement[bool]) -> list[str]:
    """Give some messages that were received before a time and are needed no more."""
    needed = exists().where(_run.c.message == _message.c.id, or_(*_needed(retention)))
    wanted = select(_message.c.id).where(_message.c.received_at < at, ~needed, *more)
    return list(connection.scalars(wanted.order_by(_message.c.received_at).limit(CHUNK)))


def _needed(retention: Retention) -> Iterator[ColumnElement[bool]]:
    """Give what makes a run keep the payload of its message."""
    yield _run.c.state.in_(("available", "claimed"))
    if retention.keep_failed:
        yield _run.c.state == "dead"
        yield _run.c.failed_items > 0
        yield and_(_run.c.outcome.not_in((*GONE_WELL, "cancelled")), ~_run.c.settled)
