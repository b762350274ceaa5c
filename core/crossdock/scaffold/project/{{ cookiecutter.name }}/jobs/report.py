"""Count the visits of each clinic, as a table."""

from crossdock import Job, build_csv, group_by


def count(state):
    by_clinic = group_by(state.visits, "clinic")
    rows = [{"clinic": clinic, "visits": len(visits)} for clinic, visits in sorted(by_clinic.items())]
    return state.replace(data=build_csv(rows))


job = Job(count)
