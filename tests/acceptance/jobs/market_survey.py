"""Store a market survey of wild meat: its site, its market, and every sale seen at the tables.

One message is one transaction: PostgreSQL keeps the whole survey or nothing of it.
"""

from collections import defaultdict
from itertools import count

from crossdock import Job, State, state, stop, tap, warn, when
from crossdock.adaptors import postgresql
from crossdock.values import as_list, null_if

STUDY_IDS = {"Urban Consumption": 1000, "Rural Consumption": 1002, "Market": 1004, "Offtake": 1006}
NULLS = ("", "NaN", "undefined", "null")


def read_survey(state):
    form, survey = state.data["formType"], state.data["body"]
    sample_id = f"{survey['_id']}{survey['_xform_id_string']}"
    return state.replace(survey=survey, form=form, study_id=STUDY_IDS[form], sample_id=sample_id)


def consented(state):
    return state.survey.get("consent_checklist") == "yes"


def stored_answers(state):
    return state.survey if consented(state) else {"uuid": state.survey["_uuid"], "consent": "no"}


def warn_of_repeated_vendors(vendors):
    ids = [vendor["vendor/id"] for vendor in as_list(vendors)]
    for index, vendor_id in enumerate(ids):
        if vendor_id in ids[:index]:
            warn("DUPLICATE_VENDOR", vendor_id=vendor_id)


def sales_by_vendor(state):
    for vendor in as_list(state.survey.get("vendor")):
        for sale in as_list(vendor.get("vendor/sales")):
            yield vendor["vendor/id"], sale


def wildmeat_rows(state):
    numbers = defaultdict(lambda: count(1))  # a vendor who comes twice goes on counting
    return [
        {
            "sample_id": state.sample_id,
            "wildmeat_id": f"{vendor_id}-{next(numbers[vendor_id])}-{sale['vendor/sales/species']}",
            "vendor_id": vendor_id,
            "vernacular_name": sale["vendor/sales/species"],
            "vernacular_name_other": sale.get("vendor/sales/othe_species"),
            "condition": sale.get("vendor/sales/condition"),
            "unit": sale.get("vendor/sales/unit"),
            "amount": 1,
            "price": sale.get("vendor/sales/price"),
        }
        for vendor_id, sale in sales_by_vendor(state)
    ]


def end_without_sales(code):
    return Job(tap(warn, code), lambda _: State(wildmeat=0), stop(code))


job = Job(
    read_survey,
    postgresql.upsert(
        "swm_transaction",
        {
            "uuid": state.sample_id,
            "submission_time": state.survey["_submission_time"],
            "status": "new",
            "data_type": "market",
            "instances": stored_answers,
            "modified_by": "openfn",
        },
        key="swm_data_pkey",
        null=NULLS,
    ),
    when(lambda state: not consented(state), end_without_sales("CONSENT_REFUSED")),
    postgresql.upsert("tbl_study", {"study_id": state.study_id, "name": state.form}, key="study_id", update=[]),
    postgresql.upsert(
        "tbl_site",
        {
            "study_id": state.study_id,
            "site_id": state.study_id,
            "site_name": state.survey["village"],
            "district": state.survey["district"],
        },
        key="tbl_site_pkey",
        null=NULLS,
    ),
    when(lambda state: null_if(state.survey.get("market"), *NULLS) is None, end_without_sales("NO_MARKET")),
    postgresql.upsert(
        "tbl_market",
        {
            "external_id": state.survey["market"],
            "study_id": state.study_id,
            "sell_point_type": state.survey["sell_point_type"],
        },
        key="external_id",
        returning="market_id",
        null=NULLS,
    ).into("market_id"),
    postgresql.upsert(
        "tbl_sample_market",
        {
            "sample_id": state.sample_id,
            "market_id": state.market_id,
            "study_id": state.study_id,
            "site_id": state.study_id,
            "date_start": state.survey["today"],
            "number_tables_surveyed": state.survey["total_surveyed"],
        },
        key="tbl_sample_market_pkey",
        null=NULLS,
    ),
    tap(warn_of_repeated_vendors, state.survey["vendor"]),
    postgresql.sql("delete from tbl_wildmeat_market where sample_id = %s", [state.sample_id]),
    postgresql.insert_many("tbl_wildmeat_market", wildmeat_rows, null=NULLS).into("wildmeat"),
    lambda state: state.only("wildmeat"),
)
