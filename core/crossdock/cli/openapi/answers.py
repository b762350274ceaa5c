"""What the template is told of an API: the source of its operations, their names, and how one gets in."""

import ast
import json
import re
from typing import Any

from crossdock.cli.openapi.document import Part
from crossdock.cli.openapi.operations import Api, Described
from crossdock.cli.openapi.source import call_of, module_source
from crossdock.cli.openapi.text import literal

_TOKEN = {"token": "env:API_TOKEN"}


def api_answers(document: Part, api: Api, known: dict[str, Any]) -> dict[str, Any]:
    """Give what the template puts into its files.

    Args:
        document: The document.
        api: Its operations.
        known: The other answers.
    """
    module, system = known["__module"], known["system_name"]
    source = module_source(api.operations, module, system)
    used = _used(source)
    tried = min(api.operations, key=lambda operation: (operation.method != "get", len(call_of(operation))))
    named = sorted(["adaptor", *(operation.name for operation in api.operations)], key=_natural)
    return {
        "operations": source,
        "imports": [name for name in ("Any", "Literal") if name in used],
        "maps": "Mapping" in used,
        "files": "run_file" in used,
        "names": named,
        "tried": {
            "name": tried.name,
            "call": call_of(tried),
            "method": tried.method.upper(),
            "path": literal(_asked(tried)),
        },
        "credential": [f"{name}: {json.dumps(value)}" for name, value in _credential(document).items()],
    }


def _used(source: str) -> set[str]:
    """Give the names that a source uses; what stands in its texts is none of them."""
    return {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}


def _natural(name: str) -> list[tuple[int, str]]:
    """Order names as isort does, which counts: find_2 before find_10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _asked(operation: Described) -> str:
    """Give the path that the example of an operation asks for."""
    values = {parameter.name: parameter.type.example for parameter in operation.parameters}
    return re.sub(r"\{(\w+)\}", lambda match: str(values[match[1]]), operation.path)


def _credential(document: Part) -> dict[str, Any]:
    servers = document.get("servers")
    first = next(iter(servers.items()), None) if servers is not None else None
    url = _address(first) if first is not None else ""
    return {"base_url": url or "https://api.example.org", **_way_in(document)}


def _address(server: Part) -> str:
    """Give the address of a server, with the defaults of its variables; nothing if it is none."""
    variables = server.get("variables")
    known = {name: part.text("default") for name, part in variables.entries()} if variables is not None else {}
    url = re.sub(r"\{(\w+)\}", lambda match: known.get(match[1], match[1]), server.text("url"))
    whole = f"https://api.example.org{url}" if url.startswith("/") else url
    return whole.rstrip("/") if re.fullmatch(r"https?://[\w.-]+(:\d+)?(/[\w./~-]*)?", whole) else ""


def _way_in(document: Part) -> dict[str, Any]:
    """Give the fields of a credential for the first security scheme that is known; a token, if none is."""
    components = document.get("components")
    schemes = components.get("securitySchemes") if components is not None else None
    for _, scheme in schemes.entries() if schemes is not None else ():
        kind, place = scheme.text("type"), scheme.text("in")
        if kind == "http" and scheme.text("scheme").lower() == "basic":
            return {"username": "env:API_USER", "password": "env:API_PASSWORD"}
        if kind == "apiKey" and place in ("header", "query"):
            return {"api_key": {"value": "env:API_KEY", place: scheme.text("name")}}
        if kind == "oauth2" and (fields := _client_credentials(scheme)):
            return {"oauth2": fields}
    return _TOKEN


def _client_credentials(scheme: Part) -> dict[str, str]:
    flows = scheme.get("flows")
    flow = flows.get("clientCredentials") if flows is not None else None
    if flow is None:
        return {}
    return {"token_url": flow.text("tokenUrl"), "client_id": "env:API_CLIENT", "client_secret": "env:API_SECRET"}
