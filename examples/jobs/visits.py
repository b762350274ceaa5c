"""Copy clinic visits from KoboToolbox into the warehouse."""

from crossdock import Job
from crossdock.adaptors import http, postgresql
from crossdock.values import date, null_if


def visit_rows(state):
    return [
        {
            "visit_id": v["_id"],
            "clinic": v["clinic/code"],
            "seen_on": date(v["today"], "%d/%m/%Y"),
            "phone": null_if(v.get("patient/phone"), "NaN"),
        }
        for v in state.visits
    ]


job = Job(
    http.get_all("/api/v2/assets/visits/data", query={"limit": 25}, pages="next").into("visits"),
    postgresql.upsert_many("visits", visit_rows, key="visit_id").into("written"),
    lambda state: state.without("visits"),
)
