"""Open or update a case for every person whom a partner agency refers, and tell it how that went.

A referral that can't be accepted is the sender's to mend: the sender is told why, and the next
referral goes on. A system that fails is not: the run fails, and nobody is told anything.
"""

from crossdock import Job, JobError, each, now, state
from crossdock.adaptors import http
from crossdock.values import age_on, date, join_nonempty, null_if, strip_tags, table

REQUIRED = [
    "interventiontype.progres_description",
    "individuals.progres_id",
    "individuals.progres_registrationgroupid",
    "individuals.progres_givenname",
    "individuals.progres_familyname",
    "individuals.progres_dateofbirth",
]
SERVICES = {
    "Alternative Care": "alternative_care",
    "BID": "focuses_non_specialized_mhpss_care",
    "Family Tracing and Reunification": "food",
}
SEXES = table(
    {"125080000": "female", "125080001": "male", "125080002": "other", "125080003": "unknown"}, unknown="null"
)
LANGUAGES = {"Nuer": "language2", "Anyuak": "language1", "Amharic": "language5"}
OTHER_LANGUAGE = "language6"
LOCATION_LEVELS = range(1, 7)
OWNER = "intake@example.org"


# How the values are read


def name_of(lookup):
    """Give the name in a lookup, which comes as {Id, Name}, as plain text or as nothing."""
    return null_if(lookup.get("Name") if isinstance(lookup, dict) else lookup)


def language_of(referral):
    """Give the code of the language in a list, None if there is no language."""
    name = name_of(referral.get("languages.progres_languagecodeid"))
    return None if name is None else [LANGUAGES.get(name, OTHER_LANGUAGE)]


# From a referral to a case


def check(referral):
    """Refuse a referral that lacks required fields, which are all named, else one for a service that is not given."""
    missing = [field for field in REQUIRED if null_if(referral.get(field)) is None]
    if missing:
        raise JobError("MISSING_FIELDS", f"Intervention referral is missing required fields: {', '.join(missing)}")
    service = name_of(referral["interventiontype.progres_description"])
    if service not in SERVICES:
        raise JobError("SERVICE_TYPE", f"Service type '{service}' is not an accepted inter-agency service type")


def case_of(referral):
    """Map a referral that was checked to the case of the person."""
    born = date(referral["individuals.progres_dateofbirth"], "%Y-%m-%dT%H:%M:%SZ", name="date of birth")
    levels = [referral.get(f"individuals.progres_coalocationlevel{level}") for level in LOCATION_LEVELS]
    return {
        "services_section": [service_of(referral)],
        "unhcr_individual_no": referral["individuals.progres_id"],
        "unhcr_id_no": name_of(referral["individuals.progres_registrationgroupid"]),
        "name_first": referral["individuals.progres_givenname"],
        "name_middle": referral.get("individuals.progres_middlename"),
        "name_last": referral["individuals.progres_familyname"],
        "date_of_birth": born,
        "age": age_on(now(), born),
        "sex": SEXES(referral.get("individuals.progres_sex")),
        "address_current": join_nonempty(map(name_of, levels), by=" "),
        "language": language_of(referral),
        "status": "open",
        "owned_by": OWNER,
        "module_id": "primeromodule-cp",
    }


def service_of(referral):
    """Map a referral to the service that it asks for."""
    notes = [referral.get("progres_interventiondescription"), referral.get("progres_reasonforreferral")]
    return {
        "service_response_day_time": referral.get("progres_interventionstartdate"),
        "service_request_external": True,
        "service_request_title": referral.get("user.title"),
        "service_request_agency": name_of(referral.get("user.progres_partner")) or "UNHCR",
        "service_request_phone": referral.get("user.mobilephone"),
        "service_request_email": referral.get("user.internalemailaddress"),
        "service_referral_notes": join_nonempty(map(strip_tags, notes), by=", "),
        "service_type": SERVICES[name_of(referral["interventiontype.progres_description"])],
        "service_implementing_agency": "UNICEF",
        "service_response_type": "service_provision",
        "service_referral": "external_referral",
        "unhcr_referral_status": "pending",
        "progres_interventionnumber": referral["progres_interventionnumber"],
    }


# What becomes of it


def upsert(case):
    """Update the first case that the person has, or open one."""
    query = {"remote": True, "unhcr_individual_no": case["unhcr_individual_no"]}
    found = http.get("/api/v2/cases", query=query, credential="cases").result()["data"]
    if found:
        write = http.patch("/api/v2/cases/{id}", {"data": case}, params={"id": found[0]["id"]}, credential="cases")
    else:
        write = http.post("/api/v2/cases", {"data": case}, credential="cases")
    return write.result()["data"]


def notify(number, **feedback):
    """Tell the partner agency what became of its referral."""
    feedback = {"progres_interventionnumber": number, **feedback, "request_type": "Feedback"}
    http.post("/primero/feedback", feedback, credential="dtp").result()


def handle(state):
    """Check and map one referral, upsert the case and notify the sender, of a refusal too."""
    number = state.data["progres_interventionnumber"]
    try:
        check(state.data)
        case = case_of(state.data)
    except JobError as refusal:
        notify(number, status="Delivery Fail", closure_reason=refusal.message)
        return state.result({"intervention": number, "result": refusal.code})
    saved = upsert(case)
    notify(number, status="Pending Acknowledgement", case_id=saved["case_id"], primero_user=saved["owned_by"])
    return state.result({"intervention": number, "result": "OK", "case_id": saved["case_id"]})


job = Job(
    each(state.data["interventions"], handle, key="progres_interventionnumber").into("results"),
    lambda state: state.only("results"),
)
