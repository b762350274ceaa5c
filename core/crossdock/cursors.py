"""Cursors: where the next run starts.

A cursor is kept as a text or a number. ``type="number"`` compares texts as numbers, ``type="instant"``
as moments, whatever zone they are written in; such a cursor is kept in UTC, as ``2024-05-02T10:00:00Z``.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from crossdock.errors import ArgumentError
from crossdock.lazy import Root, lazy, resolve_top
from crossdock.scope import run_in_progress
from crossdock.state import State

Type = Literal["text", "number", "instant"]

_WORD = re.compile(r"now|today|yesterday|(\d+) (minute|hour|day|week)s? ago")
LENGTH = re.compile(r"(\d+) (second|minute|hour|day|week)s?")


def cursor(
    name: Any,
    default: Any = None,
    *,
    overlap: timedelta | float | str | None = None,
    timezone: str = "UTC",
) -> Any:
    """Refer to where the last run stopped reading.

    Args:
        name: The name that ``save_cursor`` keeps it under; a lazy path where there is one for each form.
        default: What the first run starts from: a value, or ``now``, ``today``, ``yesterday``,
            ``2 hours ago``, ``3 days ago`` (days begin at midnight), which become a moment in UTC.
        overlap: What to go back by, to read late arrivals again: a number, or for a moment a
            timedelta or text such as ``2 hours``. The default is taken as it is.
        timezone: Where ``today`` is, such as ``Africa/Nairobi``.

    Example:
        >>> from crossdock import resolve
        >>> last = State(cursors={"visits": "2024-05-02T10:00:00Z"})
        >>> resolve(cursor("visits", "2024-01-01", overlap="2 hours"), last)
        '2024-05-02T08:00:00Z'
    """

    def start(state: State) -> Any:
        kept = (state.get("cursors") or {}).get(resolve_top(name, state))
        return _first(resolve_top(default, state), timezone) if kept is None else _earlier(kept, overlap)

    return lazy(Root(f"cursor({name!r})", start))


def furthest(name: str, positions: Iterable[Any], missed: Iterable[Any], type_: Type | None) -> Any:
    """Give the furthest position that was reached, short of those that were missed.

    Args:
        name: The cursor's name, for the error.
        positions: Of what was delivered.
        missed: Of what was not.
        type_: How they are compared; by default as they are.
    """
    reached, short_of = [kept(name, p, type_) for p in positions], [kept(name, p, type_) for p in missed]
    _check_order(name, reached + short_of, type_)
    order = _instant if type_ == "instant" else _itself
    limit = min(map(order, short_of), default=None)
    return max([p for p in reached if limit is None or order(p) < limit], key=order, default=None)


def kept(name: str, value: Any, type_: Type | None) -> Any:
    """Give a position in the form in which it is kept."""
    try:
        if type_ == "instant":
            return _written(_instant(value))
        if type_ == "number":
            return value if isinstance(value, int | float) and not isinstance(value, bool) else _number(value)
    except (TypeError, ValueError):
        pass
    else:
        if type_ is None or isinstance(value, str):
            return value
    raise ArgumentError(
        f"the cursor {name!r} is to be kept as {type_}, and a position is of type {type(value).__name__} or can't be read as that",
        fix="Check the field, or the type.",
    )


def _check_order(name: str, positions: list[Any], type_: Type | None) -> None:
    """Refuse positions that have no order, or one that is not meant: as texts, '9' comes after '10'."""
    kinds = {type(position).__name__ for position in positions}
    if len(kinds - {"int", "float"}) + bool(kinds & {"int", "float"}) > 1:
        raise ArgumentError(
            f"save_cursor({name!r}): the positions are of several types ({', '.join(sorted(kinds))}), which have no order",
            fix="Make them one type first, or say which: type='number' or type='instant'.",
        )
    lengths = {len(position) for position in positions if isinstance(position, str) and position.isdigit()}
    if type_ is None and len(lengths) > 1:
        raise ArgumentError(
            f"save_cursor({name!r}): the positions are numbers in texts of several lengths, which have another order than numbers",
            fix="Say type='number', or type='text' if that is meant.",
        )


def _first(default: Any, timezone: str) -> Any:
    """Give the position that a default means."""
    word = _WORD.fullmatch(default) if isinstance(default, str) else None
    if word is None:
        return default
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # imported late: few cursors need a zone

    try:
        now = run_in_progress(f"the cursor's default {default!r}").now.astimezone(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError):
        raise ArgumentError(
            f"there is no time zone {timezone!r}", fix="Use a name such as Africa/Nairobi or UTC."
        ) from None
    return _written(_counted_back(now, word))


def _counted_back(now: datetime, word: re.Match[str]) -> datetime:
    days = {"today": 0, "yesterday": 1}.get(word[0])
    if word[2] in ("day", "week"):
        days = int(word[1]) * (7 if word[2] == "week" else 1)
    if days is not None:
        return (now - timedelta(days=days)).replace(hour=0, minute=0, second=0, microsecond=0)
    return now.astimezone(UTC) - timedelta(**{f"{word[2]}s": int(word[1])}) if word[1] else now


def _earlier(position: Any, overlap: timedelta | float | str | None) -> Any:
    if overlap is None:
        return position
    if isinstance(position, int | float) and isinstance(overlap, int | float):
        return position - overlap
    length = length_of(overlap) if isinstance(overlap, str) else None
    by = overlap if length is None else length
    try:
        if isinstance(by, timedelta):
            return _written(_instant(position) - by)
    except (TypeError, ValueError):
        pass  # the same error as for what has no overlap
    raise ArgumentError(
        f"overlap={overlap!r} can't be taken from a cursor of type {type(position).__name__}",
        fix="Use a number for a number, and a timedelta or '2 hours' for a moment.",
    )


def length_of(words: str) -> timedelta | None:
    """Give the length of time that words such as ``2 hours`` mean; None for other words.

    >>> length_of("90 seconds"), length_of("soon")
    (datetime.timedelta(seconds=90), None)
    """
    length = LENGTH.fullmatch(words)
    with suppress(OverflowError):
        return timedelta(**{f"{length[2]}s": int(length[1])}) if length is not None else None
    return None


def _instant(value: Any) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        raise TypeError
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _number(text: Any) -> int | float:
    return int(text) if str(text).strip().lstrip("-").isdigit() else float(text)


def _itself(position: Any) -> Any:
    return position
