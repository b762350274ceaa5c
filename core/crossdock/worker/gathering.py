"""Gathering: what a run logs and prints, as lines of its log, as many as are kept."""

from datetime import UTC, datetime

from crossdock.redaction import Redactor
from crossdock.store.records import MOST_OF_A_LINE, Line

_ROOM_FOR_THE_END = 1024
_BESIDE_ITS_TEXT = 64
"""How many bytes a line takes besides: a million short ones are no short log."""

_AT_ONCE = 200
_SECONDS = 1.0


class Gathering:
    """The lines of a run that are not in the store yet.

    Args:
        most: How many bytes its log may have.
        redactor: What masks secrets in it.
    """

    def __init__(self, most: int, redactor: Redactor) -> None:
        self._left = most - _ROOM_FOR_THE_END
        self._redactor = redactor
        self._lines: list[Line] = []
        self._dropped = 0
        self._since = datetime.now(UTC)

    def add(self, text: str, level: str, step: str | None, at: datetime | None = None) -> None:
        """Add what was printed or logged."""
        if self._left <= 0:
            self._dropped += text.count("\n") or 1
            return
        at = at or datetime.now(UTC)
        for line in self._redactor(text).splitlines():
            size = min(len(line.encode("utf-8", "backslashreplace")), MOST_OF_A_LINE) + _BESIDE_ITS_TEXT
            self._left -= size
            if self._left <= 0:
                self._dropped += 1
            else:
                self._lines.append(Line(at, level, line, step))

    @property
    def is_due(self) -> bool:
        """Whether there is enough to be written down."""
        old = (datetime.now(UTC) - self._since).total_seconds() >= _SECONDS
        return bool(self._lines) and (old or len(self._lines) >= _AT_ONCE)

    def take(self, *, last: bool = False) -> list[Line]:
        """Give the lines that were not given yet; at the end, also how many were dropped."""
        lines, self._lines, self._since = self._lines, [], datetime.now(UTC)
        if last and self._dropped:
            text = f"{self._dropped} more lines were dropped: the log of a run has a limit"
            lines.append(Line(datetime.now(UTC), "warning", text))
        return lines
