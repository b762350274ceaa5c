"""What all readers of values share: what counts as nothing, and the error for what can't be read."""

from typing import Any

from crossdock.errors import JobError, LazyError, cut
from crossdock.lazy import Lazy

_SHOWN = 40
"""The most characters of a value that an error shows: such errors are sent on to partners."""

_KINDS: dict[type, str] = {dict: "an object", list: "a list", tuple: "a list", type(None): "nothing"}


def refuse_lazy(value: Any) -> None:
    """Raise a LazyError for a lazy path: it has no value yet, and would be read as nothing."""
    if type(value) is Lazy:
        raise LazyError(
            f"{value!r} is a lazy path, and a value is read here",
            fix="Read it in a function, from the state that the function received.",
        )


def is_blank(value: Any) -> bool:
    """Tell whether a value stands for nothing: None, the empty text, or blanks; a lazy path is refused."""
    refuse_lazy(value)
    return value is None or (isinstance(value, str) and not value.strip())


def shown(value: Any) -> str:
    r"""Give how an error shows a value: short, on one line, and only its kind if it holds others.

    >>> shown("31/02/2024\n"), shown(["Amina"])
    ("'31/02/2024\\n'", 'a list')
    """
    if isinstance(value, str):
        return repr(cut(value, _SHOWN))
    if isinstance(value, bool | int | float):
        try:
            return cut(str(value), _SHOWN)
        except ValueError:  # str() of over 4,300 digits
            return "a whole number that is too long"
    return _KINDS.get(type(value)) or f"a value of type {type(value).__name__}"


def refused(code: str, value: Any, wrong: str, *, name: str | None, fix: str) -> JobError:
    """Make the error for a value that can't be read.

    Args:
        code: The stable code of the family of readers.
        value: The value; the error shows at most 40 characters of it.
        wrong: What it is not, after the value: ``is no number``.
        name: Where it came from.
        fix: What to do about it.
    """
    where = {} if name is None else {"name": name}
    place = "" if name is None else f" in {name}"
    return JobError(code, f"{shown(value)} {wrong}{place}", fix=fix, value=shown(value), **where)
