"""What the documentation of an operation builds: the calls that its example makes."""

import doctest
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from crossdock.declaration import Declaration
from crossdock.job import all_parts
from crossdock.lazy import state
from crossdock.operation import Operation
from crossdock.state import State, encode


def documented(declaration: Declaration) -> list[Operation]:
    """Give the operations of this kind that the example in its docstring builds, as far as that runs."""
    module = sys.modules[declaration.function.__module__]
    names, built = dict(vars(module)), list[Any]()
    for example in doctest.DocTestParser().get_examples(declaration.doc):
        try:
            built.append(_value(example.source, names))
        except Exception:  # noqa: BLE001 - whether it runs is another rule's question
            break
    found = [*built, *(value for name, value in names.items() if vars(module).get(name) is not value)]
    return [part for value in found for part in _parts(value) if part.declaration is declaration]


def example_report(declaration: Declaration) -> str | None:
    """Run the example of an operation; give what is wrong with it, and None if nothing is."""
    module = sys.modules[declaration.function.__module__]
    test = doctest.DocTestParser().get_doctest(declaration.doc, dict(vars(module)), declaration.full_name, None, None)
    written: list[str] = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test, out=written.append)
    if results.failed:
        return "".join(written)
    return None if results.attempted else "there is none"


def lazily(builder: Callable[..., Any], operation: Operation) -> tuple[Any, State]:
    """Build an operation again from lazy paths, and give it with the state in which they lead to its arguments.

    Args:
        builder: What a job calls.
        operation: One that was built from plain values; those that are no JSON stay as they are.
    """
    places, options, values = list[Any](), dict[str, Any](), dict[str, Any]()
    for parameter, value in zip(operation.declaration.parameters, operation.arguments, strict=True):
        if parameter.kind is parameter.VAR_POSITIONAL:
            places += value
        elif parameter.kind is parameter.VAR_KEYWORD:
            options |= value
        elif not (parameter.default is not parameter.empty and value is parameter.default):
            given = _lazy(parameter, value, values)
            if parameter.kind is parameter.KEYWORD_ONLY:
                options[parameter.name] = given
            else:
                places.append(given)
    return builder(*places, **options), State(data=values)


def _lazy(parameter: inspect.Parameter, value: Any, values: dict[str, Any]) -> Any:
    if parameter.name == "credential" or not _is_json(value):
        return value
    values[parameter.name] = value
    return state.data[parameter.name]


def _is_json(value: Any) -> bool:
    try:
        return bool(encode({"value": value}))
    except Exception:  # noqa: BLE001 - whatever it says of the value, it is none
        return False


def _value(source: str, names: dict[str, Any]) -> Any:
    try:
        code = compile(source, "<example>", "eval")
    except SyntaxError:
        return exec(source, names)  # noqa: S102 - the author's own documentation
    return eval(code, names)  # noqa: S307 - the author's own documentation


def _parts(value: Any) -> Iterator[Operation]:
    return all_parts(value) if isinstance(value, Operation) else iter(())
