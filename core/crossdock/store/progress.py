"""Progress: what a worker writes down about the run that it holds.

Every write first asks for the fence: a worker whose lease is gone, and who may not know, writes nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, delete, insert, select, update

from crossdock.errors import printable
from crossdock.state import encode
from crossdock.store import schema
from crossdock.store.accepting import Arrival, Intake
from crossdock.store.claiming import back, end_attempt, ended
from crossdock.store.errors import StaleLeaseError
from crossdock.store.records import MOST_OF_A_LINE, Again, Claimed, Finish, Line, RunState, StepEnd, micros

GONE_WELL = ("success", "partial")

_run, _step = schema.run, schema.step
_HELD = and_(_run.c.number == bindparam("b_number"), _run.c.fence == bindparam("b_fence"), _run.c.state == "claimed")
_BEAT = update(_run).where(_HELD).values(beat=_run.c.beat + 1)
_CHANGE = update(_run).where(_run.c.number == bindparam("b_number"))
_CANCELLED = select(_run.c.cancelled).where(_run.c.number == bindparam("b_number"))
_SAME_STEP = delete(_step).where(
    _step.c.run == bindparam("run"), _step.c.fence == bindparam("fence"), _step.c.name == bindparam("name")
)
_NEW_STEP = insert(_step)


def hold(connection: Connection, claimed: Claimed) -> None:
    """Refuse a worker whose lease is gone; of one that has it, this is a heartbeat too."""
    if connection.execute(_BEAT, {"b_number": claimed.number, "b_fence": claimed.fence}).rowcount == 0:
        raise StaleLeaseError(f"attempt {claimed.attempt} of the run {claimed.run} has lost its lease")


def heartbeat(connection: Connection, claimed: Claimed) -> bool:
    """Say that the worker is still there, and tell whether the run is to go on."""
    hold(connection, claimed)
    return not connection.scalar(_CANCELLED, {"b_number": claimed.number})


def checkpoint(connection: Connection, claimed: Claimed, cursors: Mapping[str, bytes], now: datetime) -> None:
    """Keep cursors however the run ends."""
    hold(connection, claimed)
    keep_cursors(connection, claimed, cursors, micros(now))


def keep_cursors(connection: Connection, claimed: Claimed, cursors: Mapping[str, bytes], now: int) -> None:
    """Put cursors of a workflow in place."""
    if not cursors:
        return
    table = schema.cursor
    mine = table.c.workflow == claimed.workflow
    connection.execute(delete(table).where(mine, table.c.name.in_(list(cursors))))
    row = {"workflow": claimed.workflow, "run": claimed.run, "at": now}
    connection.execute(insert(table), [{**row, "name": name, "value": value} for name, value in cursors.items()])


def step_row(claimed: Claimed, end: StepEnd, now: datetime) -> dict[str, Any]:
    """Make the row of a step that ended."""
    written = {key: value for key, value in end.written.items() if key != "failed"}
    failed = end.written.get("failed")
    return {
        "run": claimed.number,
        "fence": claimed.fence,
        "name": end.step,
        "outcome": end.outcome,
        "error_code": end.error_code,
        "kept": True,
        "ended_at": micros(now),
        "seconds": end.seconds,
        "written": encode(written),
        "failed": encode(failed) if failed else None,
        "received": end.received,
        "output": end.output,
    }


def end_step(connection: Connection, claimed: Claimed, row: Mapping[str, Any], cursors: Mapping[str, bytes]) -> None:
    """Write down how a step ended, and the cursors that it checkpointed."""
    hold(connection, claimed)
    _keep_step(connection, row)
    keep_cursors(connection, claimed, cursors, row["ended_at"])


def _keep_step(connection: Connection, row: Mapping[str, Any]) -> None:
    connection.execute(_SAME_STEP, {key: row[key] for key in ("run", "fence", "name")})  # told twice, it ended once
    connection.execute(_NEW_STEP, row)


def write_lines(connection: Connection, claimed: Claimed, rows: Sequence[Mapping[str, Any]], most: int) -> None:
    """Append to the log of a run, up to as many bytes in all; what is over that is counted."""
    hold(connection, claimed)
    _keep_lines(connection, claimed, rows, most)


def _keep_lines(connection: Connection, claimed: Claimed, rows: Sequence[Mapping[str, Any]], most: int) -> None:
    had = connection.scalar(select(_run.c.log_bytes).where(_run.c.number == claimed.number)) or 0
    fitting, size = [], had
    for row in rows:
        size += len(row["text"])
        if size > most:
            break
        fitting.append(row)
    used = sum(len(row["text"]) for row in fitting) if len(fitting) == len(rows) else max(most - had, 0)
    if fitting:
        connection.execute(insert(schema.log), fitting)
    counted = {"log_bytes": _run.c.log_bytes + used, "log_dropped": _run.c.log_dropped + len(rows) - len(fitting)}
    connection.execute(update(_run).where(_run.c.number == claimed.number).values(**counted))


def line_row(claimed: Claimed, line: Line) -> dict[str, Any]:
    """Make the row of a line."""
    row = {"run": claimed.number, "fence": claimed.fence, "step": line.step, "at": micros(line.at)}
    return {**row, "level": line.level, "text": _fitting(printable(line.text, MOST_OF_A_LINE).encode())}


def _fitting(text: bytes) -> bytes:
    if len(text) <= MOST_OF_A_LINE:
        return text
    return text[:MOST_OF_A_LINE].decode(errors="ignore").encode() + f"… ({len(text)} bytes)".encode()


class Brought(NamedTuple):
    """The rows that the end of an attempt brings with it."""

    steps: Sequence[Mapping[str, Any]]
    lines: Sequence[Mapping[str, Any]]
    follow: Sequence[Arrival]


def brought(claimed: Claimed, end: Finish, now: datetime, follow: Sequence[Arrival]) -> Brought:
    """Make the rows that the end of an attempt brings with it."""
    steps = [step_row(claimed, step, now) for step in end.steps]
    lines = [line_row(claimed, line) for line in end.lines]
    return Brought(steps, lines, follow)


class Ends:
    """How attempts end.

    Args:
        intake: What accepts the messages that an end gives rise to.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    def finish(self, connection: Connection, claimed: Claimed, end: Finish, now: datetime, rows: Brought) -> RunState:
        """Write down how an attempt ended, and tell where the run is now."""
        hold(connection, claimed)
        for step in rows.steps:
            _keep_step(connection, step)
        if rows.lines:
            _keep_lines(connection, claimed, rows.lines, end.most_log)
        state, at = next_state(claimed, end), micros(now)
        code = None if end.error is None else end.error.get("code")
        values: dict[str, Any] = {"state": state, "outcome": end.outcome, "error_code": code, "place": None}
        values |= {"error": None if end.error is None else encode(end.error), "final": end.final}
        if state == "available" and end.again is not None:
            values |= {"queued_at": at, "due_at": at + int(end.again.after * 1_000_000)}
            _forget(connection, claimed, end.again)
        else:
            values |= ended(connection, claimed.number, at)
        connection.execute(_CHANGE, {"b_number": claimed.number, **values})
        end_attempt(connection, claimed.number, claimed.fence, ended_at=at, outcome=end.outcome, error_code=code)
        if end.outcome in GONE_WELL:
            keep_cursors(connection, claimed, {name: encode(value) for name, value in end.cursors.items()}, at)
            _succeed_for(connection, claimed)
        if rows.follow:
            self._intake.accept(connection, rows.follow)
        return state


def give_back(connection: Connection, claimed: Claimed, now: datetime) -> None:
    """Put a run back that was not tried to its end; the attempt does not count."""
    hold(connection, claimed)
    at = micros(now)
    cancelled = bool(connection.scalar(_CANCELLED, {"b_number": claimed.number}))
    change = back(connection, claimed.number, at, cancelled=cancelled)
    values = {"attempt": claimed.attempt - 1, "place": None, **change}
    connection.execute(_CHANGE, {"b_number": claimed.number, **values})
    end_attempt(connection, claimed.number, claimed.fence, ended_at=at, outcome="interrupted")


def next_state(claimed: Claimed, end: Finish) -> RunState:
    """Tell where a run is after an attempt."""
    if end.dead:
        return "dead"
    if end.again is None:
        return "ended"
    return "available" if claimed.attempt < claimed.most_attempts else "dead"


def _forget(connection: Connection, claimed: Claimed, again: Again) -> None:
    """Let steps count no longer as ended: those that are named, and those that failed."""
    redone = _step.c.name.in_(list(again.forget)) | _step.c.outcome.not_in(GONE_WELL)
    connection.execute(update(_step).where(_step.c.run == claimed.number, redone).values(kept=False))


def _succeed_for(connection: Connection, claimed: Claimed) -> None:
    """Let go of the failed items of another run that this one was run for: what failed again is kept here."""
    if claimed.retry_of is None or not claimed.failed:
        return
    earlier = select(_run.c.number).where(_run.c.id == claimed.retry_of).scalar_subquery()
    connection.execute(update(_step).where(_step.c.run == earlier).values(failed=None))
    connection.execute(update(_run).where(_run.c.id == claimed.retry_of).values(failed_items=0))
