"""Which paths a function can take to its end: what returns nothing, and where."""

import ast
import sys
from collections.abc import Callable, Sequence
from typing import Any

from crossdock.checking.meanings import Meanings, function_of
from crossdock.checking.scopes import Tree
from crossdock.checking.things import Foreign, FunctionNode

_EXITS = frozenset({"sys.exit", "os._exit", "os.abort", "exit", "quit", "typing.assert_never"})


def is_generator(function: FunctionNode, tree: Tree) -> bool:
    """Tell whether calling a function gives a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in tree.inside[function])


class Paths:
    """Follows the statements of functions.

    Args:
        meanings: What the names in them stand for.
    """

    def __init__(self, meanings: Meanings) -> None:
        self._meanings = meanings
        self._tree = meanings.tree
        self._ending: set[FunctionNode] = set()
        self._passing: dict[type[ast.stmt], Callable[..., bool]] = {
            **dict.fromkeys((ast.Return, ast.Raise, ast.Break, ast.Continue), lambda _: False),
            **dict.fromkeys((ast.For, ast.AsyncFor), self._loop_passes),
            **dict.fromkeys((ast.Try, ast.TryStar), self._try_passes),
            **dict.fromkeys((ast.With, ast.AsyncWith), lambda statement: self._goes_on(statement.body)),
            ast.If: self._if_passes,
            ast.While: lambda statement: not _is_true(statement.test) or _breaks(statement),
            ast.Match: self._match_passes,
            ast.Expr: lambda statement: not self._may_end(statement.value),
            ast.Assert: lambda statement: not _is_false(statement.test),
        }

    def open_end(self, function: FunctionNode) -> ast.stmt | None:
        """Give the statement after which a function ends without a return; None if there is no such path."""
        if isinstance(function, ast.Lambda) or not self._goes_on(function.body):
            return None
        return next(statement for statement in reversed(function.body) if self._may_pass(statement))

    def _goes_on(self, statements: Sequence[ast.stmt]) -> bool:
        """Tell whether what comes after these statements can be reached."""
        return all(self._may_pass(statement) for statement in statements)

    def _may_pass(self, statement: ast.stmt) -> bool:
        """Tell whether the statement after this one can be reached."""
        passes: Callable[[Any], bool] = self._passing.get(type(statement), lambda _: True)
        return passes(statement)

    def _loop_passes(self, statement: ast.For | ast.AsyncFor) -> bool:
        return _breaks(statement) or self._goes_on(statement.orelse)

    def _match_passes(self, statement: ast.Match) -> bool:
        return not _is_total(statement) or any(self._goes_on(case.body) for case in statement.cases)

    def _if_passes(self, statement: ast.If) -> bool:
        while not self._goes_on(statement.body) and not _is_true(statement.test):
            match statement.orelse:
                case [ast.If() as branch]:  # no recursion: a chain of elif may be longer than Python's stack
                    statement = branch
                case orelse:
                    return self._goes_on(orelse)
        return self._goes_on(statement.body)

    def _try_passes(self, statement: ast.Try | ast.TryStar) -> bool:
        if not self._goes_on(statement.finalbody):
            return False
        plain = self._goes_on([*statement.body, *statement.orelse])
        return plain or any(self._goes_on(handler.body) for handler in statement.handlers)

    def _may_end(self, node: ast.expr) -> bool:
        """Tell whether a call may never come back: it is an exit, or not known well enough."""
        if not isinstance(node, ast.Call):
            return False
        called = self._meanings.of(node.func)
        if isinstance(called, Foreign):
            return called.name in _EXITS or _is_neighbour(called.name)
        function = function_of(called)
        if function is None:
            return called is None and isinstance(node.func, ast.Name)
        return self._never_returns(function)

    def _never_returns(self, function: FunctionNode) -> bool:
        """Tell whether a function of the file only ever raises."""
        if (
            isinstance(function, ast.Lambda | ast.AsyncFunctionDef)
            or function in self._ending
            or is_generator(function, self._tree)
        ):
            return False
        self._ending.add(function)
        raises = not any(isinstance(node, ast.Return) for node in self._tree.inside[function])
        ends = raises and not self._goes_on(function.body)
        self._ending.discard(function)
        return ends


def _is_neighbour(name: str) -> bool:
    """Tell whether a function comes from a module that is not Python's own: it may do nothing but raise."""
    top, _, inner = name.partition(".")
    return bool(inner) and top not in sys.stdlib_module_names


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _is_false(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and not test.value


def _breaks(loop: ast.While | ast.For | ast.AsyncFor) -> bool:
    """Tell whether a loop has a break of its own; one of a loop inside it counts as well, to be safe."""
    return any(isinstance(node, ast.Break) for node in ast.walk(loop))


def _is_total(statement: ast.Match) -> bool:
    last = statement.cases[-1]
    patterns = last.pattern.patterns if isinstance(last.pattern, ast.MatchOr) else [last.pattern]
    return last.guard is None and any(isinstance(p, ast.MatchAs) and p.pattern is None for p in patterns)
