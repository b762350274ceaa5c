"""``crossdock adaptors``: what is installed, and how to use it."""

import json
import sys
from typing import Any

import click

from crossdock.cli.ending import table, write_result
from crossdock.cli.upgrade_check import upgrade_check
from crossdock.declaration import Declaration
from crossdock.errors import InputError, closest
from crossdock.installed import Installed, installed
from crossdock.loading import ADAPTORS, load_adaptor


@click.group()
def adaptors() -> None:
    """List the installed adaptors, show how to use one, and compare one with its template."""


adaptors.add_command(upgrade_check)


@adaptors.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(*, as_json: bool) -> None:
    """List the installed adaptors, and say whether each one loads."""
    statuses = _probe(installed(ADAPTORS))
    write_result((json.dumps(statuses, indent=2) if as_json else _list(statuses)) + "\n", None)


def _list(statuses: list[dict[str, Any]]) -> str:
    if not statuses:
        return "No adaptor is installed. Install one: pip install crossdock-http"
    rows = [[status["name"], status["distribution"], status["version"], status["status"]] for status in statuses]
    problems = [
        f"\n{status['name']}: {status['problem']['message']}\n  fix: {status['problem']['fix']}"
        for status in statuses
        if status["problem"]
    ]
    return "\n".join([table([["NAME", "DISTRIBUTION", "VERSION", "STATUS"], *rows]), *problems])


@adaptors.command()
@click.argument("name", metavar="NAME")
@click.argument("operation", metavar="[OPERATION]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(name: str, operation: str | None, *, as_json: bool) -> None:
    """Show an adaptor's operations and credential fields, or one operation in full."""
    adaptor = load_adaptor(name).adaptor
    if operation is not None and operation not in adaptor.operations:
        close = closest(operation, adaptor.operations)
        hint = f"Did you mean {close!r}?" if close else f"It has: {', '.join(sorted(adaptor.operations))}."
        raise InputError(f"the adaptor {name!r} has no operation {operation!r}", fix=hint)
    if operation is not None:
        described = _described(adaptor.operations[operation])
        write_result((json.dumps(described, indent=2) if as_json else _page(described)) + "\n", None)
        return
    overview = {
        "name": name,
        "operations": [_described(declaration) for _, declaration in sorted(adaptor.operations.items())],
        "credential": _fields(adaptor.configuration),
    }
    write_result((json.dumps(overview, indent=2) if as_json else _overview(overview)) + "\n", None)


_LONGEST_PROBE = 60.0
"""Seconds that loading all adaptors may take."""


def _probe(known: list[Installed]) -> list[dict[str, Any]]:
    """Load all adaptors in one child process; if one takes that down, each in its own."""
    statuses = _child(
        "import json; from crossdock.plugins import adaptor_statuses; print(json.dumps(list(adaptor_statuses())))"
    )
    return (
        statuses
        if statuses is not None
        else [_probe_one(name, known) for name in sorted({entry.name for entry in known})]
    )


def _probe_one(name: str, known: list[Installed]) -> dict[str, Any]:
    code = f"import json; from crossdock.plugins import adaptor_statuses; print(json.dumps(list(adaptor_statuses(only={name!r}))))"
    statuses = _child(code)
    if statuses:
        return dict(statuses[0])
    entry = next(entry for entry in known if entry.name == name)
    problem = {
        "message": f"loading {entry} ends the process, or never ends",
        "fix": f"Repair or reinstall {entry.distribution}.",
    }
    return {
        "name": name,
        "distribution": entry.distribution,
        "version": entry.version,
        "status": "broken",
        "problem": problem,
    }


def _child(code: str) -> list[dict[str, Any]] | None:
    import subprocess  # imported late: --help needs none of it

    command = [sys.executable, "-P", "-c", code]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=True, text=True, timeout=_LONGEST_PROBE
        )
        statuses: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.SubprocessError, ValueError, IndexError):  # it ended, hung, or printed over its answer
        return None
    return statuses


def _described(declaration: Declaration) -> dict[str, Any]:
    effect = (
        declaration.effect
        if isinstance(declaration.effect, str) or declaration.effect is None
        else "depends on its arguments"
    )
    text, _, example = declaration.doc.partition("Example:")
    return {
        "name": declaration.name,
        "signature": f"{declaration.full_name}{_signature(declaration)}",
        "effect": effect,
        "doc": text.strip(),
        "example": "\n".join(line.strip() for line in example.strip().splitlines()),
    }


def _signature(declaration: Declaration) -> str:
    from inspect import Signature, formatannotation

    parameters = [
        parameter.replace(annotation=_Bare(_short(formatannotation(parameter.annotation))))
        for parameter in declaration.signature.parameters.values()
    ]
    return str(Signature(parameters))


class _Bare:
    """An annotation that is written without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _short(annotation: str) -> str:
    annotation = annotation.strip("'")
    for module in ("collections.abc.", "typing.", "crossdock.operation.", "crossdock.state."):
        annotation = annotation.replace(module, "")
    return annotation


def _page(operation: dict[str, Any]) -> str:
    parts = [operation["signature"], f"effect: {operation['effect']}", "", operation["doc"]]
    return "\n".join([*parts, "", "Example:", operation["example"]] if operation["example"] else parts)


def _fields(model: Any) -> list[dict[str, Any]]:
    if model is None:
        return []
    schema = model.model_json_schema(by_alias=False)
    required = schema.get("required", [])
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "required": name in required,
            "secret": _is_secret(field, definitions),
            "description": field.get("description", ""),
        }
        for name, field in schema["properties"].items()
    ]


def _is_secret(field: dict[str, Any], definitions: dict[str, Any]) -> bool:
    """Tell whether a field is a secret, or a model that holds one."""
    text = json.dumps(field)
    inner = [definition for name, definition in definitions.items() if f'"#/$defs/{name}"' in text]
    return "writeOnly" in text or "writeOnly" in json.dumps(inner)


def _overview(overview: dict[str, Any]) -> str:
    operations = [
        [f"  {operation['name']}", operation["doc"].partition("\n")[0]] for operation in overview["operations"]
    ]
    fields = [[f"  {field['name']}", _marks(field), field["description"]] for field in overview["credential"]]
    lines = [f"{overview['name']}: operations", table(operations)]
    if fields:
        lines += ["", "credential fields", table(fields)]
    return "\n".join([*lines, "", f"More on one: crossdock adaptors show {overview['name']} OPERATION"])


def _marks(field: dict[str, Any]) -> str:
    return ", ".join(mark for mark in ("required", "secret") if field[mark])
