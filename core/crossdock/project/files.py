"""Rule: the files that a project names are there, with what is asked of them."""

from collections.abc import Iterator
from json import JSONDecodeError, loads
from typing import TYPE_CHECKING

from crossdock.checking.finding import Code, Finding
from crossdock.checking.jobfile import JobFile, parse
from crossdock.errors import closest
from crossdock.project.reading import Path, Source
from crossdock.project.shape import ProjectFile
from crossdock.project.triggers import Webhook

if TYPE_CHECKING:
    pass


def files_are_there(source: Source, shape: ProjectFile) -> Iterator[Finding]:
    """Find files of jobs, conditions and schemas that are not there, and what they lack."""
    for path, name in jobs(shape):
        yield from _missing(source, path, name)
    for path, name in conditions(shape):
        yield from _missing(source, path, name.rpartition(":")[0]) or _without_function(source, path, name)
    for path, name in _schemas(shape):
        yield from _missing(source, path, name) or _no_schema(source, path, name)


def jobs(shape: ProjectFile) -> list[tuple[Path, str]]:
    """Give the files of jobs, and where each one is named."""
    return [
        (("workflows", name, "steps", step, "job"), runs.job)
        for name, workflow in shape.workflows.items()
        for step, runs in workflow.steps.items()
        if runs.job is not None
    ]


def conditions(shape: ProjectFile) -> list[tuple[Path, str]]:
    """Give the functions of edges, as FILE:FUNCTION, and where each one is named."""
    return [
        (("workflows", name, "steps", step, "next", to, "when"), edge.when)
        for name, workflow in shape.workflows.items()
        for step, runs in workflow.steps.items()
        for to, edge in runs.next.items()
        if edge.when is not None
    ]


def _schemas(shape: ProjectFile) -> list[tuple[Path, str]]:
    return [
        (("workflows", name, "triggers", key, "schema"), trigger.payload_schema)
        for name, workflow in shape.workflows.items()
        for key, trigger in workflow.triggers.items()
        if isinstance(trigger, Webhook) and trigger.payload_schema is not None
    ]


def _missing(source: Source, path: Path, name: str) -> list[Finding]:
    file = source.folder / name
    if file.is_file():
        return []
    close = closest(file.name, [entry.name for entry in file.parent.glob(f"*{file.suffix}")])
    fix = (
        f"Did you mean {_beside(name, close)}?"
        if close
        else "Correct the path; it starts at the folder of the project."
    )
    return [source.finding(path, Code.FILE_MISSING, f"there is no file {name!r:.100}", fix)]


def _beside(name: str, other: str) -> str:
    folder, slash, _ = name.rpartition("/")
    return f"{folder}{slash}{other}"


def _without_function(source: Source, path: Path, name: str) -> list[Finding]:
    file, _, function = name.rpartition(":")
    parsed = parse(file, (source.folder / file).read_bytes())
    if not isinstance(parsed, JobFile) or parsed.tree.any_name or function in parsed.tree.top.names:
        return []  # what is no Python is told where its file is checked
    close = closest(function, parsed.tree.top.names)
    fix = f"Did you mean {close}?" if close else f"Define it: def {function}(state): …"
    return [source.finding(path, Code.FUNCTION_MISSING, f"{file} has no function {function!r:.60}", fix)]


def _no_schema(source: Source, path: Path, name: str) -> list[Finding]:
    from jsonschema.exceptions import SchemaError  # imported late: few triggers have a schema
    from jsonschema.validators import validator_for

    try:
        schema = loads((source.folder / name).read_bytes())
        validator_for(schema).check_schema(schema)
    except (JSONDecodeError, UnicodeDecodeError):
        why = "it is not JSON"
    except SchemaError as error:
        why = f"{error.json_path} does not fit"
    else:
        return []
    message = f"{name!r:.100} is no JSON Schema: {why}"
    return [source.finding(path, Code.WRONG_VALUE, message, "Correct the schema, or name another file.")]
