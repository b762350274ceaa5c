"""Rerun: what an operator does with runs and messages: again, no further, never mind."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, case, insert, literal, select, update

from crossdock.store import schema
from crossdock.store.accepting import Intake, Row, arrival, insert_runs, run_row
from crossdock.store.claiming import back
from crossdock.store.errors import NoRecordError, RunStateError, WipedError
from crossdock.store.reading import message_of
from crossdock.store.records import Accepted, NewMessage, NewRun, RunState, StoredMessage, micros

_run, _step = schema.run, schema.step


def retry(
    connection: Connection, run: str, now: datetime, *, keep: Collection[str], only_failed: bool, version: str | None
) -> str:
    """Start a run that repeats another one, and give its id; if one waits or goes on already, give that one's."""
    before = _locked(connection, run)
    repeating = select(_run.c.id).where(_run.c.retry_of == run, _run.c.state.in_(("available", "claimed")))
    if (already := connection.scalar(repeating)) is not None:
        return str(already)
    _check_repeatable(connection, before, only_failed=only_failed)
    row = _repeating(before, now) | {
        "only_failed": only_failed,
        "project_version": version or before["project_version"],
    }
    insert_runs(connection, [row])
    _take_over(connection, before, row["id"], keep)
    _settle(connection, _run.c.id == run)
    return str(row["id"])


def cancel(connection: Connection, run: str, now: datetime) -> RunState:
    """End a run that waits, and ask the worker of one that goes on to end it."""
    row = _locked(connection, run)
    values: dict[str, Any] = {"cancelled": True}
    if row["state"] == "available":
        values |= back(connection, row["number"], micros(now), cancelled=True)
    elif row["state"] != "claimed":
        raise RunStateError(f"the run {run} has ended already", fix="There is nothing to cancel.")
    connection.execute(update(_run).where(_run.c.id == run).values(**values))
    return "ended" if row["state"] == "available" else "claimed"


def drop(connection: Connection, run: str) -> None:
    """Let go of a dead run, and of the items that a run put aside."""
    row = _locked(connection, run)
    if row["state"] in ("available", "claimed"):
        raise RunStateError(f"the run {run} has not ended", fix="Cancel it first.")
    _settle(connection, _run.c.id == run)
    connection.execute(update(_step).where(_step.c.run == row["number"]).values(failed=None))
    connection.execute(update(_run).where(_run.c.id == run).values(failed_items=0))


def replay(connection: Connection, message: str, runs: Sequence[NewRun], now: datetime) -> Accepted:
    """Start runs for a message that is there already."""
    stored = _whole(connection, message)
    rows = [run_row(run, stored.id, now) for run in runs]
    insert_runs(connection, rows)
    _settle(connection, _run.c.message == message)
    return Accepted(stored.id, tuple(row["id"] for row in rows))


def edit_and_replay(
    connection: Connection, intake: Intake, message: str, body: bytes, runs: Sequence[NewRun], now: datetime
) -> Accepted:
    """Accept a message that is another one with another body."""
    old = _whole(connection, message)
    new = NewMessage(old.source, body, runs, old.kind, old.content_type, old.headers, old.request, received_at=now)
    one = arrival(new, now, edited_from=old.id)
    intake.accept(connection, [one])
    _settle(connection, _run.c.message == message)
    return one.accepted


def _locked(connection: Connection, run: str) -> RowMapping:
    """Give a run that nobody else can change before this transaction ends."""
    connection.execute(update(_run).where(_run.c.id == run).values(cancelled=_run.c.cancelled))
    row = connection.execute(select(_run).where(_run.c.id == run)).mappings().first()
    if row is None:
        raise NoRecordError(f"there is no run {run!r:.100}")
    return row


def _whole(connection: Connection, message: str) -> StoredMessage:
    stored = message_of(connection, message)
    if stored.wiped_at is not None:
        raise WipedError(f"the payload of the message {message} was erased at {stored.wiped_at:%Y-%m-%d %H:%M}")
    return stored


def _check_repeatable(connection: Connection, before: RowMapping, *, only_failed: bool) -> None:
    if before["state"] not in ("ended", "dead"):
        raise RunStateError(f"the run {before['id']} has not ended: it is {before['state']}", fix="Wait for its end.")
    if only_failed and not before["failed_items"]:
        fix = "Repeat the run that tried them last, which has them now: crossdock runs list --outcome partial."
        raise RunStateError(f"the run {before['id']} has no failed items, or has them no more", fix=fix)
    _whole(connection, before["message"])


def _repeating(before: RowMapping, now: datetime) -> Row:
    new = NewRun(before["workflow"], before["trigger"], before["project_version"], before["most_attempts"])
    more = {"serialize_by": before["serialize_by"], "retry_of": before["id"]}
    return run_row(new, before["message"], now, **more)


def _take_over(connection: Connection, before: RowMapping, run: str, keep: Collection[str]) -> None:
    """Copy the ends of the steps that are not run again."""
    if not keep:
        return
    mine = select(_run.c.number).where(_run.c.id == run).scalar_subquery()
    columns = [column for column in _step.c if column.name not in ("number", "run", "fence")]
    kept = select(mine, literal(0), *columns).where(
        _step.c.run == before["number"], _step.c.kept, _step.c.name.in_(list(keep))
    )
    names = ["run", "fence", *(column.name for column in columns)]
    connection.execute(insert(_step).from_select(names, kept.order_by(_step.c.number)))


def _settle(connection: Connection, *of_runs: ColumnElement[bool]) -> None:
    """Write down that somebody took care of runs that did not end well: they are dead no more, and needed no more."""
    state = case((_run.c.state == "dead", "ended"), else_=_run.c.state)
    ended = _run.c.state.in_(("dead", "ended"))
    connection.execute(update(_run).where(ended, *of_runs).values(state=state, settled=True))
