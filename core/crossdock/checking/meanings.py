"""What the expressions of a file stand for, followed through imports and simple assignments, never guessed."""

import ast
import builtins
from collections.abc import Callable, Iterable

from crossdock.checking import doors
from crossdock.checking.scopes import Binding, Tree
from crossdock.checking.things import (
    Built,
    Foreign,
    FunctionNode,
    Known,
    LazyPath,
    Local,
    Method,
    Module,
    Plain,
    RealState,
    StateMethod,
    Thing,
)
from crossdock.cursors import cursor
from crossdock.job import Job
from crossdock.lazy import Lazy, computed
from crossdock.operation import operation

_BUILDING = frozenset({"into", "catch", "retry"})
_RENEWING = frozenset({"result", "replace", "without", "only", "copy"})
_LITERALS: dict[type[ast.expr], str] = {
    ast.List: "a list",
    ast.ListComp: "a list",
    ast.Tuple: "a tuple",
    ast.Set: "a set",
    ast.SetComp: "a set",
    ast.JoinedStr: "text",
    ast.Dict: "a dict",
    ast.DictComp: "a dict",
    ast.GeneratorExp: "a generator",
    ast.Compare: "true or false",
}


class Meanings:
    """What each expression stands for; None where that is not certain.

    Args:
        tree: The parsed file.
    """

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.receivers: dict[ast.AST, str] = {}
        """Parameters that are certain to get the state: filled once the uses of functions are known."""
        self._found: dict[ast.expr, Thing | None] = {}
        self._imports: dict[ast.alias, Thing | None] = {}
        self._finders: dict[type[ast.expr], Callable[..., Thing | None]] = {
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.BinOp: self._joined,
            ast.NamedExpr: lambda node: self.of(node.value),
            ast.Lambda: Local,
            ast.Constant: lambda node: Plain(
                "None" if node.value is None else f"a value of type {type(node.value).__name__}"
            ),
        }

    def learn(self, receivers: dict[ast.AST, str]) -> None:
        """Take which parameters get the state, and forget what was found without that."""
        self.receivers = receivers
        self._found.clear()

    def of(self, node: ast.expr) -> Thing | None:
        """Give what an expression stands for."""
        if node not in self._found:
            self._found[node] = None  # for what refers to itself
            self._found[node] = self._find(node)
        return self._found[node]

    def _find(self, node: ast.expr) -> Thing | None:
        finder = self._finders.get(type(node))
        if finder is not None:
            return finder(node)
        kind = _LITERALS.get(type(node))
        return Plain(kind) if kind else None

    def _name(self, node: ast.Name) -> Thing | None:
        if node.id in self.tree.unsure:
            return None
        bindings = self.tree.scopes[node].find(node.id)
        if len(bindings) == 1:
            return self.bound(bindings[0])
        if bindings:
            return self._renewed(node, bindings)
        return Foreign(node.id) if hasattr(builtins, node.id) and not self.tree.any_name else None

    def _renewed(self, node: ast.Name, bindings: list[Binding]) -> Thing | None:
        """Follow a parameter that only ever stands for a state: ``state = state.replace(…)``."""
        first = self.bound(bindings[0])
        if not isinstance(first, RealState) or any(binding.kind != "value" for binding in bindings[1:]):
            return None
        self._found[node] = first
        values = [binding.node for binding in bindings[1:] if isinstance(binding.node, ast.expr)]
        return first if all(self._renews(value, node.id) for value in values) else None

    def _renews(self, value: ast.expr, name: str) -> bool:
        """Tell whether a value is made of the state under a name, as a state."""
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.BitOr):
            return isinstance(value.left, ast.Name) and value.left.id == name
        if not isinstance(value, ast.Call):
            return False
        made = value.func
        if isinstance(made, ast.Attribute) and isinstance(made.value, ast.Name) and made.value.id == name:
            return made.attr in _RENEWING
        return isinstance(self.of(made), Built) and len(value.args) == 1

    def bound(self, binding: Binding) -> Thing | None:
        """Give what a binding makes a name stand for."""
        if binding.kind == "import" and isinstance(binding.node, ast.alias):
            if binding.node not in self._imports:
                self._imports[binding.node] = _imported(binding.node, binding.statement)
            return self._imports[binding.node]
        if binding.kind == "value" and isinstance(binding.node, ast.expr):
            return self.of(binding.node)
        if binding.kind == "function" and isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return self.defined(binding.node)
        name = self.receivers.get(binding.node)
        return RealState(name) if name else None

    def defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Thing | None:
        """Give what a function is to the rest of the file; None if a decorator makes something else of it."""
        if not node.decorator_list:
            return Local(node)
        decorator = node.decorator_list[0]
        decides = self.of(decorator.func if isinstance(decorator, ast.Call) else decorator)
        is_helper = isinstance(decides, Known) and decides.value is operation and len(node.decorator_list) == 1
        return Local(node, builds=True) if is_helper else None

    def _attribute(self, node: ast.Attribute) -> Thing | None:
        base = self.of(node.value)
        if isinstance(base, Module):
            return _held(base, node.attr)
        if isinstance(base, LazyPath):
            return LazyPath(base.root, (*base.keys, node.attr))
        if isinstance(base, Built) and node.attr in (*_BUILDING, "result"):
            return Method(base, node.attr)
        if isinstance(base, RealState) and node.attr in _RENEWING:
            return StateMethod(node.attr)
        return Foreign(f"{base.name}.{node.attr}") if isinstance(base, Foreign) else None

    def _subscript(self, node: ast.Subscript) -> Thing | None:
        base = self.of(node.value)
        if not isinstance(base, LazyPath):
            return None
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return LazyPath(base.root, (*base.keys, key if isinstance(key, str | int) else None))

    def _call(self, node: ast.Call) -> Thing | None:
        called = self.of(node.func)
        if isinstance(called, Known):
            return self._call_known(called, node)
        if isinstance(called, Local) and called.builds:
            return Built(called.name, node)
        if isinstance(called, Method) and called.name in _BUILDING:
            return Built(f"{called.of.name}.{called.name}", node, called.of.declaration, called.of)
        if isinstance(called, Built | StateMethod):
            return RealState()
        return None

    def _call_known(self, called: Known, node: ast.Call) -> Thing | None:
        if called.declaration is not None:
            return Built(called.declaration.full_name, node, called.declaration)
        if called.value is Job:
            return Built("Job", node, is_job=True)
        if called.value is cursor:
            return LazyPath("cursor(…)")
        return self.of(node.args[0]) if called.value is computed and len(node.args) == 1 else None

    def _joined(self, node: ast.BinOp) -> Thing | None:
        """Follow ``state | changes``; other sums may be too long to follow, and are no state."""
        left = self.of(node.left) if isinstance(node.op, ast.BitOr) else None
        return left if isinstance(left, RealState) else None


def _imported(alias: ast.alias, statement: ast.AST | None) -> Thing | None:
    if isinstance(statement, ast.ImportFrom):
        return _imported_from(statement, alias.name)
    name = alias.name if alias.asname else alias.name.partition(".")[0]
    return doors.module(name) or (None if name.startswith("crossdock") else Foreign(name))


def _imported_from(statement: ast.ImportFrom, name: str) -> Thing | None:
    if statement.level or statement.module is None:
        return None
    origin = doors.module(statement.module)
    if origin is not None:
        return _held(origin, name)
    return None if statement.module.startswith("crossdock") else Foreign(f"{statement.module}.{name}")


def _held(origin: Module, name: str) -> Thing | None:
    full_name = f"{origin.name}.{name}"
    if origin.name == doors.DOOR:
        found = doors.adaptor(name)
        return found if isinstance(found, Module) else None
    if doors.module(full_name) is not None:
        return doors.module(full_name)
    if not hasattr(origin.module, name):
        return None
    value = getattr(origin.module, name)
    return LazyPath(name) if type(value) is Lazy else Known(name if not origin.adaptor else full_name, value)


def nested(nodes: Iterable[ast.expr]) -> Iterable[ast.expr]:
    """Give expressions, and those in their dicts, lists and tuples: what an operation resolves."""
    for node in nodes:
        yield node
        if isinstance(node, ast.Dict):
            yield from nested(node.values)
        elif isinstance(node, ast.List | ast.Tuple):
            yield from nested(node.elts)


def function_of(thing: Thing | None) -> FunctionNode | None:
    """Give the function of the file that something stands for, if it is one that is not a helper."""
    return thing.node if isinstance(thing, Local) and not thing.builds else None
