"""The fake's metadata: objects of any type, their import, and what it tells of itself."""

import operator
from collections.abc import Callable
from typing import Any

from crossdock_dhis2.testing.protocol import Object, Request, Response, message, not_found, page_of, selected
from crossdock_dhis2.testing.store import Store
from crossdock_dhis2.testing.values import new_identifier

SCHEMAS = {
    "dataElements": ("name", "shortName", "valueType"),
    "organisationUnits": ("name", "shortName", "openingDate"),
    "dataSets": ("name", "periodType"),
    "programs": ("name", "shortName"),
    "programStages": ("name",),
    "trackedEntityAttributes": ("name", "shortName"),
    "trackedEntityTypes": ("name",),
}
"""The types that have a schema, and the fields that one of them must have."""

_OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "like": lambda held, wanted: wanted in held,
    "ilike": lambda held, wanted: wanted.lower() in held.lower(),
    "in": lambda held, wanted: held in wanted.strip("[]").split(","),
}


def listed(store: Store, request: Request, resource: str) -> Response:
    """Give the objects of a type."""
    joined = any if request.asked("rootJunction").upper() == "OR" else all
    conditions = request.query.get("filter", [])
    found = [held for held in store.metadata[resource].values() if _matches(held, conditions, joined)]
    name, _, direction = request.asked("order", "name:asc").partition(":")
    found.sort(key=lambda held: str(held.get(name, "")), reverse=direction == "desc")
    fields = request.asked("fields", "id,displayName")
    if request.asked("paging") == "false":
        return Response(200, {resource: selected(found, fields)})
    page, pager = page_of(found, request)
    return Response(200, {"pager": pager, resource: selected(page, fields)})


def _matches(held: Object, conditions: list[str], joined: Callable[[list[bool]], bool]) -> bool:
    results = []
    for condition in conditions:
        name, how, wanted = condition.split(":", 2)
        results.append(_OPERATORS[how.lower()](str(held.get(name, "")), wanted))
    return not conditions or joined(results)


def one(store: Store, resource: str, uid: str) -> Response:
    """Give one object."""
    held = store.metadata[resource].get(uid)
    return not_found(f"{resource} {uid}") if held is None else Response(200, held)


def create(store: Store, request: Request, resource: str) -> Response:
    """Create an object."""
    given = {"id": new_identifier(), **(request.body or {})}
    faults = _faults(store, resource, given, "CREATE")
    if faults:
        return message(409, "One or more errors occurred.", response=_object_report(resource, given["id"], faults))
    store.add(resource, given)
    made = message(201, "", response=_object_report(resource, given["id"], []))
    return made._replace(headers={"location": f"http://dhis2/api/{resource}/{given['id']}"})


def replace(store: Store, request: Request, resource: str, uid: str) -> Response:
    """Replace an object."""
    if not store.has(resource, uid):
        return not_found(f"{resource} {uid}")
    given = {**(request.body or {}), "id": uid}
    faults = _faults(store, resource, given, "UPDATE")
    if not faults:
        store.add(resource, given)
    return message(409 if faults else 200, "", response=_object_report(resource, uid, faults))


def patch(store: Store, request: Request, resource: str, uid: str) -> Response:
    """Change an object with a JSON Patch, which is all that this takes."""
    if not store.has(resource, uid):
        return not_found(f"{resource} {uid}")
    if request.headers.get("content-type") != "application/json-patch+json":
        return message(415, "Content-Type is not supported")
    for change in request.body:
        store.metadata[resource][uid][change["path"].removeprefix("/")] = change["value"]
    return message(200, "", response=_object_report(resource, uid, []))


def delete(store: Store, resource: str, uid: str) -> Response:
    """Delete an object."""
    if store.metadata[resource].pop(uid, None) is None:
        return not_found(f"{resource} {uid}")
    return message(200, "OK", response=_object_report(resource, uid, []))


def _faults(store: Store, resource: str, given: Object, strategy: str) -> list[Object]:
    klass = f"org.hisp.dhis.{resource}"
    missing = [name for name in SCHEMAS.get(resource, ()) if not given.get(name)]
    faults = [
        {
            "message": f"Missing required property `{name}`.",
            "mainKlass": klass,
            "errorCode": "E4000",
            "errorProperty": name,
        }
        for name in missing
    ]
    twins = [held["id"] for held in store.metadata[resource].values() if held.get("code") == given.get("code") != None]  # noqa: E711 - a chain
    if strategy == "CREATE" and twins:
        text = f"Property `code` with value `{given['code']}` already exists on object {twins[0]}."
        faults.append({"message": text, "mainKlass": klass, "errorCode": "E5003", "errorProperty": "code"})
    return faults


def _object_report(resource: str, uid: str, faults: list[Object]) -> Object:
    report = {"responseType": "ObjectReport", "klass": f"org.hisp.dhis.{resource}", "uid": uid, "errorReports": faults}
    return report | ({"status": "ERROR"} if faults else {})


def imported(store: Store, request: Request, version: float) -> Response:
    """Import metadata of any types."""
    report = _import(store, request)
    if request.is_on("async"):
        job = store.start("METADATA_IMPORT", report)
        return message(200, "Initiated metadataImport", response={"id": job.uid, "jobType": job.kind})
    if version < 2.38:
        return Response(200, report)
    status = 409 if report["status"] == "ERROR" else 200
    return message(status, "", response={"responseType": "ImportReport", **report})


def _import(store: Store, request: Request) -> Object:
    strategy = request.asked("importStrategy", "CREATE_AND_UPDATE")
    objects = [(kind, index, given) for kind, many in (request.body or {}).items() for index, given in enumerate(many)]
    faults = {(kind, index): _faults(store, kind, given, strategy) for kind, index, given in objects}
    whole = request.asked("atomicMode", "ALL") == "ALL" and any(faults.values())
    done: list[tuple[str, str]] = []
    for kind, index, given in objects:
        if whole or faults[kind, index]:
            continue
        done.append((kind, "updated" if store.has(kind, given.get("id")) else "created"))
        if request.asked("importMode", "COMMIT") == "COMMIT":
            store.add(kind, given)
    kinds = dict.fromkeys(kind for kind, _, _ in objects)
    reports = [_type_report(kind, objects, faults, done) for kind in kinds]
    status = "ERROR" if any(faults.values()) else "OK"
    return {"status": status, "stats": _stats(len(objects), [how for _, how in done]), "typeReports": reports}


def _type_report(kind: str, objects: list[Any], faults: Any, done: list[tuple[str, str]]) -> Object:
    own = [(index, given) for of, index, given in objects if of == kind]
    klass = f"org.hisp.dhis.{kind}"
    return {
        "klass": klass,
        "stats": _stats(len(own), [how for of, how in done if of == kind]),
        "objectReports": [
            {"klass": klass, "index": index, "uid": given.get("id"), "errorReports": faults[kind, index]}
            for index, given in own
        ],
    }


def _stats(total: int, done: list[str]) -> Object:
    counts = {name: done.count(name) for name in ("created", "updated", "deleted")}
    return {**counts, "ignored": total - len(done), "total": total}


def resources() -> Response:
    """Tell which resources there are."""
    listed = [{"displayName": name, "singular": name[:-1], "plural": name} for name in (*SCHEMAS, "dataValueSets")]
    return Response(200, {"resources": listed})


def schemas() -> Response:
    """Tell which fields the types have."""
    described = [
        {
            "plural": name,
            "relativeApiEndpoint": f"/{name}",
            "properties": [
                {"name": field, "fieldName": field, "propertyType": "TEXT", "required": True, "writable": True}
                for field in fields
            ],
        }
        for name, fields in SCHEMAS.items()
    ]
    return Response(200, {"schemas": described})


def analytics(store: Store, request: Request) -> Response:
    """Give the values of data elements, periods and organisation units as a table."""
    asked = {part[:2]: part[3:].split(";") for part in request.query.get("dimension", [])}
    if "dx" not in asked:
        return message(409, "At least one data element must be specified", code="E7124")
    headers = [{"name": name, "column": name} for name in ("dx", "pe", "ou", "value")]
    rows = [
        [value["dataElement"], value["period"], value["orgUnit"], str(value["value"])]
        for value in store.values.values()
        if value["dataElement"] in asked["dx"]
    ]
    return Response(200, {"headers": headers, "rows": rows, "height": len(rows), "width": 4})
