"""The text in HTML, read by lxml: in linear time, whatever it is given and however deep it nests."""

from lxml import etree

_UNSEEN = frozenset({"script", "style", "template"})
_INLINE = frozenset(
    {
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
        "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
        "var", "wbr",
    }
)  # fmt: skip
"""Tags within a line of text; all others begin something new. From HTML's phrasing content."""


def text_of(markup: str) -> str:
    """Give the text of an HTML fragment, with blanks where a line or a cell begins or ends.

    >>> text_of("one<br>t<b>w</b>o").split()
    ['one', 'two']
    """
    head, closing, tail = markup.rpartition(">")
    whole = head + closing + tail.replace("<", "&lt;")  # a parser would drop what no > closes, such as "BP<90"
    texts = _Texts()
    parser = etree.HTMLParser(target=texts, encoding="utf-8", huge_tree=True)  # type: ignore[call-overload]  # its stubs want every method that a target may have
    parser.feed(whole.encode())
    parser.close()
    return texts.joined()


class _Texts:
    """What lxml's parser calls for every tag and text."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._unseen = 0

    def start(self, tag: str, _: object) -> None:
        self._unseen += tag in _UNSEEN
        self._part(tag)

    def end(self, tag: str) -> None:
        self._unseen -= tag in _UNSEEN
        self._part(tag)

    def data(self, text: str) -> None:
        if not self._unseen:
            self._texts.append(text)

    def comment(self, _: str) -> None:
        """Leave a comment out."""

    def pi(self, *_: str) -> None:
        """Leave a processing instruction out."""

    def close(self) -> None:
        """Leave the end of the document out."""

    def joined(self) -> str:
        """Give the texts so far."""
        return "".join(self._texts)

    def _part(self, tag: str) -> None:
        if tag not in _INLINE:
            self._texts.append(" ")
