"""A page of a list: where it is, what stands there, and where reading ends."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from crossdock import Answer

from crossdock_http.errors import HttpError


class Place(NamedTuple):
    """Where a page is."""

    url: str
    """Its address."""
    query: Mapping[str, Any]
    """What is asked for there."""


class Page(NamedTuple):
    """A page that was read."""

    place: Place
    """Where it was."""
    answer: Answer
    """All that stood there."""
    items: list[Any]
    """Its records."""
    read: int
    """How many items there are up to its end."""
    cut: bool = False
    """Whether it had more items than are wanted."""


class Limits(NamedTuple):
    """Where reading ends, whatever the pages say."""

    until: Callable[[Answer], Any] | None = None
    """Tells of a page's answer whether it is the last one that is wanted."""
    max_pages: int = 10_000
    """The most pages that are read."""
    max_items: int | None = None
    """The most items that are given."""

    def cut(self, page: Page) -> Page:
        """Leave away the items of a page that are too many."""
        over = 0 if self.max_items is None else page.read - self.max_items
        return page if over <= 0 else page._replace(items=page.items[:-over], read=page.read - over, cut=True)

    def reached(self, page: Page, number: int) -> bool:
        """Tell whether a page is the last to be read."""
        return number >= self.max_pages or (self.max_items is not None and page.read >= self.max_items)


def value_at(data: Any, path: str) -> Any:
    """Give the value at a path of keys, None if there is none; a key that holds the dots itself wins."""
    if isinstance(data, Mapping) and path in data:
        return data[path]
    for key in path.split("."):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def items_of(page: Any, key: str | None) -> list[Any]:
    """Give the items of a page: the page itself, or its one list."""
    if key is not None:
        page = value_at(page, key)
    if isinstance(page, list):
        return page
    if key is not None or not isinstance(page, dict):
        raise HttpError(
            f"a page has its items {f'under {key!r} ' if key else ''}as {type(page).__name__}, not as a list",
            fix="Check the path; name the key of the items: items='results'.",
        )
    lists = [name for name, value in page.items() if isinstance(value, list)]
    if len(lists) != 1:
        raise HttpError(
            f"a page has its items nowhere certain; it has the lists: {', '.join(lists) or 'none'}",
            fix="Name their key: items='results'.",
        )
    found: list[Any] = page[lists[0]]
    return found
