"""Store: what was received, what runs, and what became of it, on the disk before anybody is told."""

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from crossdock.state import encode
from crossdock.store import probing, progress, rerun, retention
from crossdock.store.accepting import Arrival, Intake, arrival
from crossdock.store.backup import back_up
from crossdock.store.claiming import Queue
from crossdock.store.database import Database
from crossdock.store.history import History
from crossdock.store.leases import Watch
from crossdock.store.lock import only_server, release
from crossdock.store.reading import claimed_of
from crossdock.store.records import (
    MOST_OF_A_LOG,
    Accepted,
    Claimed,
    Erased,
    Finish,
    Follow,
    Limit,
    Line,
    NewMessage,
    NewRun,
    Pruned,
    Retention,
    RunState,
    StepEnd,
)
from crossdock.store.upgrade import bring_up, prepare
from crossdock.store.writer import Writer

_FOR_SENDERS = timedelta(minutes=1)
"""How long a final state stays for a sender who waits for it, even where nothing stays that went well."""


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """What was received, what runs, and what became of it.

    Threads may share one; a process that forks opens its own. What a method writes is on the disk
    when it returns.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        folder: What a path is relative to; by default the current folder.
        create: Whether to make it if it is not there.
        upgrade: Whether to bring its tables up to this version, instead of refusing older ones.
        serving: Whether this is the one server that a file of SQLite may have; others may read and write beside it.
        most_waiting: How many runs may wait before ``accept`` refuses messages; None for any number.
        keeping: How long what is stored stays; by default for ever.
        follow: What says which messages follow from the end of a run; by default none do.
        now: What tells the time.
        monotonic: A clock that only goes forward.

    Raises:
        StoreError: It can't be opened; the class says why.
    """

    def __init__(
        self,
        url: str,
        *,
        folder: Path | None = None,
        create: bool = True,
        upgrade: bool = True,
        serving: bool = False,
        most_waiting: int | None = None,
        keeping: Retention | None = None,
        follow: Follow = lambda *_: (),
        now: Callable[[], datetime] = _now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = Database(url, folder or Path())
        self._lock: int | None = None
        self._keeping = keeping or Retention()
        self._follow = follow
        self._now = now
        try:
            prepare(self._database, create=create)
            self._lock = only_server(self._database.file) if serving and self._database.file else None
            bring_up(self._database, may_upgrade=upgrade)
        except BaseException:
            self._close()
            raise
        self._writer = Writer(self._database.write)
        self._intake = Intake(most_waiting, monotonic)
        self._queue = Queue(is_sqlite=self._database.is_sqlite, watch=Watch(monotonic), now=now, follow=self._dead)
        self._ends = progress.Ends(self._intake)
        self._monotonic = monotonic
        self._for_senders: deque[tuple[float, str]] = deque()
        """When the payload of which message may go, those first whose sender has waited longest."""
        self._erased = threading.Event()
        """Whether the log of SQLite may hold what was erased."""
        self.history = History(self._database)
        """What there is: lists of messages and runs, their details, logs, figures."""

    def close(self) -> None:
        """Write what waits, and close all connections."""
        self._writer.close()
        self._close()

    def _close(self) -> None:
        self._database.close()
        if self._lock is not None:
            release(self._lock)
            self._lock = None

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What triggers do.

    def accept(self, message: NewMessage) -> Accepted:
        """Take a message in, with the runs that it starts.

        Returns:
            Its id and those of its runs; if it came before, those that were given at that time.

        Raises:
            IdReusedError: Its idempotency key came before, with another body.
            BacklogError: Too many runs wait.
            StoreFullError: There is no space.
            StoreUnavailableError: The database can't be reached.
        """
        return self.accept_soon(message).result()

    def accept_soon(self, message: NewMessage) -> "Future[Accepted]":
        """Take a message in without waiting for the disk; see ``accept``."""
        return self._writer.soon(self._intake.accept, arrival(message, self._now(), bounded=True))

    # What workers do.

    def claim(self, worker: str, *, lease: float = 30.0, limits: Mapping[str, Limit] | None = None) -> Claimed | None:
        """Take the first run that may start now.

        Args:
            worker: Who takes it, for those who look.
            lease: After how many seconds without a heartbeat it goes to another worker.
            limits: Workflow → how many of its runs may go on at the same time; one of each by default.
        """
        row = self._writer.write(lambda c: self._queue.claim(c, worker, lease, limits or {}))
        if row is None:
            return None
        with self._database.read() as connection:
            return claimed_of(connection, row)

    def heartbeat(self, claimed: Claimed) -> bool:
        """Say that the worker is still there.

        Returns:
            Whether the run is to go on; somebody may have cancelled it.

        Raises:
            StaleLeaseError: The run belongs to somebody else by now. So do all methods that take what was claimed.
        """
        return self._writer.write(lambda c: progress.heartbeat(c, claimed))

    def checkpoint(self, claimed: Claimed, cursors: Mapping[str, Any]) -> None:
        """Keep cursors whose work is committed, however the run ends."""
        values, now = _encoded(cursors), self._now()
        self._writer.write(lambda c: progress.checkpoint(c, claimed, values, now))

    def step_ended(self, claimed: Claimed, end: StepEnd, *, cursors: Mapping[str, Any] | None = None) -> None:
        """Write down how a step ended, together with cursors that are kept however the run ends.

        From now on an attempt that takes the run up does not run the step again.
        """
        row, values = progress.step_row(claimed, end, self._now()), _encoded(cursors or {})
        self._writer.write(lambda c: progress.end_step(c, claimed, row, values))

    def log(self, claimed: Claimed, lines: Sequence[Line], *, most: int = MOST_OF_A_LOG) -> None:
        """Append lines to the log of a run; lines over 64 kB are cut, and those over ``most`` bytes a run only counted."""
        rows = [progress.line_row(claimed, line) for line in lines]
        self._writer.write(lambda c: progress.write_lines(c, claimed, rows, most))

    def finish(self, claimed: Claimed, end: Finish) -> RunState:
        """Write down how an attempt ended, together with all that is not written down yet.

        Returns:
            Where the run is now: at its end, in the queue again, or dead.
        """
        now = self._now()
        follow = self._followers(claimed, end, now) if progress.next_state(claimed, end) != "available" else []
        rows = progress.brought(claimed, end, now, follow)
        return self._writer.write(lambda c: self._finished(c, claimed, end, now, rows))

    def give_back(self, claimed: Claimed) -> None:
        """Put a run back that was not tried to its end, as when the server stops; the attempt does not count."""
        now = self._now()
        self._writer.write(lambda c: progress.give_back(c, claimed, now))

    def tidy(self) -> int:
        """Put back the runs whose worker is gone, as each claim does too; a server calls it every few seconds.

        Returns:
            How many there were.
        """
        self._erase_answered()
        if self._erased.is_set():
            self._empty_log()
        return self._writer.write(self._queue.expire)

    # What operators do.

    def retry(
        self, run: str, *, keep: Collection[str] = (), only_failed: bool = False, project_version: str | None = None
    ) -> str:
        """Repeat a run that ended.

        Args:
            run: Its id.
            keep: The steps that are not run again; what they handed on is taken from it.
            only_failed: Whether it is for the items alone that it put aside.
            project_version: The version of the project that it runs on; by default the same.

        Returns:
            The id of the new run; if one waits or goes on already, that one's.

        Raises:
            RunStateError: It has not ended, or has no failed items.
            WipedError: What it received was erased.
        """
        repeat = partial(rerun.retry, run=run, now=self._now(), keep=keep, only_failed=only_failed)
        return self._writer.write(partial(repeat, version=project_version))

    def cancel(self, run: str) -> RunState:
        """Cancel a run: one that waits ends now, and the worker of one that goes on is told by its next heartbeat.

        Raises:
            RunStateError: It has ended.
        """
        now = self._now()
        return self._writer.write(lambda c: rerun.cancel(c, run, now))

    def drop(self, run: str) -> None:
        """Let go of a dead run and of failed items; nothing keeps their payload from being erased any more."""
        self._writer.write(lambda c: rerun.drop(c, run))

    def replay(self, message: str, runs: Sequence[NewRun]) -> Accepted:
        """Start runs for a message again.

        Raises:
            WipedError: Its payload was erased.
        """
        now = self._now()
        return self._writer.write(lambda c: rerun.replay(c, message, runs, now))

    def edit_and_replay(self, message: str, body: bytes, runs: Sequence[NewRun]) -> Accepted:
        """Accept another body in the place of a message, which stays as it was.

        Returns:
            The new message, which names the other one, and its runs.
        """
        now = self._now()
        return self._writer.write(lambda c: rerun.edit_and_replay(c, self._intake, message, body, runs, now))

    def prune(self) -> Pruned:
        """Erase what has stayed as long as the retention says, and forget idempotency keys after their time."""
        total = Pruned(0, 0)
        if self._keeping.erases:
            with self._database.read() as connection:
                well = retention.gone_well(connection, self._now() - _FOR_SENDERS)
                left = [message for message in well if self._keeps_nothing(connection, message)]
            self._wipe(left)
            total = Pruned(len(left), 0)
        while any(some := self._writer.write(lambda c: retention.prune(c, self._keeping, self._now()))):
            total = Pruned(total.payloads + some.payloads, total.messages + some.messages)
        while self._writer.write(lambda c: retention.forget(c, self._keeping.windows, self._now())):
            pass
        self._empty_log()
        return total

    def erase(self, message: str) -> None:
        """Erase the payload of a message and all that its runs made of it; what became of it stays known.

        Raises:
            RunStateError: A worker is busy with it.
        """
        self.history.message(message)
        if run := self._erase([message]).get(message):
            raise retention.busy_with(run)

    def erase_text(self, text: str) -> Erased:
        """Erase all messages that hold a text, themselves or in what their runs made of them."""
        with self._database.read() as connection:
            found, busy = retention.holding(connection, text), dict[str, str]()
        for start in range(0, len(found), retention.CHUNK):
            busy |= self._erase(found[start : start + retention.CHUNK])
        return Erased([message for message in found if message not in busy], busy)

    @property
    def name(self) -> str:
        """What messages call it; no password is in it."""
        return self._database.name

    @property
    def file(self) -> Path | None:
        """The file of SQLite; None for PostgreSQL."""
        return self._database.file

    def back_up(self, file: Path) -> int:
        """Copy a store in SQLite into a new file while others use it, and give its size in bytes.

        Raises:
            BackupError: It can't be written there, or the store is in PostgreSQL.
            StoreDamagedError: The store is damaged.
        """
        return back_up(self._database, file)

    def faults(self) -> list[str]:
        """Check all of a file of SQLite, and give what is wrong with it."""
        return self._database.faults()

    def size(self) -> int:
        """Give how many bytes it takes."""
        return self._database.size()

    def probe_soon(self) -> "Future[None]":
        """Write as much as a message has, and take it back; done when it is known that the disk takes it."""
        return self._writer.soon(probing.probe, None)

    def limit_size(self, limit: int) -> None:
        """Let a file of SQLite grow no further than this many bytes; what is over it is refused as if the disk were full."""
        self._database.limit_size(limit)

    def _finished(
        self, connection: Connection, claimed: Claimed, end: Finish, now: datetime, rows: progress.Brought
    ) -> RunState:
        state = self._ends.finish(connection, claimed, end, now, rows)
        message = claimed.message.id
        if self._keeps_nothing(connection, message) and retention.all_went_well(connection, message):
            if end.awaited:
                self._for_senders.append((self._monotonic() + _FOR_SENDERS.total_seconds(), message))
            else:
                retention.wipe(connection, [message], now)
                self._erased.set()
        return state

    def _erase_answered(self) -> None:
        """Erase the payloads whose senders have their answers by now."""
        now, due = self._monotonic(), list[str]()
        while self._for_senders and self._for_senders[0][0] <= now:
            due.append(self._for_senders.popleft()[1])
        self._wipe(due)

    def _wipe(self, messages: Sequence[str]) -> None:
        now = self._now()
        for start in range(0, len(messages), retention.CHUNK):
            some = messages[start : start + retention.CHUNK]
            self._writer.write(partial(retention.wipe_well, messages=some, now=now))
            self._erased.set()

    def _followers(self, claimed: Claimed, end: Finish, now: datetime) -> list[Arrival]:
        return [arrival(message, now) for message in self._follow(claimed, end, now)]

    def _dead(self, connection: Connection, claimed: Claimed, end: Finish, now: datetime) -> None:
        self._intake.accept(connection, self._followers(claimed, end, now))

    def _keeps_nothing(self, connection: Connection, message: str) -> bool:
        """Tell whether all workflows that a message started want it erased when all is well."""
        if not self._keeping.erases:
            return False
        started = retention.workflows_of(connection, message)
        return all(self._keeping.of(workflow).erase_all for workflow in started)

    def _erase(self, messages: Sequence[str]) -> dict[str, str]:
        now = self._now()
        busy = self._writer.write(lambda c: retention.erase(c, messages, now))
        self._empty_log()
        return busy

    def _empty_log(self) -> None:
        self._erased.clear()
        if not self._database.empty_log():
            self._erased.set()  # somebody reads: the next time, then


def _encoded(cursors: Mapping[str, Any]) -> dict[str, bytes]:
    return {name: encode(value) for name, value in cursors.items()}
