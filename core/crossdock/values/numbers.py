"""Numbers from text, exactly."""

import re
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, overload

from crossdock.common.reading import is_blank, refused
from crossdock.errors import ArgumentError

if TYPE_CHECKING:
    from decimal import Decimal

_FRACTION = re.compile("[.eE]")
_BLANKS = " \u00a0\u2009\u202f"
"""A blank that separates thousands may be a narrow one, or one at which lines don't break."""


@overload
def number(
    value: Any, *, thousands: str | None = ..., point: str = ..., decimal: Literal[False] = ..., name: str | None = ...
) -> int | float | None: ...
@overload
def number(
    value: Any, *, thousands: str | None = ..., point: str = ..., decimal: Literal[True], name: str | None = ...
) -> "int | Decimal | None": ...
def number(
    value: Any, *, thousands: str | None = None, point: str = ".", decimal: bool = False, name: str | None = None
) -> Any:
    """Read a number from text, without losing a digit.

    A whole number is an int, any other a float, which JSON can say. A number with more digits
    than a float keeps is refused, unless ``decimal`` asks for exact ones.

    Args:
        value: Text, a number, or nothing. True and False are no numbers.
        thousands: What separates groups of three digits; without it no separator is accepted.
        point: What stands before the fraction.
        decimal: Give a Decimal for what is not whole.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_NUMBER``; it is no number, or has too many digits.

    Example:
        >>> number("12"), number(" 2.50 "), number(""), number("1.234,5", thousands=".", point=",")
        (12, 2.5, None, 1234.5)
    """
    pattern = _pattern(thousands, point)
    if is_blank(value):
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    written = _plain(value, pattern)
    if written is None:
        raise refused("BAD_NUMBER", value, "is no number", name=name, fix=_fix(thousands, point))
    exact = _exact(written, decimal)
    if exact is None:
        fix = "Read it with number(…, decimal=True), or keep it as text."
        raise refused("BAD_NUMBER", value, "has more digits than a number keeps here", name=name, fix=fix)
    return exact


@lru_cache(maxsize=32)
def _pattern(thousands: str | None, point: str) -> re.Pattern[str]:
    marks = [point] if thousands is None else [thousands, point]
    if any(len(mark) != 1 or mark.isalnum() or mark in "+-" for mark in marks) or thousands == point:
        raise ArgumentError(
            f"number() got thousands={thousands!r:.20}, point={point!r:.20}",
            fix="Give two different signs, such as thousands='.', point=','.",
        )
    separator = None if thousands is None else f"[{_BLANKS}]" if thousands in _BLANKS else re.escape(thousands)
    grouped = "" if separator is None else rf"\d{{1,3}}(?:{separator}\d{{3}})+|"
    return re.compile(rf"([+-]?)({grouped}\d*)(?:{re.escape(point)}(\d+))?([eE][+-]?\d+)?")


def _plain(value: Any, pattern: re.Pattern[str]) -> str | None:
    """Give a number as Python writes it; None if it is none."""
    if isinstance(value, float):
        return repr(value) if isfinite(value) else None
    if type(value).__name__ == "Decimal":  # by name: importing decimal takes as long as a fifth of core
        return str(value) if value.is_finite() else None
    found = pattern.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or not (found[2] or found[3]):
        return None
    whole = "".join(digit for digit in found[2] if digit.isdecimal())
    return f"{found[1]}{whole or 0}{'.' + found[3] if found[3] else ''}{found[4] or ''}"


def _exact(written: str, decimal: bool) -> Any:
    """Give the number that a text says; None if it can't be kept without losing digits."""
    if not _FRACTION.search(written):
        try:
            return int(written)
        except ValueError:  # over 4,300 digits
            return None
    from decimal import Decimal, InvalidOperation  # imported late: see above

    try:
        exact = Decimal(written)
    except InvalidOperation:  # an exponent that is too large
        return None
    if decimal:
        return exact
    near = float(written)
    return near if isfinite(near) and Decimal(repr(near)) == exact else None


def _fix(thousands: str | None, point: str) -> str:
    if thousands is None:
        return f"Send digits with {point!r} before the fraction, or say what separates thousands: thousands=','."
    return f"Send digits with {thousands!r} between thousands and {point!r} before the fraction."
