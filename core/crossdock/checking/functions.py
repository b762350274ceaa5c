"""Rules: functions that are used as operations take the state, and give one on every path."""

import ast
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.paths import Paths, is_generator
from crossdock.checking.things import Foreign, FunctionNode, Known, LazyPath, Plain
from crossdock.common.data import log, warn

_RETURN = "Return a state on every path: return state, or return state.replace(…)."
_NOTHING = (log, warn)


def functions(file: JobFile) -> Iterator[Finding]:
    """Find functions that crossdock can't use for what they are given for."""
    for function in file.uses.operations:
        yield from _parameters(file, function, 1, "the state")
        yield from _result(file, function)
    for function in file.uses.helpers:
        yield from _result(file, function)
    for function in file.uses.handlers:
        yield from _parameters(file, function, 2, "the error and the state")
        yield from _result(file, function)
    for function in file.uses.values:
        yield from _parameters(file, function, 1, "the state")
        if isinstance(function, ast.AsyncFunctionDef):
            yield _async(file, function)


def name_of(function: FunctionNode) -> str:
    """Give what a finding calls a function."""
    return "the lambda" if isinstance(function, ast.Lambda) else function.name


def _parameters(file: JobFile, function: FunctionNode, given: int, what: str) -> Iterator[Finding]:
    """Find that a function can't be called with just what it is given."""
    arguments = function.args
    places = len(arguments.posonlyargs) + len(arguments.args)
    needed = places - len(arguments.defaults)
    named = [a.arg for a, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if default is None]
    if (needed <= given and (places >= given or arguments.vararg)) and not named:
        return
    wrong = f"needs {' and '.join(named)}" if named else f"takes {needed if needed > given else places} parameters"
    message = f"{name_of(function)} is called with {what} alone, and {wrong}"
    fix = "Give it one parameter: the state." if given == 1 else "Give it two parameters: the error and the state."
    yield file.finding(function, Code.WRONG_PARAMETERS, message, fix)


def _async(file: JobFile, function: FunctionNode) -> Finding:
    message = f"{name_of(function)} is an async function, and jobs are not"
    return file.finding(function, Code.ASYNC_FUNCTION, message, "Write a plain function: def, not async def.")


def _result(file: JobFile, function: FunctionNode) -> Iterator[Finding]:
    """Find that a function gives something else than a state or an operation."""
    if isinstance(function, ast.AsyncFunctionDef):
        yield _async(file, function)
    elif is_generator(function, file.tree):
        message = f"{name_of(function)} has a yield, so it gives a generator and no state"
        yield file.finding(function, Code.GENERATOR, message, "Collect the values in a list, and return a state.")
    elif isinstance(function, ast.Lambda):
        yield from _given(file, function, function.body)
    else:
        yield from _returns(file, function)


def _returns(file: JobFile, function: ast.FunctionDef) -> Iterator[Finding]:
    for node in file.tree.inside[function]:
        if isinstance(node, ast.Return):
            yield from _given(file, function, node.value, node)
    end = Paths(file.meanings).open_end(function)
    if end is not None:
        message = f"{function.name} can end here without returning a state"
        yield file.finding(end, Code.RETURNS_NOTHING, message, _RETURN)


def _given(
    file: JobFile, function: FunctionNode, value: ast.expr | None, at: ast.AST | None = None
) -> Iterator[Finding]:
    """Find that a certain value is no state."""
    at = at or value or function
    if isinstance(value, ast.IfExp):
        yield from _given(file, function, value.body, at)
        yield from _given(file, function, value.orelse, at)
    elif value is None or _is_none(file, value):
        yield file.finding(at, Code.RETURNS_NOTHING, f"{name_of(function)} returns None here", _RETURN)
    elif isinstance(found := file.meanings.of(value), Plain) and found.kind != "a dict":
        message = f"{name_of(function)} returns {found.kind} where a state belongs"
        yield file.finding(at, Code.RETURNS_NO_STATE, message, "Return a state: return state.result(value).")
    elif isinstance(found, LazyPath):
        message = f"{name_of(function)} returns a lazy path where a state belongs"
        fix = "Return the state that the function received: its parameter."
        yield file.finding(at, Code.LAZY_MISUSED, message, fix)


def _is_none(file: JobFile, value: ast.expr) -> bool:
    """Tell whether a value is certain to be None."""
    called = file.meanings.of(value.func) if isinstance(value, ast.Call) else None
    gives_none = called == Foreign("print") or (isinstance(called, Known) and called.value in _NOTHING)
    return gives_none or file.meanings.of(value) == Plain("None")
