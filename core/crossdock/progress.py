"""Progress: how far the loops of a run came that have checkpoints, for a run that goes on there."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from hashlib import blake2b
from typing import Any

from crossdock.rows import Rows
from crossdock.state import State, encode

_logger = logging.getLogger("crossdock")


class Progress:
    """How far the loops of a run came that have checkpoints.

    A loop is known by the name of what it runs, and by how many of that name the run reached
    before it.

    Args:
        state: The input of the run: progress on another input means nothing.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._reached: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.left: Mapping[str, Any] = {}
        """What the run before this one left."""
        self.on_kept: Callable[[dict[str, Any]], None] | None = None
        """Called with all that is to be kept; when it returns, that must be safe."""

    @cached_property
    def input(self) -> str:
        """What tells the input from others, but for its rows; cursors move in a run that is interrupted, too."""
        return blake2b(encode(self._state.without("cursors")), digest_size=16).hexdigest()

    @cached_property
    def rows(self) -> str | None:
        """What tells the rows of the input from others; None if there are none, or if they are piped in."""
        data = self._state.get("data")
        return data.digest() if isinstance(data, Rows) else None

    def name(self, work: str) -> str:
        """Give a loop its name.

        Args:
            work: The name of what it runs.
        """
        with self._lock:
            self._reached[work] += 1
            return f"{work} {self._reached[work]}"

    def of(self, name: str) -> Any:
        """Give how far a loop came on the same input; None if it has not begun."""
        kept, rows = (
            self.left.get(name),
            self.rows,
        )  # asked for now: of a file that was read to its end it can't be told
        if kept is None:
            return None
        if kept.get("input") == self.input and (rows is None or kept.get("rows") in (None, rows)):
            return kept  # the items themselves tell, where the rows came through a pipe
        _logger.info("the loop %s was interrupted on another input, and starts at its first item", name)
        return None

    def keep(self, name: str, progress: Mapping[str, Any] | None) -> None:
        """Keep how far a loop came.

        Args:
            name: Its name.
            progress: What it needs to go on; None if it starts anew.
        """
        with self._lock:
            others = {loop: kept for loop, kept in self.left.items() if loop != name}
            self.left = (
                others if progress is None else {**others, name: {**progress, "input": self.input, "rows": self.rows}}
            )
            if self.on_kept is not None:
                self.on_kept(dict(self.left))
