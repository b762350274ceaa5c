"""Write a report of a community health worker to DHIS2: one event for each case, found again by its id."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crossdock import Job
from crossdock.adaptors import dhis2
from crossdock.values import clean

PROGRAM = "GaOaL76FraA"
PROGRAM_STAGE = "wJ9OoZ6ZLxR"
TIMEZONE = ZoneInfo("Africa/Nairobi")
CASE_ID = "IsrhSrEFAX8"
ELEMENTS = [
    ("SfLueMvecnc", "p_age_months", "number"),
    ("m5OehFImiIJ", "p_temp", "number"),
    ("eE4UpNHJQMY", "urgent_referral", "flag"),
    ("Gcua1eaZ5eC", "diarrhoea", "flag"),
    ("Y64yUy6zBEp", "malaria_rdt", "flag"),
    ("vMj9NZYibkx", "dehydration", "flag"),
    ("L7aO70bcrbP", "weight", "number"),
    ("xOTL8X1B2NI", "never_sent", "text"),
]
CHOICES = [
    ("danger_signs", "cough", "ptHiIxoWT2j"),
    ("danger_signs", "fever", "ysNDpMshWu2"),
    ("danger_signs", "rash", "kATEiT6rXkJ"),
]
FLAGS = {"1": "true", "0": "false", "-1": "false"}


def data_values(case_id, answers):
    """Map the answers to data values: the case id, then what was answered, then each choice of a question."""
    values = [dhis2.data_value(CASE_ID, case_id)]
    for element, question, kind in ELEMENTS:
        answer = answers.get(question)
        if answer is not None:
            values.append(dhis2.data_value(element, FLAGS.get(answer, answer) if kind == "flag" else answer))
    for question, choice, element in CHOICES:
        chosen = answers.get(question)
        if chosen is not None:
            values.append(dhis2.data_value(element, "true" if choice in chosen.split() else "false"))
    return values


def event_of(report):
    """Map a report to an event, on the day that it was where the report comes from."""
    reported = datetime.fromtimestamp(report["reported_date"] / 1000, UTC).astimezone(TIMEZONE)
    return {
        "program": PROGRAM,
        "programStage": PROGRAM_STAGE,
        "orgUnit": report["orgUnit"],
        "status": "COMPLETED",
        "occurredAt": reported.date(),
        "dataValues": data_values(report["case_id"], clean(report["properties"])),
    }


def of_this_case(state):
    """Say how the event of a case is found."""
    wanted = f"{CASE_ID}:EQ:{state.data['case_id']}"
    return {"program": PROGRAM, "orgUnit": state.data["orgUnit"], "filter": wanted, "fields": "event"}


def keep_uid(state):
    """Leave the identifier of the event that DHIS2 wrote."""
    reports = state.data["bundleReport"]["typeReportMap"]["EVENT"]["objectReports"]
    return state.only("cursors").replace(event=reports[0]["uid"])


job = Job(
    dhis2.upsert("events", of_this_case, lambda state: event_of(state.data)),
    keep_uid,
)
