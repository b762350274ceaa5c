"""Text: as text, as a name, joined, without markup."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from crossdock.common.reading import is_blank, refused
from crossdock.errors import JobError, StateEncodingError
from crossdock.state import encode
from crossdock.values.blanks import as_list


def text(value: Any, *, name: str | None = None) -> str | None:
    """Give a value as text without blanks around it; a code that came as a number is text, too.

    Args:
        value: Text, a number, a date, a UUID, or nothing. True and False are no text.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_TEXT``; it is a list, an object, or true or false.

    Example:
        >>> text(" Kisumu "), text(125080001), text(5.0), text("  ")
        ('Kisumu', '125080001', '5', None)
    """
    if is_blank(value):
        return None
    written = as_text(value)
    if written is None:
        fix = "Take the text out of it first, or read true and false with yes_no(…)."
        raise refused("BAD_TEXT", value, "is no text", name=name, fix=fix)
    return written


def as_text(value: Any) -> str | None:
    """Give a value that is not blank as text, as the state has it between two steps; None if it is no text.

    >>> as_text(" a "), as_text(5.0), as_text(True)
    ('a', '5', None)
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool | list | tuple | dict):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # JSON knows no difference between 5.0 and 5
    try:
        return encode(value).decode().strip('"')
    except StateEncodingError:
        return None


def title(value: Any, *, name: str | None = None) -> str | None:
    """Write a name with capitals, in single blanks; a word that already mixes them stays as it is.

    Args:
        value: Text or nothing; ``_`` counts as a blank.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_TEXT``; it is no text.

    Example:
        >>> title("o'brien-smith"), title("ÉLODIE  McDonald"), title("n'djamena"), title("ng'ang'a")
        ("O'Brien-Smith", 'Élodie McDonald', "N'Djamena", "Ng'ang'a")
    """
    given = text(value, name=name)
    return None if given is None else " ".join(map(_titled, given.replace("_", " ").split())) or None


def _titled(word: str) -> str:
    pieces = re.split("([-'’])", word)  # pieces and the signs between them, in turns
    for at in range(0, len(pieces), 2):
        # What follows an apostrophe is a name of its own after one letter only: O'Brien, but it's.
        begins = at == 0 or pieces[at - 1] == "-" or len(pieces[at - 2]) == 1
        pieces[at] = _capitalised(pieces[at], begins)
    return "".join(pieces)


def _capitalised(piece: str, begins: bool) -> str:
    if piece not in (piece.lower(), piece.upper()):
        return piece
    piece = piece.lower()
    first = re.search(r"[^\W_]", piece)
    if not begins or first is None:
        return piece
    return piece[: first.start()] + first[0].title() + piece[first.end() :]


def join_nonempty(texts: Iterable[Any] | None, by: str = " ", *, name: str | None = None) -> str | None:
    """Join what there is; None if there is nothing.

    Args:
        texts: Texts and numbers, among them None and blanks; one text alone counts as one.
        by: What stands between them.
        name: Where the values came from, for the error.

    Raises:
        JobError: ``BAD_TEXT``; one of them is no text.

    Example:
        >>> join_nonempty(["Gambella", None, " ", "Kule"], by=", "), join_nonempty([None])
        ('Gambella, Kule', None)
    """
    if isinstance(texts, Mapping):
        raise refused("BAD_TEXT", dict(texts), "is no list of texts", name=name, fix="Name the texts in it.")
    several = texts if isinstance(texts, Iterable) and not isinstance(texts, str) else as_list(texts)
    return by.join(given for item in several if (given := text(item, name=name)) is not None) or None


def strip_tags(markup: Any, *, name: str | None = None) -> str | None:
    """Give the text of an HTML fragment: no tags, entities decoded, white space in single blanks.

    A tag that begins a line or a cell (``<p>``, ``<br>``, ``<td>``) becomes a blank, others
    (``<b>``) nothing. Scripts, styles and comments are left out. A ``<`` that no ``>`` follows
    is text.

    Args:
        markup: HTML, plain text, or nothing.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_TEXT``; it is no text.

    Example:
        >>> strip_tags("<p>Needs a fos<b>ter</b> family</p><p>R&amp;R,&nbsp;BP &lt;90</p>")
        'Needs a foster family R&R, BP <90'
    """
    given = text(markup, name=name)
    if given is None:
        return None
    from crossdock.values.markup import text_of  # imported late: it needs lxml

    try:
        return " ".join(text_of(given).split()) or None
    except UnicodeEncodeError:
        raise _not_unicode(given, name) from None


def _not_unicode(value: str, name: str | None) -> JobError:
    return refused("BAD_TEXT", value, "is not Unicode: it has half of a pair", name=name, fix="Send UTF-8.")
