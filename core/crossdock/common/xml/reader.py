"""The one place where XML is parsed: nothing is expanded, fetched or repaired, and nothing too big is read."""

from collections.abc import Iterable, Iterator
from itertools import chain, takewhile
from typing import TYPE_CHECKING, Any

from lxml import etree

from crossdock.common.xml.errors import XmlDtdError, XmlLimitError, XmlNodesError, error_of
from crossdock.errors import ArgumentError

if TYPE_CHECKING:
    from lxml.etree import _Element, _LogEntry

Event = tuple[str, Any]
"""What happened, and to what: ``start`` or ``end`` of an element, ``start-ns`` with a prefix and a namespace."""

PIECE = 16_384
"""How many bytes are parsed at a time: what is held besides the elements that are still open."""

_SIP = 1024
_MAX_PROLOG = 10_000_000
_SMALLEST_NODE = len("<a/>")
_RECOUNT = 1_000_000
_LAST_LINE = 65_535

_SAFE: dict[str, Any] = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "collect_ids": False,  # they would be kept after their elements
}


class Reader:
    """Reads a document piece by piece, as far as its iterator is drawn.

    Each turn gives the events of one piece: the start and end of the root and of the elements with
    the wanted name, and every declaration of a namespace. What is wrong with the document is
    raised after the events that came before it.

    Args:
        chunks: The bytes of the document.
        element: The local name of the elements whose events are wanted.
        encoding: What the bytes are encoded in, whatever they declare.
        max_nodes: The most elements and attributes to hold at once.
    """

    def __init__(
        self, chunks: Iterable[bytes], *, element: str | None = None, encoding: str | None = None, max_nodes: int
    ) -> None:
        self.root: Any = None
        """The root element, once it has begun."""
        self._pieces = _cut(chunks)
        self._element = element
        self._options = {**_SAFE, "encoding": encoding}
        self._max_nodes = max_nodes
        self._kept: _Element | None = None
        self._held = self._due = 0

    def __iter__(self) -> Iterator[Iterator[Event]]:
        first, root = self._prolog()
        names = [root] if self._element is None else [root, f"{{*}}{self._element}"]
        parser = etree.XMLPullParser(events=("start", "end", "start-ns"), tag=names, **self._options)
        for piece in chain(first, self._pieces, [b""]):
            wrong = _advance(parser, piece)
            events: Iterator[Event] = parser.read_events()  # drawn one by one: all at once leave the processor's cache
            if wrong is not None:
                yield _events_before(wrong, events)
                raise error_of(wrong)
            self._held += len(piece)
            if self.root is None or self._held > self._max_nodes * _SMALLEST_NODE:
                events = self._checked(list(events))
            yield events

    def drop(self, keep: "_Element | None") -> None:
        """Free what has been read, except the elements that are still open.

        Args:
            keep: The open element that is kept with all it holds.
        """
        element = self.root
        while element is not None and element is not keep:
            del element[:-1]
            element = element[0] if len(element) else None
        if keep is None or keep is not self._kept:
            self._kept = keep
            self._held = self._due = 0

    def _prolog(self) -> tuple[list[bytes], str]:
        """Read up to the root's start tag: a document type stands before it, or nowhere.

        Returns:
            The pieces that were read, and the name of the root.
        """
        prolog: Any = _Prolog()
        parser = etree.XMLParser(target=prolog, **self._options)
        pieces: list[bytes] = []
        size = 0
        for piece in self._pieces:
            pieces.append(piece)
            size += len(piece)
            for start in range(0, len(piece), _SIP):
                wrong = _advance(parser, piece[start : start + _SIP])
                if prolog.root:
                    return pieces, prolog.root
                if wrong:
                    raise error_of(wrong)
            if size > _MAX_PROLOG:
                raise XmlLimitError("the XML has no element in its first 10,000,000 bytes", limit="prolog")
        if wrong := _advance(parser, b""):
            raise error_of(wrong)
        return pieces, prolog.root  # of a document so small that the parser read on only at its end

    def _checked(self, events: list[Event]) -> Iterator[Event]:
        """Count the nodes where there may be too many of them: from time to time, and when an element ends."""
        if self.root is None:
            self.root = next((subject for kind, subject in events if kind == "start"), None)
        if self.root is not None and (self._held > self._due or any(kind == "end" for kind, _ in events)):
            nodes = int(self.root.xpath("count(//*) + count(//@*)"))
            if nodes > self._max_nodes:
                raise XmlNodesError(f"the XML has more than {self._max_nodes:,} elements and attributes at once")
            self._due = self._held + max((self._max_nodes - nodes) * _SMALLEST_NODE, _RECOUNT)
        return iter(events)


class _Prolog:
    """A parser's target that refuses a document type before anything in it is read."""

    root: str | None = None

    def doctype(self, *_: object) -> None:
        raise XmlDtdError("the XML has a document type (DTD), which is refused")

    def start(self, name: str, _: object) -> None:
        self.root = self.root or name

    def close(self) -> None:
        """End as the interface of a target asks for."""


def _cut(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if not isinstance(chunk, bytes):
            raise ArgumentError(
                f"XML was to be read from bytes, and a {type(chunk).__name__} came",
                fix="Give a file that is open in binary mode, open(path, 'rb'), or a list of bytes.",
            )
        for start in range(0, len(chunk), PIECE):
            yield chunk[start : start + PIECE]


def _advance(parser: Any, piece: bytes) -> "_LogEntry | None":
    """Parse one more piece, or end the document if it is empty, and give the first thing that is wrong.

    The parser raises some errors at once, some only at the end of the document, and after an
    unknown entity it stops without a word; its log knows them all.
    """
    try:
        parser.feed(piece) if piece else parser.close()
    except etree.XMLSyntaxError:
        first: _LogEntry = parser.feed_error_log.filter_from_errors()[0]
        return first
    return next(iter(parser.feed_error_log.filter_from_errors()), None)


def _events_before(wrong: "_LogEntry", events: Iterator[Event]) -> Iterator[Event]:
    """Give the events before the place that is wrong, for the parser may have gone on behind it."""
    if wrong.level == etree.ErrorLevels.FATAL:
        return events
    line = min(wrong.line, _LAST_LINE)  # libxml2 knows no later one of an element
    return takewhile(lambda event: event[0] != "end" or _is_above(event[1], line), events)


def _is_above(element: "_Element", line: int) -> bool:
    return all((part.sourceline or 0) < line for part in element.iter())
