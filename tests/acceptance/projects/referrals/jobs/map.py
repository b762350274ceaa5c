"""Check a referral, and map it to the case of the person: a refusal is the sender's to mend."""

from crossdock import Job, JobError, now
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


def to_case(state):
    """Keep the case beside the referral."""
    check(state.data)
    return state.replace(case=case_of(state.data))


job = Job(to_case)
