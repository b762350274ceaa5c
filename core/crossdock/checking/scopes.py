"""Which names a file binds, where, and to what: scopes as Python sees them, one walk for all rules."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeVar

from crossdock.checking.things import FunctionNode

N = TypeVar("N", bound=ast.AST)

_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Binding(NamedTuple):
    """One place where a name gets what it stands for."""

    kind: Literal["import", "value", "function", "parameter", "other"]
    node: ast.AST
    statement: ast.AST | None = None


class Scope:
    """The names of a module, function, class or comprehension.

    Args:
        node: What opens it.
        parent: The scope around it.
    """

    def __init__(self, node: ast.AST, parent: "Scope | None") -> None:
        self.node = node
        self.parent = parent
        self.names: dict[str, list[Binding]] = defaultdict(list)
        self.function: FunctionNode | None = parent.function if parent is not None else None
        """The innermost function around it."""
        if isinstance(node, _FUNCTIONS):
            self.function = node

    def find(self, name: str) -> "list[Binding]":
        """Give the bindings of a name that is used here; none if no scope binds it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and (scope is self or not isinstance(scope.node, ast.ClassDef)):
                return scope.names[name]
            scope = scope.parent
        return []


class Tree:
    """A parsed file: every node by its type, with its parent and its scope.

    Args:
        module: The parsed file.
    """

    def __init__(self, module: ast.Module) -> None:
        self.module = module
        self.parents: dict[ast.AST, ast.AST] = {}
        self.scopes: dict[ast.AST, Scope] = {}
        self.inside: dict[FunctionNode | None, list[ast.AST]] = defaultdict(list)
        """The nodes of each function's own body, without those of functions in it; under None those of no function."""
        self.unsure: set[str] = set()
        """Names that ``global`` or ``nonlocal`` let other places bind."""
        self.any_name = False
        """Whether an ``import *`` may bind any name."""
        self.top = Scope(module, None)
        self._by_type: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        self._values: dict[ast.AST, ast.expr] = {}
        self._walk()

    def all(self, kind: type[N]) -> Iterator[N]:
        """Give the nodes of a type, in no certain order."""
        yield from self._by_type[kind]  # type: ignore[misc]

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Give what a node lies in, from the inside out."""
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def scope_of(self, node: FunctionNode) -> Scope:
        """Give the scope that a function opens."""
        return self._opened[node]

    def _walk(self) -> None:
        self._opened: dict[ast.AST, Scope] = {}
        waiting: list[tuple[ast.AST, Scope]] = [(self.module, self.top)]
        while waiting:  # no recursion: a long sum of texts nests deeper than Python's stack
            node, scope = waiting.pop()
            self.scopes[node] = scope
            self.inside[scope.function].append(node)
            self._by_type[type(node)].append(node)
            self._bind(node, scope)
            for child, inner in self._children(node, scope):
                self.parents[child] = node
                waiting.append((child, inner))

    def _children(self, node: ast.AST, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        if isinstance(node, _FUNCTIONS):
            yield from self._function(node, scope)
        elif isinstance(node, ast.ClassDef):
            inner = Scope(node, scope)
            yield from ((child, scope) for child in [*node.decorator_list, *node.bases, *node.keywords])
            yield from ((child, inner) for child in node.body)
        elif isinstance(node, _COMPREHENSIONS):
            inner = Scope(node, scope)
            yield from ((child, inner) for child in ast.iter_child_nodes(node))
        else:
            left_out = node.annotation if isinstance(node, ast.AnnAssign) else None
            yield from ((child, scope) for child in ast.iter_child_nodes(node) if child is not left_out)

    def _function(self, node: FunctionNode, scope: Scope) -> Iterator[tuple[ast.AST, Scope]]:
        inner = self._opened[node] = Scope(node, scope)
        for argument in _arguments(node.args):
            inner.names[argument.arg].append(Binding("parameter", argument, node))
        for parameter in getattr(node, "type_params", ()):
            inner.names[parameter.name].append(Binding("other", parameter))
        outside = [*node.args.defaults, *filter(None, node.args.kw_defaults)]
        body = [node.body] if isinstance(node, ast.Lambda) else node.body
        yield from ((child, scope) for child in [*outside, *getattr(node, "decorator_list", ())])
        yield from ((child, inner) for child in body)

    def _bind(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            value = self._values.get(node)
            binding = Binding("other", node) if value is None else Binding("value", value)
            _owner(node, scope, self.parents).names[node.id].append(binding)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            scope.names[node.name].append(Binding("function", node))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if node.value is not None:
                self._values.update({target: node.value for target in targets if isinstance(target, ast.Name)})
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._bind_import(node, scope)
        else:
            self._bind_rest(node, scope)

    def _bind_import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        for alias in node.names:
            self.any_name |= alias.name == "*"
            name = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
            scope.names[name].append(Binding("import", alias, node))

    def _bind_rest(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Global | ast.Nonlocal):
            self.unsure.update(node.names)
            for name in node.names:
                self.top.names[name].append(Binding("other", node))
            return
        bound: str | None = None
        if isinstance(node, ast.MatchMapping):
            bound = node.rest
        elif isinstance(node, ast.ClassDef | ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            bound = node.name
        if bound is not None:
            scope.names[bound].append(Binding("other", node))


def _owner(node: ast.Name, scope: Scope, parents: dict[ast.AST, ast.AST]) -> Scope:
    """Give the scope that a name is bound in: ``:=`` in a comprehension binds around it."""
    if isinstance(parents.get(node), ast.NamedExpr):
        while isinstance(scope.node, _COMPREHENSIONS) and scope.parent is not None:
            scope = scope.parent
    return scope


def _arguments(arguments: ast.arguments) -> list[ast.arg]:
    starred = [argument for argument in (arguments.vararg, arguments.kwarg) if argument is not None]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *starred]
