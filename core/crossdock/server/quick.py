"""Quick JSON: what orjson reads just as the strict decoder does, and nothing else.

orjson is several times as fast, but lets a key stand twice and bends whole numbers over 64 bits. Both
show in counts that need no loop of Python's. Whatever is in doubt is left to the strict decoder, which
also says what is wrong, and where.
"""

from typing import Any

import orjson

UNSURE = object()
"""What is given for a text that only the strict decoder can judge."""

_DIGITS = bytes(ord("0") if byte in b"123456789" else byte for byte in range(256))
_LONG_NUMBER = b"0" * 19
"""Whole numbers with fewer digits fit in 64 bits."""

_USUAL_LEVELS = 10
"""How deep nearly everything nests; each level takes another look at all brackets."""

_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
"""Of a text that was read, each bracket is closed by its like."""


def read_quickly(raw: bytes, *, levels: int, unique_keys: bool) -> Any:
    """Read a JSON text, or give ``UNSURE``.

    Args:
        raw: The text.
        levels: How deep lists and dicts may nest.
        unique_keys: Whether a key may stand only once in an object.

    Example:
        >>> read_quickly(b'{"form": "visit"}', levels=10, unique_keys=True)
        {'form': 'visit'}
        >>> read_quickly(b'{"form": "visit", "form": "birth"}', levels=10, unique_keys=True) is UNSURE
        True
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return UNSURE
    if _LONG_NUMBER in raw.translate(_DIGITS):
        return UNSURE
    structure = _unescaped(raw).translate(_ONE_KIND, _NO_STRUCTURE)
    if not _is_flat(structure, levels):
        return UNSURE
    if unique_keys and structure.count(b'"') != _unescaped(orjson.dumps(value)).count(b'"'):
        return UNSURE  # of two keys, one was dropped
    return value


def _unescaped(raw: bytes) -> bytes:
    """Leave out the escaped quotes of a JSON text: those that are left begin and end its texts."""
    return raw.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in raw else raw


def _is_flat(structure: bytes, levels: int) -> bool:
    """Tell whether brackets nest no deeper; a quote that is left over shows that one of them stands in a text."""
    brackets = structure.replace(b'""', b"")
    for _ in range(min(levels, _USUAL_LEVELS)):
        if not brackets or b'"' in brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return not brackets
