"""The fake's data values."""

from typing import Any

from crossdock_dhis2.testing.protocol import Object, Request, Response, message
from crossdock_dhis2.testing.store import Store
from crossdock_dhis2.testing.values import fits, is_period

_KEYS = ("dataElement", "period", "orgUnit", "categoryOptionCombo", "attributeOptionCombo")
_COUNTED = {"CREATE": "imported", "UPDATE": "updated", "DELETE": "deleted"}


def post(store: Store, request: Request, version: float) -> Response:
    """Import a data value set."""
    summary = imported(store, request.body or {}, request, version)
    if request.is_on("async"):
        job = store.start("DATAVALUE_IMPORT", summary)
        where = f"/api/system/tasks/DATAVALUE_IMPORT/{job.uid}"
        named = {"name": "dataValueImport", "id": job.uid, "jobType": job.kind, "relativeNotifierEndpoint": where}
        return message(200, "Initiated dataValueImport", response=named)
    if version < 2.38:
        return Response(200, summary)
    if summary["status"] == "SUCCESS":
        return message(200, "Import was successful.", response=summary)
    return message(409, "One more conflicts encountered, please check import summary.", response=summary)


def imported(store: Store, payload: Object, request: Request, version: float) -> Object:
    """Write the values that are valid, and give the summary."""
    counts = dict.fromkeys(("imported", "updated", "ignored", "deleted"), 0)
    conflicts: dict[tuple[str, str], Object] = {}
    for index, given in enumerate(payload.get("dataValues") or ()):
        value = {name: given.get(name) or payload.get(name) or "" for name in _KEYS} | {"value": given.get("value")}
        fault = _fault(store, value)
        if fault is None:
            counts[_write(store, value, request)] += 1
            continue
        counts["ignored"] += 1
        conflicts.setdefault((fault["errorCode"], fault["object"]), {**fault, "indexes": []})["indexes"].append(index)
    listed = list(conflicts.values())
    rejected = {"rejectedIndexes": sorted(index for conflict in listed for index in conflict["indexes"])}
    if version < 2.37:  # they had neither codes nor indexes
        listed, rejected = [{"object": c["object"], "value": c["value"]} for c in listed], {}
    return {
        "responseType": "ImportSummary",
        "status": "WARNING" if conflicts else "SUCCESS",
        "description": "Import process completed successfully",
        "importCount": counts,
        "conflicts": listed,
        **rejected,
        "dataSetComplete": "false",
    }


def _fault(store: Store, value: Object) -> Object | None:
    element = store.metadata["dataElements"].get(value["dataElement"])
    if element is None:
        return _conflict("E7610", "dataElement", value["dataElement"], "Data element not found or not accessible")
    if not is_period(value["period"]):
        return _conflict("E7611", "period", value["period"], "Period not valid")
    if not store.has("organisationUnits", value["orgUnit"]):
        return _conflict("E7612", "orgUnit", value["orgUnit"], "Organisation unit not found or not accessible")
    if not fits(value["value"], element.get("valueType", "TEXT")):
        text = f"Value `{value['value']}` must match data element type {element['valueType']}"
        return _conflict("E7619", "value", str(value["value"]), text)
    return None


def _conflict(code: str, property_: str, what: str, text: str) -> Object:
    return {"object": what, "objects": {property_: what}, "value": text, "errorCode": code, "property": property_}


def _write(store: Store, value: Object, request: Request) -> str:
    key = tuple(str(value[name]) for name in _KEYS)
    known, strategy = key in store.values, request.asked("importStrategy", "CREATE_AND_UPDATE")
    how = {"DELETE": "deleted" if known else "ignored", "CREATE": "ignored" if known else "imported"}
    counted = how.get(strategy, "updated" if known else "ignored" if strategy == "UPDATE" else "imported")
    if request.is_on("dryRun") or counted == "ignored":
        return counted
    if counted == "deleted":
        del store.values[key]
    else:
        store.values[key] = value
    return counted


def get(store: Store, request: Request) -> Response:
    """Give the data values of periods and organisation units."""
    wanted: dict[str, list[str]] = {name: request.query.get(name, []) for name in ("period", "orgUnit", "dataElement")}
    found: list[Any] = [
        value
        for value in store.values.values()
        if all(not asked or value[name] in asked for name, asked in wanted.items())
    ]
    return Response(200, {"dataValues": found} if found else {})
