"""The cleaning that real jobs copy from each other, done once.

None, the empty text and blanks give None; what can't be read is a JobError, never a guess.
"""

from datetime import date as _date
from datetime import datetime as _datetime
from typing import Any

from crossdock.errors import JobError

__all__ = ["as_list", "date", "null_if"]


def null_if(value: Any, *nulls: Any) -> Any:
    """Give None for blanks and for the values that a form writes instead of nothing.

    Args:
        value: Any value.
        nulls: What counts as nothing, compared as a whole.

    Example:
        >>> null_if("NaN", "NaN"), null_if(" "), null_if(0, "NaN"), null_if("07", "NaN")
        (None, None, 0, '07')
    """
    if value is None or (isinstance(value, str) and (not value.strip() or value in nulls)):
        return None
    return None if any(value == null and type(value) is type(null) for null in nulls) else value


def date(value: Any, format: str = "%Y-%m-%d") -> _date | None:  # noqa: A002 - the word that strptime's users look for
    """Read a date from text in one given format.

    Args:
        value: Text, a date or datetime, or nothing.
        format: The format as ``datetime.strptime`` writes it.

    Raises:
        JobError: ``BAD_DATE``; the text is not in that format, or there is no such day.

    Example:
        >>> date("02/05/2024", "%d/%m/%Y")
        datetime.date(2024, 5, 2)
    """
    if isinstance(value, _datetime):
        return value.date()
    if value is None or isinstance(value, _date):
        return value
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            return _datetime.strptime(value.strip(), format).date()
        except ValueError:
            pass  # the same error as for what is no text
    raise JobError(
        "BAD_DATE", f"a value of type {type(value).__name__} is no date in the format {format!r}", format=format
    )


def as_list(value: Any) -> list[Any]:
    """Give a list, whatever a system sends for none, one or several.

    Args:
        value: None, one value, or a list.

    Example:
        >>> as_list(None), as_list({"id": 1}), as_list([1, 2])
        ([], [{'id': 1}], [1, 2])
    """
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
