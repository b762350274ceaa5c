"""Rules: the arguments of calls, and what stands where an operation belongs."""

import ast
from collections.abc import Iterator

from crossdock.checking.arguments import Argument, bound, building_arguments, callee_of, choices_of, misfit
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.meanings import nested
from crossdock.checking.positions import needing_values
from crossdock.checking.things import Built, Known, LazyPath, Local, Method, Module, Plain, RealState, Thing
from crossdock.errors import closest
from crossdock.operation import Operation
from crossdock.options import Callee
from crossdock.state import FRAMEWORK_KEYS, State


def calls(file: JobFile) -> Iterator[Finding]:
    """Find calls whose arguments don't fit, and arguments that are no operations."""
    for call in file.tree.all(ast.Call):
        called = file.meanings.of(call.func)
        callee = callee_of(called)
        wrong = misfit(callee, call) if callee is not None else None
        if wrong is not None:
            yield file.finding(_line(call), *wrong)
        elif callee is not None:
            yield from _choices(file, callee, call)
        if isinstance(called, Method) and called.name == "into":
            yield from _kept_under(file, call)
        for argument in building_arguments(call, file.meanings):
            yield from _argument(file, argument)


def _choices(file: JobFile, callee: Callee, call: ast.Call) -> Iterator[Finding]:
    """Find texts that are none of those that a parameter takes."""
    for name, nodes in bound(callee.signature, call).items():
        known = choices_of(callee.signature.parameters[name].annotation)
        for node in nodes if known else ():
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in known:
                close = closest(node.value, map(str, known))
                fix = f"Did you mean {close!r}?" if close else f"Use one of: {', '.join(map(repr, known))}."
                yield file.finding(node, Code.UNKNOWN_CHOICE, f"{callee.name} has no {name}={node.value!r}", fix)


def _line(call: ast.Call) -> ast.AST:
    """Give the node whose line is that of the name that is called, also in a chain over several lines."""
    end = call.func.end_lineno if isinstance(call.func, ast.Attribute) else None
    return ast.Constant(None, lineno=end or call.lineno)


def _kept_under(file: JobFile, call: ast.Call) -> Iterator[Finding]:
    name = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else None
    if isinstance(name, str) and (name in FRAMEWORK_KEYS or name == "configuration" or hasattr(State, name)):
        message = f".into({name!r}) can't be: the name belongs to the state itself"
        yield file.finding(_line(call), Code.RESERVED_NAME, message, "Choose another name.")


def _argument(file: JobFile, argument: Argument) -> Iterator[Finding]:
    if argument.is_operation:
        yield from _in_place_of_operation(file, argument)
    elif argument.is_value:
        for node in nested([argument.node]):
            yield from _in_place_of_value(file, argument, node)


def _in_place_of_operation(file: JobFile, argument: Argument) -> Iterator[Finding]:
    thing = file.meanings.of(argument.node)
    helper = _helper(thing)
    if helper:
        yield _not_called(file, argument.node, helper)
        return
    what = _no_operation(thing)
    optional = isinstance(argument.node, ast.Constant) and argument.node.value is None and argument.builder == "when"
    if what and not optional:
        fix = "Give an operation, or a function that takes the state and returns one."
        message = f"{what} stands in {argument.builder}(…) where an operation belongs"
        yield file.finding(argument.node, Code.NOT_AN_OPERATION, message, fix)


def _helper(thing: Thing | None) -> str | None:
    """Give the name of a helper that builds operations, if that is what stands there uncalled."""
    if isinstance(thing, Known) and thing.declaration is not None:
        return thing.declaration.full_name
    return thing.name if isinstance(thing, Local) and thing.builds else None


def _not_called(file: JobFile, node: ast.expr, name: str) -> Finding:
    return file.finding(node, Code.HELPER_NOT_CALLED, f"{name} stands here without being called", f"Write {name}(…).")


def _no_operation(thing: Thing | None) -> str | None:
    if isinstance(thing, Plain):
        return thing.kind
    if isinstance(thing, Known) and isinstance(thing.value, type):
        return f"the class {thing.name}"
    if isinstance(thing, Method):
        return f"the method .{thing.name} without its brackets"
    return {LazyPath: "a lazy path", Module: "a module", RealState: "a state"}.get(type(thing))


def _in_place_of_value(file: JobFile, argument: Argument, node: ast.expr) -> Iterator[Finding]:
    thing = file.meanings.of(node)
    helper = _helper(thing)
    if helper:
        yield _not_called(file, node, helper)
    elif isinstance(thing, Built):
        message = f"{thing.name}(…) stands in {argument.builder}(…) where a value belongs"
        fix = f'Keep its result first: {thing.name}(…).into("name"), then state.name here.'
        yield file.finding(node, Code.OPERATION_AS_VALUE, message, fix)


def operations_as_values(file: JobFile) -> Iterator[Finding]:
    """Find operations that are used like the result that they would give: a ``.result()`` is missing."""
    for node, how in needing_values(file.tree):
        yield from _used(file, node, how)
    for indexed in file.tree.all(ast.Subscript):
        yield from _used(file, indexed.value, "is indexed")
    for part in file.tree.all(ast.Attribute):
        if not hasattr(Operation, part.attr):
            yield from _used(file, part.value, f"has no {part.attr!r}")


def _used(file: JobFile, node: ast.expr, how: str) -> Iterator[Finding]:
    thing = file.meanings.of(node)
    if not isinstance(thing, Built) or thing.is_job:
        return
    message = f"{thing.name}(…) is an operation that did not run, and {how}"
    yield file.finding(node, Code.OPERATION_AS_VALUE, message, f"Run it for its result: {thing.name}(…).result().")
