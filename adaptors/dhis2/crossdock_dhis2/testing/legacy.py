"""The fake's tracker endpoints from before 2.36, which 2.42 has no more."""

from crossdock_dhis2.testing import tracker
from crossdock_dhis2.testing.protocol import Object, Request, Response, message, not_found, page_of
from crossdock_dhis2.testing.store import TYPES, Store

KINDS = {"trackedEntityInstances": "trackedEntities", "enrollments": "enrollments", "events": "events"}
_NAMES = {
    "trackedEntityInstance": "trackedEntity",
    "eventDate": "occurredAt",
    "enrollmentDate": "enrolledAt",
}
_OLD = {new: old for old, new in _NAMES.items()}


def answer(store: Store, request: Request, resource: str, rest: list[str]) -> Response:
    """Answer a request to one of them."""
    kind = KINDS[resource]
    if request.method == "GET":
        return _one(store, kind, rest[0]) if rest else _listed(store, request, resource)
    given = request.body or {}
    records = given[resource] if isinstance(given.get(resource), list) else [given]
    renamed = [{_NAMES.get(name, name): value for name, value in record.items()} for record in records]
    strategy = {"POST": "CREATE_AND_UPDATE", "PUT": "UPDATE", "DELETE": "DELETE"}[request.method]
    if rest:
        renamed = [{**record, TYPES[kind][0]: rest[0]} for record in renamed]
    summaries = [_summary(store, kind, record, strategy) for record in renamed]
    return _summarised(summaries, several=resource in given)


def _summary(store: Store, kind: str, record: Object, strategy: str) -> Object:
    request = Request("POST", "", {"importStrategy": [strategy]}, {}, None)
    report = tracker.imported(store, {kind: [record]}, request)
    stats = report["stats"]
    counts = {"imported": stats["created"], **{name: stats[name] for name in ("updated", "deleted", "ignored")}}
    errors = report["validationReport"]["errorReports"]
    uids = [
        made["uid"] for types in report["bundleReport"]["typeReportMap"].values() for made in types["objectReports"]
    ]
    return {
        "responseType": "ImportSummary",
        "status": "ERROR" if errors else "SUCCESS",
        "importCount": counts,
        "reference": next(iter([*uids, *(error["uid"] for error in errors)]), None),
        "conflicts": [{"object": kind, "value": error["message"]} for error in errors],
    }


def _summarised(summaries: list[Object], *, several: bool) -> Response:
    failed = any(summary["status"] == "ERROR" for summary in summaries)
    if not several:
        return message(409 if failed else 200, "", response=summaries[0])
    counts = {
        name: sum(summary["importCount"][name] for summary in summaries)
        for name in ("imported", "updated", "deleted", "ignored")
    }
    whole = {"responseType": "ImportSummaries", "status": "ERROR" if failed else "SUCCESS", **counts}
    return message(409 if failed else 200, "", response={**whole, "importSummaries": summaries})


def _one(store: Store, kind: str, uid: str) -> Response:
    held = store.tracker[kind].get(uid)
    return not_found(uid) if held is None else Response(200, _old(held))


def _old(held: Object) -> Object:
    return {_OLD.get(name, name): value for name, value in held.items()}


def _listed(store: Store, request: Request, resource: str) -> Response:
    found = [_old(held) for held in store.tracker[KINDS[resource]].values()]
    page, pager = page_of(found, request)
    slim = {name: pager[name] for name in ("page", "pageSize")}
    last = {"isLastPage": pager["page"] >= pager["pageCount"]}
    return Response(200, {"pager": pager if request.is_on("totalPages") else slim | last, resource: page})
