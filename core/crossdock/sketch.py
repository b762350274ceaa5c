"""What an operation shows of its arguments: lazy paths, and of values only type and size.

A value that is made at run time may be a patient's, so it stands in no log line and no error.
"""

import inspect
from collections.abc import Iterable, Iterator
from typing import Any

from crossdock.lazy import Lazy, is_plain_function


def arguments_text(parameters: Iterable[inspect.Parameter], arguments: Iterable[Any]) -> list[str]:
    """Give how arguments are written in the repr of an operation; those that are defaults are left out."""
    pairs = zip(parameters, arguments, strict=True)
    return [text for parameter, value in pairs for text in _argument_text(parameter, value)]


def _argument_text(parameter: inspect.Parameter, value: Any) -> Iterator[str]:
    if parameter.default is not parameter.empty and value is parameter.default:
        return
    if parameter.kind is parameter.VAR_POSITIONAL:
        yield from map(_sketch, value)
    elif parameter.kind is parameter.VAR_KEYWORD:
        yield from (f"{key}={_sketch(item)}" for key, item in value.items())
    else:
        yield f"{parameter.name}={_sketch(value)}" if parameter.kind is parameter.KEYWORD_ONLY else _sketch(value)


def _sketch(value: Any, depth: int = 0) -> str:
    """Show what is lazy in a value, and of the rest only type and size: it may be a patient's."""
    if value is None or isinstance(value, bool | Lazy) or hasattr(type(value), "perform"):
        return repr(value)
    if is_plain_function(value):
        return str(getattr(value, "__name__", "function"))
    if type(value) is dict and depth < 3 and any(_is_lazy(item) for item in value.values()):
        return "{" + ", ".join(f"{key!r}: {_sketch(item, depth + 1)}" for key, item in value.items()) + "}"
    size = f" {len(value)}" if hasattr(type(value), "__len__") else ""
    return f"<{type(value).__name__}{size}>"


def _is_lazy(value: Any) -> bool:
    return isinstance(value, Lazy | dict) or is_plain_function(value)
