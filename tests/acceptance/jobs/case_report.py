"""Carry the cases of child protection that changed, and their services, to the reporting tables.

All pages are read before anything is written, and what is written is one transaction.
"""

import re

from crossdock import Job, now, warn
from crossdock.adaptors import http, postgresql
from crossdock.values import as_list, clean, join_nonempty, null_if, table

PER = 2
CONCERNS = table(
    {"disabled": "At risk of neglect", "street_child": "Unaccompanied", "other_02531": "Other"},
    unknown="keep",
    warning="UNMAPPED_CONCERN",
)


def timestamp():
    return f"{now():%Y-%m-%dT%H:%M:%SZ}"


def merge_moved_cases(state):
    """Keep the last form of a case that moved between the pages, with the services of all its forms."""
    cases, services = {}, {}
    for case in clean(state.pages):
        case_id = case["case_id_display"]
        if case_id in cases:
            warn("DUPLICATE_CASE", case_id=case_id)
        cases[case_id] = case
        for service in as_list(case.get("services_section")):
            services[case_id, service["unique_id"]] = {**service, "case_id": case_id}
    return state.replace(found=list(cases.values()), found_services=list(services.values()))


def placement(code):
    return null_if(re.sub(r"_\d+$", "", code or "").replace("_", " "))


def case_rows(state):
    locations = table(state.locations, warning="UNKNOWN_LOCATION")
    return [case_row(case, locations) for case in state.found]


def case_row(case, locations):
    current, caregiver = (locations(case.get(f"location_{place}")) or {} for place in ("current", "caregiver"))
    return {
        "case_id": case["case_id_display"],
        "registration_date": case.get("registration_date"),
        "case_source": case.get("oscar_number") or "primero",
        "disabled": case.get("disability_type"),
        "sex": case.get("sex"),
        "age": case.get("age"),
        "protection_concerns": join_nonempty(map(CONCERNS, as_list(case.get("protection_concerns"))), by=", "),
        "placement_type": placement(case.get("type_of_placement")),
        "province_current": current.get("province"),
        "district_current": current.get("district"),
        "province_caregiver": caregiver.get("province"),
        "district_caregiver": caregiver.get("district"),
    }


def service_rows(state):
    return [
        {
            "unique_id": service["unique_id"],
            "case_id": service["case_id"],
            "service_type": service.get("service_type"),
            "service_date": null_if(service.get("service_implemented_day_time"), "not implemented"),
        }
        for service in state.found_services
    ]


job = Job(
    http.get_all(
        "/api/v2/cases",
        query={"last_updated_at": lambda state: f"{state.cursor}..{timestamp()}"},
        pages=http.PageNumber(size=PER, size_parameter="per", total="metadata.total"),
    ).into("pages"),
    merge_moved_cases,
    postgresql.lookup("locations_lookup", "code", ["province", "district"]).into("locations"),
    postgresql.upsert_many("cases", case_rows, key="case_id").into("cases"),
    postgresql.upsert_many("services", service_rows, key="unique_id").into("services"),
    lambda state: state.only("cases", "services").replace(cursor=timestamp()),
)
