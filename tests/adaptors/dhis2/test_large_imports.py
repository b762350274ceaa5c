"""Imports of more records than one request can hold, and imports that are only tried."""

import gc
import json
import logging
import tracemalloc

import pytest
from crossdock import state
from crossdock.adaptors import dhis2, http
from crossdock_dhis2.testing import Response
from fix_dhis2 import AGE, VISITS, asked, event, visits

OBJECT = {"atomicMode": "OBJECT"}


def many(number, bad=()):
    """Give events one by one; some have a value that DHIS2 refuses."""
    return (event("old" if n in bad else n, event=f"EV{n:09}") for n in range(number))


def monthly(number):
    """Give data values one by one."""
    return (visits(n, period=f"{1900 + n // 12}{1 + n % 12:02}") for n in range(number))


def test_dh_12_records_go_in_requests_of_a_size(dhis2_server, run_dhis2, caplog):
    with caplog.at_level(logging.INFO, "crossdock.dhis2"):
        run = run_dhis2(dhis2.tracker_import({"events": many(1050)}, "CREATE"))

    assert run.outcome == "success"
    assert [len(request.body["events"]) for request in dhis2_server.requests] == [500, 500, 50]
    assert run.state.data == {
        "status": "OK",
        "stats": {"created": 1050, "updated": 0, "deleted": 0, "ignored": 0, "total": 1050},
        "conflicts": [],
        "chunks": 3,
    }
    assert [record.getMessage() for record in caplog.records] == [
        "events: 500 records are through, 500 created, 0 updated, 0 deleted, 0 ignored",
        "events: 1000 records are through, 1000 created, 0 updated, 0 deleted, 0 ignored",
        "events: 1050 records are through, 1050 created, 0 updated, 0 deleted, 0 ignored",
    ]


def test_dh_12_what_stands_beside_data_values_goes_along_with_each_request(dhis2_server, run_dhis2):
    payload = {"dataSet": "pBOMPrpg1QX", "orgUnit": "DiszpKrYNg8", "dataValues": monthly(5)}

    run = run_dhis2(dhis2.data_values(payload, size=2))

    assert [request.body["dataSet"] for request in dhis2_server.requests] == ["pBOMPrpg1QX"] * 3
    assert (run.state.data["stats"]["created"], run.state.data["chunks"]) == (5, 3)


def test_conflicts_of_later_requests_name_the_record_in_the_whole_import(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"events": many(7, bad=(1, 5))}, query=OBJECT, size=3))

    assert (run.outcome, [entry["index"] for entry in run.state.failed]) == ("partial", [1, 5])
    assert [entry["item"]["event"] for entry in run.state.failed] == ["EV000000001", "EV000000005"]
    assert [(c["index"], c["uid"], c["property"], c["code"]) for c in run.state.data["conflicts"]] == [
        (1, "EV000000001", AGE, "E1302"),
        (5, "EV000000005", AGE, "E1302"),
    ]
    assert run.state.data["status"] == "ERROR"


def test_a_request_that_is_refused_as_a_whole_stops_no_other(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"events": many(6, bad=(2,))}, size=2))

    assert (run.outcome, run.state.data["stats"]["created"]) == ("partial", 4)
    assert [entry["index"] for entry in run.state.failed] == [2, 3]
    assert "it gives no reason for this record" in run.state.failed[1]["error"]["message"]


def test_an_import_of_which_nothing_is_taken_is_one_failure(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"events": many(4, bad=range(4))}, query=OBJECT, size=2))

    assert (run.outcome, run.error.details["stats"]["ignored"], "failed" in run.state) == ("failed", 4, False)


def test_an_empty_import_asks_nothing(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"events": []}).into("events"), dhis2.data_values({"dataValues": iter(())}))

    assert (run.outcome, run.state.events["stats"]["total"], run.state.data["chunks"]) == ("success", 0, 0)
    assert dhis2_server.requests == []


@pytest.mark.parametrize("options", [{"size": 0}, {"size": -1}, {"start": -1}])
def test_a_size_or_start_that_can_not_be_is_refused(dhis2_server, run_dhis2, options):
    assert run_dhis2(dhis2.tracker_import({"events": many(2)}, **options)).error.code == "bad_argument"
    assert dhis2_server.requests == []


def test_records_are_read_from_another_system_while_they_are_sent(dhis2_server, run_job):
    lines = "".join(json.dumps(record) + "\n" for record in many(25))
    dhis2_server.before = lambda request: (
        Response(200, lines, {"Content-Type": "application/jsonl"}) if request.path == "/visits.jsonl" else None
    )
    entries = {"hmis": dhis2_server.credential, "clinic": {"adaptor": "http", "base_url": dhis2_server.url}}

    run = run_job(
        http.stream("/visits.jsonl", parse="jsonl"),
        dhis2.tracker_import({"events": state.data}, size=10),
        credentials=entries,
    )

    assert (run.outcome, run.state.data["stats"]["created"], run.state.data["chunks"]) == ("success", 25, 3)


# Interruptions


@pytest.mark.parametrize(("status", "outcome"), [(500, "failed"), (0, "unknown")])
def test_dh_12_an_import_that_breaks_off_says_where_to_resume(dhis2_server, run_dhis2, status, outcome):
    calls = []

    def fail_seventh(request):
        calls.append(request)
        return Response(status, {"message": "no"}) if len(calls) == 7 else None

    dhis2_server.before = fail_seventh
    broken = run_dhis2(dhis2.data_values({"dataValues": monthly(100)}, size=10))
    resumed = run_dhis2(
        dhis2.data_values({"dataValues": lambda s: monthly(100)}, size=10, start=broken.error.details["resume_at"])
    )

    assert (broken.outcome, broken.error.details["resume_at"]) == (outcome, 60)
    assert "start=60" in broken.error.fix
    assert resumed.outcome == "success"
    assert len(dhis2_server.requests) == 7 + 4
    assert sorted(held["value"] for held in dhis2_server.store.values.values()) == list(range(100))


def test_what_was_refused_before_an_interruption_is_kept(dhis2_server, run_dhis2):
    def fail_later(request):
        return Response(500) if len(dhis2_server.requests) == 3 else None

    dhis2_server.before = fail_later

    run = run_dhis2(dhis2.tracker_import({"events": many(6, bad=(1,))}, query=OBJECT, size=2))

    assert (run.outcome, run.error.details["resume_at"]) == ("failed", 4)
    assert [entry["index"] for entry in run.state.failed] == [1]


def test_a_failure_of_the_first_request_has_nothing_to_resume(dhis2_server, run_dhis2):
    dhis2_server.fail(500)

    assert "resume_at" not in run_dhis2(dhis2.tracker_import({"events": many(6)}, size=2)).error.details


def test_records_that_can_not_be_read_are_the_jobs_own_error(run_dhis2):
    def broken():
        yield event()
        raise ZeroDivisionError

    run = run_dhis2(dhis2.tracker_import({"events": broken()}, size=1))

    assert (run.outcome, type(run.error)) == ("failed", ZeroDivisionError)


def test_dh_13_who_is_told_to_come_later_in_the_middle_does(dhis2_server, run_dhis2):
    dhis2_server.fail(429, times=1, headers={"Retry-After": "0"})

    run = run_dhis2(dhis2.tracker_import({"events": many(4)}, size=2))

    assert (run.outcome, len(dhis2_server.requests)) == ("success", 3)


def test_dh_13_a_write_is_not_repeated_after_any_other_error(dhis2_server, run_dhis2):
    dhis2_server.fail(502, times=9)

    assert run_dhis2(dhis2.tracker_import({"events": many(4)}, size=2)).outcome == "failed"
    assert len(dhis2_server.requests) == 1


def test_each_part_of_an_import_in_the_background_is_waited_for(dhis2_server, run_dhis2):
    dhis2_server.store.polls = 1

    run = run_dhis2(dhis2.tracker_import({"events": many(4)}, size=2, asynchronous=True))

    assert (run.outcome, run.state.data["stats"]["created"]) == ("success", 4)
    assert [request.method for request in dhis2_server.requests] == ["POST", "GET", "GET", "GET"] * 2


def test_the_memory_of_a_large_import_does_not_grow_with_it(dhis2_server, run_dhis2):
    dhis2_server.before = lambda _: answer
    report = {"status": "OK", "stats": {"created": 100, "updated": 0, "deleted": 0, "ignored": 0, "total": 100}}
    answer = Response(200, report)

    def peak(number):
        dhis2_server.requests.clear()
        gc.collect()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        count = {"n": 0}

        def records():
            for record in many(number):
                count["n"] += 1
                if count["n"] % 1000 == 0:
                    dhis2_server.requests.clear()
                yield record

        assert run_dhis2(dhis2.tracker_import({"events": records()}, size=100)).outcome == "success"
        return tracemalloc.get_traced_memory()[1] - before

    tracemalloc.start()
    try:
        peak(1000)
        small, large = peak(2000), peak(20_000)
    finally:
        tracemalloc.stop()

    assert large < small * 1.5 + 500_000


# Dry runs


def test_a_dry_run_validates_an_import_and_lists_it_with_its_counts(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"events": many(3)}, size=2), options={"dry_run": True})

    assert run.outcome == "success"
    assert [asked(dhis2_server, n)[2] for n in range(2)] == [{"async": "false", "importMode": "VALIDATE"}] * 2
    assert dhis2_server.store.tracker["events"] == {}
    (planned,) = run.state.plan
    assert {key: planned[key] for key in ("operation", "method", "records", "validated", "system")} == {
        "operation": "dhis2.tracker_import",
        "method": "POST",
        "records": 3,
        "validated": {"status": "OK", "valid": 3, "refused": 0},
        "system": "hmis",
    }
    assert planned["url"] == f"{dhis2_server.url}/api/tracker"


def test_a_dry_run_ends_as_the_import_would(dhis2_server, run_dhis2):
    dry = {"dry_run": True}
    whole = run_dhis2(dhis2.create("events", [event(1), event("old")]), options=dry)
    partly = run_dhis2(dhis2.create("events", [event(1), event("old")], query=OBJECT), options=dry)
    values = run_dhis2(dhis2.data_values({"dataValues": [visits(1), visits("x")]}), options=dry)
    metadata = run_dhis2(dhis2.metadata_import({"dataElements": [{"name": "x"}]}), options=dry)

    assert [run.outcome for run in (whole, partly, values, metadata)] == ["failed", "partial", "partial", "failed"]
    assert [run.state.get("plan", run.plan)[0]["validated"]["refused"] for run in (whole, partly, values)] == [2, 1, 1]
    assert (partly.state.failed[0]["index"], values.state.failed[0]["index"]) == (1, 1)
    assert [request.asked("importMode") or request.asked("dryRun") for request in dhis2_server.requests] == [
        "VALIDATE",
        "VALIDATE",
        "true",
        "VALIDATE",
    ]
    assert dhis2_server.store.values == {}
    assert dhis2_server.store.tracker["events"] == {}


def test_a_dry_run_lists_writes_of_single_objects_and_sends_none(dhis2_server, run_dhis2):
    new = {"name": "Births", "shortName": "Births", "valueType": "NUMBER", "code": "BIRTHS"}

    run = run_dhis2(
        dhis2.create("dataElements", new),
        dhis2.update("dataElements", VISITS, new),
        dhis2.patch("dataElements", VISITS, {"name": "x"}),
        dhis2.delete("dataElements", VISITS),
        dhis2.upsert("dataElements", {"filter": "code:eq:BIRTHS"}, new),
        lambda s: s.replace(last=s.data),
        options={"dry_run": True},
    )

    assert (run.outcome, run.state.last) == ("success", None)
    assert [request.method for request in dhis2_server.requests] == ["GET"]
    assert [entry["method"] for entry in run.state.plan] == ["POST", "PUT", "PATCH", "DELETE", "POST"]
    assert run.state.plan[0]["body"] == new
