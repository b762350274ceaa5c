"""The source of operations, as the formatter leaves it: one parameter a line, with a comma after the last."""

from collections.abc import Iterable, Iterator

from crossdock.cli.openapi.operations import Body, Described, Parameter
from crossdock.cli.openapi.text import literal, wrapped

_ROOM = 112
"""The longest line of what a request takes."""

_ENTRIES = """\
def _entries(name: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{name}[{key}]": value for key, value in (given or {}).items()}"""

_JOINED = """\
def _joined(separator: str, items: list[Any] | None) -> str | None:
    return None if items is None else separator.join(map(str, items))"""

_FILES = """\
def _files(given: Mapping[str, Any] | None, *names: str) -> dict[str, Any] | None:
    found = {name: run_file(given[name]) for name in names if given and given.get(name) is not None}
    return None if given is None else {**given, **found}"""


def module_source(operations: Iterable[Described], module: str, system: str) -> str:
    """Write the functions of all operations, and what they need."""
    functions = [source_of(operation, module, system) for operation in operations]
    written = "\n\n\n".join(functions)
    helpers = {"_entries(": _ENTRIES, "_joined(": _JOINED, "_files(": _FILES}
    return "\n\n\n".join([written, *(helper for call, helper in helpers.items() if call in written)])


def source_of(operation: Described, module: str, system: str) -> str:
    """Write the function of an operation."""
    lines = [
        f'@adaptor.operation(effect="{operation.effect}")',
        f"def {operation.name}(",
        *(f"    {line}," for line in _signature(operation)),
        ") -> State:",
        *_docstring(operation, module, system),
        "    answer = adaptor.connection.request(",
        *(f"        {line}" for line in _request(operation)),
        "    )",
        "    return state.result(answer)",
    ]
    return "\n".join(lines)


def _signature(operation: Described) -> Iterator[str]:
    yield "state: State"
    for parameter in operation.required:
        yield f"{parameter.name}: {parameter.type.annotation}"
    yield "*"
    for parameter in operation.optional:
        yield f"{parameter.name}: {_or_none(parameter.type.annotation)} = None"
    yield "credential: str | None = None"


def _or_none(annotation: str) -> str:
    return annotation if annotation in ("Any", "None") else f"{annotation} | None"


def _docstring(operation: Described, module: str, system: str) -> list[str]:
    described = [wrapped(operation.description, 4), []] if operation.description else []
    args = [wrapped(f"{p.name}: {p.doc}", 8, 4) for p in (*operation.required, *operation.optional)]
    said = [
        operation.summary,
        "",
        *(line for part in described for line in (part or [""])),
        "    Args:",
        *(line for lines in args for line in lines),
        f"        credential: Which credential, where a job has several for {system}.",
        "",
        "    Returns:",
        f"        The state with the answer of {system} in ``data``.",
        "",
        "    Raises:",
        f"        HttpError: {system} refuses the request.",
        *(["        UnknownOutcomeError: It was sent, and no answer came."] if operation.effect == "write" else []),
        "",
        "    Example:",
        f"        >>> {call_of(operation)}",
        f"        {module}.{operation.name}(...)",
    ]
    raw = "r" if any("\\" in line for line in said) else ""
    return [f'    {raw}"""{said[0]}', *said[1:], '    """']


def call_of(operation: Described) -> str:
    """Write a call of an operation with made-up arguments."""
    return f"{operation.name}({', '.join(literal(parameter.type.example) for parameter in operation.required)})"


def _request(operation: Described) -> Iterator[str]:
    yield f"{literal(operation.method.upper())},"
    yield f"{literal(operation.path)},"
    for option, place in (("params", "path"), ("query", "query"), ("headers", "header")):
        entries = [_entry(parameter) for parameter in operation.parameters if parameter.place == place]
        if entries:
            yield from (f"{option}={{", *(f"    {entry}," for entry in entries), "},")
    if operation.body is not None:
        name = next(parameter.name for parameter in operation.parameters if parameter.place == "body")
        yield from _body(operation.body, name)
        if operation.body.media_type is not None:
            yield f"content_type={literal(operation.body.media_type)},"


def _body(body: Body, name: str) -> Iterator[str]:
    """Write the body; what is too long for a line stands on several, as the formatter has it."""
    given = [name, *map(literal, body.files)]
    line = f"{body.option}=_files({', '.join(given)})," if body.files else f"{body.option}={name},"
    yield from [line] if len(line) <= _ROOM else (f"{body.option}=_files(", *(f"    {one}," for one in given), "),")


def _entry(parameter: Parameter) -> str:
    """Write an entry of what a request takes by name."""
    name, key = parameter.name, parameter.name if parameter.place == "path" else parameter.called
    if parameter.deep:
        return f"**_entries({literal(key)}, {name})"
    if parameter.separator:
        return f"{literal(key)}: _joined({literal(parameter.separator)}, {name})"
    return f"{literal(key)}: {name}"
