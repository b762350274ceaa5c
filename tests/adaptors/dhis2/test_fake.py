"""The fake DHIS2 that job authors test with: it is as strict as the documentation says."""

import json
from base64 import b64encode
from urllib.error import HTTPError
from urllib.request import Request as Asked
from urllib.request import urlopen

import pytest
from crossdock import Job, Run, Workflow
from crossdock.adaptors import dhis2
from crossdock_dhis2.testing import FakeDhis2
from fix_dhis2 import equip, event, visits

TOKEN = {"Authorization": "ApiToken d2pat_of_a_fake_DHIS2", "Content-Type": "application/json"}


def ask(fake, path, body=None, headers=TOKEN, method=None):
    """Ask with another client than ours."""
    data = None if body is None else json.dumps(body).encode()
    try:
        with urlopen(Asked(f"{fake.url}{path}", data, headers, method=method)) as answer:
            return answer.status, json.loads(answer.read() or "null")
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or "null")


def test_an_unknown_clinic_is_refused(fake_dhis2):
    fake_dhis2.add("programStages", {"id": "A03MvHHogjR"})
    job = Job(
        dhis2.create("events", {"programStage": "A03MvHHogjR", "orgUnit": "DiszpKrYNg8", "occurredAt": "2024-03-05"})
    )

    run = Run(Workflow.of(job), credentials={"hmis": fake_dhis2.credential})

    assert run.execute() == "failed"
    assert run.error.details["errors"] == ["E1011"]
    assert fake_dhis2.requests[0].path == "/api/tracker"


@pytest.mark.parametrize(
    "authorization", ["", "ApiToken wrong", f"Basic {b64encode(b'admin:wrong').decode()}", "Bearer x"]
)
def test_nobody_comes_in_without_a_login(fake_dhis2, authorization):
    assert ask(fake_dhis2, "/api/me", headers={"Authorization": authorization})[0] == 401


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (event(orgUnit=None), "E1123"),
        (event(orgUnit="nowhere0000"), "E1011"),
        (event(programStage="nothing0000"), "E1013"),
        (event(occurredAt=None), "E1031"),
        (event("old"), "E1302"),
        (event(dataValues=[{"dataElement": "nothing0000", "value": 1}]), "E1304"),
        (event(dataValues=[]), "E1303"),
        (event(event="short"), "E1048"),
        (event(event="EVthere0000"), "E1030"),
    ],
)
def test_events_are_validated(dhis2_server, record, code):
    dhis2_server.store.metadata["programStages"]["wJ9OoZ6ZLxR"]["compulsory"] = ["m5OehFImiIJ"]
    dhis2_server.add("events", event(event="EVthere0000"))

    status, report = ask(dhis2_server, "/api/tracker?async=false&importStrategy=CREATE", {"events": [record]})

    assert (status, report["status"]) == (409, "ERROR")
    assert code in [error["errorCode"] for error in report["validationReport"]["errorReports"]]
    assert report["stats"] == {"created": 0, "updated": 0, "deleted": 0, "ignored": 1, "total": 1}
    assert len(dhis2_server.store.tracker["events"]) == 1


@pytest.mark.parametrize(("strategy", "code"), [("UPDATE", "E1032"), ("DELETE", "E1032")])
def test_what_is_not_there_can_not_be_changed(dhis2_server, strategy, code):
    _, report = ask(dhis2_server, f"/api/tracker?async=false&importStrategy={strategy}", {"events": [event()]})

    assert [error["errorCode"] for error in report["validationReport"]["errorReports"]] == [code]


def test_a_validation_writes_nothing_and_counts_all_as_ignored(dhis2_server):
    status, report = ask(dhis2_server, "/api/tracker?async=false&importMode=VALIDATE", {"events": [event()]})

    assert (status, report["status"], report["stats"]["ignored"]) == (200, "OK", 1)
    assert dhis2_server.store.tracker["events"] == {}


@pytest.mark.parametrize(("version", "status"), [("2.36", 200), ("2.37", 409), ("2.42", 409)])
def test_a_refused_import_is_a_409_since_2_37(version, status):
    with FakeDhis2(version) as fake:
        assert ask(equip(fake), "/api/tracker?async=false", {"events": [event("old")]})[0] == status


@pytest.mark.parametrize(("version", "status", "nested"), [("2.37", 200, False), ("2.38", 409, True)])
def test_a_summary_of_values_is_nested_and_a_409_since_2_38(version, status, nested):
    with FakeDhis2(version) as fake:
        answered, body = ask(equip(fake), "/api/dataValueSets", {"dataValues": [visits("many")]})

    assert (answered, "response" in body) == (status, nested)


@pytest.mark.parametrize(("version", "key"), [("2.40", "instances"), ("2.41", "events")])
def test_lists_of_the_tracker_have_another_form_since_2_41(version, key):
    with FakeDhis2(version) as fake:
        _, body = ask(fake, "/api/tracker/events?totalPages=true")

    assert (body[key], ("pager" in body)) == ([], key == "events")


def test_the_old_tracker_is_gone_since_2_42():
    with FakeDhis2("2.41") as old, FakeDhis2("2.42") as new:
        assert [ask(fake, "/api/events")[0] for fake in (old, new)] == [200, 404]


def test_a_restart_forgets_jobs(dhis2_server):
    _, answer = ask(dhis2_server, "/api/tracker", {"events": [event()]})
    place = f"/api/tracker/jobs/{answer['response']['id']}"

    before = [ask(dhis2_server, place)[0], ask(dhis2_server, f"{place}/report")[1]["status"]]
    dhis2_server.restart()

    assert before == [200, "OK"]
    assert [ask(dhis2_server, place)[0], ask(dhis2_server, f"{place}/report")[0]] == [404, 404]


def test_it_uses_nothing_of_the_adaptor():
    import ast
    from pathlib import Path

    import crossdock_dhis2.testing as fake

    imported = {
        name
        for file in Path(fake.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }

    assert {name for name in imported if name.startswith("crossdock")} <= {
        f"crossdock_dhis2.testing{module}"
        for module in ("", *(f".{f.stem}" for f in Path(fake.__file__).parent.glob("*.py")))
    }
