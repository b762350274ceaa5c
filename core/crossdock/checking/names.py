"""Rules: names that nothing defines, and adaptors that can't be used."""

import ast
import builtins
from collections.abc import Iterator

import crossdock
from crossdock import values
from crossdock.checking import doors
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.things import Module
from crossdock.errors import closest

_ALWAYS = frozenset(
    {"__file__", "__name__", "__doc__", "__builtins__", "__spec__", "__loader__", "__package__", "__class__"}
    | {"__annotations__", "__module__", "__qualname__", "__debug__", "__path__", "__cached__"}
    | set(dir(builtins))
)
_LENIENT = frozenset(
    {"ImportError", "ModuleNotFoundError", "NameError", "AttributeError", "Exception", "BaseException"}
)


def names(file: JobFile) -> Iterator[Finding]:
    """Find unknown names: imported ones, operations of an adaptor, and those that nothing defines."""
    for statement in file.tree.all(ast.ImportFrom):
        if not statement.level and statement.module is not None and not _is_tried(file, statement):
            yield from _from(file, statement, statement.module)
    for imported in file.tree.all(ast.Import):
        if not _is_tried(file, imported):
            yield from _missing_modules(file, imported)
    for node in file.tree.all(ast.Attribute):
        yield from _attribute(file, node)
    if not file.tree.any_name:
        yield from _undefined(file)


def _is_tried(file: JobFile, node: ast.AST) -> bool:
    """Tell whether the file itself provides for a name that is not there."""
    tries = [outer for outer in file.tree.around(node) if isinstance(outer, ast.Try)]
    caught = [handler.type for outer in tries for handler in outer.handlers]
    return any(
        kind is None or any(isinstance(name, ast.Name) and name.id in _LENIENT for name in ast.walk(kind))
        for kind in caught
    )


def _from(file: JobFile, statement: ast.ImportFrom, origin: str) -> Iterator[Finding]:
    for alias in statement.names:
        if origin == doors.DOOR:
            yield from _adaptor(file, alias)
            continue
        if doors.is_missing(origin):
            yield _no_module(file, statement, origin)
            return
        module = doors.module(origin)
        if module is not None and alias.name != "*" and not doors.has(module, alias.name):
            yield _unknown_import(file, alias, module)


def _adaptor(file: JobFile, alias: ast.alias) -> Iterator[Finding]:
    found = doors.adaptor(alias.name) if alias.name not in ("*", "opened") else None
    if isinstance(found, doors.Unusable):
        yield file.finding(alias, *found)


def _missing_modules(file: JobFile, statement: ast.Import) -> Iterator[Finding]:
    for alias in statement.names:
        if doors.is_missing(alias.name):
            yield _no_module(file, alias, alias.name)


def _no_module(file: JobFile, node: ast.AST, name: str) -> Finding:
    close = closest(name, ["crossdock", "crossdock.values", "crossdock.adaptors"])
    fix = f"Did you mean {close}?" if close else "Import it from crossdock."
    return file.finding(node, Code.UNKNOWN_IMPORT, f"there is no module {name!r}", fix)


def _unknown_import(file: JobFile, alias: ast.alias, module: Module) -> Finding:
    name = module.module.__name__
    elsewhere = _home_of(alias.name)
    close = closest(alias.name, _public(module))
    fix = elsewhere or (f"Did you mean {close}?" if close else "Correct the name, or import it from where it is.")
    return file.finding(alias, Code.UNKNOWN_IMPORT, f"{name} has no {alias.name!r}", fix)


def _home_of(name: str) -> str | None:
    """Say where a name of crossdock's own, or an adaptor, is imported from."""
    if name in crossdock.__all__:
        return f"Import it: from crossdock import {name}"
    if name in values.__all__:
        return f"Import it: from crossdock.values import {name}"
    return f"Import it: from crossdock.adaptors import {name}" if doors.is_adaptor(name) else None


def _public(module: Module) -> list[str]:
    return sorted(getattr(module.module, "__all__", None) or [n for n in vars(module.module) if not n.startswith("_")])


def _attribute(file: JobFile, node: ast.Attribute) -> Iterator[Finding]:
    base = file.meanings.of(node.value)
    if not isinstance(base, Module) or base.name == doors.DOOR or doors.has(base, node.attr) or _is_tried(file, node):
        return
    known = sorted(base.module.adaptor.operations) if base.adaptor else _public(base)
    close = closest(node.attr, known) or closest(node.attr, _public(base))
    what = "operation" if base.adaptor else "name"
    fix = f"Did you mean {base.name}.{close}?" if close else f"Use one of: {', '.join(known)}."
    yield file.finding(node, Code.UNKNOWN_OPERATION, f"{base.name} has no {what} {node.attr!r}", fix)


def _undefined(file: JobFile) -> Iterator[Finding]:
    seen: set[str] = set()
    for node in sorted(file.tree.all(ast.Name), key=lambda node: node.lineno):
        if node.id in seen or not isinstance(node.ctx, ast.Load) or node.id in _ALWAYS:
            continue
        if file.tree.scopes[node].find(node.id) or _in_class(file, node) or _is_tried(file, node):
            continue
        seen.add(node.id)
        yield file.finding(node, Code.UNKNOWN_NAME, f"nothing defines {node.id!r}", _how_to_define(file, node))


def _in_class(file: JobFile, node: ast.AST) -> bool:
    """Tell whether a name may be one of a class: those rules are Python's to apply."""
    return any(isinstance(outer, ast.ClassDef) for outer in file.tree.around(node))


def _how_to_define(file: JobFile, node: ast.Name) -> str:
    scope, visible = file.tree.scopes[node], set(file.tree.top.names)
    while scope.parent is not None:
        visible |= set(scope.names)
        scope = scope.parent
    close = closest(node.id, visible)
    known = closest(node.id, [*crossdock.__all__, *values.__all__])
    here = f"Did you mean {close}?" if close else None
    there = f"Did you mean {known}? {_home_of(known)}" if known else None
    return _home_of(node.id) or here or there or "Define it, or import it."
