"""Turn one visit into the text of a reminder; it needs no system, so it is a good first job to change."""

from crossdock import Job, require, state
from crossdock.values import date


def reminder(state):
    visit = state.data
    day = date(visit["today"], "%d/%m/%Y")
    return state.result(
        {"to": visit.get("patient/phone"), "text": f"{visit['patient/name']}, thank you for coming on {day:%d %B}."}
    )


job = Job(
    require(state.data["patient/name"], "the visit has no name"),
    reminder,
)
