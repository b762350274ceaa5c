"""Advice: writes that can be undone and that can't in one unit of work, and operations that nobody described."""

import ast
from collections.abc import Iterator
from typing import Any

from crossdock.checking.arguments import bound
from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.meanings import function_of
from crossdock.checking.things import Built, FunctionNode
from crossdock.common.flow import each
from crossdock.declaration import Declaration

_EACH = getattr(each, "declaration", None)
_FIX = 'Loop over one record at a time with each(…, commit="item"), or split the job into two steps.'

Writes = dict[bool, str]
"""The operations that write: True → one that can be undone (its adaptor has units), False → one that can't."""


class _Writes:
    """Collects what the operations of a file write."""

    def __init__(self, file: JobFile) -> None:
        self.file = file
        self.mixed: list[tuple[Built, Writes]] = []
        self._busy: set[FunctionNode] = set()

    def of(self, node: ast.expr) -> Writes:
        """Give what an operation or a function writes, as part of the unit around it."""
        found = self.file.meanings.of(node)
        function = function_of(found)
        if function is not None:
            return self._of_function(function)
        return self._of_built(found) if isinstance(found, Built) else {}

    def _of_function(self, function: FunctionNode) -> Writes:
        """Give what a function writes with the operations that it builds, and by the functions that it calls."""
        if function in self._busy:
            return {}
        self._busy.add(function)
        writes: Writes = {}
        for node in self.file.tree.inside[function]:
            if isinstance(node, ast.Call):
                writes |= self.of(node) or self.of(node.func)
        self._busy.discard(function)
        return writes

    def _of_built(self, built: Built) -> Writes:
        if isinstance(built.inner, Built):
            return self._of_built(built.inner)
        if isinstance(_EACH, Declaration) and built.declaration is _EACH:
            return self._of_each(built, _EACH)
        writes = self._of_parts(built)
        if built.declaration is not None and built.declaration.adaptor is not None and _writes(built):
            writes[built.declaration.adaptor.unit is not None] = built.name
        return writes

    def _of_parts(self, built: Built) -> Writes:
        writes: Writes = {}
        for node in built.call.args:
            if isinstance(self.file.meanings.of(node), Built) or built.is_job or built.declaration is not None:
                writes |= self.of(node)
        return writes

    def _of_each(self, built: Built, declaration: Declaration) -> Writes:
        arguments = bound(declaration.signature, built.call)
        writes = self.of(arguments["operation"][0]) if "operation" in arguments else {}
        commit = arguments.get("commit", [ast.Constant("step")])[0]
        if not isinstance(commit, ast.Constant) or commit.value == "item":
            return {}
        if len(writes) == 2:
            self.mixed.append((built, writes))
            return {}
        return writes


def mixed_writes(file: JobFile) -> Iterator[Finding]:
    """Advise where a failure would undo what went into a database, and not what went elsewhere."""
    writes = _Writes(file)
    for call in file.tree.all(ast.Call):
        built = file.meanings.of(call)
        if isinstance(built, Built) and built.is_job and not _is_inner(file, call):
            together = writes.of(call)
            if len(together) == 2:
                writes.mixed.append((built, together))
    for built, mixed in writes.mixed:
        message = f"{mixed[True]} and {mixed[False]} write in one {built.name}: a failure undoes only the first"
        yield file.finding(built.call, Code.ADVICE_MIXED_WRITES, message, _FIX)


def undocumented(file: JobFile) -> Iterator[Finding]:
    """Advise, where it is first used, of an operation of an adaptor that says nothing about itself."""
    first: dict[Declaration, ast.Call] = {}
    for call in sorted(file.tree.all(ast.Call), key=lambda node: node.lineno):
        built = file.meanings.of(call)
        declaration = built.declaration if isinstance(built, Built) else None
        if declaration is not None and declaration.adaptor is not None and not declaration.doc:
            first.setdefault(declaration, call)
    for declaration, call in first.items():
        message = f"{declaration.full_name} has no documentation: nothing says what it does"
        yield file.finding(call, Code.ADVICE_UNDOCUMENTED, message, "Ask its author for a docstring.")


def _is_inner(file: JobFile, call: ast.Call) -> bool:
    return any(isinstance(outer, ast.Call) for outer in file.tree.around(call))


def _writes(built: Built) -> bool:
    """Tell whether an operation is certain to write."""
    declaration = built.declaration
    if declaration is None or not callable(declaration.effect):
        return declaration is not None and declaration.effect == "write"
    given = bound(declaration.signature, built.call)
    values: dict[str, Any] = {name: _constant(nodes[0]) for name, nodes in given.items()}
    arguments = tuple(values.get(parameter.name) for parameter in declaration.parameters)
    if next(iter(values.values()), None) is None:  # what it does depends on what is not certain
        return False
    try:
        return declaration.effect_of(arguments) == "write"
    except Exception:  # noqa: BLE001 - an adaptor's own function, which is given only what is written in the file
        return False


def _constant(node: ast.expr) -> Any:
    return node.value if isinstance(node, ast.Constant) else None
