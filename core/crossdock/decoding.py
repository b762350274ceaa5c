"""Strict JSON: text that comes in becomes a value that a state may hold, or is refused with its place."""

import json
import math
from collections.abc import Callable
from typing import Any, Literal

from crossdock.errors import InputError
from crossdock.state import MAX_DEPTH, NotJsonError, check_json, dump, is_plain

_SHOWN = 40
"""The most characters of what is read that an error shows."""


def decode(
    raw: bytes | str,
    *,
    what: str = "the input",
    max_depth: int = MAX_DEPTH,
    duplicate_keys: Literal["refuse", "last"] = "refuse",
) -> Any:
    """Read strict JSON: UTF-8, no NaN, no duplicate key, no lone surrogate, no endless nesting.

    Args:
        raw: The JSON text; a byte order mark is accepted.
        what: What is read, for the error.
        max_depth: How deep lists and dicts may nest, at most as in a state.
        duplicate_keys: Whether a key that stands twice in an object is refused, or the last one counts.

    Raises:
        InputError: It says what is wrong and where, and never shows the content. Its details have
            the ``reason``: ``invalid_json``, ``duplicate_key``, ``too_deep``, ``not_utf8`` or
            ``invalid_unicode``.

    Example:
        >>> decode('{"id": 9007199254740993}')
        {'id': 9007199254740993}
    """
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
        value = _loads(text, _unique_keys if duplicate_keys == "refuse" else None)
        depth = MAX_DEPTH - max_depth
        if not is_plain(value, depth):
            check_json(value, depth)
        if not isinstance(raw, bytes) or "\\ud" in text or "\\uD" in text:  # UTF-8 has no surrogates but escaped ones
            dump(value)
    except UnicodeDecodeError as error:
        fix, at = "Save the file as UTF-8.", error.start
        raise InputError(f"{what} is not UTF-8: byte {at}", fix=fix, reason="not_utf8", byte=at) from None
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        said = f"{what} is not JSON: {error.msg} in line {line}, column {column}"
        raise InputError(said, reason="invalid_json", line=line, column=column) from None
    except RecursionError:
        raise InputError(f"{what} nests deeper than {max_depth} levels", reason="too_deep") from None
    except NotJsonError as fault:
        raise _unreadable(fault, what, max_depth) from None
    return value


def _unreadable(fault: NotJsonError, what: str, max_depth: int) -> InputError:
    path = fault.where()
    path = path if len(path) <= _SHOWN else path[:_SHOWN] + "…"
    wrong = f"is not strict JSON: {fault.reason}"
    if fault.code == "too_deep":
        wrong = f"nests deeper than {max_depth} levels"
    return InputError(f"{what} {wrong} at {path}", reason=fault.code, path=path)


def _loads(text: str, object_hook: Callable[[list[tuple[str, Any]]], Any] | None) -> Any:
    """Read JSON; where something is not strict, its fault stands in the value, so that its path can be told."""
    hooks: dict[str, Any] = {
        "parse_constant": lambda name: NotJsonError(f"{name} is not JSON"),
        "parse_float": _float,
        "object_pairs_hook": object_hook,
    }
    try:
        return json.loads(text, **hooks)
    except json.JSONDecodeError:
        raise
    except ValueError:  # int() of over 4,300 digits
        return json.loads(text, parse_int=_int, **hooks)


def _float(text: str) -> float | NotJsonError:
    number = float(text)
    return number if math.isfinite(number) else NotJsonError(f"the number {text[:_SHOWN]} is out of range")


def _int(text: str) -> int | NotJsonError:
    try:
        return int(text)
    except ValueError:
        return NotJsonError("a whole number that is too long")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any] | NotJsonError:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return NotJsonError("a key stands twice in one object", code="duplicate_key", key=key)
