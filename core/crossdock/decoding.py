"""Strict JSON: text that comes in becomes a value that a state may hold, or is refused with its place."""

import json
import math
from typing import Any, Literal

from crossdock.errors import InputError
from crossdock.state import MAX_DEPTH, NotJsonError, check_json, dump

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
        reading = _Reading()
        value = reading.loads(text, refuse_duplicates=duplicate_keys == "refuse")
        if reading.found_fault or _nests_deeper(text, value, max_depth):
            check_json(value, MAX_DEPTH - max_depth)
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


class _Reading:
    """Reads JSON; where something is not strict, its fault stands in the value, so that its path can be told."""

    def __init__(self) -> None:
        self.found_fault = False

    def loads(self, text: str, *, refuse_duplicates: bool) -> Any:
        hooks: dict[str, Any] = {
            "parse_constant": lambda name: self._fault(f"{name} is not JSON"),
            "parse_float": self._float,
            "object_pairs_hook": self._unique_keys if refuse_duplicates else None,
        }
        try:
            return json.loads(text, **hooks)
        except json.JSONDecodeError:
            raise
        except ValueError:  # int() of over 4,300 digits
            return json.loads(text, parse_int=self._int, **hooks)

    def _fault(self, reason: str, **more: Any) -> NotJsonError:
        self.found_fault = True
        return NotJsonError(reason, **more)

    def _float(self, text: str) -> float | NotJsonError:
        number = float(text)
        return number if math.isfinite(number) else self._fault(f"the number {text[:_SHOWN]} is out of range")

    def _int(self, text: str) -> int | NotJsonError:
        try:
            return int(text)
        except ValueError:
            return self._fault("a whole number that is too long")

    def _unique_keys(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | NotJsonError:
        result = dict(pairs)
        if len(result) == len(pairs):
            return result
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                break
            seen.add(key)
        return self._fault("a key stands twice in one object", code="duplicate_key", key=key)


def _nests_deeper(text: str, value: Any, levels: int) -> bool:
    """Tell whether lists and dicts of a text nest deeper; nearly always its brackets are too few, or soon counted."""
    if text.count("{") + text.count("[") <= levels:
        return False
    parts = [value]
    for _ in range(levels):
        inner = (part.values() if type(part) is dict else part for part in parts)
        parts = [item for items in inner for item in items if type(item) is dict or type(item) is list]
        if not parts:
            return False
    return True
