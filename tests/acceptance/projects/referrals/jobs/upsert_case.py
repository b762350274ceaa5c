"""Update the first case that the person has, or open one."""

from crossdock import Job, state, when
from crossdock.adaptors import http

job = Job(
    http.get(
        "/api/v2/cases",
        query={"remote": True, "unhcr_individual_no": state.case["unhcr_individual_no"]},
    ).into("found"),
    when(
        state.found["data"],
        http.patch("/api/v2/cases/{id}", {"data": state.case}, params={"id": state.found["data"][0]["id"]}),
        http.post("/api/v2/cases", {"data": state.case}),
    ).into("saved"),
)
