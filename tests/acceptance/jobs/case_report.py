"""Carry the cases of child protection that changed, and their services, to the reporting tables.

All pages are read before anything is written, and what is written is one transaction.
"""

import re

from crossdock import Job, now, warn
from crossdock.adaptors import http, postgresql
from crossdock.values import as_list, null_if

PER = 2
CONCERNS = {"disabled": "At risk of neglect", "street_child": "Unaccompanied", "other_02531": "Other"}


def timestamp():
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


def is_last_page(answer):
    page = answer.data["metadata"]
    return page["page"] * page["per"] >= page["total"]


def by_id(services):
    return {service["unique_id"]: service for service in as_list(services)}


def merge_moved_cases(state):
    """Keep the last form of a case that moved between the pages, with the services of all its forms."""
    cases, services = {}, {}
    for case in state.pages:
        case_id = case["case_id_display"]
        if case_id in cases:
            warn("DUPLICATE_CASE", case_id=case_id)
        cases[case_id] = case
        services[case_id] = {**services.get(case_id, {}), **by_id(case.get("services_section"))}
    return state.replace(found=cases, found_services=services)


def concern(code):
    if code not in CONCERNS:
        warn("UNMAPPED_CONCERN", code=code)
    return CONCERNS.get(code, code)


def placement(code):
    return re.sub(r"_\d+$", "", code or "").replace("_", " ")


def location(state, code, kind):
    """Give the columns of a location; one that nobody knows is worth a warning."""
    known = state.locations.get(code, {})
    if null_if(code) and not known:
        warn("UNKNOWN_LOCATION", code=code)
    return {f"province_{kind}": known.get("province"), f"district_{kind}": known.get("district")}


def case_rows(state):
    return [
        {
            "case_id": case_id,
            "registration_date": case.get("registration_date"),
            "case_source": null_if(case.get("oscar_number")) or "primero",
            "disabled": case.get("disability_type"),
            "sex": case.get("sex"),
            "age": case.get("age"),
            "protection_concerns": ", ".join(map(concern, as_list(case.get("protection_concerns")))),
            "placement_type": placement(case.get("type_of_placement")),
            **location(state, case.get("location_current"), "current"),
            **location(state, case.get("location_caregiver"), "caregiver"),
        }
        for case_id, case in state.found.items()
    ]


def service_rows(state):
    return [
        {
            "unique_id": unique_id,
            "case_id": case_id,
            "service_type": service.get("service_type"),
            "service_date": null_if(service.get("service_implemented_day_time"), "not implemented"),
        }
        for case_id, services in state.found_services.items()
        for unique_id, service in services.items()
    ]


job = Job(
    http.get_all(
        "/api/v2/cases",
        query={"last_updated_at": lambda state: f"{state.cursor}..{timestamp()}"},
        pages=http.PageNumber(size=PER, size_parameter="per"),
        until=is_last_page,
    ).into("pages"),
    merge_moved_cases,
    postgresql.lookup("locations_lookup", "code", ["province", "district"]).into("locations"),
    postgresql.upsert_many("cases", case_rows, key="case_id", null=("",)).into("cases"),
    postgresql.upsert_many("services", service_rows, key="unique_id", null=("",)).into("services"),
    lambda state: state.only("cases", "services").replace(cursor=timestamp()),
)
