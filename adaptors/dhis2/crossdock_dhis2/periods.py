"""Periods of DHIS2, as its documentation writes them ("Date and period format")."""

import re
from collections.abc import Callable
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Literal

from crossdock_dhis2.errors import PeriodError

Kind = Literal[
    "daily",
    "weekly",
    "biweekly",
    "monthly",
    "bimonthly",
    "quarterly",
    "sixmonthly",
    "sixmonthly_april",
    "yearly",
    "financial_april",
    "financial_july",
    "financial_october",
    "financial_november",
]

_YEAR = r"(?P<year>[12]\d{3})"
_MONTH = r"(?:0[1-9]|1[0-2])"
_FORMS = re.compile(
    "|".join(
        f"{_YEAR.replace('year', name)}{form}"
        for name, form in {
            "day": rf"{_MONTH}\d\d",
            "month": _MONTH,
            "bimonth": "0[1-6]B",
            "week": r"(?:Wed|Thu|Fri|Sat|Sun|Mon|Tue)?W(?P<number>[1-9]|[1-4]\d|5[0-3])",
            "biweek": r"BiW(?:[1-9]|1\d|2[0-7])",
            "quarter": "(?:Nov)?Q[1-4]",
            "half": "(?:April|Nov)?S[12]",
            "whole": "(?:Feb|April|July|Aug|Sep|Oct|Nov)?",
        }.items()
    )
)


def period(value: Any, kind: Kind | None = None) -> str:
    """Check a DHIS2 period, or make the one that a day lies in.

    Args:
        value: A period such as ``202403``; with ``kind`` a date, a datetime or ISO text of one.
        kind: What to make: ``daily weekly biweekly monthly bimonthly quarterly sixmonthly
            sixmonthly_april yearly financial_april financial_july financial_october
            financial_november``.

    Raises:
        PeriodError: There is no such period, day or kind.

    Example:
        >>> period("2024Q1"), period(date(2024, 12, 30), "weekly"), period("2024-02-29", "financial_april")
        ('2024Q1', '2025W1', '2023April')
    """
    if kind is None:
        return _checked(str(value))
    make = _MAKERS.get(kind)
    if make is None:
        raise PeriodError(f"there is no kind of period {kind!r:.40}", fix=f"Use one of {', '.join(_MAKERS)}.")
    return make(_day(value))


@lru_cache(maxsize=4096)  # an import of 100,000 values has few periods
def _checked(text: str) -> str:
    found = _FORMS.fullmatch(text)
    if found is None or (found["day"] is not None and not _is_day(text)):
        raise PeriodError(f"{text!r:.40} is no DHIS2 period; nothing was sent")
    if found["week"] is not None and int(found["number"]) == 53 and not _is_long(int(found["week"])):
        raise PeriodError(f"{text!r:.40} is no DHIS2 period: that year has 52 weeks; nothing was sent")
    return text


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_long(year: int) -> bool:
    """Tell whether an ISO year has 53 weeks; years of weeks that begin on another day may have them too."""
    return any(date(year, 12, day).isocalendar().week == 53 for day in (28, 31))


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return datetime.fromisoformat(str(value)).date()
    except ValueError:
        raise PeriodError(
            f"{str(value)!r:.40} is no day; nothing was sent", fix="Give a date, as 2024-03-31."
        ) from None


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}W{week}"


def _two_weeks(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}BiW{(week + 1) // 2}"


def _from_month(first: int, name: str) -> Callable[[date], str]:
    """Make what gives the year that begins with a month."""
    return lambda day: f"{day.year - (day.month < first)}{name}"


def _half_from_april(day: date) -> str:
    return f"{day.year - (day.month < 4)}AprilS{1 if 4 <= day.month < 10 else 2}"


_MAKERS: dict[str, Callable[[date], str]] = {
    "daily": lambda day: f"{day:%Y%m%d}",
    "weekly": _week,
    "biweekly": _two_weeks,
    "monthly": lambda day: f"{day:%Y%m}",
    "bimonthly": lambda day: f"{day.year}0{(day.month + 1) // 2}B",
    "quarterly": lambda day: f"{day.year}Q{(day.month + 2) // 3}",
    "sixmonthly": lambda day: f"{day.year}S{1 if day.month < 7 else 2}",
    "sixmonthly_april": _half_from_april,
    "yearly": lambda day: str(day.year),
    "financial_april": _from_month(4, "April"),
    "financial_july": _from_month(7, "July"),
    "financial_october": _from_month(10, "Oct"),
    "financial_november": _from_month(11, "Nov"),
}
