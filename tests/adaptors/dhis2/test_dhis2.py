"""The dhis2 adaptor against a server that answers as the documentation says."""

import json

import pytest
from crossdock.adaptors import dhis2


@pytest.fixture
def run_dhis2(httpserver, run_job):
    def run(*operations, **fields):
        entry = {"adaptor": "dhis2", "hostUrl": httpserver.url_for("/").rstrip("/"), "pat": "d2pat_canary", **fields}
        return run_job(*operations, credentials={"hmis": entry})

    return run


REPORT = {"status": "OK", "stats": {"created": 1, "ignored": 0, "total": 1}}
REFUSAL = {
    "status": "ERROR",
    "validationReport": {"errorReports": [{"errorCode": "E1007", "uid": "a"}, {"errorCode": "E1009"}]},
    "stats": {"ignored": 2},
}


def test_get_asks_below_the_api_and_repeats_filters(httpserver, run_dhis2):
    httpserver.expect_request("/api/42/organisationUnits").respond_with_json({"organisationUnits": []})

    run = run_dhis2(dhis2.get("organisationUnits", {"filter": ["level:eq:3", "name:like:K"]}), api_version=42)

    request, _ = httpserver.log[0]
    assert run.state.data == {"organisationUnits": []}
    assert request.args.getlist("filter") == ["level:eq:3", "name:like:K"]
    assert request.headers["Authorization"] == "ApiToken d2pat_canary"


@pytest.mark.parametrize("record", [{"program": "p"}, [{"program": "p"}]])
def test_create_imports_tracker_types_and_waits_for_the_report(httpserver, run_dhis2, record):
    httpserver.expect_request("/api/tracker", method="POST").respond_with_json(REPORT)

    run = run_dhis2(dhis2.create("events", record, query={"async": True}))

    request, _ = httpserver.log[0]
    assert run.state.data == REPORT
    assert json.loads(request.get_data()) == {"events": [{"program": "p"}]}
    assert request.args.to_dict() == {"async": "false", "importStrategy": "CREATE"}


def test_create_posts_other_resources_as_they_are(httpserver, run_dhis2):
    httpserver.expect_request("/api/dataSets", method="POST", json={"name": "x"}).respond_with_json(
        {"status": "OK"}, status=201
    )

    assert run_dhis2(dhis2.create("dataSets", {"name": "x"})).outcome == "success"


@pytest.mark.parametrize(
    ("status", "report"),
    [(409, REFUSAL), (200, REFUSAL), (200, {"status": "WARNING", "importCount": {"imported": 2, "ignored": 1}})],
)
def test_a_report_that_refuses_records_is_no_success(httpserver, run_dhis2, status, report):
    httpserver.expect_request("/api/dataValueSets").respond_with_json(report, status=status)

    run = run_dhis2(dhis2.create("dataValueSets", {"dataValues": []}))

    assert (run.outcome, run.error.code) == ("failed", "dhis2_import_refused")
    assert run.error.details["status"] == status
    assert "validationReport" not in report or run.error.details["errors"] == ["E1007", "E1009"]
    assert run.error.answer.data == report


def test_another_error_is_an_http_error(httpserver, run_dhis2):
    httpserver.expect_request("/api/tracker").respond_with_data("<html>", status=502, content_type="text/html")

    assert run_dhis2(dhis2.create("events", {})).error.code == "http_error"


def test_a_login_page_is_no_answer(httpserver, run_dhis2):
    httpserver.expect_request("/api/me").respond_with_data("<html>Log in", content_type="text/html")

    run = run_dhis2(dhis2.get("me"))

    assert run.outcome == "failed"
    assert "login" in run.error.fix


def test_a_credential_needs_a_way_in(run_dhis2):
    from crossdock.errors import CredentialError

    with pytest.raises(CredentialError, match="give a pat"):
        run_dhis2(dhis2.get("me"), pat=None)
