"""Days and instants from text: in one given form, so that day and month are never mixed up."""

import datetime as dt
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crossdock.common.reading import is_blank, refused
from crossdock.errors import ArgumentError, JobError, closest
from crossdock.values.numbers import number

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_DIRECTIVES = re.compile(r"(?:[^%]|%[aAbBcdfHIjmMpSuUVwWxXyYzZG%])*")
_WHOLE_DAYS = ({"Y", "m", "d"}, {"Y", "j"}, {"G", "V", "u"}, {"c"}, {"x"})
_WRITTEN_BACK = re.compile("%[a-zA-Z]%[a-zA-Z]|%[aAjuUVwWG]")
"""Forms that strptime reads loosely: two numbers without a sign between them, days of a week or year."""
_ISO = re.compile(r"\d{4}-?\d\d-?\d\d[T ]\d\d.*", re.ASCII)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCHS = {"epoch": dt.timedelta(seconds=1), "epoch_ms": dt.timedelta(milliseconds=1)}


def date(value: Any, format: str = "%Y-%m-%d", *, name: str | None = None) -> dt.date | None:  # noqa: A002 - the word that strptime's users look for
    """Read a day from text in one given format.

    Args:
        value: Text, a date or datetime (its day, as written in its own time zone), or nothing.
        format: The format as ``datetime.strptime`` writes it; year, month and day must be in it.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_DATE``; the text is not in that format, or there is no such day.

    Example:
        >>> date("02/05/2024", "%d/%m/%Y"), date("")
        (datetime.date(2024, 5, 2), None)
    """
    _check_format(format)
    if is_blank(value):
        return None
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    read = _parsed(value, format)
    if read is None:
        fix = "Send it in that format, or tell date(…) the format that it has."
        raise refused("BAD_DATE", value, f"is no date in the format {format!r}", name=name, fix=fix)
    return read.date()


def datetime(
    value: Any,
    format: str = "iso",  # noqa: A002 - as in date
    *,
    zone: str | None = None,
    name: str | None = None,
) -> dt.datetime | None:
    """Read an instant from text: a day and a time, in a known time zone.

    A text without an offset (``+03:00``, ``Z``) is in ``zone``; without that it is refused, as is a
    time that the clocks of the zone show twice or never.

    Args:
        value: Text, a datetime, a number with the formats ``epoch`` and ``epoch_ms``, or nothing.
        format: ``iso`` (ISO 8601), ``epoch`` or ``epoch_ms`` (seconds or milliseconds since 1970),
            or a format of ``datetime.strptime`` with a day and an hour in it.
        zone: The zone of the result, and of texts without an offset: ``Africa/Nairobi``.
        name: Where the value came from, for the error.

    Returns:
        An aware datetime: in ``zone``, else with the offset that was written.

    Raises:
        JobError: ``BAD_DATETIME``; it is not in that format, there is no such time, or its zone is
            not known.

    Example:
        >>> datetime("2024-05-02T21:30:00Z", zone="Africa/Nairobi").isoformat()
        '2024-05-03T00:30:00+03:00'
        >>> datetime("02/05/2024 10:00", "%d/%m/%Y %H:%M", zone="UTC").isoformat()
        '2024-05-02T10:00:00+00:00'
    """
    read = _reader_of(format)
    where = None if zone is None else _zone(zone)
    if is_blank(value):
        return None
    moment = value if isinstance(value, dt.datetime) else read(value)
    if moment is None:
        fix = "Send it in that form, or tell datetime(…) the format that it has."
        raise refused("BAD_DATETIME", value, f"is no time in the format {format!r}", name=name, fix=fix)
    return _placed(moment, where, value, name)


def age_on(day: Any, born: Any, *, name: str | None = None) -> int | None:
    """Give the years completed on a day; who is born on 29 February completes them on 1 March.

    Args:
        day: A date, a datetime such as ``now()``, or a text like 2024-05-02.
        born: The day of birth, likewise.
        name: Where the day of birth came from, for the error.

    Raises:
        JobError: ``BAD_DATE``; one of them is no date, or the birth is after the day.

    Example:
        >>> age_on("2024-02-28", "2012-02-29"), age_on("2024-02-29", "2012-02-29"), age_on("2024-02-29", None)
        (11, 12, None)
    """
    then, birth = date(day), date(born, name=name)
    if then is None or birth is None:
        return None
    if birth > then:
        fix = "Correct the day of birth."
        raise refused("BAD_DATE", birth.isoformat(), f"is after {then}, so it is no day of birth", name=name, fix=fix)
    return then.year - birth.year - ((then.month, then.day) < (birth.month, birth.day))


def last_day(value: Any, *, name: str | None = None) -> dt.date | None:
    """Give the last day of the month in which a day lies.

    Args:
        value: A date, a datetime, a text like 2024-02-10, or nothing.
        name: Where the value came from, for the error.

    Raises:
        JobError: ``BAD_DATE``; it is no date.

    Example:
        >>> last_day("2024-02-10")
        datetime.date(2024, 2, 29)
    """
    from calendar import monthrange  # imported late: few jobs ask

    day = date(value, name=name)
    return None if day is None else day.replace(day=monthrange(day.year, day.month)[1])


@lru_cache(maxsize=64)
def _check_format(format: str) -> frozenset[str]:  # noqa: A002 - as in date
    """Refuse a format that is wrong, or that leaves something to guess."""
    directives = frozenset(re.findall("%(.)", format.replace("%%", "")))
    if not _DIRECTIVES.fullmatch(format):
        raise ArgumentError(f"{format!r:.80} is no format of a date", fix="Write it like '%d/%m/%Y'.")
    if "y" in directives:
        raise ArgumentError(
            f"the format {format!r:.80} has a year of two digits, whose century is a guess",
            fix="Put the century before the year, and write %Y.",
        )
    if not any(whole <= directives for whole in _named(directives)):
        raise ArgumentError(
            f"the format {format!r:.80} names no whole day", fix="Complete the text first: date(f'{month}-01')."
        )
    return directives


def _named(directives: frozenset[str]) -> list[set[str]]:
    """Give the ways to name a whole day, with months by number or by name."""
    months = directives & {"b", "B"}
    return [*_WHOLE_DAYS, {"Y", "d", *months}] if months else list(_WHOLE_DAYS)


def _parsed(value: Any, format: str) -> dt.datetime | None:  # noqa: A002 - as in date
    """Read a text in a format; None if it does not fit."""
    if not isinstance(value, str):
        return None
    written = value.strip()
    try:
        read = dt.datetime.strptime(written, format)
        loose = _WRITTEN_BACK.search(format) and read.strftime(format).casefold() != written.casefold()
    except (ValueError, OverflowError):
        return None
    return None if loose else read


def _reader_of(format: str) -> Any:  # noqa: A002 - as in date
    """Give the function that reads a format; it gives None for what does not fit."""
    if format == "iso":
        return _from_iso
    if format in _EPOCHS:
        return lambda value: _from_epoch(value, _EPOCHS[format])
    directives = _check_format(format)
    if not directives & {"H", "c"} and not {"I", "p"} <= directives:
        raise ArgumentError(
            f"the format {format!r:.80} has no hour", fix="Read a day with date(…); 'iso' stands for ISO 8601."
        )
    if "Z" in directives:
        raise ArgumentError(
            f"the format {format!r:.80} has the short name of a zone, which is not clear",
            fix="Give zone='Africa/Nairobi', and write the name as plain text.",
        )
    return lambda value: _parsed(value, format)


def _from_iso(value: Any) -> dt.datetime | None:
    written = value.strip().upper() if isinstance(value, str) else ""
    try:
        return dt.datetime.fromisoformat(written) if _ISO.fullmatch(written) else None
    except ValueError:
        return None


def _from_epoch(value: Any, unit: dt.timedelta) -> dt.datetime | None:
    try:
        count = number(value)
        return None if count is None else _EPOCH + count * unit
    except (JobError, OverflowError):
        return None


def _placed(moment: dt.datetime, where: "ZoneInfo | None", value: Any, name: str | None) -> dt.datetime:
    """Put an instant into the zone that was asked for."""
    try:
        if moment.tzinfo is not None:
            return moment if where is None else moment.astimezone(where)
        if where is None:
            fix = "Say in which zone it is: zone='Africa/Nairobi'."
            raise refused("BAD_DATETIME", value, "has no time zone", name=name, fix=fix)
        placed = moment.replace(tzinfo=where)
        if placed.utcoffset() == placed.replace(fold=1).utcoffset():
            return placed
    except OverflowError:
        fix = "Send a year between 1 and 9999."
        raise refused("BAD_DATETIME", value, "is out of range", name=name, fix=fix) from None
    wrong = f"is a time that clocks in {where} show twice or never"
    raise refused("BAD_DATETIME", value, wrong, name=name, fix="Send the offset, too: +02:00.")


def _zone(name: str) -> "ZoneInfo":
    from zoneinfo import ZoneInfo, available_timezones  # imported late: few jobs need zones

    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        close = closest(name, available_timezones())
        fix = f"Did you mean {close!r}?" if close else "Give a name such as 'Africa/Nairobi'."
        raise ArgumentError(f"there is no time zone {name!r:.60}", fix=fix) from None
