"""Rule: a job file ends with ``job = Job(…)``."""

import ast
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.scopes import Binding
from crossdock.checking.things import Built, Known, LazyPath, Local, Module, Plain

_FIX = "End the file with: job = Job(…)."


def has_job(file: JobFile) -> bool:
    """Tell whether a file is a job by what it holds: a ``job``, or a Job under another name."""
    return "job" in file.tree.top.names or next(_jobs(file), None) is not None


def _jobs(file: JobFile) -> Iterator[ast.Assign]:
    for statement in file.tree.module.body:
        if isinstance(statement, ast.Assign) and _is_job(file, statement.value):
            yield statement


def _is_job(file: JobFile, node: ast.expr) -> bool:
    found = file.meanings.of(node)
    return isinstance(found, Built) and found.is_job


def structure(file: JobFile) -> Iterator[Finding]:
    """Find that there is no ``job``, or that it is something else."""
    bindings = file.tree.top.names.get("job", [])
    if not bindings and not file.tree.any_name:
        other = next(_jobs(file), None)
        name = ast.unparse(other.targets[0]) if other is not None else ""
        only = f", only the Job {name!r}" if name else ""
        last: list[ast.AST] = [file.tree.module, *file.tree.module.body]
        yield file.finding(
            other or last[-1], Code.NO_JOB, f"there is no 'job'{only}", "Call it: job = Job(…)." if name else _FIX
        )
    if len(bindings) == 1:
        yield from _wrong_job(file, bindings[0])


def _wrong_job(file: JobFile, binding: Binding) -> Iterator[Finding]:
    wrong = _what(file, binding)
    if wrong:
        yield file.finding(binding.node, Code.NOT_A_JOB, f"'job' is {wrong}, not a Job", _FIX)


def _what(file: JobFile, binding: Binding) -> str | None:
    """Say what ``job`` is, if it is certain that it is no Job that can run."""
    if binding.kind == "function":
        return "a function"
    found = file.meanings.of(binding.node) if isinstance(binding.node, ast.expr) else None
    if isinstance(found, Built):
        call = found.call
        empty = found.is_job and not call.args
        return "a Job without operations" if empty else None if found.is_job else f"the operation {found.name}(…)"
    if isinstance(found, Local | Known):
        return "a function" if isinstance(found, Local) else found.name
    return {LazyPath: "a lazy path", Module: "a module"}.get(type(found)) or (
        found.kind if isinstance(found, Plain) else None
    )
