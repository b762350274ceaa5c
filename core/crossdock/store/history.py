"""History: what there is in the store, for those who look.

Lists are read page by page, so that one who reads a long one slowly holds up nobody.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, or_, select

from crossdock.store import schema
from crossdock.store.accepting import ID_LENGTH
from crossdock.store.database import Database
from crossdock.store.errors import NoRecordError
from crossdock.store.leases import is_gone
from crossdock.store.progress import GONE_WELL
from crossdock.store.reading import MESSAGE_FACTS, cursors_of, decoded, kept_steps, message_of, stored_message
from crossdock.store.records import (
    Attempt,
    Line,
    Queue,
    RunDetails,
    RunEnd,
    Search,
    Stats,
    StoredMessage,
    StoredRun,
    micros,
    moment,
)
from crossdock.store.text import holds

PAGE = 200

_run, _message, _step, _log = schema.run, schema.message, schema.step, schema.log
_RUN_FACTS = [_run.c[name] for name in StoredRun._fields]
_TIMES = ("queued_at", "due_at", "first_started_at", "ended_at")


_OPEN = ("available", "claimed", "dead")
_COUNTED = (
    select(_run.c.workflow, _run.c.state, func.count())
    .where(_run.c.state.in_(_OPEN))
    .group_by(_run.c.workflow, _run.c.state)
)
_FIRST = select(
    schema.workflow.c.name,
    select(_run.c.queued_at)
    .where(_run.c.state == "available", _run.c.workflow == schema.workflow.c.name)
    .order_by(_run.c.number)
    .limit(1)
    .scalar_subquery(),
)


class History:
    """What there is in the store.

    Args:
        database: Where it is.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def messages(self, search: Search) -> Iterator[StoredMessage]:
        """Give messages without their payload, the newest first."""
        wanted = select(*MESSAGE_FACTS).where(*_of_messages(search))
        return (stored_message(row) for row in self._pages(wanted, _message.c.number, newest_first=True))

    def run_id(self, beginning: str) -> str:
        """Give the id of the run that begins so; what no run begins with, or is under 8 characters, stays what it is.

        Raises:
            NoRecordError: Several do.
        """
        return self._whole_id(_run.c.id, beginning, "runs")

    def message_id(self, beginning: str) -> str:
        """Give the id of the message that begins so; see ``run_id``."""
        return self._whole_id(_message.c.id, beginning, "messages")

    def _whole_id(self, column: Any, beginning: str, what: str) -> str:
        found = select(column).where(column.startswith(beginning, autoescape=True)).limit(2)
        with self._database.read() as connection:
            ids = list(connection.scalars(found)) if 8 <= len(beginning) < ID_LENGTH else []
        if len(ids) > 1:
            raise NoRecordError(f"the ids of several {what} begin with {beginning!r:.100}", fix="Give more of the id.")
        return str(ids[0]) if ids else beginning

    def message(self, id_: str) -> StoredMessage:
        """Give a message with its payload."""
        with self._database.read() as connection:
            return message_of(connection, id_)

    def runs(self, search: Search) -> Iterator[StoredRun]:
        """Give runs, the newest first."""
        wanted = select(*_RUN_FACTS).where(*_of_runs(search))
        return (stored_run(row) for row in self._pages(wanted, _run.c.number, newest_first=True))

    def run(self, id_: str) -> RunDetails:
        """Give a run with all that it left but its log."""
        with self._database.read() as connection:
            row = connection.execute(select(_run).where(_run.c.id == id_)).mappings().first()
            if row is None:
                raise NoRecordError(f"there is no run {id_!r:.100}")
            return RunDetails(
                run=stored_run(row),
                message=message_of(connection, row["message"]),
                attempts=tuple(_attempts(connection, row["number"])),
                steps=tuple(kept_steps(connection, row["number"])),
                error=decoded(row["error"], None),
                final=row["final"],
            )

    def abandoned(self) -> list[str]:
        """Give the runs in work whose worker is certainly gone; a server puts them back within seconds."""
        held = select(_run.c.id, _run.c.place).where(_run.c.state == "claimed")
        with self._database.read() as connection:
            return [row.id for row in connection.execute(held) if is_gone(row.place)]

    def end(self, id_: str) -> RunEnd | None:
        """Tell how a run ended, None as long as it goes on; cheap, for those who wait for it."""
        ended = select(_run.c.outcome, _run.c.final).where(_run.c.id == id_, _run.c.state.in_(("ended", "dead")))
        with self._database.read() as connection:
            row = connection.execute(ended).first()
        return None if row is None else RunEnd(*row)

    def succeeded_at(self, workflow: str) -> datetime | None:
        """Tell when a run of a workflow last succeeded, at least in part; None if none has that is known of."""
        well = (_run.c.workflow == workflow, _run.c.state == "ended", _run.c.outcome.in_(GONE_WELL))
        newest = select(_run.c.ended_at).where(*well).order_by(_run.c.number.desc()).limit(PAGE).subquery()
        with self._database.read() as connection:
            last = connection.scalar(select(func.max(newest.c.ended_at)))
        return None if last is None else moment(last)

    def cursors(self, workflow: str) -> dict[str, Any]:
        """Give where the next run of a workflow starts, by name."""
        with self._database.read() as connection:
            return cursors_of(connection, workflow)

    def lines(self, id_: str, *, follow: bool = False, pause: float = 0.5) -> Iterator[Line]:
        """Give the log of a run; what was over its limit is told at the end.

        Args:
            id_: The run.
            follow: Whether to go on as it grows, until the run has ended.
            pause: After how many seconds it is looked at again.
        """
        number, last = self.run(id_).run.number, 0
        while True:
            goes_on = follow and self.end(id_) is None  # asked first: what comes before the end is in the log then
            wanted = select(_log).where(_log.c.run == number, _log.c.number > last)
            for row in self._pages(wanted, _log.c.number, newest_first=False):
                last = row["number"]
                yield Line(moment(row["at"]), row["level"], row["text"].decode(), row["step"])
            if not goes_on:
                break
            time.sleep(pause)
        run = self.run(id_).run
        if run.log_dropped:
            text = f"{run.log_dropped} more lines were dropped: the log of a run has a limit"
            yield Line(run.ended_at or run.queued_at, "warning", text)

    def stats(self) -> list[Stats]:
        """Give how much there is of each workflow."""
        with self._database.read() as connection:
            names = connection.scalars(select(schema.workflow.c.name).order_by(schema.workflow.c.name)).all()
            return [_stats(connection, name) for name in names]

    def queues(self) -> list[Queue]:
        """Give what of each workflow has not come to its end, from an index: that takes no longer with a long history."""
        with self._database.read() as connection:
            counted = {(row[0], row[1]): row[2] for row in connection.execute(_COUNTED)}
            first = {row[0]: moment(row[1]) for row in connection.execute(_FIRST) if row[1] is not None}
            names = connection.scalars(select(schema.workflow.c.name).order_by(schema.workflow.c.name)).all()
        return [_queue(name, counted, first.get(name)) for name in names]

    def _pages(self, wanted: Select[Any], number: ColumnElement[int], *, newest_first: bool) -> Iterator[Any]:
        """Read rows page by page, each page in a transaction of its own."""
        order = number.desc() if newest_first else number
        last: int | None = None
        while True:
            beyond = [] if last is None else [number < last if newest_first else number > last]
            with self._database.read() as connection:
                rows = connection.execute(wanted.where(*beyond).order_by(order).limit(PAGE)).mappings().all()
            yield from rows
            if len(rows) < PAGE:
                return
            last = rows[-1]["number"]


def stored_run(row: Any) -> StoredRun:
    """Give a run without what it handled."""
    times = {name: None if row[name] is None else moment(row[name]) for name in _TIMES}
    return StoredRun(**{name: row[name] for name in StoredRun._fields} | times)


def _attempts(connection: Connection, number: int) -> Iterator[Attempt]:
    table = schema.attempt
    for row in connection.execute(select(table).where(table.c.run == number).order_by(table.c.fence)).mappings():
        times = {name: None if row[name] is None else moment(row[name]) for name in ("started_at", "ended_at")}
        yield Attempt(**{name: row[name] for name in Attempt._fields} | times)


def _of_messages(search: Search) -> Iterator[ColumnElement[bool]]:
    """Give the conditions of a search for messages."""
    if search.source is not None:
        yield _message.c.source == search.source
    if search.since is not None:
        yield _message.c.received_at >= micros(search.since)
    if search.until is not None:
        yield _message.c.received_at < micros(search.until)
    if search.text is not None:
        yield or_(message_holds(search.text), _message.c.id.in_(select(_run.c.message).where(run_holds(search.text))))
    of_runs = search._replace(source=None, since=None, until=None, text=None)
    if of_runs != Search():
        yield _message.c.id.in_(select(_run.c.message).where(*_of_runs(of_runs)))


def _of_runs(search: Search) -> Iterator[ColumnElement[bool]]:
    """Give the conditions of a search for runs."""
    if search.workflow is not None:
        yield _run.c.workflow == search.workflow
    if search.outcome in ("available", "claimed", "dead"):
        yield _run.c.state == search.outcome
    elif search.outcome is not None:
        yield _run.c.outcome == search.outcome
    if search.unsettled:
        yield ~_run.c.settled
    if search.since is not None:
        yield _run.c.queued_at >= micros(search.since)
    if search.until is not None:
        yield _run.c.queued_at < micros(search.until)
    yield from _of_their_messages(search)


def _of_their_messages(search: Search) -> Iterator[ColumnElement[bool]]:
    """Give the conditions of a search for runs that are about their messages."""
    if search.message is not None:
        yield _run.c.message == search.message
    if search.source is not None:
        yield _run.c.message.in_(select(_message.c.id).where(_message.c.source == search.source))
    if search.text is not None:
        yield or_(run_holds(search.text), _run.c.message.in_(select(_message.c.id).where(message_holds(search.text))))


def message_holds(text: str) -> ColumnElement[bool]:
    """Tell whether the payload of a message holds a text."""
    return or_(*(holds(column, text) for column in (_message.c.body, _message.c.request, _message.c.headers)))


def run_holds(text: str) -> ColumnElement[bool]:
    """Tell whether what a run left holds a text."""
    in_steps = or_(*(holds(_step.c[name], text) for name in ("output", "received", "written", "failed")))
    return or_(
        *(holds(column, text) for column in (_run.c.final, _run.c.error)),
        exists().where(_step.c.run == _run.c.number, in_steps),
        exists().where(_log.c.run == _run.c.number, holds(_log.c.text, text)),
    )


def _queue(workflow: str, counted: Mapping[tuple[str, str], int], first_waiting: datetime | None) -> Queue:
    waiting, running, dead = (counted.get((workflow, state), 0) for state in _OPEN)
    return Queue(workflow, waiting, running, dead, first_waiting)


def _stats(connection: Connection, workflow: str) -> Stats:
    mine = _run.c.workflow == workflow
    states = _counted(connection, _run.c.state, mine)
    oldest = connection.scalar(select(func.min(_run.c.queued_at)).where(mine, _run.c.state == "available"))
    return Stats(
        workflow=workflow,
        waiting=states.get("available", 0),
        running=states.get("claimed", 0),
        dead=states.get("dead", 0),
        failed_items=connection.scalar(select(func.sum(_run.c.failed_items)).where(mine)) or 0,
        oldest_waiting=None if oldest is None else moment(oldest),
        ended=_counted(connection, _run.c.outcome, mine, _run.c.state == "ended"),
    )


def _counted(connection: Connection, column: ColumnElement[Any], *of_runs: ColumnElement[bool]) -> dict[str, int]:
    """Count runs by what stands in a column."""
    rows = connection.execute(select(column, func.count()).where(*of_runs).group_by(column))
    return {row[0]: row[1] for row in rows}
