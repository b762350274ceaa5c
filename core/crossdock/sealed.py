"""Sealed: a state as it goes from one step to the next, which no job can change any more.

Each of its keys is sealed by itself. What a step hands on as it came, such as a large ``data`` that
it only looked at, is neither checked nor written anew: that it still says the same is found sooner.
"""

import json
import marshal
from collections.abc import Mapping
from typing import Any

from crossdock.rows import Rows
from crossdock.state import State, encode, encoded, too_large

_COMPARABLE = 2
"""The version of marshal's form in which what is equal to the last type, and that alone, is equal bytes."""


class Sealed:
    """A state as it goes from one step to the next: bytes that no job can change any more.

    Example:
        >>> from datetime import date
        >>> sealed = Sealed.of(State(data=date(2024, 5, 2)))
        >>> sealed.raw, sealed.state().data
        (b'{"data":"2024-05-02"}', '2024-05-02')
    """

    __slots__ = ("_parts", "_rows")

    def __init__(self, parts: Mapping[str, "_Part"]) -> None:
        self._parts = parts
        self._rows: Rows | None = None
        """The data, if these are the rows of the run's input: no bytes hold them."""

    @classmethod
    def of(cls, state: Mapping[str, Any], *, limit: int | None = None) -> "Sealed":
        """Seal a state; the arguments and errors are those of ``encode``."""
        return cls({key: _Part(key, value) for key, value in state.items()})._within(limit)

    @classmethod
    def of_input(cls, state: State) -> "Sealed":
        """Seal what a run begins with: whoever receives just this gets its rows, if it has any."""
        sealed = cls.of(state)
        sealed._rows = state["data"] if isinstance(state.get("data"), Rows) else None
        return sealed

    def then(self, state: State, given: State, *, limit: int | None = None) -> "Sealed":
        """Seal a state that was made from this one.

        Args:
            state: What was made.
            given: What it was made from: this one, as ``state`` gave it.
            limit: The most bytes that may come out.
        """
        parts = {key: self._kept(key, value, given) or _Part(key, value) for key, value in state.items()}
        return Sealed(parts)._within(limit)

    @property
    def raw(self) -> bytes:
        """The JSON of it."""
        return b"{" + b",".join([part.name + part.raw for part in self._parts.values()]) + b"}"

    def received(self) -> State:
        """Give the state as a step receives it."""
        return self.state() if self._rows is None else self.state() | {"data": self._rows}

    def state(self) -> State:
        """Give the state, each time one that shares nothing with those given before."""
        return State({key: part.value() for key, part in self._parts.items()})

    def _kept(self, key: str, value: Any, given: State) -> "_Part | None":
        """Give the part of a value that came in and was not changed, not even in place."""
        part = self._parts.get(key)
        return part if part is not None and value is given.get(key) and part.says(value) else None

    def _within(self, limit: int | None) -> "Sealed":
        sizes = {key: len(part.name) + len(part.raw) for key, part in self._parts.items()}
        size = sum(sizes.values()) + max(len(sizes) - 1, 0) + len("{}")
        if limit is not None and size > limit:
            raise too_large(sizes, size, limit)
        return self


class _Part:
    """The value of one key."""

    __slots__ = ("_comparable", "_copy", "name", "raw")

    def __init__(self, key: str, value: Any) -> None:
        self.name = encode({key: None})[len("{") : -len("null}")]
        self.raw, plain = encoded(value, key)
        self._copy = marshal.dumps(value) if plain else None
        self._comparable: bytes | None = None

    def value(self) -> Any:
        """Give the value, each time one that shares nothing with those given before."""
        if self._copy is None:
            return json.loads(self.raw)
        return marshal.loads(self._copy)  # noqa: S302 - it was made here; reading JSON takes three times as long

    def says(self, value: Any) -> bool:
        """Tell whether a value is this one to the last type, so that its JSON would be the same."""
        if self._comparable is None:
            self._comparable = marshal.dumps(self.value(), _COMPARABLE)
        try:
            return marshal.dumps(value, _COMPARABLE) == self._comparable
        except ValueError:  # something in it is not plain, or nests too deep
            return False
