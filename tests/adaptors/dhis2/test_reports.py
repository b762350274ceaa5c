"""Every shape of a report that DHIS2's versions and endpoints have, read into one."""

import pytest
from crossdock_dhis2.report import Conflict, Counts, as_if_written, read_report
from hypothesis import given
from hypothesis import strategies as st

UID = "Kj6vYde4LHh"

TRACKER = {
    "status": "ERROR",
    "validationReport": {
        "errorReports": [
            {
                "message": "DataElement `m5OehFImiIJ` is not valid: `Amina Otieno`.",
                "errorCode": "E1302",
                "trackerType": "EVENT",
                "uid": UID,
            }
        ],
        "warningReports": [{"message": "look", "errorCode": "E1300", "trackerType": "EVENT", "uid": UID}],
    },
    "stats": {"created": 1, "updated": 2, "deleted": 3, "ignored": 4, "total": 10},
}
INDEXED = {
    "status": "ERROR",
    "stats": {"created": 1, "ignored": 1},
    "bundleReport": {
        "typeReportMap": {
            "EVENT": {"objectReports": [{"index": 3, "uid": UID, "errorReports": [{"errorCode": "E1011"}]}]},
            "ENROLLMENT": {"objectReports": []},
        }
    },
}
SUMMARY = {
    "status": "WARNING",
    "importCount": {"imported": 2, "updated": 1, "ignored": 2, "deleted": 0},
    "conflicts": [
        {
            "object": "f7n9E0hX8qk",
            "objects": {"dataElement": "f7n9E0hX8qk"},
            "value": "Data element not found",
            "errorCode": "E7610",
            "property": "dataElement",
            "indexes": [1, 4],
        }
    ],
    "rejectedIndexes": [1, 4, 6],
}
SUMMARIES = {
    "responseType": "ImportSummaries",
    "status": "ERROR",
    "imported": 1,
    "updated": 0,
    "deleted": 0,
    "ignored": 2,
    "importSummaries": [
        {"status": "SUCCESS", "reference": "aaaaaaaaaaa", "importCount": {"imported": 1}, "conflicts": []},
        {"status": "ERROR", "reference": UID, "conflicts": [{"object": "orgUnit", "value": "not found"}]},
        {"status": "ERROR", "description": "Event.orgUnit does not point to a valid organisation unit"},
    ],
}
METADATA = {
    "status": "ERROR",
    "stats": {"created": 0, "updated": 1, "deleted": 0, "ignored": 1, "total": 2},
    "typeReports": [
        {
            "klass": "org.hisp.dhis.dataelement.DataElement",
            "objectReports": [
                {"index": 1, "uid": UID, "errorReports": [{"errorCode": "E4000", "errorProperty": "shortName"}]}
            ],
        }
    ],
}
OBJECT = {"responseType": "ObjectReport", "klass": "org.hisp.dhis.dataelement.DataElement", "uid": UID}
REFUSED = {**OBJECT, "errorReports": [{"message": "no", "errorCode": "E5003", "errorProperty": "code"}]}

SHAPES = {
    "tracker": (
        TRACKER,
        Counts(1, 2, 3, 4),
        "ERROR",
        [Conflict(None, UID, "m5OehFImiIJ", "E1302", "DataElement `m5OehFImiIJ` is not valid: `Amina Otieno`.")],
    ),
    "tracker with indexes": (INDEXED, Counts(1, 0, 0, 1), "ERROR", [Conflict(3, UID, None, "E1011", None)]),
    "data values": (
        SUMMARY,
        Counts(2, 1, 0, 2),
        "WARNING",
        [
            Conflict(1, None, "dataElement", "E7610", "Data element not found"),
            Conflict(4, None, "dataElement", "E7610", "Data element not found"),
            Conflict(6),
        ],
    ),
    "several events": (
        SUMMARIES,
        Counts(1, 0, 0, 2),
        "ERROR",
        [
            Conflict(1, UID, None, None, "not found"),
            Conflict(2, None, None, None, "Event.orgUnit does not point to a valid organisation unit"),
        ],
    ),
    "metadata": (METADATA, Counts(0, 1, 0, 1), "ERROR", [Conflict(1, UID, "shortName", "E4000", None)]),
    "object": (OBJECT, Counts(updated=1), "OK", []),
    "object that is refused": (REFUSED, Counts(ignored=1), "OK", [Conflict(None, UID, "code", "E5003", "no")]),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_is_read_into_one_report_nested_or_not(name, nested):
    body, counts, status, conflicts = SHAPES[name]

    report = read_report({"httpStatusCode": 409, "status": body.get("status"), "response": body} if nested else body)

    assert (report.counts, report.status, report.conflicts) == (counts, status, conflicts)


def test_the_worst_status_counts():
    body = {"status": "OK", "response": {"status": "ERROR", "importCount": {"imported": 1}}}

    assert read_report(body).status == "ERROR"


def test_warnings_are_read():
    assert [(warning.uid, warning.code) for warning in read_report(TRACKER).warnings] == [(UID, "E1300")]


@pytest.mark.parametrize("value", ["Amina", "Christopher", "Amina Otieno", "2024-01-02", "071234567", "1", ""])
def test_a_value_of_a_record_is_no_property(value):
    body = {"importCount": {"ignored": 1}, "conflicts": [{"object": value, "value": f"`{value}` is not valid"}]}

    (conflict,) = read_report(body).conflicts

    assert conflict.place is None
    assert value not in conflict.shown or value in ("", "1")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["status", "stats", "x"]) | st.text(), inner),
)
WORDS = [
    "response",
    "stats",
    "status",
    "importCount",
    "conflicts",
    "indexes",
    "rejectedIndexes",
    "validationReport",
    "errorReports",
    "bundleReport",
    "typeReportMap",
    "typeReports",
    "objectReports",
    "importSummaries",
    "responseType",
    "klass",
    "uid",
    "ignored",
    "created",
    "errorCode",
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(["ERROR", "ObjectReport", UID]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=20,
)


@given(ANYTHING | JSON)
def test_no_answer_breaks_the_reader_and_none_without_counts_is_a_report(body):
    report = read_report(body)

    assert report is None or all(isinstance(number, int) for number in report.counts)


@pytest.mark.parametrize(
    ("report", "whole", "counts"),
    [
        ({"status": "OK", "stats": {"created": 0, "ignored": 3}}, True, Counts(created=3)),
        ({"status": "OK", "stats": {"created": 3, "ignored": 0}}, True, Counts(created=3)),
        ({**TRACKER, "stats": {"ignored": 3}}, True, Counts(ignored=3)),
        ({**TRACKER, "stats": {"ignored": 3}}, False, Counts(created=2, ignored=1)),
    ],
)
def test_a_validation_counts_as_the_import_would(report, whole, counts):
    assert as_if_written(read_report(report), 3, whole=whole).counts == counts
