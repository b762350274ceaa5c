"""The State that flows through a job, and the one strict encoder that it crosses between steps.

A state is a dict that can't be written to. Operations return new states, which share the parts
that did not change; nothing here copies deeply.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from itertools import chain, compress
from operator import itemgetter
from typing import Any, NoReturn

from crossdock.errors import StateEncodingError, StateError, StateTooLargeError
from crossdock.rows import Rows

FRAMEWORK_KEYS = frozenset(
    {"data", "response", "inputs", "reply", "request", "cursors", "errors", "failed", "warnings", "plan", "index"}
)
"""The keys whose meaning crossdock defines; every other key is the job's own."""

SIZE_LIMIT = 10 * 1024 * 1024
"""The default limit of an encoded state, in bytes."""

MAX_DEPTH = 100
"""How deep lists and dicts may nest in a state."""


class Answer:
    """What a system answered: the value for ``state.data`` and the metadata beside it.

    Args:
        data: The parsed body.
        response: The metadata that goes to ``state.response``; no body, no secret.
        status: The status of the answer, where its protocol has one.
    """

    __slots__ = ("data", "response", "status")

    def __init__(self, data: Any, *, response: Mapping[str, Any] | None = None, status: int | None = None) -> None:
        self.data = data
        self.response = response
        self.status = status

    def __repr__(self) -> str:
        return f"<{type(self).__name__} status={self.status}>"


class State(dict[str, Any]):
    """A JSON-shaped dict that can't be written to, with its keys as attributes.

    A key that is named like a method of dict is read with brackets: ``state["items"]``.

    Example:
        >>> state = State(data={"id": 7}, form="visit")
        >>> state.form, state.data["id"]
        ('visit', 7)
        >>> state.replace(form="referral")
        State({'data': {'id': 7}, 'form': 'referral'})
    """

    __slots__ = ()

    data: Any = property(itemgetter("data"))  # jobs read it for every item, and this way takes a sixth of the time

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(_no_key(name, self)) from None

    def __missing__(self, key: str) -> NoReturn:
        raise _NoKeyError(_no_key(key, self))

    def result(self, value: Any, *, response: Mapping[str, Any] | None = None) -> "State":
        """Give the state that holds a result: the only way in which results enter the state.

        Args:
            value: The new ``data``, or an Answer, which brings its own metadata along.
            response: Metadata of the answer for ``state.response``.
        """
        if isinstance(value, Answer):
            value, response = value.data, value.response if response is None else response
        if response is None:
            return State({**self, "data": value})
        return State({**self, "data": value, "response": dict(response)})

    def replace(self, **changes: Any) -> "State":
        """Give a state with these keys changed or added."""
        return self | changes

    def without(self, *keys: str) -> "State":
        """Give a state without these keys; a key that is not there is no error."""
        return State({key: value for key, value in self.items() if key not in keys})

    def only(self, *keys: str) -> "State":
        """Give a state of just these keys; a key that is not there is no error."""
        return State({key: self[key] for key in keys if key in self})

    def copy(self) -> "State":
        """Give an equal state that shares every value."""
        return State(self)

    def __or__(self, changes: Mapping[str, Any]) -> "State":  # type: ignore[override]
        if "configuration" in changes:
            raise StateError(
                "a state can't hold the key 'configuration'", fix="Give secrets to connections through --credentials."
            )
        return State({**self, **changes})

    def __repr__(self) -> str:
        return f"State({dict.__repr__(self)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return State, (dict(self),)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise StateError("a state can't be written to")

    __setitem__ = __delitem__ = __setattr__ = __delattr__ = __ior__ = _refuse
    update = pop = popitem = clear = setdefault = _refuse


class _NoKeyError(KeyError, AttributeError):
    """A key is not there; ``state.data`` looks for it as an attribute."""


def _no_key(key: object, state: Mapping[str, Any]) -> str:
    if key == "configuration":
        return "a state never holds 'configuration': connections get their credentials from the run"
    return f"the state has no {key!r}; it has {', '.join(map(repr, state)) or 'no keys'}"


def encode(value: Any, *, limit: int | None = None) -> bytes:
    """Turn a state into JSON bytes, and refuse anything that JSON can't say.

    Text, finite numbers, booleans, None, lists, tuples and dicts with text keys are JSON;
    datetime and date become ISO 8601 text, Decimal and UUID their own text, and the rows of an
    input file null: they stay in the file. Nothing else is accepted: no set, NaN, bytes, other
    iterator, other key, cycle or lone surrogate.

    Args:
        value: A state, or any value of one.
        limit: The most bytes that may come out.

    Raises:
        StateEncodingError: It names the JSON path and the type of what is not JSON.
        StateTooLargeError: It names the limit and the three largest keys.

    Example:
        >>> from decimal import Decimal
        >>> encode({"seen_on": date(2024, 5, 2), "price": Decimal("1.50")})
        b'{"seen_on":"2024-05-02","price":"1.50"}'
    """
    raw = encoded(dict(value) if type(value) is State else value)[0]
    if limit is not None and len(raw) > limit:
        sizes = {key: len(dump(item)) for key, item in value.items()} if isinstance(value, dict) else {}
        raise too_large(sizes, len(raw), limit)
    return raw


def encoded(value: Any, *keys: str) -> tuple[bytes, bool]:
    """Give the JSON bytes of a value, and whether it is already all that they say.

    Args:
        value: Any value of a state.
        keys: Where it stands in the state.

    Raises:
        StateEncodingError: As for ``encode``.
    """
    try:
        plain = is_plain(value, len(keys))
        if not plain:
            check_json(value, len(keys))
        return dump(value), plain
    except NotJsonError as fault:
        fault.path += reversed(keys)
        key = str(fault.path[-1]) if fault.path else ""
        raise StateEncodingError(
            f"{fault.reason} at {fault.where()} of the state", path=fault.where(), key=key
        ) from None


class NotJsonError(Exception):
    """Something that is not JSON, with the path to it collected on the way up."""

    def __init__(self, reason: str, *, code: str = "invalid_json", key: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.path: list[str | int] = [] if key is None else [key]
        self.below = ""
        """Where it is below the path, if that was not collected."""

    def where(self) -> str:
        """Give the path."""
        steps = [f"[{step}]" if isinstance(step, int) else path_step(step) for step in reversed(self.path)]
        return "".join(["$", *steps, self.below])


def path_step(key: str) -> str:
    """Give how a JSON path goes to a key: as ``.name``, or quoted in brackets."""
    return f".{key}" if key.isidentifier() else f"[{json.dumps(key)}]"


_SURROGATES = re.compile("[\ud800-\udfff]")
_PLAIN = frozenset({str, int, bool, type(None)})
_CONTAINERS = frozenset({dict, list})
_JSON = _PLAIN | _CONTAINERS | {float}
_TEXT = frozenset({str})
_WRITTEN: dict[type, Callable[[Any], str | None]] = {
    datetime: datetime.isoformat,
    date: date.isoformat,
    Rows: lambda _: None,
}
"""How a value that is no JSON by itself is written."""


def is_plain(value: Any, depth: int = 0) -> bool:
    """Tell quickly whether all of it is plain JSON, as nearly everything is; what is not is looked at again.

    It goes down a level at a time, so that the loops over all items are not Python's. A float that
    is no JSON number is left to who writes it.
    """
    if type(value) not in _CONTAINERS:
        return type(value) in _JSON
    level = [value]
    for _ in range(depth, MAX_DEPTH):
        dicts = [part for part in level if type(part) is dict]
        if not _TEXT.issuperset(map(type, chain.from_iterable(dicts))):
            return False
        lists = (part for part in level if type(part) is list)
        items = [*chain.from_iterable(map(dict.values, dicts)), *chain.from_iterable(lists)]
        kinds = list(map(type, items))
        found = set(kinds)
        if not found <= _JSON:
            return False
        if found.isdisjoint(_CONTAINERS):
            return True
        level = list(compress(items, map(_CONTAINERS.__contains__, kinds)))
    return False


def check_json(value: Any, depth: int) -> None:
    """Raise a NotJsonError with the path to the first thing that is not JSON, or nests too deep from a depth on."""
    kind = type(value)
    if kind in _PLAIN or kind in _WRITTEN or _named(kind) == "uuid.UUID":
        return
    if isinstance(value, dict):
        _check_items(value, _checked_keys(value), depth)
    elif isinstance(value, list) or kind is tuple:
        _check_items(value, range(len(value)), depth)
    elif isinstance(value, float) or _named(kind) == "decimal.Decimal":
        if not math.isfinite(value):
            raise NotJsonError(f"{value} is not a JSON number")
    elif isinstance(value, NotJsonError):  # of a text that is read
        raise value
    elif not isinstance(value, str | int):
        raise NotJsonError(f"a value of type {kind.__name__} is not JSON")


def _check_items(container: Any, keys: Any, depth: int) -> None:
    if depth >= MAX_DEPTH:
        raise NotJsonError(
            f"nesting of more than {MAX_DEPTH} levels (or a value that contains itself)", code="too_deep"
        )
    for key in keys:
        item = container[key]
        if type(item) not in _PLAIN:
            try:
                check_json(item, depth + 1)
            except NotJsonError as fault:
                fault.path.append(key)
                raise


def _checked_keys(value: Mapping[Any, Any]) -> Mapping[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise NotJsonError(f"the key {key!r:.40} of type {type(key).__name__} is not text")
    return value


def dump(value: Any) -> bytes:
    """Write what has been checked as JSON."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_written)
    except ValueError:  # no JSON number, or str() of over 4,300 digits
        check_json(value, 0)
        raise NotJsonError("a whole number that is too long") from None
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise _surrogate(value) from None


def _written(value: Any) -> str | None:
    return _WRITTEN.get(type(value), str)(value)


def _named(kind: type) -> str:
    # Decimal and UUID are known by name, since importing their modules takes as long as a fifth of core.
    return f"{kind.__module__}.{kind.__qualname__}"


def _surrogate(value: Any) -> NotJsonError:
    """Find the text that has no UTF-8 form; only looked for after encoding failed."""
    path = next((path for path, text in texts(value) if _SURROGATES.search(text)), "$")
    fault = NotJsonError("text with a lone surrogate is not Unicode", code="invalid_unicode")
    fault.below = path.removeprefix("$")
    return fault


def texts(value: Any, path: str = "$") -> Iterator[tuple[str, str]]:
    """Give every text in a JSON value, keys included, with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path + path_step(key), key
            yield from texts(item, path + path_step(key))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts(item, f"{path}[{index}]")


def too_large(sizes: Mapping[str, int], size: int, limit: int) -> StateTooLargeError:
    """Say that a state is too large, and which of its keys are the largest.

    Args:
        sizes: Key → the bytes of its value.
        size: How many bytes the state has.
        limit: How many it may have.
    """
    largest = dict(sorted(sizes.items(), key=lambda pair: -pair[1])[:3])
    named = ", ".join(f"{key!r} {_megabytes(part)}" for key, part in largest.items())
    return StateTooLargeError(
        f"the state has {_megabytes(size)}, the limit is {_megabytes(limit)}; its largest keys: {named}",
        size=size,
        limit=limit,
        largest=largest,
    )


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.1f} MB" if size > 100_000 else f"{size} bytes"
