"""The items of a JSON list whose text is still being received, in the memory of one item.

Each item is read by the json module as soon as it is whole, so it is what it would be in an answer
that is read at once: whole numbers of any size stay what they are, and endless nesting is an error.
"""

import json
import re
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NoReturn

_BLANK = re.compile(r"[ \t\n\r]*")
_STEP = 65536
_LONGEST_WORD = 16
"""More than the characters of an escape, a literal or a mark, which the end of a piece may cut."""

Found = Generator[Any, None, bool]


class TooLongError(Exception):
    """An item is longer than it may be; the reader of the answer makes an error for the job of it."""


def items_of_list(pieces: Iterable[str], path: str | None, limit: int) -> Generator[Any, None, None]:
    """Give the items of a list one by one.

    Args:
        pieces: The text as it comes.
        path: Where the list stands; dots lead into objects. None: the text is the list.
        limit: The most characters of an item, or of anything else that is read at once.

    Raises:
        ValueError: The text is not JSON, breaks off, or has no list there.
        TooLongError: An item is longer than the limit.

    Example:
        >>> list(items_of_list(['{"results": [1', "2, 3]}"], "results", 100))
        [12, 3]
    """
    text = _Text(pieces, limit)
    found = yield from _found(text, path)
    if text.peek():
        raise ValueError("something follows the end")
    if not found:
        raise ValueError(f"there is no {path!r:.80}")


def _found(text: "_Text", path: str | None) -> Found:
    """Give the items of the list at a path into the value that comes next; tell whether it is there."""
    if path is None:
        yield from _items(text)
        return True
    key, _, rest = path.partition(".")
    found = False
    for _ in text.parts("{", "}"):
        name = text.name()
        if not found and name == path:  # a key that holds the dots itself wins
            found = yield from _found(text, None)
        elif not found and rest and name == key and text.peek() == "{":
            found = yield from _found(text, rest)
        else:
            text.value()
    return found


def _items(text: "_Text") -> Generator[Any, None, None]:
    for _ in text.parts("[", "]"):
        yield text.value()


class _Text:
    """A JSON text of which only a window is there."""

    def __init__(self, pieces: Iterable[str], limit: int) -> None:
        self._pieces = iter(pieces)
        self._limit = limit
        self._window = ""
        self._at = 0

    def peek(self) -> str:
        """Give the next character that is no blank; an empty one is the end."""
        while True:
            self._at = _BLANK.match(self._window, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._window) or not self._more():
                return self._window[self._at : self._at + 1]

    def step(self, mark: str) -> None:
        """Step over a mark that has to be there."""
        if self.peek() != mark:
            raise ValueError(f"there is no {mark!r} where one belongs")
        self._at += 1

    def parts(self, begin: str, end: str) -> Iterator[None]:
        """Stand before each part of a list or object in turn."""
        self.step(begin)
        if self.peek() != end:
            yield
            while self.peek() == ",":
                self.step(",")
                yield
        self.step(end)

    def name(self) -> str:
        """Read the name of an object's part."""
        if self.peek() != '"':
            raise ValueError("there is no name where one belongs")
        name: str = self.value()
        self.step(":")
        return name

    def value(self) -> Any:
        """Read a value as soon as it is whole."""
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError as error:
                if not self._may_go_on(error) or not self._more():
                    raise
                continue
            except RecursionError as error:
                raise ValueError("it is nested too deeply") from error
            if end < len(self._window) or not self._more():  # a number at the end may go on
                self._at = end
                return value

    def _may_go_on(self, error: json.JSONDecodeError) -> bool:
        cut = error.pos > len(self._window) - _LONGEST_WORD
        return cut or error.msg.startswith("Unterminated string")

    def _more(self) -> bool:
        """Get at least as much as there is, so that a long value isn't read from its beginning too often."""
        rest = self._window[self._at :]
        if len(rest) > self._limit:
            raise TooLongError
        more: list[str] = []
        missing = max(len(rest), _STEP)
        while missing > 0 and (piece := next(self._pieces, None)) is not None:
            more.append(piece)
            missing -= len(piece)
        self._window, self._at = rest + "".join(more), 0
        return bool(more)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
