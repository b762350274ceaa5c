"""What an operation changed in the state: paths, types and sizes."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from crossdock.state import path_step

How = Literal["+", "-", "~"]

_MOST_COPIED = 5_000
_MOST_COMPARED = 20_000
_MOST_CHANGES = 12
_UNLISTED = frozenset({"response"})
"""What describes the last request and not the data; a trace shows the requests themselves."""


class Change(NamedTuple):
    """What became of one place in the state; the places in the items of a list are one."""

    path: str
    how: How
    before: Any
    after: Any
    times: int = 1


def snapshot(state: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the lists and dicts of a state, as far as that is cheap.

    A function of a job may change what it received in place, and only a copy shows that.
    """
    left = _MOST_COPIED

    def copied(value: Any) -> Any:
        nonlocal left
        if type(value) not in (dict, list) or len(value) > left:
            return value
        left -= len(value)
        if type(value) is list:
            return [copied(item) for item in value]
        return {key: copied(item) for key, item in value.items()}

    return {key: copied(value) for key, value in state.items() if key not in _UNLISTED}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """List what differs between two states; the last entry has no path if there is more.

    Example:
        >>> changes({"data": {"a": 1, "b": [1]}}, {"data": {"a": 2, "b": [1]}, "kind": "new"})
        [Change(path='data.a', how='~', before=1, after=2, times=1), Change(path='kind', how='+', before=None, after='new', times=1)]
    """
    comparison = _Comparison()
    comparison.compare_dicts(before, {key: value for key, value in after.items() if key not in _UNLISTED}, "")
    found = list(comparison.found.values())
    return found if len(found) <= _MOST_CHANGES else [*found[:_MOST_CHANGES], Change("", "~", None, None)]


class _Comparison:
    """Walks two values side by side, no further than is cheap; dicts without a common key are two values."""

    def __init__(self) -> None:
        self.found: dict[str, Change] = {}
        self._left = _MOST_COMPARED

    def compare(self, before: Any, after: Any, path: str) -> None:
        self._left -= 1
        if before is after or len(self.found) > _MOST_CHANGES:
            return
        if self._left < 0:
            self._add(path, "~", before, after)
        elif isinstance(before, dict) and isinstance(after, dict) and (before.keys() & after.keys()):
            self.compare_dicts(before, after, path)
        elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for was, now in zip(before, after, strict=True):
                self.compare(was, now, f"{path}[*]")
        elif not _same(before, after):
            self._add(path, "~", before, after)

    def compare_dicts(self, before: Mapping[Any, Any], after: Mapping[Any, Any], path: str) -> None:
        """Compare what two dicts hold."""
        for key in {**before, **after}:
            place = f"{path}{path_step(str(key))}" if path else str(key)
            if key not in after:
                self._add(place, "-", before[key], None)
            elif key not in before:
                self._add(place, "+", None, after[key])
            else:
                self.compare(before[key], after[key], place)

    def _add(self, path: str, how: How, before: Any, after: Any) -> None:
        known = self.found.get(path)
        self.found[path] = Change(path, how, before, after) if known is None else known._replace(times=known.times + 1)


def _same(before: Any, after: Any) -> bool:
    try:
        return type(before) is type(after) and bool(before == after)
    except Exception:  # noqa: BLE001 - a foreign type may compare in any way
        return False


def kind_of(value: Any) -> str:
    """Give the type and size of a value, which may be a patient's.

    >>> kind_of([1, 2]), kind_of(None), kind_of("Amina"), kind_of(7)
    ('list 2', 'None', 'str 5', 'int')
    """
    if value is None:
        return "None"
    size = f" {len(value)}" if isinstance(value, str | bytes | list | tuple | dict | set) else ""
    return f"{type(value).__name__}{size}"
