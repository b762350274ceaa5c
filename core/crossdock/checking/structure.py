"""Rule: a job file ends with ``job = Job(…)``."""

import ast
from collections.abc import Iterator

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile
from crossdock.checking.scopes import Binding
from crossdock.checking.things import Built, Known, LazyPath, Local, Module, Plain, Thing
from crossdock.job import Job

_FIX = "End the file with: job = Job(…)."


def has_job(file: JobFile) -> bool:
    """Tell whether a file is a job by what it holds: a ``job``, or a Job under another name."""
    bindings = file.tree.top.names.get("job", [])
    return any(binding.kind != "other" for binding in bindings) or next(_jobs(file), None) is not None


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
        yield _no_job(file)
    if len(bindings) == 1:
        yield from _wrong_job(file, bindings[0])


def _no_job(file: JobFile) -> Finding:
    other = next(_jobs(file), None)
    if other is not None:
        message = f"there is no 'job', only the Job {ast.unparse(other.targets[0])!r}"
        return file.finding(other, Code.NO_JOB, message, "Call it: job = Job(…).")
    last: list[ast.AST] = [file.tree.module, *file.tree.module.body]
    return file.finding(last[-1], Code.NO_JOB, "there is no 'job'", _FIX)


def _wrong_job(file: JobFile, binding: Binding) -> Iterator[Finding]:
    wrong = _no_job_but(file.meanings.bound(binding))
    if wrong:
        yield file.finding(binding.node, Code.NOT_A_JOB, f"'job' is {wrong}, not a Job", _FIX)


def _no_job_but(thing: Thing | None) -> str | None:
    """Say what something is, if it is certain that it is no Job that can run."""
    match thing:
        case Built(is_job=True, call=call):
            return None if call.args else "a Job without operations"
        case Built(name=name):
            return f"the operation {name}(…)"
        case Known(name=name, value=value):
            return None if isinstance(value, Job) else name
        case Plain(kind=kind):
            return kind
    return {LazyPath: "a lazy path", Module: "a module", Local: "a function"}.get(type(thing))
