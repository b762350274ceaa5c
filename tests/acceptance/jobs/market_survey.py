"""Store a market survey of wild meat, all of it or nothing: its site, its market, and every sale seen at the tables."""

from crossdock import Job, State, state, stop, tap, warn, when
from crossdock.adaptors import postgresql
from crossdock.values import as_list, clean

STUDY_IDS = {"Urban Consumption": 1000, "Rural Consumption": 1002, "Market": 1004, "Offtake": 1006}
study_id, sample_id, survey = state.study_id, state.sample_id, state.survey


def read_survey(state):
    form, body = state.data["formType"], state.data["body"]
    survey = clean(body, "NaN", "undefined", "null")
    refused = survey.get("consent_checklist") != "yes"
    answers = {"uuid": body["_uuid"], "consent": "no"} if refused else body
    ids = {"study_id": STUDY_IDS[form], "sample_id": f"{body['_id']}{body['_xform_id_string']}"}
    return state.replace(form=form, survey=survey, refused=refused, answers=answers, **ids)


def wildmeat_rows(state):
    """Give a row for each sale, numbered by vendor: one who comes twice goes on counting."""
    numbers = {}
    for vendor in as_list(state.survey.get("vendor")):
        vendor_id = vendor["vendor/id"]
        if vendor_id in numbers:
            warn("DUPLICATE_VENDOR", vendor_id=vendor_id)
        numbers.setdefault(vendor_id, 0)
        for sale in as_list(vendor.get("vendor/sales")):
            numbers[vendor_id] += 1
            yield {
                "wildmeat_id": f"{vendor_id}-{numbers[vendor_id]}-{sale['vendor/sales/species']}",
                "vendor_id": vendor_id,
                "vernacular_name": sale["vendor/sales/species"],
                "vernacular_name_other": sale.get("vendor/sales/othe_species"),
                "condition": sale.get("vendor/sales/condition"),
                "unit": sale.get("vendor/sales/unit"),
                "amount": 1,
                "price": sale.get("vendor/sales/price"),
            }


def end_without_sales(code):
    return Job(tap(warn, code), lambda _: State(wildmeat=0), stop(code))


job = Job(
    read_survey,
    postgresql.upsert(
        "swm_transaction",
        {
            "uuid": sample_id,
            "submission_time": survey["_submission_time"],
            "status": "new",
            "data_type": "market",
            "instances": state.answers,
            "modified_by": "openfn",
        },
        key="swm_data_pkey",
    ),
    when(state.refused, end_without_sales("CONSENT_REFUSED")),
    postgresql.upsert("tbl_study", {"study_id": study_id, "name": state.form}, key="study_id", update=[]),
    postgresql.upsert(
        "tbl_site",
        {"study_id": study_id, "site_id": study_id, "site_name": survey["village"], "district": survey["district"]},
        key="tbl_site_pkey",
    ),
    when(lambda state: state.survey.get("market") is None, end_without_sales("NO_MARKET")),
    postgresql.upsert(
        "tbl_market",
        {"external_id": survey["market"], "study_id": study_id, "sell_point_type": survey["sell_point_type"]},
        key="external_id",
        returning="market_id",
    ).into("market_id"),
    postgresql.upsert(
        "tbl_sample_market",
        {
            "sample_id": sample_id,
            "market_id": state.market_id,
            "study_id": study_id,
            "site_id": study_id,
            "date_start": survey["today"],
            "number_tables_surveyed": survey["total_surveyed"],
        },
        key="tbl_sample_market_pkey",
    ),
    postgresql.replace_children("tbl_wildmeat_market", wildmeat_rows, parent={"sample_id": sample_id}).into("wildmeat"),
    lambda state: state.only("wildmeat"),
)
