"""What a run writes down while it goes on: warnings, failed items, cursors."""

import threading
from typing import Any

from crossdock.error_record import error_record

CountedKey = tuple[tuple[str, Any], ...]

MOST_EXAMPLES = 10
"""How many examples a counted warning keeps."""

MOST_INNER = 10_000
"""How many ends of steps a step remembers that ran inside of it."""

_counting = threading.Lock()
"""Threads that ``in_run`` started hand what they wrote down to the same record."""


class Record:
    """What a run writes down at once, so that no way of calling an operation loses it."""

    __slots__ = ("_counted", "cursors", "failed", "inner", "kept", "stopped_at", "warnings")

    def __init__(self) -> None:
        self.warnings: list[dict[str, Any]] = []
        self._counted: dict[CountedKey, dict[str, Any]] | None = None  # few items count, and there may be a million
        self.failed: list[dict[str, Any]] = []
        self.cursors: dict[str, Any] = {}
        self.kept: dict[str, Any] = {}
        """The cursors of a step that are kept even if it fails later."""
        self.stopped_at: list[Any] = []
        self.inner: list[dict[str, Any]] = []
        """How steps of workflows ended that ran inside: at most the first of them."""

    def put_aside(
        self, item: Any, error: BaseException, index: int | None, key: Any, *, loop: str | None = None
    ) -> None:
        """Keep an item that failed, and why; ``loop`` is the one that a later run feeds it back to."""
        self.failed.append({"index": index, "key": key, "item": item, "error": error_record(error), "loop": loop})

    def add(self, other: "Record") -> None:
        """Take over what an item of a loop wrote down."""
        if other._counted is None:
            self.warnings += other.warnings
        else:
            self._add_warnings(other.warnings, other._counted)
        self.failed += other.failed
        self.cursors |= other.cursors
        self.stopped_at += other.stopped_at
        self.inner += other.inner[: MOST_INNER - len(self.inner)]

    def count(self, code: str, example: str, details: dict[str, Any]) -> None:
        """Write down a warning that many items may cause: it stands once, with how often and some examples."""
        self._count({**details, "count": 1, "examples": [example], "code": code})

    def has_counted(self, code: str, details: dict[str, Any]) -> bool:
        """Tell whether such a warning stands here."""
        return self._counted is not None and _counted_key({**details, "code": code}) in self._counted

    def _add_warnings(self, warnings: list[dict[str, Any]], counted: dict[CountedKey, dict[str, Any]]) -> None:
        those = {id(entry) for entry in counted.values()}
        for entry in warnings:
            if id(entry) in those:
                self._count(entry)
            else:
                self.warnings.append(entry)

    def _count(self, entry: dict[str, Any]) -> None:
        with _counting:
            self._counted = {} if self._counted is None else self._counted
            known = self._counted.setdefault(_counted_key(entry), entry)
            if known is entry:
                self.warnings.append(entry)
                return
            known["count"] += entry["count"]
            known["examples"] = list(dict.fromkeys([*known["examples"], *entry["examples"]]))[:MOST_EXAMPLES]


def _counted_key(entry: dict[str, Any]) -> CountedKey:
    return tuple((name, value) for name, value in entry.items() if name not in ("count", "examples"))
