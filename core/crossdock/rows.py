"""Rows: the input of a run that is too large for its state; it is walked once, as it is needed."""

import threading
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
        self._ended = False
        self._passed = 0
        self._lock = threading.Lock()
        self.digest = digest

    def __iter__(self) -> Iterator[Any]:
        if self._started:
            raise StateError(
                f"the rows of {self._what} are walked a second time, and they can be read once",
                fix="Walk them once, or keep what is needed again: rows = list(state.data).",
            )
        self._started = True
        return self._walked()

    def _walked(self) -> Iterator[Any]:
        yield from self._rows
        self._ended = True

    def pass_step(self, steps: int) -> str | None:
        """Take note that a step is done that received them.

        Args:
            steps: How many steps receive them.

        Returns:
            What is theirs, if all of these steps are done and some rows may never have been read.

        Raises:
            StateError: All of these steps are done, and none of them walked the rows.
        """
        with self._lock:
            self._passed += 1
            is_last = self._passed == steps
        if not is_last or self._ended:
            return None
        if not self._started:
            raise StateError(
                f"no step walked the rows of {self._what}, and no step after the first one gets them",
                fix="Walk state.data in the first step: each(state.data, …), or set_data(lambda state: list(state.data)).",
            )
        return self._what

    def __repr__(self) -> str:
        return f"<the rows of {self._what}>"
