"""Filter: which messages a trigger takes, and which states an edge lets through.

What a filter names must be contained in the payload, as PostgreSQL's ``@>`` asks of two ``jsonb``
values (https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT): every key is
there with a value that contains the wanted one, and every item of a list is contained in some item
of the list. Numbers are compared by value and text to the letter; ``true`` is no number. Other than
in PostgreSQL, a number with a fraction is what Python reads it as: 0.1 and 0.10000000000000001 are
one.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from crossdock.decoding import decode
from crossdock.errors import InputError, StateEncodingError, cut
from crossdock.state import encode, path_step

Accept = Literal["object", "any"]
"""Whether a payload must be a JSON object, or may be any JSON value."""

_SHOWN = 60
"""The most characters of a filter that a mismatch shows."""


def contains(value: Any, wanted: Any) -> bool:
    """Tell whether a JSON value contains another one, as ``@>`` of PostgreSQL does.

    Args:
        value: The value that may hold more.
        wanted: What must be in it.

    Example:
        >>> contains({"form": "visit", "tags": ["new", "urgent"]}, {"tags": ["urgent"]})
        True
        >>> contains({"count": 8}, {"count": "8"})
        False
    """
    if isinstance(value, list) and not isinstance(wanted, list | dict):
        return any(_equal(item, wanted) for item in value)  # of the whole payload, and of no list within it
    return _contains(value, wanted)


class Mismatch(NamedTuple):
    """Why a payload does not pass a filter; it shows what the filter names, and nothing of the payload."""

    part: Literal["include", "exclude"]
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.part}: {self.path} {self.reason}"


class Filter:
    """What a payload must contain, and what it must not contain.

    Args:
        include: A mapping, a list, or a text that holds JSON; nothing or a blank text asks for nothing.
        exclude: The same for what must not be contained.
        what: Where the filter stands, for the error.

    Raises:
        InputError: One of them is not JSON; it says which one and where.

    Example:
        >>> visits = Filter({"form": "visit"}, exclude='{"test": true}')
        >>> visits.holds({"form": "visit", "test": False})
        True
        >>> [str(mismatch) for mismatch in visits.explain({"form": "referral"})]
        ['include: $.form is another text of length 8; wanted "visit"']
    """

    __slots__ = ("exclude", "include")

    def __init__(self, include: Any = None, exclude: Any = None, *, what: str = "the filter") -> None:
        self.include = _document(include, f"include of {what}")
        self.exclude = _document(exclude, f"exclude of {what}")

    def __repr__(self) -> str:
        return f"Filter(include={self.include!r}, exclude={self.exclude!r})"

    def __str__(self) -> str:
        parts = (("include", self.include), ("exclude", self.exclude))
        return ", ".join(f"{part} {_shown(document)}" for part, document in parts if document is not None)

    def __call__(self, state: Any) -> bool:
        """Tell whether a state passes: the form in which an edge asks."""
        return self.holds(state)

    def holds(self, payload: Any) -> bool:
        """Tell whether a payload passes."""
        return self._includes(payload) and not self._excludes(payload)

    def explain(self, payload: Any) -> list[Mismatch]:
        """Say why a payload does not pass; the list is empty if it does."""
        found = [] if self._includes(payload) else list(_missing(payload, self.include, "$"))
        reasons = [Mismatch("include", path, reason) for path, reason in found]
        if self._excludes(payload):
            reasons.append(Mismatch("exclude", "$", f"holds {_shown(self.exclude)}"))
        return reasons

    def can_match(self, *, accept: Accept = "object") -> bool:
        """Tell whether there is a payload that passes.

        Args:
            accept: What payloads there are.

        Example:
            >>> Filter({"form": "visit", "test": True}, exclude={"test": True}).can_match()
            False
        """
        if accept == "any" and self.include is None:
            return True  # what one document excludes is never all there is
        least = {} if self.include is None else self.include
        return (accept == "any" or isinstance(least, dict)) and self.holds(least)

    def _includes(self, payload: Any) -> bool:
        return self.include is None or contains(payload, self.include)

    def _excludes(self, payload: Any) -> bool:
        return self.exclude is not None and contains(payload, self.exclude)


def _document(given: Any, what: str) -> Any:
    """Give a part of a filter as plain JSON."""
    if given is None or (isinstance(given, str) and not given.strip()):
        return None
    if isinstance(given, str):
        return decode(given, what=what)
    if not isinstance(given, dict | list):
        raise InputError(
            f"{what} is of type {type(given).__name__}, neither a mapping nor a text that holds JSON",
            fix="Write a mapping: include: {form: visit}.",
        )
    try:
        return decode(encode(given))
    except StateEncodingError as error:
        message = error.message.removesuffix(" of the state")
        raise InputError(f"{what} is not JSON: {message}", fix="Write only what JSON can say.") from None


def _contains(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            key in value and _contains(value[key], part) for key, part in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(value, list) and all(any(_contains(item, part) for item in value) for part in wanted)
    return _equal(value, wanted)


def _equal(value: Any, wanted: Any) -> bool:
    if type(value) is type(wanted):
        return bool(value == wanted)
    return {type(value), type(wanted)} == {int, float} and _exact(value) == _exact(wanted)


def _exact(number: float) -> Any:
    """Give a number as it is written: 1e23 is a 1 with 23 zeros, and the nearest float is not."""
    from decimal import Decimal  # imported late: few comparisons need it

    return Decimal(number) if isinstance(number, int) else Decimal(repr(number))


def _missing(value: Any, wanted: Any, path: str) -> Iterator[tuple[str, str]]:
    """Give the path and the reason of each part that is not contained."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        for key, part in wanted.items():
            if key in value:
                yield from _missing(value[key], part, path + path_step(key))
            else:
                yield path + path_step(key), f"is missing; wanted {_shown(part)}"
    elif isinstance(wanted, list) and isinstance(value, list):
        for part in wanted:
            if not any(_contains(item, part) for item in value):
                yield from _missing_item(value, part, path)
    elif not _contains(value, wanted):
        yield path, f"is {_sight(value, wanted)}; wanted {_shown(wanted)}"


def _missing_item(items: list[Any], part: Any, path: str) -> Iterator[tuple[str, str]]:
    """Say what no item of a list contains, or what the only one that could do so lacks."""
    alike = [index for index, item in enumerate(items) if _kind(item) == _kind(part) in ("object", "list")]
    if len(alike) == 1:
        yield from _missing(items[alike[0]], part, f"{path}[{alike[0]}]")
    else:
        yield path, f"is a list of length {len(items)}, and no item holds {_shown(part)}"


_KINDS = ((dict, "object"), (list, "list"), (str, "text"), (bool, "boolean"), (int | float, "number"))


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")


def _sight(value: Any, wanted: Any) -> str:
    """Give the type and the size of a value, and never the value."""
    kind = _kind(value)
    if kind == "null":
        return kind
    article = "another" if kind == _kind(wanted) else "an" if kind == "object" else "a"
    return f"{article} {kind} of length {len(value)}" if kind in ("text", "list") else f"{article} {kind}"


def _shown(part: Any) -> str:
    return cut(json.dumps(part, ensure_ascii=False), _SHOWN)
