"""Answers on a form: yes or no, and choices of which several may be ticked."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from crossdock.common.reading import is_blank, refused
from crossdock.errors import closest
from crossdock.values.words import as_text

YES = ("yes", "y", "true", "1")
NO = ("no", "n", "false", "0")


def yes_no(value: Any, *, yes: Collection[str] = YES, no: Collection[str] = NO, name: str | None = None) -> bool | None:
    """Read yes or no, whatever the case of its letters.

    Args:
        value: Text, true or false, a number, or nothing.
        yes: The words for yes.
        no: The words for no.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_YES_NO``; it is none of these words.

    Example:
        >>> yes_no("Yes"), yes_no(0), yes_no(""), yes_no("oui", yes=["oui"], no=["non"])
        (True, False, None, True)
    """
    if is_blank(value) or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    written = as_text(value)
    for words, answer in ((yes, True), (no, False)):
        if written is not None and written.casefold() in {word.casefold() for word in words}:
            return answer
    known = ", ".join([*yes, *no])
    fix = "Say which words mean what: yes=['oui'], no=['non']."
    raise refused("BAD_YES_NO", value, f"is neither yes nor no (known: {known})", name=name, fix=fix)


def choices(
    value: Any, meanings: Mapping[str, Any] | None = None, *, by: str | None = None, name: str | None = None
) -> list[Any] | None:
    """Give the list of the choices that were ticked, which forms send as one text: ``"water food"``.

    Args:
        value: Text, a list of texts, or nothing.
        meanings: What the choices mean: a dict, in which each must stand, or a ``table``, which says
            itself what becomes of unknown ones. Choices that mean None are left out.
        by: What separates them; blanks by default.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_CHOICES``; it is no text and no list of texts, or a choice is unknown.

    Example:
        >>> choices("water food"), choices("a, b", by=","), choices("")
        (['water', 'food'], ['a', 'b'], None)
        >>> choices("1 2", {"1": "Mild", "2": "Severe"})
        ['Mild', 'Severe']
    """
    if is_blank(value):
        return None
    ticked = list(_ticked(value, by, name))
    if meanings is None:
        return ticked
    return [meaning for choice in ticked if (meaning := _meaning(choice, meanings, name)) is not None]


def _ticked(value: Any, by: str | None, name: str | None) -> Iterator[str]:
    for part in value if isinstance(value, list | tuple) else _parts(value, by):
        if is_blank(part):
            continue
        choice = as_text(part)
        if choice is None:
            fix = "Give one text with the choices in it, or a list of texts."
            raise refused("BAD_CHOICES", part, "is no choice", name=name, fix=fix)
        yield choice


def _parts(value: Any, by: str | None) -> list[Any]:
    return value.split(by) if isinstance(value, str) else [value]


def _meaning(choice: str, meanings: Mapping[str, Any], name: str | None) -> Any:
    try:
        return meanings[choice]
    except KeyError:
        close = closest(choice, meanings)
        fix = f"Did you mean {close!r}? Else add it to the meanings." if close else "Add it to the meanings."
        raise refused("BAD_CHOICES", choice, "is none of the known choices", name=name, fix=fix) from None
