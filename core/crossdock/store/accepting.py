"""Accepting: how messages come into the store, many at a time, each once."""

import hashlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from crossdock.decoding import decode
from crossdock.errors import printable
from crossdock.state import encode
from crossdock.store import schema
from crossdock.store.errors import BacklogError, IdReusedError, StoreError
from crossdock.store.records import Accepted, NewMessage, NewRun, micros

_COUNT_AGAIN = 1.0
"""After how many seconds the waiting runs are counted anew: others may have accepted some too."""

_KNOWN = select(
    schema.message.c.id,
    schema.message.c.source,
    schema.message.c.idempotency,
    schema.message.c.sha256,
    schema.message.c.first_runs,
    schema.message.c.received_at,
).where(schema.message.c.idempotency.in_(bindparam("keys", expanding=True)))
_WAITING = select(func.count()).select_from(schema.run).where(schema.run.c.state == "available")

Row = dict[str, Any]
_Key = tuple[str, bytes]


class Arrival(NamedTuple):
    """A message on its way into the store: its row, and those of its runs."""

    message: Row
    runs: list[Row]
    bounded: bool
    """Whether it is refused if too many runs wait."""
    remembered_since: int
    """What has the same key and came before that is something else."""

    @property
    def key(self) -> _Key | None:
        """What it has in common with what was sent for it before."""
        digest = self.message["idempotency"]
        return None if digest is None else (self.message["source"], digest)

    @property
    def accepted(self) -> Accepted:
        """What its sender is told if it is new."""
        return Accepted(self.message["id"], tuple(run["id"] for run in self.runs))


def arrival(new: NewMessage, now: datetime, *, bounded: bool = False, edited_from: str | None = None) -> Arrival:
    """Make the rows of a message and its runs; what can't be stored is refused here, before anything is written."""
    id_ = new_id(now)
    received = micros(new.received_at or now)
    window = new.idempotency_window
    runs = [run_row(run, id_, now) for run in new.runs]
    message = {
        "id": id_,
        "kind": new.kind,
        "source": new.source,
        "received_at": received,
        "content_type": None if new.content_type is None else printable(new.content_type, 200),
        "size": len(new.body),
        "sha256": hashlib.sha256(new.body).digest(),
        "idempotency": digest(new.idempotency_key),
        "edited_from": edited_from,
        "first_runs": encode([run["id"] for run in runs]),
        "headers": encode([list(header) for header in new.headers]),
        "request": None if new.request is None else encode(new.request),
        "body": new.body,
    }
    return Arrival(message, runs, bounded, 0 if window is None else received - window // timedelta(microseconds=1))


def run_row(new: NewRun, message: str, now: datetime, **more: Any) -> Row:
    """Make the row of a new run.

    Args:
        new: What is to run.
        message: The id of what started it.
        now: When.
        more: Other columns.
    """
    at = micros(now)
    return {
        "id": new_id(now),
        "message": message,
        "workflow": new.workflow,
        "trigger": new.trigger,
        "project_version": new.project_version,
        "state": "available",
        "attempt": 0,
        "most_attempts": new.most_attempts,
        "queued_at": at,
        "due_at": at,
        "fence": 0,
        "beat": 0,
        "lease": 0.0,
        "cancelled": False,
        "serialize_by": digest(new.serialize_by),
        "retry_of": None,
        "only_failed": False,
        "settled": False,
        "failed_items": 0,
        "log_bytes": 0,
        "log_dropped": 0,
    } | more


ID_LENGTH = 32


def new_id(now: datetime) -> str:
    """Give an id that nobody else gives: the time first, so that new ones stand together in an index."""
    return f"{micros(now) // 1000:012x}{os.urandom(10).hex()}"


def digest(key: str | None) -> bytes | None:
    """Give what stands for a key that may be a person's: it is only ever compared."""
    return None if key is None else hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def insert_runs(connection: Connection, rows: Sequence[Row]) -> None:
    """Put runs into the queue."""
    if not rows:
        return
    names = {row["workflow"] for row in rows} - set(connection.scalars(select(schema.workflow.c.name)))
    if names:
        connection.execute(insert(schema.workflow), [{"name": name} for name in sorted(names)])
    connection.execute(insert(schema.run), rows)


class Intake:
    """Takes messages into the store.

    Args:
        most_waiting: How many runs may wait before bounded messages are refused; None for any number.
        monotonic: The clock by which the count of those that wait grows old.
    """

    def __init__(self, most_waiting: int | None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._most = most_waiting
        self._monotonic = monotonic
        self._waiting = 0
        self._counted_at = float("-inf")

    def accept(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Accepted | StoreError]:
        """Take messages in, and say of each what became of it."""
        known = _known(connection, arrivals)
        self._count(connection, arrivals)
        fresh: list[Arrival] = []
        results = [self._taken(one, known, fresh) for one in arrivals]
        if fresh:
            connection.execute(insert(schema.message), [one.message for one in fresh])
            insert_runs(connection, [run for one in fresh for run in one.runs])
        return results

    def _taken(
        self, one: Arrival, known: dict[_Key, tuple[bytes, Accepted]], fresh: list[Arrival]
    ) -> Accepted | StoreError:
        if one.key in known:
            return _again(one, *known[one.key])
        if one.bounded and one.runs and not self._has_room(len(one.runs)):
            return BacklogError(f"{self._waiting} runs wait, and max_pending allows {self._most}")
        fresh.append(one)
        if one.key is not None:
            known[one.key] = (one.message["sha256"], one.accepted)
        return one.accepted

    def _count(self, connection: Connection, arrivals: Sequence[Arrival]) -> None:
        """Count the runs that wait, if that matters now.

        Workers only make them fewer, so what was counted lately and has grown since is enough to say
        that there is room.
        """
        if self._most is None:
            return
        more = sum(len(one.runs) for one in arrivals if one.bounded)
        if self._waiting + more > self._most or self._monotonic() - self._counted_at > _COUNT_AGAIN:
            self._waiting, self._counted_at = connection.scalar(_WAITING) or 0, self._monotonic()

    def _has_room(self, more: int) -> bool:
        """Tell whether so many more runs may wait, and count them."""
        room = self._most is None or self._waiting + more <= self._most
        self._waiting += more if room else 0
        return room


def _known(connection: Connection, arrivals: Sequence[Arrival]) -> dict[_Key, tuple[bytes, Accepted]]:
    """Give what was answered to those of the messages that came before; keys that are too old are forgotten."""
    since = {one.key: one.remembered_since for one in arrivals if one.key is not None}
    rows = connection.execute(_KNOWN, {"keys": [key[1] for key in since]}).mappings().all() if since else ()
    known = {(row["source"], row["idempotency"]): row for row in rows}
    old = [row["id"] for key, row in known.items() if row["received_at"] < since.get(key, 0)]
    if old:
        forget_keys(connection, old)
    return {key: (row["sha256"], _answered(row)) for key, row in known.items() if row["id"] not in old}


def forget_keys(connection: Connection, messages: Sequence[str]) -> None:
    """Forget the idempotency keys of messages: they may come again."""
    connection.execute(update(schema.message).where(schema.message.c.id.in_(messages)).values(idempotency=None))


def _answered(row: Mapping[Any, Any]) -> Accepted:
    return Accepted(row["id"], tuple(decode(row["first_runs"])))


def _again(one: Arrival, sha256: bytes, answered: Accepted) -> Accepted | StoreError:
    if sha256 == one.message["sha256"]:
        return answered._replace(duplicate=True)
    return IdReusedError(f"{one.message['source']!r} got an idempotency key again that belongs to another body")
