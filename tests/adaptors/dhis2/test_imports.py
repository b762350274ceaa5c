"""What becomes of records: success, partial, failed or unknown, by what DHIS2 reports and not by its status."""

import pytest
from crossdock import state
from crossdock.adaptors import dhis2
from crossdock_dhis2.testing import FakeDhis2
from fix_dhis2 import AGE, NAME, TYPE, UNIT, VISITS, asked, equip, event, visits

OBJECT = {"atomicMode": "OBJECT"}


# How records of the tracker are sent


def test_d09_a_record_is_imported_and_its_report_is_waited_for(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.create("events", event(orgUnit=state.unit)), state={"unit": UNIT})

    assert asked(dhis2_server) == ("POST", "/api/tracker", {"async": "false", "importStrategy": "CREATE"})
    assert dhis2_server.requests[-1].body == {"events": [event()]}
    assert run.state.data["stats"]["created"] == 1


def test_d10_a_list_is_one_request(dhis2_server, run_dhis2):
    first, second = event(1, event="EV1abcdefgh"), event(2, event="EV2abcdefgh")

    run = run_dhis2(dhis2.create("events", [first, second], query=OBJECT))

    assert (run.outcome, len(dhis2_server.requests)) == ("success", 1)
    assert dhis2_server.requests[0].body == {"events": [first, second]}
    assert asked(dhis2_server)[2] == {"async": "false", "importStrategy": "CREATE", **OBJECT}


def test_several_records_that_may_be_created_get_identifiers_which_their_report_can_name(dhis2_server, run_dhis2):
    def twice(state):
        return dhis2.tracker_import({"trackedEntities": [person(), person()]})

    run_dhis2(twice)
    run_dhis2(twice)
    one, two = [
        [(p["trackedEntity"], p["enrollments"][0]["enrollment"]) for p in request.body["trackedEntities"]]
        for request in dhis2_server.requests
    ]

    assert all(dhis2.is_uid(uid) for pair in one + two for uid in pair)
    assert len({uid for pair in one + two for uid in pair}) == 8  # another run writes other records


def test_identifiers_are_the_same_when_a_run_is_repeated_at_its_own_time(dhis2_server, run_dhis2):
    from datetime import UTC, datetime

    at = {"now": datetime(2024, 3, 5, tzinfo=UTC)}
    for _ in range(2):
        assert run_dhis2(dhis2.upsert("events", {}, [event(1), event(2)]), options=at).outcome == "success"

    assert dhis2_server.requests[0].body == dhis2_server.requests[1].body
    assert len(dhis2_server.store.tracker["events"]) == 2


def test_the_job_keeps_its_own_records_as_they_are(run_dhis2):
    records = [event(1), event(2)]

    run = run_dhis2(dhis2.create("events", lambda s: records))

    assert run.outcome == "success"
    assert records == [event(1), event(2)]


@pytest.mark.parametrize("query", [{"async": True}, {"importStrategy": "CREATE_AND_UPDATE"}])
def test_d11_what_the_job_says_is_sent(dhis2_server, run_dhis2, query):
    run = run_dhis2(dhis2.create("events", event(), query=query))

    assert run.outcome == "success"
    sent = {"async": "false", "importStrategy": "CREATE"} | {name: str(value) for name, value in query.items()}
    assert asked(dhis2_server)[2] == {**sent, "async": sent["async"].lower()}


def test_d19_upsert_without_a_query_leaves_it_to_dhis2(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.upsert("events", {}, [event(event="EV1abcdefgh"), event(event="EV2abcdefgh")]))

    assert (run.outcome, len(dhis2_server.requests)) == ("success", 1)
    assert asked(dhis2_server)[2] == {"async": "false", "importStrategy": "CREATE_AND_UPDATE"}


def test_d23_the_strategy_is_sent(dhis2_server, run_dhis2):
    run_dhis2(dhis2.tracker_import({"events": [event()]}, "CREATE"))

    assert asked(dhis2_server) == ("POST", "/api/tracker", {"importStrategy": "CREATE", "async": "false"})


def test_d24_options_of_an_import(dhis2_server, run_dhis2):
    payload = {"events": [event()]}
    run_dhis2(
        dhis2.tracker_import(payload, "CREATE", query={"async": True}),
        dhis2.tracker_import(payload, "CREATE", query={"atomicMode": "ALL"}),
        dhis2.tracker_import(payload, "CREATE", query={"importStrategy": "CREATE_AND_UPDATE"}),
        dhis2.tracker_import(payload),
    )

    assert [asked(dhis2_server, number)[2] for number in range(4)] == [
        {"async": "true", "importStrategy": "CREATE"},
        {"async": "false", "importStrategy": "CREATE", "atomicMode": "ALL"},
        {"async": "false", "importStrategy": "CREATE_AND_UPDATE"},
        {"async": "false"},
    ]


def test_a_payload_of_something_else_is_refused(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"trackedEntityInstances": []}))

    assert "trackedEntityInstances" in run.error.message
    assert dhis2_server.requests == []


# What the report says


def test_d31_dh_02_a_409_is_judged_by_its_summary(dhis2_server, run_dhis2):
    values = [visits(), visits("many", period="202402"), visits(3, period="202403")]

    run = run_dhis2(dhis2.data_values({"dataValues": values}))

    assert (run.outcome, len(dhis2_server.requests)) == ("partial", 1)
    (failed,) = run.state.failed
    assert (failed["index"], failed["item"]) == (1, values[1])
    assert failed["error"]["message"] == "DHIS2 refused dataValues (record 1): E7619 value"
    assert "many" not in str(failed["error"])
    assert run.state.data["response"]["importCount"] == {"imported": 2, "updated": 0, "ignored": 1, "deleted": 0}


def test_dh_02_a_retry_sends_only_what_failed(dhis2_server, run_dhis2):
    first = run_dhis2(dhis2.data_values({"dataValues": [visits(), visits(5, period="202402", orgUnit="xxxxxxxxxxx")]}))
    dhis2_server.add("organisationUnits", {"id": "xxxxxxxxxxx"})

    again = run_dhis2(dhis2.data_values({"dataValues": [entry["item"] for entry in first.state.failed]}))

    assert (first.outcome, again.outcome) == ("partial", "success")
    assert [len(request.body["dataValues"]) for request in dhis2_server.requests] == [2, 1]
    assert len(dhis2_server.store.values) == 2


def test_d31_a_409_that_took_nothing_is_a_failure_with_counts_and_conflicts(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.create("dataValueSets", {"dataValues": [visits("many"), visits(dataElement="unknown0000")]}))

    assert (run.outcome, run.error.code) == ("failed", "dhis2_import_refused")
    assert run.error.message == (
        "DHIS2 refused the import of dataValues: 0 created, 0 updated, 0 deleted, 2 ignored; "
        "E7619 value (record 0), E7610 dataElement (record 1)"
    )
    assert run.error.details["status"] == 409
    assert run.error.details["errors"] == ["E7619", "E7610"]
    assert run.error.answer.data["response"]["rejectedIndexes"] == [0, 1]
    assert "failed" not in run.state


def three_and_one(period):
    """Three values that are good and one of an organisation unit that there is not; one is there already."""
    values = [visits(1), visits(2, period="202402"), visits(3, period="202403")]
    return [*values, visits(4, period=period, orgUnit="nowhere0000")]


@pytest.mark.parametrize("version", ["2.36", "2.37", "2.38", "2.42"])
def test_dh_01_ignored_values_make_the_run_partial_in_every_version(run_dhis2, version):
    with FakeDhis2(version) as fake:
        run_dhis2(dhis2.data_values({"dataValues": [visits(0)]}), fake=equip(fake))

        run = run_dhis2(dhis2.data_values({"dataValues": three_and_one("202404")}), fake=fake)

    assert run.outcome == "partial"
    summary = run.state.data.get("response", run.state.data)
    assert summary["importCount"] == {"imported": 2, "updated": 1, "ignored": 1, "deleted": 0}
    (failed,) = run.state.failed
    without_indexes = version == "2.36"
    assert failed["index"] == (None if without_indexes else 3)
    assert failed["item"] == (None if without_indexes else three_and_one("202404")[3])
    assert failed["error"]["details"]["errors"] == ([] if without_indexes else ["E7612"])


@pytest.mark.parametrize("version", ["2.37", "2.42"])
def test_dh_01_ignored_values_are_fine_where_the_job_says_so(run_dhis2, version):
    with FakeDhis2(version) as fake:
        equip(fake)
        run = run_dhis2(dhis2.data_values({"dataValues": three_and_one("202404")}, allow_ignored=True), fake=fake)

    assert (run.outcome, "failed" in run.state) == ("success", False)
    (warning,) = run.state.warnings
    assert (warning["code"], warning["ignored"], warning["errors"]) == ("dhis2_warning", 1, ["E7612"])


def test_values_that_are_there_already_are_ignored_without_a_reason(dhis2_server, run_dhis2):
    again = dhis2.data_values({"dataValues": [visits()]}, query={"importStrategy": "CREATE"})
    run_dhis2(again)

    refused = run_dhis2(again)
    allowed = run_dhis2(
        dhis2.data_values({"dataValues": [visits()]}, query={"importStrategy": "CREATE"}, allow_ignored=True)
    )

    assert (refused.outcome, refused.error.message.endswith("1 ignored; it gives no reason")) == ("failed", True)
    assert allowed.outcome == "success"


@pytest.mark.parametrize("version", ["2.36", "2.42"])
def test_d32_dh_03_an_error_in_a_report_is_one_whatever_the_status_is(run_dhis2, version):
    with FakeDhis2(version) as fake:
        run = run_dhis2(
            dhis2.tracker_import({"trackedEntities": [person(trackedEntity="Kj6vYde4LHh", of=None)]}), fake=fake
        )

    assert (run.outcome, run.error.details["status"]) == ("failed", 200 if version == "2.36" else 409)
    assert "E1005" in run.error.message
    assert "Kj6vYde4LHh" in run.error.message


def test_d33_dh_03_a_warning_is_a_success_that_is_told(dhis2_server, run_dhis2):
    dhis2_server.add("programRules", {"dataElement": AGE, "message": "look again"})

    told = run_dhis2(dhis2.tracker_import({"events": [event()]}))
    ignored = run_dhis2(dhis2.tracker_import({"events": [event()]}, on_warning="ignore"))
    raised = run_dhis2(dhis2.tracker_import({"events": [event()]}, on_warning="error"))

    assert (told.outcome, told.state.data["status"]) == ("success", "WARNING")
    (warning,) = told.state.warnings
    assert (warning["code"], warning["errors"], warning["created"]) == ("dhis2_warning", ["E1300"], 1)
    assert (ignored.outcome, "warnings" in ignored.state) == ("success", False)
    assert (raised.outcome, raised.error.code) == ("failed", "dhis2_warning")


def test_a_wrong_on_warning_is_refused(dhis2_server, run_dhis2):
    assert "warn, error or ignore" in run_dhis2(dhis2.create("events", event(), on_warning="log")).error.fix
    assert dhis2_server.requests == []


def test_dh_03_one_bad_record_refuses_all_of_its_request_unless_the_job_says_otherwise(dhis2_server, run_dhis2):
    records = [event(1), event("old"), event(3)]

    whole = run_dhis2(dhis2.create("events", records))
    each_its_own = run_dhis2(dhis2.create("events", records, query=OBJECT))

    assert (whole.outcome, whole.error.details["stats"]["ignored"]) == ("failed", 3)
    assert (each_its_own.outcome, each_its_own.state.data["status"]) == ("partial", "ERROR")
    (failed,) = each_its_own.state.failed
    assert (failed["index"], failed["item"]["dataValues"][0]["value"]) == (1, "old")
    assert failed["key"] == failed["item"]["event"] == failed["error"]["details"]["uid"]
    assert failed["error"]["message"] == f"DHIS2 refused events {failed['key']} (record 1): E1302 {AGE}"
    assert len(dhis2_server.store.tracker["events"]) == 2


def person(of=TYPE, age=3, **fields):
    """Make a tracked entity with an enrollment and an event."""
    enrollment = {"program": "GaOaL76FraA", "orgUnit": UNIT, "enrolledAt": "2024-01-01", "events": [event(age)]}
    known = {"trackedEntityType": of, "orgUnit": UNIT, "attributes": [dhis2.attribute(NAME, "Otieno")]}
    return {**known, "enrollments": [enrollment], **fields}


def test_a_conflict_inside_a_record_is_told_of_the_record(run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"trackedEntities": [person(), person(age="old"), person()]}, query=OBJECT))

    assert run.state.data["stats"] == {"created": 8, "updated": 0, "deleted": 0, "ignored": 1, "total": 9}
    (failed,) = run.state.failed
    assert (failed["index"], failed["error"]["details"]["errors"]) == (1, ["E1302"])


def test_what_depends_on_a_record_that_is_refused_is_refused_with_it(run_dhis2):
    run = run_dhis2(dhis2.tracker_import({"trackedEntities": [person(of="nothing0000"), person()]}, query=OBJECT))

    (failed,) = run.state.failed
    assert failed["index"] == 0
    assert failed["error"]["details"]["errors"] == ["E1005", "E5000"]


def test_flat_payloads_count_their_records_across_the_types(dhis2_server, run_dhis2):
    payload = {
        "events": [event(1), event("old")],
        "trackedEntities": [{"trackedEntityType": TYPE, "orgUnit": UNIT}],
    }

    run = run_dhis2(dhis2.tracker_import(payload, query=OBJECT))

    assert list(dhis2_server.requests[0].body) == ["trackedEntities", "events"]
    assert [entry["index"] for entry in run.state.failed] == [2]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"status": "OK"},
        {"status": "OK", "stats": {}},
        {"status": "OK", "stats": None},
        {"httpStatusCode": 200, "status": "OK", "message": "Import was successful."},
        {"response": {"status": "SUCCESS", "importCount": {"imported": "2"}}},
        [],
        None,
        "OK",
        7,
    ],
)
@pytest.mark.parametrize(
    "operation",
    [dhis2.create("events", event()), dhis2.data_values({"dataValues": [visits()]}), dhis2.metadata_import({"x": []})],
    ids=lambda operation: operation.name,
)
def test_an_answer_that_counts_nothing_is_not_taken_for_a_success(dhis2_server, run_dhis2, body, operation):
    dhis2_server.fail(200, body, method="POST", headers={"Content-Type": "application/json"})

    run = run_dhis2(operation)

    assert run.outcome == "unknown"
    assert run.error.code in ("unexpected_response", "unknown_outcome")


@pytest.mark.parametrize("body", [{"id": "x"}, {"status": "OK"}, [], {"status": "ERROR", "httpStatusCode": 200}])
@pytest.mark.parametrize(
    "operation",
    [
        dhis2.create("dataElements", {"name": "x"}),
        dhis2.update("dataElements", AGE, {"name": "x"}),
        dhis2.patch("dataElements", AGE, {"name": "x"}),
        dhis2.delete("dataElements", AGE),
    ],
    ids=lambda operation: operation.name,
)
def test_an_answer_to_a_write_of_one_object_says_that_it_is_done(dhis2_server, run_dhis2, body, operation):
    dhis2_server.fail(200, body)

    run = run_dhis2(operation)

    assert (run.outcome, run.error.code) == ("unknown", "unexpected_response")


def test_an_object_that_is_refused_is_a_failure_with_its_property(run_dhis2):
    run = run_dhis2(dhis2.create("dataElements", {"name": "Births"}))

    assert (run.outcome, run.error.details["errors"]) == ("failed", ["E4000"])
    assert "E4000 shortName" in run.error.message


@pytest.mark.parametrize("version", ["2.37", "2.42"])
def test_metadata_is_imported_and_its_report_read(run_dhis2, version):
    good = {"id": "FTRrcoaog83", "name": "Births", "shortName": "Births", "valueType": "NUMBER"}
    payload = {"dataElements": [good, {"id": "hEzd5Z3fBSx", "name": "Deaths"}]}
    with FakeDhis2(version) as fake:
        whole = run_dhis2(dhis2.metadata_import(payload, "CREATE"), fake=fake)
        partly = run_dhis2(dhis2.metadata_import(payload, "CREATE", query={"atomicMode": "NONE"}), fake=fake)

        assert list(fake.store.metadata["dataElements"]) == ["FTRrcoaog83"]
        assert asked(fake)[2] == {"importStrategy": "CREATE", "atomicMode": "NONE"}
    assert (whole.outcome, whole.error.details["errors"]) == ("failed", ["E4000"])
    assert (partly.outcome, [f["error"]["details"]["uid"] for f in partly.state.failed]) == ("partial", ["hEzd5Z3fBSx"])


@pytest.mark.parametrize("several", [True, False])
def test_old_tracker_endpoints_work_through_the_same_operations(run_dhis2, several):
    person = {"trackedEntityType": TYPE, "orgUnit": UNIT}
    unknown = {"trackedEntityType": "nothing0000", "orgUnit": UNIT}
    with FakeDhis2("2.35") as fake:
        equip(fake)
        records = [person, unknown] if several else person
        made = run_dhis2(dhis2.create("trackedEntityInstances", records), fake=fake)
        old = {"programStage": "wJ9OoZ6ZLxR", "orgUnit": UNIT, "eventDate": "2024-03-05"}
        event = run_dhis2(dhis2.create("events", old), fake=fake, legacy_tracker=True)
        uid = event.state.data["response"]["reference"]
        changed = run_dhis2(dhis2.update("events", uid, {**old, "status": "ACTIVE"}), fake=fake, legacy_tracker=True)
        read = run_dhis2(dhis2.get(f"events/{uid}"), fake=fake)
        gone = run_dhis2(dhis2.delete("events", uid), fake=fake, legacy_tracker=True)

        assert fake.store.tracker["events"] == {}
        assert {request.path for request in fake.requests} == {
            "/api/trackedEntityInstances",
            "/api/events",
            f"/api/events/{uid}",
        }
    assert (made.outcome, event.outcome, changed.outcome, gone.outcome) == (
        "partial" if several else "success",
        "success",
        "success",
        "success",
    )
    assert not several or [(f["index"], f["item"]) for f in made.state.failed] == [(1, unknown)]
    assert (read.state.data["status"], read.state.data["eventDate"]) == ("ACTIVE", "2024-03-05")


# Imports that go on in the background


@pytest.mark.parametrize("kind", ["tracker", "values", "metadata"])
def test_d34_dh_04_a_job_is_waited_for_and_its_report_judged(dhis2_server, run_dhis2, kind):
    dhis2_server.store.polls = 3
    operation, log, report = {
        "tracker": (dhis2.tracker_import({"events": [event("old")]}, asynchronous=True), "tracker/jobs/", "/report"),
        "values": (dhis2.data_values({"dataValues": [visits("x")]}, asynchronous=True), "system/tasks/", "DATAVALUE_"),
        "metadata": (dhis2.metadata_import({"dataElements": [{}]}, asynchronous=True), "system/tasks/", "METADATA_"),
    }[kind]

    run = run_dhis2(operation)

    post, *polls, last = dhis2_server.requests
    assert post.asked("async") == "true"
    assert len(polls) == 4
    assert all(log in poll.path for poll in polls)
    assert report in last.path
    assert (run.outcome, run.error.code) == ("failed", "dhis2_import_refused")
    assert len(run.error.details["errors"]) == 1


def test_d34_a_job_that_goes_well_gives_its_report(dhis2_server, run_dhis2):
    dhis2_server.store.polls = 1

    run = run_dhis2(dhis2.tracker_import({"events": [event(1), event("old")]}, query=OBJECT, asynchronous=True))

    assert (run.outcome, run.state.data["stats"]["created"]) == ("partial", 1)
    assert run.state.failed[0]["item"]["dataValues"][0]["value"] == "old"


def test_a_job_can_be_waited_for_later_by_what_dhis2_answered(dhis2_server, run_dhis2):
    dhis2_server.store.polls = 1

    run = run_dhis2(
        dhis2.tracker_import({"events": [event(1), event("old")]}, query={"async": True, **OBJECT}).into("job"),
        dhis2.import_job(state.job),
    )

    assert (run.outcome, run.state.data["stats"]["created"]) == ("partial", 1)
    assert [(f["item"], f["error"]["details"]["errors"]) for f in run.state.failed] == [(None, ["E1302"])]


def test_a_job_can_be_named_by_its_identifier_and_kind(dhis2_server, run_dhis2):
    job = dhis2_server.store.start("DATAVALUE_IMPORT", {"status": "SUCCESS", "importCount": {"imported": 1}})

    run = run_dhis2(dhis2.import_job(job.uid, kind="DATAVALUE_IMPORT"))

    assert (run.outcome, run.state.data["importCount"]) == ("success", {"imported": 1})
    assert run_dhis2(dhis2.import_job(job.uid, kind="../me")).error.code == "bad_argument"
    assert run_dhis2(dhis2.import_job({"id": job.uid})).error.code == "bad_argument"


def test_dh_04_a_job_that_dhis2_has_forgotten_is_unknown(dhis2_server, run_dhis2):
    dhis2_server.before = lambda request: dhis2_server.restart() if request.method == "GET" else None

    run = run_dhis2(dhis2.tracker_import({"events": [event()]}, asynchronous=True))

    job = dhis2_server.requests[1].path.rpartition("/")[2]
    assert (run.outcome, run.error.code) == ("unknown", "import_job_unknown")
    assert run.error.details["job"] == job
    assert f"does not know the import job {job} any more" in run.error.message


@pytest.mark.parametrize("name", ["tracker", "values"])
def test_dh_04_a_job_that_never_ends_is_unknown(dhis2_server, run_dhis2, name):
    dhis2_server.store.polls = None
    operation = {
        "tracker": dhis2.tracker_import({"events": [event()]}, asynchronous=True, timeout=0.5),
        "values": dhis2.data_values({"dataValues": [visits()]}, asynchronous=True, timeout=0.5),
    }[name]

    run = run_dhis2(operation)

    assert (run.outcome, run.error.code) == ("unknown", "import_job_unknown")
    assert run.error.details["job"] in dhis2_server.store.jobs


def test_dh_04_a_job_that_nobody_can_be_asked_about_is_unknown(dhis2_server, run_dhis2):
    dhis2_server.fail(0, times=9, method="GET")

    run = run_dhis2(dhis2.tracker_import({"events": [event()]}, asynchronous=True), retry=0)

    assert (run.outcome, run.error.code) == ("unknown", "import_job_unknown")
    assert "nobody says how the import job" in run.error.message


def test_no_value_of_a_record_is_in_an_error_or_warning(dhis2_server, run_dhis2, caplog):
    secret = "Wanjiku-4711"
    records = [event(secret), event(3), {**person(), "trackedEntityType": secret}]
    with caplog.at_level("DEBUG"):
        runs = [
            run_dhis2(dhis2.create("events", records[:2], query=OBJECT)),
            run_dhis2(dhis2.create("events", records[:1])),
            run_dhis2(dhis2.create("trackedEntities", records[2])),
            run_dhis2(dhis2.data_values({"dataValues": [visits(secret), visits(1)]})),
            run_dhis2(dhis2.data_values({"dataValues": [visits(secret), visits(1)]}, allow_ignored=True)),
            run_dhis2(dhis2.data_values({"dataValues": [visits(1, dataElement=VISITS, orgUnit=secret), visits(1)]})),
        ]

    told = [
        run.state.get("errors") or run.state.get("warnings") or [f["error"] for f in run.state.failed] for run in runs
    ]
    assert len(told) == 6
    assert secret not in str(told) + caplog.text
