"""OpenAPI documents as large as real ones: a register of health records, a metadata API and a tracker of issues."""

from collections.abc import Iterable
from typing import Any

Document = dict[str, Any]


def ref(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}


def parameter(name: str, place: str = "query", kind: str = "string", **more: Any) -> Document:
    return {
        "name": name,
        "in": place,
        "schema": {"type": kind},
        **({"required": True} if place == "path" else {}),
        **more,
    }


def body(schema: Document, media_type: str = "application/json", *, required: bool = True) -> Document:
    return {"required": required, "content": {media_type: {"schema": schema}}}


def document(title: str, version: str, paths: Document, **components: Document) -> Document:
    info = {"title": title, "version": "1.0.0", "description": f"What {title} offers."}
    return {"openapi": version, "info": info, "paths": paths, "components": components}


def thinned(paths: Document) -> Document:
    """Leave but the first operation of all paths after the sixth: the contract is tried on every one."""
    kept = dict(list(paths.items())[:6])
    for path, item in list(paths.items())[6:]:
        first = next(key for key in item if key != "parameters")
        kept[path] = {key: value for key, value in item.items() if key in ("parameters", first)}
    return kept


def health_records() -> Document:
    """Resources that are read, searched, written and patched; 3.0, with ``nullable`` and media types of its own."""
    paths: Document = {}
    for kind in [
        "Patient",
        "Practitioner",
        "Organization",
        "Location",
        "Encounter",
        "Observation",
        "Condition",
        "Procedure",
        "Immunization",
        "Medication",
        "MedicationRequest",
        "AllergyIntolerance",
        "CarePlan",
        "DiagnosticReport",
        "Specimen",
        "Device",
        "Claim",
        "Coverage",
        "Group",
        "List",
    ]:
        paths |= _resource(kind)
    found = document("Records", "3.0.3", thinned(paths), schemas=_RECORD_SCHEMAS, parameters=_RECORD_PARAMETERS)
    found["servers"] = [{"url": "https://{region}.records.example.org/r4", "variables": {"region": {"default": "eu"}}}]
    found["components"]["securitySchemes"] = {
        "key": {"type": "apiKey", "in": "header", "name": 'X-"Key"'},
        "login": {"type": "http", "scheme": "basic"},
    }
    return found


_RECORD_SCHEMAS: Document = {
    "Resource": {
        "type": "object",
        "properties": {"id": {"type": "string"}, "contained": {"type": "array", "items": ref("schemas", "Resource")}},
    },
    "Summary": {"type": "string", "enum": ["true", "text", "data", "count", "false"]},
    "Codes": {"type": "array", "items": {"type": "string", "enum": ["a|1", 'b"2', "c\\3", None], "nullable": True}},
}
_RECORD_PARAMETERS: Document = {
    "count": parameter("_count", kind="integer", description="How many “records” a page has – at most 1000."),
    "summary": {"name": "_summary", "in": "query", "schema": ref("schemas", "Summary")},
    "codes": {"name": "code", "in": "query", "explode": False, "schema": ref("schemas", "Codes")},
    "match": parameter("If-Match", "header", description="The version that it must have."),
}


def _resource(kind: str) -> Document:
    one, record = parameter("id", "path", description=f"The id of the {kind}."), "application/fhir+json"
    searched = ("count", "summary", "codes")
    return {
        f"/{kind}": {
            "get": {
                "operationId": f"search{kind}",
                "summary": f"searches {kind}",
                "parameters": [ref("parameters", name) for name in searched] + [parameter("date", kind="string")],
            },
            "post": {"operationId": f"create{kind}", "requestBody": body(ref("schemas", "Resource"), record)},
        },
        f"/{kind}/{{id}}": {
            "parameters": [one],
            "get": {"operationId": f"read{kind}", "description": f"Reads one {kind}. It is what was written last."},
            "put": {
                "operationId": f"update{kind}",
                "parameters": [ref("parameters", "match")],
                "requestBody": body(ref("schemas", "Resource"), record),
            },
            "delete": {"operationId": f"delete{kind}", "deprecated": kind == "Patient"},
        },
        f"/{kind}/{{id}}/_history/{{vid}}": {
            "get": {"parameters": [one, parameter("vid", "path", "integer")]},
            "head": {"parameters": [one, parameter("vid", "path", "integer")]},
        },
    }


def metadata() -> Document:
    """Collections that are all alike, beside tables, files and jobs; 3.1, without operationIds for most."""
    paths: Document = {}
    for name in [
        "dataElements",
        "dataSets",
        "indicators",
        "options",
        "optionSets",
        "organisationUnits",
        "organisationUnitGroups",
        "programs",
        "programStages",
        "programRules",
        "trackedEntityTypes",
        "trackedEntityAttributes",
        "users",
        "userGroups",
        "userRoles",
        "visualizations",
        "dashboards",
        "maps",
        "categories",
        "categoryCombos",
        "constants",
        "legendSets",
        "sections",
        "validationRules",
        "attributes",
    ]:
        paths |= _collection(name)
    paths |= _METADATA_MORE
    found = document("Metadata", "3.1.0", thinned(paths), schemas={"Any": True, "Uid": {"type": ["string", "null"]}})
    found["servers"] = [{"url": "/api/41/"}]
    return found


def _collection(name: str) -> Document:
    uid = {"name": "uid", "in": "path", "required": True, "schema": ref("schemas", "Uid")}
    asked = [
        parameter("fields", kind="string", description='Such as `id,name` or `:owner`; "all" with `*`.'),
        {"name": "filter", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
        parameter("paging", kind="boolean"),
        parameter("pageSize", kind="integer"),
    ]
    return {
        f"/{name}": {
            "get": {"summary": f"List {name}.", "parameters": asked},
            "post": {"requestBody": body({"type": "object"}), "parameters": [parameter("importStrategy")]},
        },
        f"/{name}/{{uid}}": {
            "parameters": [uid],
            "get": {"parameters": asked[:1]},
            "put": {"requestBody": body({"type": "object"})},
            "patch": {
                "requestBody": body({"type": "array", "items": {"type": "object"}}, "application/json-patch+json")
            },
            "delete": {},
        },
    }


_METADATA_MORE: Document = {
    "/analytics": {
        "get": {
            "operationId": "analytics",
            "parameters": [
                {
                    "name": "dimension",
                    "in": "query",
                    "required": True,
                    "schema": {"type": "array", "items": {"type": "string"}},
                },
                {"name": "page", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
                {"name": "skipMeta", "in": "query", "schema": {"type": ["boolean", "null"]}},
                {"name": "value", "in": "query", "schema": {"oneOf": [{"type": "integer"}, {"type": "number"}]}},
            ],
        }
    },
    "/fileResources": {"post": {"requestBody": body({"type": "object"}, "multipart/form-data")}},
    "/dataValues": {"post": {"requestBody": body({"type": "object"}, "application/x-www-form-urlencoded")}},
    "/dataValueSets": {"post": {"requestBody": body({"type": "string"}, "application/csv", required=False)}},
    "/me": {"get": {"operationId": "me"}, "options": {}},
}


def issues() -> Document:
    """Owners, projects and what is below them; 3.1, with ids that clash, words of Python and enumerations."""
    paths: Document = {}
    things = [
        "issues",
        "comments",
        "labels",
        "milestones",
        "branches",
        "commits",
        "tags",
        "releases",
        "pulls",
        "reviews",
        "hooks",
        "keys",
        "teams",
        "workflows",
        "runs",
        "artifacts",
        "secrets",
        "environments",
        "packages",
        "events",
    ]
    for thing in things:
        paths |= _thing(thing)
    for position, word in enumerate(("import", "list", "adaptor", "get/issues", "Configuration", "find-2", "find-10")):
        paths[f"/more/{position}"] = {"post": {"operationId": word, "requestBody": ref("requestBodies", "items")}}
    bodies = {"items": body({"type": "array", "items": {"type": "object"}}, required=False)}
    schemes = {
        "app": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "https://x.example/t", "scopes": {}}}}
    }
    return document("Issues", "3.1.1", thinned(paths), requestBodies=bodies, securitySchemes=schemes)


def _thing(thing: str) -> Document:
    owner = [parameter("owner", "path"), parameter("repo", "path")]
    number = parameter("number", "path", "integer")
    states = {"type": "string", "enum": ["open", "closed", "all"], "default": "open"}
    many = {"type": "string", "enum": [f"a rather long word {index}" for index in range(9)]}
    return {
        f"/repos/{{owner}}/{{repo}}/{thing}": {
            "parameters": owner,
            "get": {
                "operationId": f"{thing}/list-for-repo",
                "parameters": [
                    {"name": "state", "in": "query", "required": True, "schema": states},
                    {"name": "sort", "in": "query", "schema": many},
                    {"name": "credential", "in": "query", "schema": {"type": "string"}},
                    parameter("X-Request-Id", "header", required=True),
                    parameter("Accept", "header"),
                ],
            },
            "post": {
                "operationId": f"{thing}/create",
                "requestBody": body({"properties": {"title": {"type": "string"}}}),
            },
        },
        f"/repos/{{owner}}/{{repo}}/{thing}/{{number}}": {
            "parameters": [*owner, number],
            "get": {"operationId": f"{thing}/get"},
            "patch": {"operationId": f"{thing}/update", "requestBody": body({"type": "object"}, required=False)},
            "delete": {"operationId": f"{thing}/delete"},
        },
        f"/repos/{{owner}}/{{repo}}/{thing}/{{number}}/lock": {
            "parameters": [*owner, number],
            "put": {"operationId": f"{thing}/lock"},
            "delete": {"operationId": f"{thing}/unlock"},
        },
    }


HOSTILE = (
    'x"""\n    import os\n>>> raise SystemExit(7)\n\\',
    "'''\\\"\"\"\\N{BULLET}\\x",
    "{{ 7 * 7 }}{% raw %}{value}%s",
    "Returns:\n\nArgs:\n  x: y\n\nExample:\n    >>> open('owned', 'w')\n",
    "a\u202eb\x00c\u2028d\r\ne",
    '"',
    "# type: ignore # noqa",
    "Literal: Any, Mapping[str, Any]",
    "\ud83d\ude00 ’а’ Примечание в",
)


def hostile(texts: Iterable[str] = HOSTILE) -> Document:
    """Put each text wherever a document takes one; its beginning, where that is a name."""
    paths: Document = {}
    for index, text in enumerate(texts):
        name = text[:20]
        given = [
            parameter("id", "path", description=text),
            {"name": name, "in": "query", "required": True, "schema": {"enum": [text, name]}, "description": text},
            {"name": f"X-{index}", "in": "header", "schema": {"type": "array", "items": {"enum": [name]}}},
            {"name": name + "d", "in": "query", "style": "deepObject", "schema": {"type": "object"}},
        ]
        described = {"operationId": text, "summary": text, "description": text, "parameters": given}
        sent = {"description": text, "content": {name: {"schema": {}}}}
        paths[f"/p{index}/{{id}}"] = {"post": {**described, "requestBody": sent}}
        paths[f"/q{index}/{text.replace('{', '').replace('}', '')}"] = {"get": {}}
    found = document("Hostile", "3.1.0", paths)
    found["servers"] = [{"url": f"https://x.example/{next(iter(HOSTILE))}"}]
    found["components"]["securitySchemes"] = {"k": {"type": "apiKey", "in": "header", "name": HOSTILE[0]}}
    return found
