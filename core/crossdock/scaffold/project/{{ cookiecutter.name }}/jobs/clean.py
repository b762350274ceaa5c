"""Clean the visits of a form: blanks, dates and codes."""

from crossdock import Job, JobError, each, state
from crossdock.values import date, null_if, table, title

SEXES = table({"1": "male", "2": "female"}, name="sexes")


def require_visits(state):
    if not isinstance(state.data, list) or not state.data:
        raise JobError("NO_VISITS", "the message holds no list of visits")
    return state


def clean(state):
    visit = state.data
    return state.replace(
        data={
            "id": visit["id"],
            "clinic": title(visit["clinic"]),
            "seen_on": date(visit["seen_on"], "%d/%m/%Y"),
            "sex": SEXES(visit.get("sex")),
            "phone": null_if(visit.get("phone"), "n/a"),
        }
    )


# A visit that can't be cleaned is put aside under 'failed'; the others go on.
job = Job(
    require_visits,
    each(state.data, clean, on_error="collect", key="id").into("visits"),
)
