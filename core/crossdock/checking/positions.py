"""The places in a file where Python needs a value at once: loops, comparisons, texts, conditions."""

import ast
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from crossdock.checking.scopes import Tree

_Found = Callable[[Any], Iterable[ast.expr | None]]

_POSITIONS: tuple[tuple[type[ast.AST], _Found, str], ...] = (
    (ast.For, lambda node: [node.iter], "is looped over"),
    (ast.comprehension, lambda node: [node.iter], "is looped over"),
    (ast.Starred, lambda node: [node.value], "is unpacked"),
    (ast.Compare, lambda node: [node.left, *node.comparators], "is compared"),
    (ast.FormattedValue, lambda node: [None if node.conversion == ord("r") else node.value], "is written into a text"),
    (ast.If, lambda node: [node.test], "is tested for truth"),
    (ast.IfExp, lambda node: [node.test], "is tested for truth"),
    (ast.While, lambda node: [node.test], "is tested for truth"),
    (ast.Assert, lambda node: [node.test], "is tested for truth"),
    (ast.comprehension, lambda node: node.ifs, "is tested for truth"),
    (ast.BoolOp, lambda node: node.values[:-1], "is tested for truth"),
    (ast.UnaryOp, lambda node: [node.operand], "is calculated with"),
    (ast.BinOp, lambda node: [node.left, node.right], "is calculated with"),
    (ast.Subscript, lambda node: [node.value] if isinstance(node.slice, ast.Slice | ast.Tuple) else [], "is sliced"),
)


def needing_values(tree: Tree) -> Iterator[tuple[ast.expr, str]]:
    """Give the expressions that need a value where they stand, and what is done with it."""
    for kind, find, how in _POSITIONS:
        for node in tree.all(kind):
            yield from ((found, how) for found in find(node) if found is not None)
