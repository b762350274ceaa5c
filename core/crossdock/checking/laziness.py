"""Rules: the lazy ``state`` has no value yet, and the real one can't be written to."""

import ast
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.meanings import nested
from crossdock.checking.positions import needing_values
from crossdock.checking.statements import is_pure
from crossdock.checking.things import Foreign, FunctionNode, Known, LazyPath, RealState, StateMethod, Thing

_BUILTINS = frozenset(
    {"len", "str", "int", "float", "bool", "list", "tuple", "set", "dict", "sorted", "reversed", "sum", "max", "min"}
    | {"any", "all", "iter", "next", "enumerate", "zip", "map", "filter", "format", "print", "round", "abs"}
)
_WRITING = frozenset({"update", "pop", "popitem", "clear", "setdefault"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def laziness(file: JobFile) -> Iterator[Finding]:
    """Find lazy paths that are used like values."""
    for node, how in _uses(file):
        found = file.meanings.of(node)
        if isinstance(found, LazyPath):
            message = f"{_shown(found)} is a lazy path, which has no value here, and {how}"
            yield file.finding(node, Code.LAZY_MISUSED, message, _fix(file, node, found))


def _shown(path: LazyPath) -> str:
    """Write a path as the job does."""
    keys = ["…" if key is None else repr(key) for key in path.keys]
    first = (
        f".{path.keys[0]}" if path.keys and str(path.keys[0]).isidentifier() else "".join(f"[{k}]" for k in keys[:1])
    )
    return path.root + first + "".join(f"[{key}]" for key in keys[1:])


def _fix(file: JobFile, node: ast.expr, path: LazyPath) -> str:
    """Say what to write: in a function that has the real state, its own parameter."""
    around = [file.tree.scopes[node].function, *file.tree.around(node)]
    own = [file.meanings.receivers.get(p) for f in around if isinstance(f, _FUNCTIONS) for p in _places(f)]
    name = next(filter(None, own), None)
    if name is None:
        return "Pass a function of the state instead: lambda state: …"
    return f"Use the state that the function received: {name}." if path.root == "state" else "Use resolve(…) on it."


def _places(function: FunctionNode) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args]


def _uses(file: JobFile) -> Iterator[tuple[ast.expr, str]]:
    """Give the expressions that need a value, and what needs it."""
    yield from needing_values(file.tree)
    for call in file.tree.all(ast.Call):
        yield from _in_call(file, call)


def _in_call(file: JobFile, call: ast.Call) -> Iterator[tuple[ast.expr, str]]:
    yield call.func, "is called"
    called = file.meanings.of(call.func)
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(called, StateMethod) and called.name in ("result", "replace"):
        yield from ((node, "would be put into the state as it is") for node in nested(given))
    elif _needs_values(called) or _is_method_of_text(call):
        yield from ((node, f"is given to {ast.unparse(call.func)}()") for node in given)


def _needs_values(called: Thing | None) -> bool:
    if isinstance(called, Foreign):
        return called.name in _BUILTINS
    return (
        isinstance(called, Known) and is_pure(called) and called.value.__name__ not in ("computed", "resolve", "cursor")
    )


def _is_method_of_text(call: ast.Call) -> bool:
    """Tell whether ``"…".join(…)`` or ``"…".format(…)`` is called."""
    value = call.func.value if isinstance(call.func, ast.Attribute) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def writes(file: JobFile) -> Iterator[Finding]:
    """Find assignments to a state, lazy or real."""
    targets: list[ast.Attribute | ast.Subscript] = [*file.tree.all(ast.Attribute), *file.tree.all(ast.Subscript)]
    for node in targets:
        if not isinstance(node.ctx, ast.Load) and _is_state(file.meanings.of(node.value)):
            yield _written(file, node, f"{ast.unparse(node)} is assigned to")
        elif isinstance(node, ast.Attribute) and _changes(file, node):
            yield _written(file, node, f"{ast.unparse(node)}(…) is called")


def _changes(file: JobFile, node: ast.Attribute) -> bool:
    """Tell whether a method is called that would change a state in place."""
    call = file.tree.parents.get(node)
    is_called = isinstance(call, ast.Call) and call.func is node
    return is_called and node.attr in _WRITING and isinstance(file.meanings.of(node.value), RealState)


def _is_state(thing: Thing | None) -> bool:
    return isinstance(thing, RealState | LazyPath)


def _written(file: JobFile, node: ast.expr, what: str) -> Finding:
    fix = "Make a new state and return it: return state.replace(key=value)."
    return file.finding(node, Code.STATE_WRITTEN, f"{what}, and a state can't be written to", fix)
