"""``value_at``: what a path finds in a JSON value."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from crossdock.common.reading import refuse_lazy
from crossdock.errors import ArgumentError

_DEPTH = 1000
"""How deep a path such as ``$..id`` descends; a state nests a hundred levels."""

_STEP = r"""(?P<dot>\.?)
    (?:\[(?P<index>0|-?[1-9]\d*)\]
    | \[(?P<all>\*)\]
    | \[(?:'(?P<single>[^'\\]*)'|"(?P<double>[^"\\]*)")\]
    | (?P<name>[^.\[]+))"""


class _Step(NamedTuple):
    """One step of a path: a list of keys of which the longest that is there counts, an index, or all."""

    kind: Literal["keys", "index", "all"]
    keys: tuple[tuple[str, int], ...] = ()
    """Keys, the longest first, each with the number of the step that follows it."""
    position: int = 0


def value_at(obj: Any, path: str) -> Any:
    """Give what a path finds in a value.

    Keys of their own come first: ``/``, ``@``, ``#``, ``-``, blanks, also a dot belong to a key that
    has them. What this form can't say, such as ``$..id`` or a filter, is JSONPath (RFC 9535).

    Args:
        obj: A JSON value.
        path: ``form.case.@case_id``, ``visits[0].date``, ``visits[*].date``, ``form['a.b']``; it may
            begin with ``$.``.

    Returns:
        The value, None if nothing is there. With ``[*]``, or in JSONPath, the list of all that is
        found, which may be empty.

    Raises:
        ArgumentError: It is no path.

    Example:
        >>> visits = {"visits": [{"clinic/code": "A1"}, {"clinic/code": "B2"}, {}]}
        >>> value_at(visits, "visits[0].clinic/code"), value_at(visits, "$.visits[*].clinic/code")
        ('A1', ['A1', 'B2'])
        >>> value_at(visits, "visits[9].clinic/code"), value_at(visits, "nothing[*]")
        (None, [])
    """
    refuse_lazy(obj)
    if not isinstance(path, str) or not path:
        raise ArgumentError(f"value_at() got {path!r:.40} for a path", fix="Give a path such as 'visits[0].date'.")
    if isinstance(obj, dict) and path in obj:
        return obj[path]
    steps, several = _steps(path)
    if steps is None:
        return _by_json_path(obj, path)
    found = _walk(obj, steps, 0)
    return found if several else found[0] if found else None


def missing_key(obj: Any, path: str) -> tuple[str, tuple[str, ...]] | None:
    """Tell which key of a path is not there, and those that stand in its place; what is null there is not missing.

    Args:
        obj: A JSON value.
        path: As in ``value_at``; keys after an index or ``[*]``, and JSONPath, are not looked at.

    Example:
        >>> missing_key({"data": {"visits": None}}, "data.vists"), missing_key({"data": {"visits": None}}, "data.visits")
        (('vists', ('visits',)), None)
    """
    steps = () if isinstance(obj, dict) and path in obj else _steps(path)[0] or ()
    value, at = obj, 0
    while at < len(steps) and steps[at].kind == "keys" and value is not None:
        key, after = _own_key(value, steps[at].keys)
        if key is None:
            return steps[at].keys[-1][0], tuple(value) if isinstance(value, dict) else ()
        value, at = value[key], after
    return None


def _walk(value: Any, steps: tuple[_Step, ...], at: int) -> list[Any]:
    """Give what the steps from a number on find."""
    while at < len(steps):
        step = steps[at]
        if step.kind == "all":
            return [found for item in _items(value) for found in _walk(item, steps, at + 1)]
        if step.kind == "index":
            if not isinstance(value, list | tuple) or not -len(value) <= step.position < len(value):
                return []
            value, at = value[step.position], at + 1
        else:
            key, at = _own_key(value, step.keys)
            if key is None:
                return []
            value = value[key]
    return [value]


def _own_key(value: Any, keys: tuple[tuple[str, int], ...]) -> tuple[str | None, int]:
    if isinstance(value, dict):
        for key, after in keys:
            if key in value:
                return key, after
    return None, 0


def _items(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[tuple[_Step, ...] | None, bool]:
    """Take a path to pieces (None if it is not of the plain form), and tell whether it may find several."""
    rest = path[1:] if path == "$" or path.startswith(("$.", "$[")) else path
    pieces: list[re.Match[str]] = []
    step = re.compile(_STEP, re.VERBOSE)  # here, since many a run follows no path
    while not pieces or pieces[-1].end() < len(rest):
        at = pieces[-1].end() if pieces else 0
        piece = step.match(rest, at)
        if piece is None or piece["name"] == "*" or (piece["name"] and at and not piece["dot"]):
            return (() if path == "$" else None), False
        pieces.append(piece)
    return tuple(_step(pieces, number) for number in range(len(pieces))), any(piece["all"] for piece in pieces)


def _step(pieces: list[re.Match[str]], number: int) -> _Step:
    piece = pieces[number]
    if piece["all"]:
        return _Step("all")
    if piece["index"]:
        return _Step("index", position=int(piece["index"]))
    if piece["name"] is None:
        return _Step("keys", ((piece["single"] or piece["double"] or "", number + 1),))
    keys = []
    for after, last in enumerate(pieces[number:], number + 1):
        if last["name"] is None:
            break
        keys.append((piece.string[piece.start("name") : last.end()], after))
    return _Step("keys", tuple(reversed(keys)))


def _by_json_path(obj: Any, path: str) -> list[Any]:
    from jsonpath import JSONPathError  # imported late: few paths need it

    try:
        compiled = _json_path(path)
        # A text that looks like JSON would be parsed by the library.
        return [found.obj for found in compiled.finditer(obj)] if isinstance(obj, dict | list) else []
    except JSONPathError as error:
        raise ArgumentError(
            f"the path {path!r:.80} is neither plain nor JSONPath: {error.message}",
            fix="Quote keys that hold other signs in brackets: form['a..b'].",
        ) from None


@lru_cache(maxsize=256)
def _json_path(path: str) -> Any:
    from jsonpath import JSONPathEnvironment

    environment = JSONPathEnvironment(strict=True)
    environment.max_recursion_depth = _DEPTH
    return environment.compile(path if path.startswith("$") else f"${path}" if path[0] in ".[" else f"$.{path}")
