"""Text of a document as it may stand in the source of Python: it is never code."""

import re
import textwrap
from typing import Any

_TYPOGRAPHY = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "×": "x", "\u00a0": " "})
_WIDTH = 110


def literal(value: Any) -> str:
    r"""Write a value as the formatter writes it: in double quotes, unless that takes more backslashes.

    >>> print(literal("it's"), literal('a "b"\n'), literal("é"), literal([True, {"a": 0.5}]))
    "it's" 'a "b"\n' "\xe9" [True, {"a": 0.5}]
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    if not isinstance(value, str):
        return repr(value)
    quote = "'" if value.count('"') > value.count("'") else '"'
    return quote + value.encode("unicode_escape").decode().replace(quote, f"\\{quote}") + quote


def prose(text: str, longest: int = 400) -> str:
    r"""Make one line of a text, for a docstring: without what would end it, or would run as an example.

    >>> prose('Give\tit.  ' + '>' * 3 + ' import os ' + '"' * 3)
    "Give it. > import os '"
    """
    printable = "".join(letter if letter.isprintable() else " " for letter in text.translate(_TYPOGRAPHY))
    harmless = re.sub(r'"{2,}', "'", re.sub(r">{2,}", ">", printable))
    return textwrap.shorten(harmless, longest, placeholder=" …")


def sentence(text: str, longest: int = 400) -> str:
    """Make a sentence of a text: from a capital letter to a full stop; the empty text if there is nothing in it."""
    words = re.sub(r"^[\W_]+", "", prose(text, longest)).rstrip(" :;,-\\")
    if not words:
        return ""
    return words[0].upper() + words[1:] + ("" if words[-1] in ".?!" else ".")


def wrapped(text: str, indent: int, hanging: int = 0) -> list[str]:
    """Give the lines of a paragraph in a docstring."""
    first, others = " " * indent, " " * (indent + hanging)
    return textwrap.wrap(text, _WIDTH, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
