"""Reading of long lists, page by page, and of tables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crossdock import warn
from crossdock_http import HttpError, Page, Place

from crossdock_dhis2.kinds import LEGACY, TRACKER, uid_key

_LEGACY_ORDER = {"trackedEntityInstances": "created:asc", "events": "created:asc"}


@dataclass(frozen=True)
class Dhis2Pages:
    """How DHIS2 pages: by number, with a pager of its own or its fields beside the items.

    Args:
        size: How many items to ask for.
    """

    size: int

    def first(self, place: Place) -> Place:
        """Give the place of the first page; who asks for no pages gets one."""
        if _is_off(place.query.get("paging")) or _is_on(place.query.get("skipPaging")):
            return place
        return place._replace(query={"pageSize": self.size, **place.query, "page": 1})

    def after(self, page: Page) -> Place | None:
        """Count on, up to the last page that DHIS2 counts, else to a page that is not full."""
        pager = _pager(page.answer.data)
        if pager is None or "page" not in page.place.query or not page.items or _is_last(page, pager):
            return None
        return page.place._replace(query={**page.place.query, "page": int(page.place.query["page"]) + 1})


def _is_last(page: Page, pager: Mapping[str, Any]) -> bool:
    number, size = int(page.place.query["page"]), _number(pager.get("pageSize")) or int(page.place.query["pageSize"])
    if isinstance(pager.get("isLastPage"), bool):
        return bool(pager["isLastPage"])
    if (pages := _number(pager.get("pageCount"))) is not None:
        return number >= pages
    if (total := _number(pager.get("total"))) is not None:
        return number * size >= total
    return len(page.items) < size


def _pager(data: Any) -> Mapping[str, Any] | None:
    """Give what a page says of the pages: an object of its own, or fields beside the items."""
    if not isinstance(data, Mapping):
        return None
    if isinstance(data.get("pager"), Mapping):
        return dict(data["pager"])
    return data if _number(data.get("page")) is not None else None


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_off(value: Any) -> bool:
    return value is False or value == "false"


def _is_on(value: Any) -> bool:
    return value is True or value == "true"


def ordered(path: str, query: Mapping[str, Any] | None) -> dict[str, Any]:
    """Give a query with an order in which nothing moves between pages while they are read.

    >>> ordered("tracker/events", {"program": "IpHINAT79UW"})
    {'order': 'createdAt:asc', 'program': 'IpHINAT79UW'}
    """
    place, _, name = path.partition("?")[0].strip("/").rpartition("/")
    if place == "tracker" and name in TRACKER:
        order: str | None = "createdAt:asc"
    elif place == "" and name in LEGACY:
        order = _LEGACY_ORDER.get(name)
    else:
        order = "id:asc" if place == "" else None
    return {**({"order": order} if order else {}), **(query or {})}


def without_twins(pages: Iterator[Page], path: str) -> Iterator[Any]:
    """Give the items of pages once each: one that moved while they were read stands on two.

    What is left out is counted, and the run is told.
    """
    key, seen, twins = uid_key(path.partition("?")[0].rstrip("/")), set[str](), 0
    for page in pages:
        for item in page.items:
            uid = item.get(key) if isinstance(item, Mapping) else None
            if isinstance(uid, str) and uid in seen:
                twins += 1
                continue
            if isinstance(uid, str):
                seen.add(uid)
            yield item
    if twins:
        warn("dhis2_duplicates", path=path, removed=twins)


def rows_of(data: Any) -> list[dict[str, Any]]:
    """Give the rows of an analytics table as objects."""
    if not isinstance(data, Mapping) or not isinstance(data.get("headers"), list):
        raise HttpError("the answer is no analytics table", fix="Check the path and the dimensions.")
    names = [str(header.get("name")) for header in data["headers"]]
    return [dict(zip(names, row, strict=True)) for row in data.get("rows") or ()]
