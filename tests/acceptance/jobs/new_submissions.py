"""Hand every new submission of our KoboToolbox forms to an inbox, hour by hour.

A form goes on where the inbox took the last of its submissions: its cursor is the time of that one.
Kobo answers with the submissions of that very second again, so ``seen`` holds the ids of those
that went out. An error of one form stops that form alone, and the run ends as partial.
"""

from crossdock import AdaptorError, Job, cursor, each, log, put_aside, save_cursor
from crossdock.adaptors import http

FORMS = [
    {"uid": "aMarche0000000000000001", "name": "SWM Suivi Marché – Congo", "type": "Market"},
    {"uid": "aOfftake000000000000002", "name": "SWM Prélèvement de chasse", "type": "Offtake"},
    {"uid": "aUrbaine000000000000003", "name": "SWM Conso Urbaine", "type": "Urban Consumption"},
]
START = "2024-05-01T00:00:00"
PAGE_SIZE = 2
INBOX = "/i/5f0c-inbox"


def submissions(uid):
    """Get what a form has from its cursor on, the oldest first; pages may overlap."""
    since = {"_submission_time": {"$gte": cursor(uid, START)}}
    found = http.get_all(
        "/api/v2/assets/{uid}/data/",
        params={"uid": uid},
        query={"format": "json", "query": since, "limit": PAGE_SIZE},
        pages="next",
        credential="kobo",
    ).result()
    return sorted(found, key=lambda submission: (submission["_submission_time"], submission["_id"]))


def hand_over(form, submission):
    """Post one submission, unchanged, with the form that it belongs to."""
    letter = {"formId": form["uid"], "formName": form["name"], "formType": form["type"], "body": submission}
    http.post(INBOX, letter, credential="inbox").result()


def moved(position, submission):
    """Move a form's position to a submission that went out; of those before it only the same second comes again."""
    at = submission["_submission_time"]
    same_second = position["seen"] if at == position["at"] else []
    return {"at": at, "seen": [*same_second, submission["_id"]]}


def deliver(state):
    """Hand over what is new in one form, up to the first error of Kobo or the inbox."""
    form, uid = state.data, state.data["uid"]
    position = {"at": state.cursors.get(uid), "seen": state.get("seen", {}).get(uid, [])}
    posted, error = 0, None
    try:
        for submission in submissions(uid):
            if submission["_id"] not in position["seen"]:  # it went out before, or was on two pages
                hand_over(form, submission)
                position, posted = moved(position, submission), posted + 1
    except AdaptorError as failure:
        log(f"{form['name']} stopped after {posted}: {failure}")
        put_aside(form, failure, key=uid)
        error = {"formId": uid, "system": failure.details["system"], "status": failure.details.get("status")}
    save_cursor(uid, position["at"]).result()
    return state.result({"uid": uid, "seen": position["seen"], "posted": posted, "error": error})


def report(state):
    """Leave what the next run and the operator need, and nothing of the submissions."""
    seen = {form["uid"]: form["seen"] for form in state.forms if form["seen"]}
    errors = [form["error"] for form in state.forms if form["error"]]
    posted = sum(form["posted"] for form in state.forms)
    return state.only("cursors").replace(seen=seen, form_errors=errors, posted=posted)


job = Job(each(FORMS, deliver, key="uid").into("forms"), report)
