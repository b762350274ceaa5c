"""Writer: the one thread through which a process writes.

What waits is written together, in one transaction that is synced once: fifty senders that wait for
their answer wait for one turn of the disk. No piece of work hurts its neighbours. One that refuses
says so before it has written anything; if anything else goes wrong, each is done again by itself.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from itertools import groupby
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from crossdock.errors import CrossdockError
from crossdock.store.errors import StoreConflictError, StoreUnavailableError

T = TypeVar("T")
A = TypeVar("A")

MOST_TOGETHER = 500
"""How many pieces of work one transaction may hold."""

MOST_TRIES = 4
"""How often work is done that another process was in the way of."""

Many = Callable[[Connection, Sequence[A]], Sequence[T | CrossdockError]]
"""What does several pieces of work of one kind: a result for each, or why it refuses it."""


class _Work(NamedTuple):
    many: Many[Any, Any]
    argument: Any
    done: "Future[Any]"


class Writer:
    """The one thread through which a process writes.

    Args:
        begin: Opens a transaction that commits, synced, when it is left well.
    """

    def __init__(self, begin: Callable[[], AbstractContextManager[Connection]]) -> None:
        self._begin = begin
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(self, one: Callable[[Connection], T]) -> T:
        """Do one piece of work, and wait until it is on the disk.

        Raises:
            CrossdockError: What the work raised, or why nothing could be written.
        """
        return self.soon(_each, one).result()

    def soon(self, many: "Many[A, T]", argument: A) -> "Future[T]":
        """Do a piece of work together with others of its kind.

        Args:
            many: What does them.
            argument: What it is given for this one.
        """
        work = _Work(many, argument, Future())
        with self._lock:
            if self._closed:
                raise StoreUnavailableError("the store was closed", fix="Open it again.")
            if self._thread is None:  # late: who only reads needs none
                self._thread = threading.Thread(target=self._loop, name="crossdock-store", daemon=True)
                self._thread.start()
            self._queue.put(work)
        return work.done

    def close(self) -> None:
        """Write what waits, and end."""
        with self._lock:
            if not self._closed and self._thread is not None:
                self._queue.put(None)
            self._closed = True
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        ended = False
        while not ended:
            batch = self._waiting()
            ended = None in batch
            self._commit([work for work in batch if work is not None and work.done.set_running_or_notify_cancel()])

    def _waiting(self) -> "list[_Work | None]":
        """Give what waits now, and if nothing does, the next that comes."""
        batch = [self._queue.get()]
        while len(batch) < MOST_TOGETHER and not self._queue.empty():
            batch.append(self._queue.get())
        return batch

    def _commit(self, batch: Sequence[_Work], tries: int = MOST_TRIES) -> None:
        if not batch:
            return None
        try:
            with self._begin() as connection:
                results = [result for group in _kinds(batch) for result in _results(connection, group)]
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to those who wait
            return self._one_by_one(batch, error, tries - 1)
        for work, result in zip(batch, results, strict=True):
            _answer(work, result)
        return None

    def _one_by_one(self, batch: Sequence[_Work], error: Exception, tries: int) -> None:
        """Do again what failed together, each by itself: the fault of one is not that of all."""
        for work in batch:
            alone = len(batch) == 1 and not (isinstance(error, StoreConflictError) and tries)
            if alone or isinstance(error, StoreUnavailableError):
                work.done.set_exception(error)
            else:
                self._commit([work], tries)


def _each(connection: Connection, ones: Sequence[Callable[[Connection], T]]) -> list[T | CrossdockError]:
    return [_one(connection, one) for one in ones]


def _one(connection: Connection, one: Callable[[Connection], T]) -> T | CrossdockError:
    try:
        return one(connection)
    except CrossdockError as refusal:
        return refusal


def _kinds(batch: Sequence[_Work]) -> Iterator[list[_Work]]:
    return (list(group) for _, group in groupby(batch, key=lambda work: work.many))


def _results(connection: Connection, group: Sequence[_Work]) -> Sequence[Any]:
    return group[0].many(connection, [work.argument for work in group])


def _answer(work: _Work, result: Any) -> None:
    if isinstance(result, CrossdockError):
        work.done.set_exception(result)
    else:
        work.done.set_result(result)
