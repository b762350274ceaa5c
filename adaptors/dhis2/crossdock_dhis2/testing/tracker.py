"""The fake's tracker: import with validation, export with pages, jobs."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from crossdock_dhis2.testing.protocol import Object, Request, Response, message, not_found, page_of, selected
from crossdock_dhis2.testing.store import TYPES, Store
from crossdock_dhis2.testing.values import fits, is_identifier, new_identifier

_MISSING = {"trackedEntities": "E1063", "enrollments": "E1081", "events": "E1032", "relationships": "E4016"}
_EXISTING = {"trackedEntities": "E1002", "enrollments": "E1080", "events": "E1030", "relationships": "E4015"}
_NO_UNIT = {"trackedEntities": "E1049", "enrollments": "E1070", "events": "E1011"}


class Item(NamedTuple):
    """An object of a payload, out of those that it stood in."""

    kind: str
    uid: str
    record: Object
    parent: str | None


class Fault(NamedTuple):
    """Why an object is refused, or warned of."""

    code: str
    text: str


def post(store: Store, request: Request, version: float) -> Response:
    """Import a payload."""
    report = imported(store, request.body or {}, request)
    if request.is_on("async", default=True):
        job = store.start("TRACKER_IMPORT_JOB", report)
        answer = {"responseType": "TrackerJob", "id": job.uid, "location": f"http://dhis2/api/tracker/jobs/{job.uid}"}
        return message(200, "Tracker job added", response=answer)
    return Response(409 if report["status"] == "ERROR" and version > 2.36 else 200, report)


def imported(store: Store, payload: Object, request: Request) -> Object:
    """Validate a payload, write what is valid, and give the report."""
    items = list(_flat(payload))
    strategy = request.asked("importStrategy", "CREATE_AND_UPDATE").upper()
    faults, refused = dict[str, list[Fault]](), set[str]()
    for item in items:
        found = list(_faults(store, item, strategy))
        if item.parent in refused:
            found.append(Fault("E5000", f"{item.uid} cannot be persisted because {item.parent} cannot be persisted."))
        if found:
            refused.add(item.uid)
            faults[item.uid] = found
    whole = request.asked("atomicMode", "ALL").upper() == "ALL" and bool(faults)
    valid = [] if whole else [item for item in items if item.uid not in refused]
    done = [] if request.asked("importMode", "COMMIT").upper() == "VALIDATE" else valid
    counts = [(item, _write(store, item, strategy)) for item in done]
    warned = {item.uid: found for item in items if (found := list(_warnings(store, item)))}
    return _report(items, counts, faults, warned)


def _flat(payload: Object) -> Iterator[Item]:
    for kind in TYPES:
        for record in payload.get(kind) or ():
            yield from _unfolded(kind, record, None, {})


def _unfolded(kind: str, record: Object, parent: str | None, around: Object) -> Iterator[Item]:
    key = TYPES[kind][0]
    uid = record.get(key) or new_identifier()
    own = {name: value for name, value in record.items() if name not in ("enrollments", "events")}
    yield Item(kind, uid, {**around, **own, key: uid}, parent)
    for inner in ("enrollments", "events"):
        for child in record.get(inner) or () if kind != inner else ():
            yield from _unfolded(inner, child, uid, {key: uid})


def _faults(store: Store, item: Item, strategy: str) -> Iterator[Fault]:
    known = item.uid in store.tracker[item.kind]
    if not is_identifier(item.uid):
        yield Fault("E1048", f"Object: `{item.uid}`, uid: `{item.uid}`, has an invalid uid format.")
    elif known and strategy == "CREATE":
        yield Fault(_EXISTING[item.kind], f"{item.kind}: `{item.uid}`, already exists.")
    elif not known and strategy in ("UPDATE", "DELETE"):
        yield Fault(_MISSING[item.kind], f"{item.kind}: `{item.uid}`, does not exist.")
    if strategy != "DELETE":
        yield from _reference_faults(store, item)
        yield from _value_faults(store, item)
        yield from _attribute_faults(store, item)


def _reference_faults(store: Store, item: Item) -> Iterator[Fault]:
    record, kind = item.record, item.kind
    if kind in _NO_UNIT:
        if not record.get("orgUnit"):
            yield Fault("E1123", f"Missing required {TYPES[kind][0]} property: `orgUnit`.")
        elif not store.has("organisationUnits", record["orgUnit"]):
            yield Fault(_NO_UNIT[kind], f"Could not find OrganisationUnit: `{record['orgUnit']}`, linked to {kind}.")
    if kind == "trackedEntities" and not store.has("trackedEntityTypes", record.get("trackedEntityType")):
        yield Fault("E1005", f"Could not find TrackedEntityType: `{record.get('trackedEntityType')}`.")
    if kind == "events" and not store.has("programStages", record.get("programStage")):
        yield Fault("E1013", f"Could not find ProgramStage: `{record.get('programStage')}`, linked to Event.")
    if kind == "events" and not record.get("occurredAt") and record.get("status") != "SCHEDULE":
        yield Fault("E1031", "Event OccurredAt date is missing.")
    if kind == "enrollments" and not store.has("programs", record.get("program")):
        yield Fault("E1069", f"Could not find Program: `{record.get('program')}`, linked to Enrollment.")


def _value_faults(store: Store, item: Item) -> Iterator[Fault]:
    """Check data values; a program stage names the data elements that must be there."""
    for held in item.record.get("dataValues") or ():
        element = store.metadata["dataElements"].get(held.get("dataElement"))
        if element is None:
            yield Fault("E1304", f"DataElement `{held.get('dataElement')}` is not a valid data element.")
        elif held.get("value") is not None and not fits(held["value"], element.get("valueType", "TEXT")):
            text = f"DataElement `{element['id']}` is not valid: `{held['value']}` is no {element['valueType']}."
            yield Fault("E1302", text)
    stage = store.metadata["programStages"].get(item.record.get("programStage", ""), {})
    given = {held.get("dataElement") for held in item.record.get("dataValues") or ()}
    for needed in stage.get("compulsory", ()) if item.kind == "events" else ():
        if needed not in given:
            yield Fault("E1303", f"Mandatory DataElement `{needed}` is not present.")


def _attribute_faults(store: Store, item: Item) -> Iterator[Fault]:
    for held in item.record.get("attributes") or ():
        attribute = store.metadata["trackedEntityAttributes"].get(held.get("attribute"))
        if attribute is None:
            yield Fault("E1006", f"Attribute: `{held.get('attribute')}`, does not exist.")
        elif not fits(held.get("value"), attribute.get("valueType", "TEXT")):
            text = f"Error validating attribute value type: `{attribute['valueType']}`; Error: `{held['value']}`."
            yield Fault("E1007", text)


def _warnings(store: Store, item: Item) -> Iterator[Fault]:
    """Warn as a program rule does that looks at a data element."""
    given = {held.get("dataElement") for held in item.record.get("dataValues") or ()}
    for rule in store.metadata["programRules"].values():
        if rule.get("dataElement") in given:
            yield Fault("E1300", f"Generated by program rule (`{rule['id']}`) - {rule.get('message', '')}")


def _write(store: Store, item: Item, strategy: str) -> str:
    kept = store.tracker[item.kind]
    if strategy == "DELETE":
        del kept[item.uid]
        return "deleted"
    known = item.uid in kept
    store.keep(item.kind, item.record)
    return "updated" if known else "created"


def _report(
    items: list[Item], done: list[tuple[Item, str]], faults: dict[str, list[Fault]], warned: dict[str, list[Fault]]
) -> Object:
    validation = {"errorReports": _listed(items, faults), "warningReports": _listed(items, warned)}
    types = {
        name: {
            "trackerType": name,
            "stats": _stats([i for i in items if i.kind == kind], [d for d in done if d[0].kind == kind]),
            "objectReports": [
                {"trackerType": name, "uid": item.uid, "errorReports": []} for item, _ in done if item.kind == kind
            ],
        }
        for kind, (_, name) in TYPES.items()
    }
    status = "ERROR" if faults else "WARNING" if warned else "OK"
    return {
        "status": status,
        "validationReport": validation,
        "stats": _stats(items, done),
        "bundleReport": {"typeReportMap": types},
    }


def _listed(items: list[Item], found: dict[str, list[Fault]]) -> list[Object]:
    return [
        {"message": fault.text, "errorCode": fault.code, "trackerType": TYPES[item.kind][1], "uid": item.uid}
        for item in items
        for fault in found.get(item.uid, ())
    ]


def _stats(items: list[Item], done: list[tuple[Item, str]]) -> Object:
    made = [how for _, how in done]
    counts = {name: made.count(name) for name in ("created", "updated", "deleted")}
    return {**counts, "ignored": len(items) - len(made), "total": len(items)}


def get(store: Store, request: Request, rest: list[str], version: float) -> Response:
    """Export objects of a type, or give one."""
    kind, *uid = rest
    if kind not in TYPES:
        return not_found(f"tracker/{kind}")
    if uid:
        held = store.tracker[kind].get(uid[0])
        return Response(200, held) if held else not_found(uid[0])
    found = _ordered([held for held in store.tracker[kind].values() if _is_asked(held, request)], request)
    fields = request.asked("fields")
    if request.asked("paging") == "false" or request.asked("skipPaging") == "true":
        return Response(200, {kind if version > 2.40 else "instances": selected(found, fields)})
    page, pager = page_of(found, request)
    if not request.is_on("totalPages"):
        pager = {"page": pager["page"], "pageSize": pager["pageSize"]}
    if version > 2.40:
        return Response(200, {"pager": pager, kind: selected(page, fields)})
    return Response(200, {**pager, "instances": selected(page, fields)})


def _ordered(found: list[Object], request: Request) -> list[Object]:
    """Order objects; without a wish those come first that changed last, so that they move between pages."""
    name, _, direction = request.asked("order", "updatedAt:desc").partition(":")
    return sorted(found, key=lambda held: str(held.get(name, "")), reverse=direction.lower() == "desc")


def _is_asked(held: Object, request: Request) -> bool:
    for name in ("program", "orgUnit", "programStage", "trackedEntity", "trackedEntityType", "status"):
        if request.asked(name) not in ("", held.get(name)):
            return False
    values = {v.get("dataElement") or v.get("attribute"): v.get("value") for v in _values(held)}
    for condition in request.query.get("filter", []):
        what, operator, wanted = condition.split(":", 2)
        if operator.upper() == "EQ" and str(values.get(what)) != wanted:
            return False
    return True


def _values(held: Object) -> list[Any]:
    return [*held.get("dataValues", ()), *held.get("attributes", ())]


def job(store: Store, rest: list[str]) -> Response:
    """Tell how a tracker job goes, or give its report."""
    found = store.jobs.get(rest[0])
    if found is None:
        return not_found(f"Job {rest[0]}")
    if rest[1:] == ["report"]:
        return Response(200, found.report) if found.left == 0 else not_found(f"The report of {rest[0]}")
    return Response(200, job_log(store, found.uid))


def job_log(store: Store, uid: str) -> list[Object]:
    """Give what a job has done, the newest first; one that is unknown has done nothing."""
    found = store.jobs.get(uid)
    if found is None:
        return []
    done = found.is_done()
    entry = {"level": "INFO", "category": found.kind, "id": new_identifier()}
    return [{**entry, "message": "Import complete" if done else "Running", "completed": done}]
