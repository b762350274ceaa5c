"""What a column takes, and in which form: checked here, so that an error names the record and no value is lost.

The server would round 1.005 for a ``numeric(10,2)``, store NaN, guess at ``02/05/2024``; all that is refused.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

from crossdock.errors import StateEncodingError
from crossdock.state import encode
from psycopg.types.json import Json, Jsonb

from crossdock_postgresql.table import Column

Converter = Callable[[Any], Any]

_WHOLE = re.compile(r"\s*[+-]?\d{1,100}\s*")
_DIGITS = re.compile(r"[\d:/.T+-]+")
_BOOLEANS = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1"), True),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0"), False),
}
_RANGES = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
_WIDE = Context(prec=2000)
"""More digits than a numeric column can ask for; Python's own context would stop at 28."""

_MOST_WHOLE = 100
"""Digits of a number that is written out to see whether it is whole; no integer column takes as many."""
_MOST_DIGITS = 131_072
"""Before the point, in a numeric column without a precision; after it there may be 16,383."""

_ISO = "Write it in ISO 8601, or read it with crossdock.values: date(value, '%d/%m/%Y')."


class ValueFault(Exception):  # noqa: N818 - becomes a RecordError where the record is known
    """A value does not fit its column; ``sqlstate`` is what the server would have said."""

    def __init__(self, what: str, fix: str, sqlstate: str = "22P02") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix
        self.sqlstate = sqlstate


class Guard(NamedTuple):
    """A condition under which a value needs no conversion: its exact type, and a test of ``v`` in Python's words."""

    type: type
    test: str = ""
    names: Mapping[str, Any] = {}
    """What the test names."""


def converter_of(column: Column, *, round_: bool = False) -> Converter:
    """Give the function that makes a value fit for a column, or raises ValueFault; None stays None."""
    convert = _converter(column.type, column.modifier, round_) if not column.element else _array(column, round_)

    def converted(value: Any) -> Any:
        return None if value is None else convert(value)

    return converted


def guard_of(column: Column) -> Guard | None:
    """Give the condition under which a value can be sent as it is, for the fast path."""
    if column.element or (column.modifier >= 0 and column.type in ("varchar", "bpchar")):
        return None
    if column.type in _RANGES:
        return Guard(int, f"{-_RANGES[column.type]} <= v < {_RANGES[column.type]}")
    if column.type == "numeric":
        return _numeric_guard(column.modifier)
    return _GUARDS.get(column.type)


_GUARDS = {
    "text": Guard(str, r'v.isascii() and "\0" not in v'),
    "varchar": Guard(str, r'v.isascii() and "\0" not in v'),
    "bool": Guard(bool),
    "float8": Guard(float, "-1.8e308 < v < 1.8e308"),
    "date": Guard(date),
    "timestamptz": Guard(datetime, "v.tzinfo is not None"),
    "uuid": Guard(UUID),
    "bytea": Guard(bytes),
}


def _numeric_guard(modifier: int) -> Guard:
    """Let numbers pass that have just the digits that their column keeps."""
    if modifier < 4:
        return Guard(Decimal, "v.is_finite() and -16384 < v.adjusted() < 131072")
    precision, scale = _digits(modifier)
    names = {"step": Decimal(1).scaleb(-scale), "limit": Decimal(1).scaleb(precision - scale)}
    return Guard(Decimal, "v.same_quantum(step) and -limit < v < limit", names)


def _digits(modifier: int) -> tuple[int, int]:
    """Give the precision and scale of a numeric column."""
    return (modifier - 4) >> 16, ((modifier - 4) & 0x7FF ^ 1024) - 1024


def _converter(type_: str, modifier: int, round_: bool) -> Converter:
    if type_ in _RANGES:
        return lambda value: _integer(value, type_)
    if type_ == "numeric":
        return lambda value: _numeric(value, modifier, round_)
    if type_ in ("varchar", "bpchar"):
        return lambda value: _text(value, modifier - 4 if modifier >= 4 else None)
    return _CONVERTERS.get(type_, _other)


def _array(column: Column, round_: bool) -> Converter:
    convert = _converter(column.element, column.modifier, round_)
    nests = () if column.element in ("json", "jsonb") else (list, tuple)  # a list in these is JSON itself

    def converted(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueFault(f"takes a list and got {_kind(value)}", "Give a list.")
        return [
            None if item is None else converted(item) if isinstance(item, nests) else convert(item) for item in value
        ]

    return converted


def _integer(value: Any, type_: str) -> int:
    number = _whole(value)
    if number is None:
        raise ValueFault(f"takes a whole number and got {_kind(value)}", "Give a whole number.")
    if not -_RANGES[type_] <= number < _RANGES[type_]:
        raise ValueFault("got a whole number that is too large for it", "Use a bigint or numeric column.", "22003")
    return number


def _whole(value: Any) -> int | None:
    """Give a whole number, also of text that is one and of other numbers that are whole."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, float | Decimal):
        number = Decimal(value)
        short = number.is_finite() and number.adjusted() < _MOST_WHOLE
        return int(number) if short and number == int(number) else None
    return value if type(value) is int else None


def _numeric(value: Any, modifier: int, round_: bool) -> Decimal:
    number = _decimal(value)
    if modifier < 4:  # a column without a scale takes any
        return _written_out(number)
    precision, scale = _digits(modifier)
    fitted = (
        number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _WIDE) if _fits(number, precision, scale) else None
    )
    if fitted is None or not _fits(fitted, precision, scale):
        raise ValueFault(
            "got a number with too many digits before the point", "Use a column with a higher precision.", "22003"
        )
    if fitted != number and not round_:
        raise ValueFault(
            f"keeps {scale} digits after the point and got more", "Round it yourself, or say round=True.", "22003"
        )
    return fitted


def _written_out(number: Decimal) -> Decimal:
    """Refuse a number of more digits than the server keeps; they would all be written out first."""
    if number.adjusted() >= _MOST_DIGITS or number.as_tuple().exponent < -16383:  # type: ignore[operator]
        raise ValueFault("got a number with too many digits", "Give a smaller or shorter number.", "22003")
    return number


def _fits(number: Decimal, precision: int, scale: int) -> bool:
    return not number or number.adjusted() < precision - scale


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise ValueFault(f"takes a number and got {_kind(value)}", "Give a number.")
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueFault("takes a number and got other text", "Give a number, with a point before decimals.") from None
    if not number.is_finite():
        raise ValueFault("takes a number and got NaN or infinity", "Give a number, or None.", "22003")
    return number


def _float(value: Any) -> float:
    number = float(_decimal(value))
    if not isfinite(number):
        raise ValueFault("got a number that is too large for it", "Use a numeric column.", "22003")
    return number


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else None
    if known is None:
        raise ValueFault(f"takes true or false and got {_kind(value)}", "Read it with crossdock.values: yes_no(value).")
    return known


def _text(value: Any, longest: int | None = None) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    elif isinstance(value, int | float | Decimal | UUID):
        value = str(value)
    elif isinstance(value, date | time):
        value = value.isoformat()
    if not isinstance(value, str):
        raise ValueFault(f"takes text and got {_kind(value)}", "Pick a field of it, or use a jsonb column.")
    _check_characters(value)
    if longest is not None and len(value.rstrip(" ")) > longest:
        raise ValueFault(
            f"takes {longest} characters and got {len(value)}", "Shorten it, or use a text column.", "22001"
        )
    return value


def _check_characters(text: str) -> None:
    if "\0" in text:
        raise ValueFault(
            "got text with a NUL character, which PostgreSQL can't hold", "Remove it: text.replace('\\0', '').", "22021"
        )
    if not _is_unicode(text):
        raise ValueFault("got text with half of a surrogate pair", "Repair the text where it comes from.", "22021")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _date(value: Any) -> date:
    if isinstance(value, str):
        value = _iso(value, date.fromisoformat, "a date")
    if isinstance(value, datetime) or not isinstance(value, date):
        what = "a moment, whose time would be lost" if isinstance(value, datetime) else _kind(value)
        raise ValueFault(
            f"takes a date and got {what}", "Give a date: moment.date(), or the text's first 10 characters."
        )
    return value


def _moment(value: Any) -> datetime:
    moment = _iso(value, datetime.fromisoformat, "a moment") if isinstance(value, str) else value
    if not isinstance(moment, date):
        raise ValueFault(f"takes a moment and got {_kind(value)}", _ISO)
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _local_moment(value: Any) -> datetime:
    moment = _moment(value)
    with suppress(OverflowError):
        return moment.astimezone(UTC).replace(tzinfo=None)
    raise ValueFault("got a moment that is outside of the years 1 to 9999 in UTC", "Correct its year.", "22008")


def _local_time(value: Any) -> time:
    found = _time(value)
    if found.tzinfo is not None:
        raise ValueFault("takes a time of day and got one with an offset, which would be lost", "Leave the offset out.")
    return found


def _time(value: Any) -> time:
    if isinstance(value, str):
        value = _iso(value, time.fromisoformat, "a time of day")
    if not isinstance(value, time):
        raise ValueFault(f"takes a time of day and got {_kind(value)}", "Write it as 13:45.")
    return value


def _iso(text: str, read: Callable[[str], Any], what: str) -> Any:
    with suppress(ValueError):  # which quotes the text, so that nothing may be raised within it
        return read(text.strip())
    state = "22008" if _DIGITS.fullmatch(text.strip()) else "22007"  # no such day, or no date at all
    raise ValueFault(f"takes {what} and got text in another form", _ISO, state)


def _uuid(value: Any) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, AttributeError, TypeError):
        raise ValueFault(f"takes a UUID and got {_kind(value)}", "Give a UUID.") from None


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise ValueFault(f"takes bytes and got {_kind(value)}", "Decode it first: base64.b64decode(text).")
    return bytes(value)


def _json(value: Any) -> Json:
    return Json(_encoded(value), dumps=_as_it_is)


def _jsonb(value: Any) -> Jsonb:
    encoded = _encoded(value)
    if b"\\u0000" in encoded.replace(b"\\\\", b""):
        raise ValueFault(
            "got text with a NUL character, which jsonb can't hold", "Remove it, or use a json column.", "22P05"
        )
    return Jsonb(encoded, dumps=_as_it_is)


def _encoded(value: Any) -> bytes:
    try:
        return encode(value)
    except StateEncodingError as error:
        raise ValueFault(f"takes JSON: {error.message}", error.fix) from None


def _as_it_is(encoded: bytes) -> bytes:
    return encoded


def _other(value: Any) -> Any:
    """Leave a type that is not known here to the server."""
    if isinstance(value, dict | list | tuple):
        raise ValueFault(f"takes no {_kind(value)}", "Pick a field of it.")
    return _text(value) if not isinstance(value, timedelta | bytes) else value


_CONVERTERS: Mapping[str, Converter] = {
    "float4": _float,
    "float8": _float,
    "bool": _boolean,
    "text": _text,
    "name": _text,
    "date": _date,
    "timestamptz": _moment,
    "timestamp": _local_moment,
    "time": _local_time,
    "timetz": _time,
    "uuid": _uuid,
    "bytea": _bytes,
    "json": _json,
    "jsonb": _jsonb,
}


def _kind(value: Any) -> str:
    names = {
        str: "other text",
        dict: "a dict",
        list: "a list",
        bool: "true or false",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def is_null(value: Any, null: Sequence[Any]) -> bool:
    """Tell whether a value is one of those that are written as NULL, compared as a whole and with its type."""
    return any(value == token and type(value) is type(token) for token in null)
