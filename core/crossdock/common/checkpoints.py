"""Checkpoints: how far a loop came, written down so that the next run on the same input goes on there."""

import logging
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Any

from crossdock.decoding import decode
from crossdock.errors import ArgumentError, StateEncodingError
from crossdock.operation import Operation
from crossdock.rows import Rows
from crossdock.scope import Unit
from crossdock.state import encode

_logger = logging.getLogger("crossdock")


class Checkpoints:
    """How far one loop came.

    The work is committed first and the progress kept after it: a run that ends between the two
    repeats the items since the checkpoint before, and loses none. What is kept tells the items
    that are done by a digest, so that others are never taken for them.

    Args:
        every: How many items lie between two checkpoints.
        unit: The unit around the loop.
        this: The loop.
        work: The name of what it runs, by which the next run knows it.
    """

    def __init__(self, every: int, unit: Unit, this: Operation, work: str) -> None:
        if unit.is_in_item:
            raise ArgumentError(
                "each with checkpoint= can't be inside .catch, .retry or an item of each",
                fix="Write it at the top of the job, or give the loop around it the checkpoints.",
            )
        self._every = every
        self._unit = unit
        self._this = this
        self._progress = unit.run.progress
        self._name = self._progress.name(work)
        self._begin()
        if self._progress.on_kept is None:
            _logger.info(
                "%s commits at its checkpoints, and nobody keeps them: give the run --cursors FILE", self._where
            )

    def _begin(self) -> None:
        self._done = 0
        self._drawn = b""
        self._digest = blake2b(digest_size=16)
        self.failed: list[dict[str, Any]] = []
        """The items of the loop that failed, also in the run that was interrupted."""

    def left(self, items: Iterable[Any]) -> Iterator[tuple[int, Any]]:
        """Give the items that are left to do, each with its number."""
        for item in self._undone(items):
            self._drawn = self._encoded(item)  # before its function may change it
            yield self._done, item

    def passed(self) -> bool:
        """Count the item that was drawn last, and tell whether a checkpoint comes after it."""
        self._count(self._drawn)
        return self._done % self._every == 0

    def _count(self, encoded: bytes) -> None:
        self._digest.update(encoded)
        self._done += 1

    def _undone(self, items: Iterable[Any]) -> Iterator[Any]:
        """Skip the items that an interrupted run has done."""
        kept = self._progress.of(self._name)
        if kept is None:
            return iter(items)
        walked = iter(items)
        for item in islice(walked, kept["done"]):
            self._count(self._encoded(item))
        if (self._done, self._digest.hexdigest()) != (kept["done"], kept["items"]):
            return self._anew(items, walked)
        self.failed = kept["failed"]
        self._unit.record.failed += self.failed
        _logger.info("%s goes on at item %d: an interrupted run did those before it", self._where, self._done)
        return walked

    def _anew(self, items: Iterable[Any], walked: Iterator[Any]) -> Iterator[Any]:
        """Start at the first item again, as those that were done are others now."""
        self._progress.keep(self._name, None)
        if walked is items or isinstance(items, Rows):
            raise ArgumentError(
                f"{self._where} can't go on where an interrupted run stopped: the items before item {self._done} are others now",
                fix="Run it again: now it starts at the first item.",
            )
        _logger.info("%s starts at its first item: those that an interrupted run did are others now", self._where)
        self._begin()
        return iter(items)

    def keep(self, *, complete: bool = False) -> None:
        """Commit the open work, and then keep that the items which passed are done.

        Args:
            complete: Whether these are all: then only a run that fails later needs to know.
        """
        self._unit.commit()
        masked, _ = self._unit.run.redactor.in_value(decode(encode(self.failed)))
        entry = {"done": self._done, "items": self._digest.hexdigest(), "failed": masked, "complete": complete}
        self._progress.keep(self._name, entry)

    @property
    def _where(self) -> str:
        return f"{self._this.name} ({self._this.site})"

    def _encoded(self, item: Any) -> bytes:
        try:
            return encode(item) + b"\n"
        except StateEncodingError as error:
            raise ArgumentError(
                f"{self._where} can't tell item {self._done} again: {error.message}",
                fix="Leave out checkpoint=, or make the items JSON.",
            ) from None
