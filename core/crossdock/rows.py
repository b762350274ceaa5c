"""Rows: the input of a run that is too large for its state; it is walked once, as it is needed."""

from collections.abc import Callable, Iterator
from typing import Any

from crossdock.errors import StateError


class Rows:
    """The rows of a file as ``state.data``: an iterable in the memory of one row.

    It is no JSON: where a state is written down, None stands in its place.

    Args:
        rows: What reads the rows.
        what: Where they come from, for errors.
        digest: Gives what tells this input from others; None if nothing but the rows does.
    """

    def __init__(self, rows: Iterator[Any], what: str, digest: Callable[[], str | None]) -> None:
        self._rows = rows
        self._what = what
        self._started = False
        self.digest = digest

    def __iter__(self) -> Iterator[Any]:
        if self._started:
            raise StateError(
                f"the rows of {self._what} are walked a second time, and they can be read once",
                fix="Walk them once, or keep what is needed again: rows = list(state.data).",
            )
        self._started = True
        return self._rows

    def __repr__(self) -> str:
        return f"<the rows of {self._what}>"
