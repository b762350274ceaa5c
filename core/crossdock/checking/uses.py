"""How the functions of a file are used: as an operation, for a value, as a handler."""

import ast
from typing import NamedTuple

from crossdock.checking.arguments import building_arguments
from crossdock.checking.meanings import Meanings, function_of, nested
from crossdock.checking.scopes import Tree
from crossdock.checking.things import FunctionNode, Local, Method


class Uses(NamedTuple):
    """The functions of a file that crossdock calls, by what for; each with the place that hands it over."""

    operations: dict[FunctionNode, ast.expr]
    values: dict[FunctionNode, ast.expr]
    handlers: dict[FunctionNode, ast.expr]
    helpers: list[FunctionNode]
    """Those that ``@operation`` makes a helper of."""

    def receivers(self) -> dict[ast.AST, str]:
        """Give the parameters that get the state, with their names."""
        first = [*self.operations, *self.values, *self.helpers]
        places = [(function, 0) for function in first] + [(function, 1) for function in self.handlers]
        arguments = [(_places(function), at) for function, at in places]
        return {found[at]: found[at].arg for found, at in arguments if len(found) > at}


def _places(function: FunctionNode) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args]


def uses_of(tree: Tree, meanings: Meanings) -> Uses:
    """Find out how the functions of a file are used."""
    uses = Uses({}, {}, {}, _helpers(tree, meanings))
    for call in tree.all(ast.Call):
        for argument in building_arguments(call, meanings):
            known = uses.operations if argument.is_operation else uses.values if argument.is_value else None
            for node in nested([argument.node]) if argument.is_value else [argument.node]:
                function = function_of(meanings.of(node))
                if known is not None and function is not None:
                    known[function] = node
        _add_handler(call, meanings, uses)
    return uses


def _add_handler(call: ast.Call, meanings: Meanings, uses: Uses) -> None:
    called = meanings.of(call.func)
    if isinstance(called, Method) and called.name == "catch" and call.args:
        function = function_of(meanings.of(call.args[0]))
        if function is not None:
            uses.handlers[function] = call.args[0]


def _helpers(tree: Tree, meanings: Meanings) -> list[FunctionNode]:
    names: list[ast.FunctionDef | ast.AsyncFunctionDef] = [
        *tree.all(ast.FunctionDef),
        *tree.all(ast.AsyncFunctionDef),
    ]
    return [node for node in names if isinstance(found := meanings.defined(node), Local) and found.builds]
