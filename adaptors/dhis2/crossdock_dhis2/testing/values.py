"""How the fake reads values and periods."""

import re
import secrets
from collections.abc import Callable
from datetime import date
from string import ascii_letters, digits
from typing import Any

_UID = re.compile(r"[A-Za-z][A-Za-z0-9]{10}")
_PERIOD = re.compile(r"\d{4}((0[1-9]|1[0-2])([0-3]\d)?|W\d\d?|Q[1-4]|S[12]|April|July|Oct|Nov)?")


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text[:10])
    except ValueError:
        return False
    return True


_TYPES: dict[str, Callable[[str], bool]] = {
    "NUMBER": _is_number,
    "INTEGER": lambda text: re.fullmatch(r"-?\d+", text) is not None,
    "INTEGER_POSITIVE": lambda text: re.fullmatch(r"[1-9]\d*", text) is not None,
    "INTEGER_ZERO_OR_POSITIVE": lambda text: text.isdigit(),
    "BOOLEAN": lambda text: text in ("true", "false"),
    "TRUE_ONLY": lambda text: text == "true",
    "DATE": _is_date,
}


def fits(value: Any, value_type: str) -> bool:
    """Tell whether a value is of a type."""
    check = _TYPES.get(value_type)
    return check is None or check(str(value).lower() if isinstance(value, bool) else str(value))


def is_period(text: Any) -> bool:
    """Tell whether a text is a period."""
    return _PERIOD.fullmatch(str(text)) is not None


def is_identifier(text: Any) -> bool:
    """Tell whether a text can be an identifier."""
    return isinstance(text, str) and _UID.fullmatch(text) is not None


def new_identifier() -> str:
    """Make an identifier."""
    return secrets.choice(ascii_letters) + "".join(secrets.choice(ascii_letters + digits) for _ in range(10))
