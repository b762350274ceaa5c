"""Lists of items: in groups, and in batches."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from crossdock.common.paths import value_at
from crossdock.common.reading import refuse_lazy, shown
from crossdock.errors import ArgumentError, JobError

T = TypeVar("T")


def group_by(items: Iterable[T] | None, key: str | Callable[[T], Any]) -> dict[Any, list[T]]:
    """Put items into groups.

    Args:
        items: Any iterable; None counts as empty.
        key: The path of what an item is grouped by, as ``value_at`` takes it, or a function of the
            item. An item for which it gives None is in no group.

    Returns:
        The groups by their key, in the order in which the items came.

    Raises:
        JobError: ``BAD_KEY``; a list or an object can't name a group.

    Example:
        >>> group_by([{"at": "KSM", "n": 1}, {"at": "NBO", "n": 2}, {"at": "KSM", "n": 3}], "at")
        {'KSM': [{'at': 'KSM', 'n': 1}, {'at': 'KSM', 'n': 3}], 'NBO': [{'at': 'NBO', 'n': 2}]}
    """
    groups: dict[Any, list[T]] = {}
    for item in _iterable(items, "group_by"):
        group = value_at(item, key) if isinstance(key, str) else key(item)
        if group is not None:
            _group(groups, group).append(item)
    return groups


def _group(groups: dict[Any, list[T]], group: Any) -> list[T]:
    try:
        return groups.setdefault(group, [])
    except TypeError:
        raise JobError("BAD_KEY", f"{shown(group)} can't name a group", fix="Group by one text or number.") from None


def batches(items: Iterable[T] | None, size: int) -> Iterator[list[T]]:
    """Give items in lists of a size; items are drawn as the batches are.

    Args:
        items: Any iterable, also a lazy one; None counts as empty.
        size: How many items a batch has; the last one may have fewer.

    Raises:
        ArgumentError: ``size`` is less than 1, or these are no items.

    Example:
        >>> list(batches([1, 2, 3, 4, 5], 2))
        [[1, 2], [3, 4], [5]]
    """
    if size < 1:
        raise ArgumentError(f"batches() got size={size}", fix="Give a size of 1 or more.")
    return _batches(iter(_iterable(items, "batches")), size)


def _batches(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while batch := list(islice(items, size)):
        yield batch


def _iterable(items: Iterable[T] | None, function: str) -> Iterable[T]:
    refuse_lazy(items)
    if items is None:
        return ()
    if isinstance(items, dict | str | bytes) or not isinstance(items, Iterable):
        raise ArgumentError(
            f"{function}() got a value of type {type(items).__name__} for its items",
            fix="Give it a list or another iterable of items.",
        )
    return items
