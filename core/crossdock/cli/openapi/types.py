"""Types of Python for the schemas of an OpenAPI document."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from crossdock.cli.openapi.document import Part
from crossdock.cli.openapi.text import literal

_LONGEST = 60
"""The longest list of values or types that stands in a signature; a longer one would be no help there."""
_DEEPEST = 4
_SHOWABLE = re.compile(r"[\w.+-]{1,40}", re.ASCII)
"""The values that may stand in an example: they mean nothing in a docstring, in a path or in Markdown."""


class Typed(NamedTuple):
    """How a type is written, and a value of it."""

    annotation: str
    example: Any


_TYPES = {
    "string": Typed("str", "text"),
    "integer": Typed("int", 7),
    "number": Typed("float", 0.5),
    "boolean": Typed("bool", True),
    "object": Typed("Mapping[str, Any]", {"key": "text"}),
}
_ANYTHING = Typed("Any", "text")


def type_of(schema: Part | None, depth: int = 0) -> Typed:
    """Give the type of a schema; Any where it says none, or one that is too entangled."""
    if schema is None or isinstance(schema.value, bool) or depth > _DEEPEST:
        return _ANYTHING
    if (values := schema.get("enum")) is not None:
        return _one_of(values)
    for word in ("oneOf", "anyOf", "allOf"):
        if (choices := schema.get(word)) is not None:
            return _union([type_of(choice, depth + 1) for choice in choices.items()], every=word == "allOf")
    names = schema.mapping().get("type")
    if names is None:
        return _TYPES["object"] if schema.get("properties") else _ANYTHING
    return _union([_named(name, schema, depth) for name in (names if isinstance(names, list) else [names])])


def _named(name: Any, schema: Part, depth: int) -> Typed:
    if name == "array":
        item = type_of(schema.get("items"), depth + 1)
        return Typed(f"list[{item.annotation}]", [item.example])
    if name == "null":
        return Typed("None", None)
    found = _TYPES.get(name) if isinstance(name, str) else None
    return found or schema.refuse(f"has the type {name!r:.40}, which JSON Schema does not know", "Correct the type.")


def _one_of(values: Part) -> Typed:
    allowed = [part.value for part in values.items() if part.value is not None]
    example = next((value for value in allowed if _SHOWABLE.fullmatch(str(value))), "text")
    if not allowed or not all(isinstance(value, str | int) for value in allowed):
        return Typed(_plain(allowed), example)
    written = ", ".join(_once(literal(value) for value in allowed))
    return Typed(f"Literal[{written}]" if len(written) <= _LONGEST else _plain(allowed), example)


def _plain(values: list[Any]) -> str:
    kinds = {type(value) for value in values}
    return kinds.pop().__name__ if len(kinds) == 1 and kinds <= {str, int, float} else "Any"


def _union(types: list[Typed], *, every: bool = False) -> Typed:
    """Give what is of one of the types, or of every one."""
    known = [kind for kind in types if kind.annotation not in ("None", "Any")]
    anything = len(known) < len([kind for kind in types if kind.annotation != "None"])
    if not known or (anything and not every):
        return _ANYTHING
    names = _once(kind.annotation for kind in known)
    written = names[0] if every else " | ".join(names)
    return Typed(written, known[0].example) if len(written) <= _LONGEST else _ANYTHING


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
