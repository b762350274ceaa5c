"""How the pages of a list hang together, and where they end."""

import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any, Protocol

from crossdock import Answer, in_run, warn
from crossdock.scope import open_run

from crossdock_http.address import next_url, shown
from crossdock_http.content import query_of, with_query
from crossdock_http.errors import HttpError, PagingError, UrlError
from crossdock_http.page import Limits, Page, Place, items_of, value_at

_LINK = re.compile(r"<([^>]*)>([^<]*)")
_REL = re.compile(r';\s*rel\s*=\s*"?([^";,]*)"?', re.IGNORECASE)


class Style(Protocol):
    """A way in which pages hang together."""

    def first(self, place: Place) -> Place:
        """Give the place of the first page."""

    def after(self, page: Page) -> Place | None:
        """Give the place of the page after this one, None if it was the last."""


@dataclass(frozen=True)
class Next:
    """Each page holds the URL of the next one: ``{"next": "https://…"}``.

    Args:
        at: Where; dots lead into objects, as in ``meta.next``.
    """

    at: str = "next"

    def first(self, place: Place) -> Place:
        """Give the place of the first page."""
        return place

    def after(self, page: Page) -> Place | None:
        """Follow the link, with the query that stands in it."""
        return _linked(page.place, value_at(page.answer.data, self.at))


@dataclass(frozen=True)
class LinkHeader:
    """Each page names the next one in its ``Link`` header (RFC 8288).

    Args:
        rel: The relation of that link.
    """

    rel: str = "next"

    def first(self, place: Place) -> Place:
        """Give the place of the first page."""
        return place

    def after(self, page: Page) -> Place | None:
        """Follow the link."""
        header = ((page.answer.response or {}).get("headers") or {}).get("link", "")
        links = (link for link, rest in _LINK.findall(header) if self.rel.lower() in _rels(rest))
        return _linked(page.place, next(links, None))


@dataclass(frozen=True)
class PageNumber:
    """Pages are numbered: ``?page=2&pageSize=100``.

    Args:
        parameter: The query parameter of the number.
        first_page: The number of the first page.
        size: How many items to ask for; a page with fewer is the last one.
        size_parameter: The query parameter of the size.
        total_pages: Where a page says how many there are; dots lead into objects.
        total: Where a page says how many items there are, in the same form.
    """

    parameter: str = "page"
    first_page: int = 1
    size: int | None = None
    size_parameter: str = "pageSize"
    total_pages: str | None = None
    total: str | None = None

    def at(self, place: Place, number: int) -> Place:
        """Give the place of a page; the first is 0."""
        size = {self.size_parameter: self.size} if self.size is not None else {}
        return place._replace(query={**place.query, **size, self.parameter: self.first_page + number})

    def number(self, place: Place) -> int:
        """Give the number of the page at a place; the first is 0."""
        return int(place.query[self.parameter]) - self.first_page

    def first(self, place: Place) -> Place:
        """Give the place of the first page."""
        return self.at(place, 0)

    def after(self, page: Page) -> Place | None:
        """Count on, up to an empty or short page, or the last page or item that the system counts."""
        number = self.number(page.place) + 1
        if not page.items or len(page.items) < (self.size or 0):
            return None
        if _reached(page, self.total_pages, number) or _reached(page, self.total, page.read):
            return None
        return self.at(page.place, number)


@dataclass(frozen=True)
class Offset:
    """Pages are ranges: ``?offset=100&limit=100``.

    Args:
        size: How many items to ask for; a page with fewer is the last one.
        parameter: The query parameter of the first item's number.
        size_parameter: The query parameter of the size.
        total: Where a page says how many items there are; dots lead into objects.
    """

    size: int = 100
    parameter: str = "offset"
    size_parameter: str = "limit"
    total: str | None = None

    def at(self, place: Place, number: int) -> Place:
        """Give the place of a page; the first is 0."""
        range_ = {self.size_parameter: self.size, self.parameter: number * self.size}
        return place._replace(query={**place.query, **range_})

    def number(self, place: Place) -> int:
        """Give the number of the page at a place; the first is 0."""
        return int(place.query[self.parameter]) // self.size

    def first(self, place: Place) -> Place:
        """Give the place of the first page."""
        return self.at(place, 0)

    def after(self, page: Page) -> Place | None:
        """Count on, up to an empty or short page, or the last item that the system counts."""
        if len(page.items) < self.size or _reached(page, self.total, page.read):
            return None
        return self.at(page.place, self.number(page.place) + 1)


@dataclass(frozen=True)
class Cursor:
    """Each page holds the mark of the next one, which goes into the query: ``?cursor=abc``.

    Args:
        at: Where; dots lead into objects, as in ``meta.next_cursor``.
        parameter: The query parameter of the mark.
    """

    at: str = "next_cursor"
    parameter: str = "cursor"

    def first(self, place: Place) -> Place:
        """Give the place of the first page."""
        return place

    def after(self, page: Page) -> Place | None:
        """Hand the mark back; a page without one is the last."""
        mark = value_at(page.answer.data, self.at)
        return page.place._replace(query={**page.place.query, self.parameter: mark}) if mark else None


@dataclass(frozen=True)
class _Told:
    """A function of the job says what comes next: a URL, more query parameters, or None."""

    function: Callable[[Answer], Any]

    def first(self, place: Place) -> Place:
        return place

    def after(self, page: Page) -> Place | None:
        told = self.function(page.answer)
        if isinstance(told, Mapping):
            return page.place._replace(query={**page.place.query, **told})
        return _linked(page.place, told)


Pages = str | Style | Callable[[Answer], Any]
"""A style by its name, one that says more, or a function of an answer that gives the next URL, query or None."""
_NAMED: dict[str, Style] = {
    "next": Next(),
    "link": LinkHeader(),
    "page": PageNumber(),
    "offset": Offset(),
    "cursor": Cursor(),
}


def style_of(pages: Pages) -> Style:
    """Give the style that a job names."""
    if isinstance(pages, str):
        if pages not in _NAMED:
            raise HttpError(f"pages={pages!r:.80} is not known", fix=f"Use one of {', '.join(_NAMED)}, or a function.")
        return _NAMED[pages]
    if isinstance(pages, type):
        raise HttpError(f"pages is the class {pages.__name__}", fix=f"Call it: pages=http.{pages.__name__}().")
    return pages if hasattr(pages, "after") else _Told(pages)  # type: ignore[return-value]


def read_pages(
    get: Callable[[Place], Answer], place: Place, pages: Pages, items: str | None, limits: Limits, concurrency: int = 1
) -> Iterator[Page]:
    """Read page after page.

    Args:
        get: Reads the page of a place.
        place: Where the list begins.
        pages: How they hang together.
        items: The key of a page's items, where it can't be guessed.
        limits: Where reading ends, whatever the pages say; what is left unread is a warning of the run.
        concurrency: How many pages are read at a time, where the next one's place is known beforehand.

    Raises:
        PagingError: A page is the one before it again, or leads to one that was read, or elsewhere.
    """
    style, reader = style_of(pages), _Reader(items)
    at: Place | None = style.first(place)
    with ExitStack() as stack:
        fetch = get if concurrency == 1 else stack.enter_context(_Ahead(get, style, concurrency))
        for number in count(1):
            assert at is not None  # noqa: S101 - the loop ends where there is none
            whole = reader.read(at, fetch(at))
            page = limits.cut(whole)
            yield page
            at = None if limits.until is not None and limits.until(page.answer) else reader.new(_after(style, whole))
            if page.cut or (at is not None and limits.reached(page, number)):
                return _warn_of_rest(place, number, page)
            if at is None:
                return


class _Reader:
    """Makes pages of answers, and sees when they go round in circles."""

    def __init__(self, items: str | None) -> None:
        self._key = items
        self._last: Page | None = None
        self._seen: set[str] = set()

    def read(self, place: Place, answer: Answer) -> Page:
        """Make a page of an answer."""
        found, last = items_of(answer.data, self._key), self._last
        if last is not None and found and found == last.items:
            raise PagingError(f"a page of {shown(place.url)} is the one before it once more")
        self._seen.add(_asked(place))
        self._last = Page(place, answer, found, (last.read if last is not None else 0) + len(found))
        return self._last

    def new(self, place: Place | None) -> Place | None:
        """Give the place if it was not read yet."""
        if place is not None and _asked(place) in self._seen:
            raise PagingError(f"the next page of {shown(place.url)} is one that was read before")
        return place


def _asked(place: Place) -> str:
    """Give the URL that a place is asked at."""
    return with_query(place.url, query_of(place.query))


def _after(style: Style, page: Page) -> Place | None:
    try:
        return style.after(page)
    except UrlError as error:
        raise PagingError(error.message, fix=error.fix) from error


class _Ahead:
    """Reads pages before they are asked for; their places must be countable."""

    def __init__(self, get: Callable[[Place], Answer], style: Style, concurrency: int) -> None:
        if concurrency < 1:
            raise HttpError(f"concurrency={concurrency} is less than one page at a time", fix="Leave it out.")
        if not isinstance(style, PageNumber | Offset):
            raise HttpError(
                f"pages of the style {type(style).__name__} can't be read concurrently",
                fix="Leave concurrency out, or use PageNumber or Offset.",
            )
        self._get = get
        self._style = style
        self._concurrency = concurrency
        self._pending: dict[int, Future[Answer]] = {}

    def __enter__(self) -> Callable[[Place], Answer]:
        self._pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="pages")
        return self._read

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def _read(self, place: Place) -> Answer:
        number = self._style.number(place)
        if number == 0:  # the first page may be the only one
            return self._get(place)
        for ahead in range(number, number + self._concurrency):
            if ahead not in self._pending:
                self._pending[ahead] = self._pool.submit(in_run(self._get), self._style.at(place, ahead))
        return self._pending.pop(number).result()


def _reached(page: Page, at: str | None, count: int) -> bool:
    """Tell whether a count reaches the total that a page tells there."""
    total = value_at(page.answer.data, at) if at is not None else None
    return isinstance(total, int) and count >= total


def _linked(place: Place, link: Any) -> Place | None:
    """Give the place that a link of a page leads to; it stays on the page's origin."""
    if link is None or link is False or link == "":
        return None
    if not isinstance(link, str):
        raise PagingError(f"the link to the next page of {shown(place.url)} is of type {type(link).__name__}, not text")
    return Place(next_url(place.url, link), {})


def _rels(rest: str) -> list[str]:
    found = _REL.search(rest)
    return found[1].lower().split() if found is not None else []


def _warn_of_rest(place: Place, pages: int, page: Page) -> None:
    if open_run() is not None:
        warn("pages_left_unread", url=shown(place.url), pages=pages, items=page.read)
