"""Rules: statements that throw away what they make, as if it changed something."""

import ast
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.things import Built, Known, Method, RealState, StateMethod
from crossdock.common.text import parse_csv, stream_csv
from crossdock.common.xml import build_xml, parse_xml
from crossdock.cursors import cursor
from crossdock.lazy import computed, resolve

_PURE = (parse_csv, stream_csv, build_xml, parse_xml, computed, cursor, resolve)
_MANY = (ast.ListComp, ast.SetComp, ast.GeneratorExp)


def is_pure(thing: Known) -> bool:
    """Tell whether a function only answers: nothing happens besides."""
    module = getattr(thing.value, "__module__", None) or ""
    in_values = module == "crossdock.values" or module.startswith("crossdock.values.")
    return thing.value in _PURE or (in_values and callable(thing.value) and not isinstance(thing.value, type))


def statements(file: JobFile) -> Iterator[Finding]:
    """Find statements whose result is thrown away."""
    for statement in file.tree.all(ast.Expr):
        for node in _parts(statement.value):
            yield from _dropped(file, node)
    yield from _kept_and_forgotten(file)


def _parts(node: ast.expr) -> list[ast.expr]:
    """Give what a bare statement throws away: itself, or the members of a list that nobody keeps."""
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return node.elts
    if isinstance(node, _MANY):
        return [node.elt]
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def _dropped(file: JobFile, node: ast.expr) -> Iterator[Finding]:
    found = file.meanings.of(node)
    called = file.meanings.of(node.func) if isinstance(node, ast.Call) else None
    if isinstance(found, Built):
        yield _never_run(file, node, found)
    elif isinstance(called, Known) and is_pure(called):
        message = f"{called.name}(…) gives a value, and nothing keeps it"
        yield file.finding(node, Code.VALUE_DROPPED, message, f"Keep it: value = {called.name}(…).")
    elif isinstance(called, Method) and called.name == "result":
        yield from _unused_result(file, node, called)
    elif isinstance(found, RealState) and isinstance(called, StateMethod | None) and not isinstance(node, ast.Name):
        how = f"state.{called.name}(…)" if called else "state | …"
        message = f"{how} gives a new state and changes nothing, and nothing keeps it"
        yield file.finding(node, Code.STATE_DROPPED, message, f"Return it, or keep it: state = {how}.")


def _never_run(file: JobFile, node: ast.expr, built: Built) -> Finding:
    inside = file.tree.scopes[node].function is not None
    fix = f"Return it, or run it: {built.name}(…).result()." if inside else "Put it in the list: job = Job(…)."
    return file.finding(node, Code.OPERATION_DROPPED, f"{built.name}(…) is built here and never run", fix)


def _unused_result(file: JobFile, node: ast.expr, method: Method) -> Iterator[Finding]:
    """Advise on a read whose answer nobody looks at; what takes a file leaves that behind."""
    built = method.of
    declaration = built.declaration
    if declaration is None or built.inner is not None or declaration.effect != "read":
        return
    if "file" not in declaration.signature.parameters:
        message = f"{built.name}(…) reads, and nothing uses what it gives"
        fix = f"Keep it: found = {built.name}(…).result(), or leave the call out."
        yield file.finding(node, Code.ADVICE_UNUSED_RESULT, message, fix)


def _kept_and_forgotten(file: JobFile) -> Iterator[Finding]:
    """Find operations that a function keeps under a name and never uses."""
    used = {node.id for node in file.tree.all(ast.Name) if isinstance(node.ctx, ast.Load)}
    for statement in file.tree.all(ast.Assign):
        name = statement.targets[0].id if isinstance(statement.targets[0], ast.Name) else None
        built = file.meanings.of(statement.value)
        if not isinstance(built, Built) or name is None or name in used or _is_public(file, statement):
            continue
        message = f"{built.name}(…) is built here and never run: nothing uses {name!r}"
        fix = f"Run it for its result: {name} = {built.name}(…).result()."
        yield file.finding(statement.value, Code.OPERATION_DROPPED, message, fix)


def _is_public(file: JobFile, statement: ast.Assign) -> bool:
    """Tell whether others may use the names that a statement binds: those of a module or class."""
    is_local = isinstance(file.tree.scopes[statement].node, ast.FunctionDef | ast.AsyncFunctionDef)
    return not is_local or len(statement.targets) > 1
