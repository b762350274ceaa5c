"""What is read from DHIS2: single objects that are looked for, all pages of a list, tables."""

import pytest
from crossdock import state
from crossdock.adaptors import dhis2
from crossdock_dhis2.testing import FakeDhis2
from fix_dhis2 import AGE, PROGRAM, STAGE, UNIT, VISITS, asked, equip, event, visits

BIRTHS = {"name": "Births", "shortName": "Births", "valueType": "NUMBER", "code": "BIRTHS"}


def fill(fake, number):
    """Put numbered events in, and give their identifiers in the order in which they were made."""
    uids = [f"EV{number:09}" for number in range(number)]
    for uid in uids:
        fake.add("events", event(event=uid))
    return uids


# One object


def test_d16_upsert_replaces_what_is_found(dhis2_server, run_dhis2):
    dhis2_server.add("dataElements", {**BIRTHS, "id": "FTRrcoaog83"})

    run = run_dhis2(dhis2.upsert("dataElements", {"filter": "code:eq:BIRTHS"}, {**BIRTHS, "name": "All births"}))

    assert [asked(dhis2_server, n) for n in range(2)] == [
        ("GET", "/api/dataElements", {"filter": "code:eq:BIRTHS"}),
        ("PUT", "/api/dataElements/FTRrcoaog83", {}),
    ]
    assert run.state.data["response"]["uid"] == "FTRrcoaog83"
    assert dhis2_server.store.metadata["dataElements"]["FTRrcoaog83"]["name"] == "All births"


def test_d17_upsert_creates_what_is_not_found(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.upsert("dataElements", {"filter": "code:eq:BIRTHS"}, BIRTHS))

    assert [request.method for request in dhis2_server.requests] == ["GET", "POST"]
    assert run.outcome == "success"


@pytest.mark.parametrize("resource", ["dataElements", "events"])
def test_d18_dh_07_several_hits_are_an_error_that_lists_them_and_nothing_is_written(dhis2_server, run_dhis2, resource):
    dhis2_server.add("dataElements", *({"id": uid, "code": "X"} for uid in ("aaaaaaaaaaa", "bbbbbbbbbbb")))
    fill(dhis2_server, 2)
    query = {"dataElements": {"filter": "code:eq:X"}, "events": {"program": PROGRAM}}[resource]

    run = run_dhis2(dhis2.upsert(resource, query, {}))

    uids = {"dataElements": ["aaaaaaaaaaa", "bbbbbbbbbbb"], "events": ["EV000000000", "EV000000001"]}[resource]
    assert (run.outcome, run.error.code, run.error.details["count"]) == ("failed", "ambiguous", 2)
    assert sorted(run.error.details["uids"]) == uids
    assert all(uid in run.error.message for uid in uids)
    assert [request.method for request in dhis2_server.requests] == ["GET"]


def test_d20_everything_in_an_upsert_may_be_lazy(dhis2_server, run_dhis2):
    run = run_dhis2(
        dhis2.upsert(lambda s: s.type, {"filter": state.filter}, state.record),
        state={"type": "dataElements", "filter": "code:eq:BIRTHS", "record": BIRTHS},
    )

    assert run.outcome == "success"
    assert dhis2_server.requests[1].body == BIRTHS


@pytest.mark.parametrize("version", ["2.38", "2.42"])
def test_upsert_of_the_trackers_with_a_query_writes_to_the_one_that_is_found(run_dhis2, version):
    query = {"filter": f"{AGE}:EQ:7", "fields": "event"}
    with FakeDhis2(version) as fake:
        equip(fake).add("events", event(7, event="EV1abcdefgh"))

        run = run_dhis2(dhis2.upsert("events", query, event(7, status="COMPLETED")), fake=fake)
        new = run_dhis2(dhis2.upsert("events", {"filter": f"{AGE}:EQ:8"}, event(8)), fake=fake)

        assert [asked(fake, n)[:2] for n in range(2)] == [("GET", "/api/tracker/events"), ("POST", "/api/tracker")]
        assert fake.store.tracker["events"]["EV1abcdefgh"]["status"] == "COMPLETED"
        assert len(fake.store.tracker["events"]) == 2
    assert (run.outcome, new.outcome) == ("success", "success")


def test_find_one_gives_none_or_the_hit(dhis2_server, run_dhis2):
    dhis2_server.add("events", event(7, event="EV1abcdefgh"))

    run = run_dhis2(
        dhis2.find_one("events", {"filter": f"{AGE}:EQ:7"}).into("hit"),
        dhis2.find_one("events", {"filter": f"{AGE}:EQ:8"}).into("none"),
        dhis2.find_one("organisationUnits", {"filter": "code:eq:KSM-01", "fields": "id"}).into("unit"),
    )

    assert run.state.hit["event"] == "EV1abcdefgh"
    assert (run.state.none, run.state.unit) == (None, {"id": UNIT})


def test_save_updates_what_was_found_and_creates_what_was_not(dhis2_server, run_dhis2):
    dhis2_server.add("events", event(7, event="EV1abcdefgh"))
    dhis2_server.add("dataElements", {**BIRTHS, "id": "FTRrcoaog83"})
    found = {"hit": {"event": "EV1abcdefgh"}, "element": {"id": "FTRrcoaog83"}, "none": None}

    run = run_dhis2(
        dhis2.save("events", event(8), found=state.hit),
        dhis2.save("events", event(9), found=state.none),
        dhis2.save("dataElements", {**BIRTHS, "code": "B"}, found=state.element),
        dhis2.save("dataElements", BIRTHS, found=state.none),
        state=found,
    )

    assert run.outcome == "success"
    assert [(request.method, request.asked("importStrategy")) for request in dhis2_server.requests] == [
        ("POST", "UPDATE"),
        ("POST", "CREATE"),
        ("PUT", ""),
        ("POST", ""),
    ]


# All of a list


def test_d25_tracker_export_sends_what_it_is_given(dhis2_server, run_dhis2):
    queries = [
        {"orgUnit": "T"},
        {"paging": False},
        {"page": 2, "pageSize": 10},
        {"totalPages": True, "pageSize": 10000},
        {"order": "createdAt:desc"},
    ]

    def keep_query(state):
        return state.replace(echoes=[*state.get("echoes", []), state.response["query"]])

    run = run_dhis2(*(step for query in queries for step in (dhis2.tracker_export("enrollments", query), keep_query)))

    assert run.state.echoes == queries
    assert [asked(dhis2_server, number) for number in range(len(queries))] == [
        ("GET", "/api/tracker/enrollments", {name: str(value).replace("False", "false").replace("True", "true")})
        if len(query) == 1
        else (
            "GET",
            "/api/tracker/enrollments",
            {key: str(item).replace("True", "true") for key, item in query.items()},
        )
        for query in queries
        for name, value in [next(iter(query.items()))]
    ]


def test_tracker_export_of_another_type_is_refused(dhis2_server, run_dhis2):
    assert run_dhis2(dhis2.tracker_export("dataElements")).error.code == "bad_argument"
    assert dhis2_server.requests == []


@pytest.mark.parametrize("version", ["2.38", "2.40", "2.41", "2.42"])
@pytest.mark.parametrize(("totals", "pages"), [(True, 2), (False, 3)])
def test_d26_all_pages_are_read_in_both_forms_of_the_pager(run_dhis2, version, totals, pages):
    with FakeDhis2(version) as fake:
        uids = fill(equip(fake), 4)
        query = {"program": PROGRAM, **({"totalPages": True} if totals else {})}

        run = run_dhis2(dhis2.get_all("tracker/events", query, size=2), fake=fake)

        assert [found["event"] for found in run.state.data] == uids
        assert [request.asked("page") for request in fake.requests] == [str(page) for page in range(1, pages + 1)]
    assert run.outcome == "success"


def test_d26_a_page_that_is_not_full_is_the_last(dhis2_server, run_dhis2):
    fill(dhis2_server, 5)

    run = run_dhis2(dhis2.get_all("tracker/events", size=2))

    assert (len(run.state.data), len(dhis2_server.requests)) == (5, 3)


def test_d26_metadata_has_its_totals_always(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.get_all("dataElements", {"fields": "id"}, size=1))

    assert run.state.data == [{"id": VISITS}, {"id": AGE}]
    assert [asked(dhis2_server, n)[2]["order"] for n in range(2)] == ["id:asc", "id:asc"]
    assert len(dhis2_server.requests) == 2


def test_d26_the_old_tracker_says_which_page_is_the_last(run_dhis2):
    with FakeDhis2("2.40") as fake:
        uids = fill(equip(fake), 4)

        run = run_dhis2(dhis2.get_all("events", size=2), fake=fake)

        assert [found["event"] for found in run.state.data] == uids
        assert len(fake.requests) == 2


def test_d26_who_asks_for_no_pages_gets_none(dhis2_server, run_dhis2):
    fill(dhis2_server, 4)

    run = run_dhis2(dhis2.get_all("tracker/events", {"paging": False}, size=2))

    assert (len(run.state.data), len(dhis2_server.requests)) == (4, 1)
    assert "page" not in asked(dhis2_server)[2]


def test_d26_what_has_no_pager_has_one_page(dhis2_server, run_dhis2):
    fill(dhis2_server, 1)
    run_dhis2(dhis2.data_values({"dataValues": [visits()]}))
    dhis2_server.requests.clear()

    run = run_dhis2(dhis2.get_all("dataValueSets", {"period": "202401"}, size=1))

    assert ([held["value"] for held in run.state.data], len(dhis2_server.requests)) == ([12], 1)


def test_dh_05_a_page_that_fails_for_a_moment_is_asked_for_again(dhis2_server, run_dhis2):
    uids = fill(dhis2_server, 6)
    dhis2_server.fail(502, "<html>Bad Gateway</html>", page=3)

    run = run_dhis2(dhis2.get_all("tracker/events", size=2))

    assert [found["event"] for found in run.state.data] == uids
    assert [request.asked("page") for request in dhis2_server.requests] == ["1", "2", "3", "3", "4"]


def test_dh_05_records_that_change_while_they_are_read_do_not_move(dhis2_server, run_dhis2):
    uids = fill(dhis2_server, 6)

    def change(request):
        dhis2_server.store.keep("events", dhis2_server.store.tracker["events"][uids[-1]])

    dhis2_server.before = change

    run = run_dhis2(dhis2.get_all("tracker/events", {"totalPages": True}, size=2))

    assert [found["event"] for found in run.state.data] == uids
    assert {request.asked("order") for request in dhis2_server.requests} == {"createdAt:asc"}
    assert "warnings" not in run.state


def test_dh_05_a_record_on_two_pages_is_given_once_and_counted(dhis2_server, run_dhis2):
    uids = fill(dhis2_server, 6)

    def change(request):  # a new one comes first, and pushes the others on
        if request.asked("page") == "2":
            dhis2_server.add("events", event(event="EVnew000000"))

    dhis2_server.before = change

    run = run_dhis2(dhis2.get_all("tracker/events", {"order": "updatedAt:desc", "totalPages": True}, size=2))

    assert sorted(found["event"] for found in run.state.data) == uids
    (warning,) = run.state.warnings
    assert (warning["code"], warning["removed"]) == ("dhis2_duplicates", 1)


def test_dh_05_totals_that_change_while_they_are_read_are_followed(dhis2_server, run_dhis2):
    fill(dhis2_server, 4)

    def grow(request):
        if request.asked("page") == "2":
            dhis2_server.add("events", event(event="EVlate00000"))

    dhis2_server.before = grow

    run = run_dhis2(dhis2.get_all("tracker/events", {"totalPages": True}, size=2))

    assert len(run.state.data) == 5
    assert [request.asked("page") for request in dhis2_server.requests] == ["1", "2", "3"]


# Tables and lookups


def test_analytics_gives_rows_as_objects(dhis2_server, run_dhis2):
    run_dhis2(dhis2.data_values({"dataValues": [visits(12)]}))

    run = run_dhis2(dhis2.analytics({"dimension": [f"dx:{VISITS}", "pe:202401", f"ou:{UNIT}"]}))

    assert run.state.data == [{"dx": VISITS, "pe": "202401", "ou": UNIT, "value": "12"}]
    assert dhis2_server.requests[-1].query["dimension"] == [f"dx:{VISITS}", "pe:202401", f"ou:{UNIT}"]


def test_org_units_are_found_by_code(dhis2_server, run_dhis2):
    dhis2_server.add("organisationUnits", *({"id": f"OU{n:09}", "code": f"C-{n}"} for n in range(120)))
    codes = [f"C-{n}" for n in range(120)]

    run = run_dhis2(dhis2.org_units([*codes, "C-3"]))

    assert run.state.data == {f"C-{n}": f"OU{n:09}" for n in range(120)}
    assert len(dhis2_server.requests) == 3


def test_a_code_of_no_org_unit_is_an_error_or_none(run_dhis2):
    wrong = run_dhis2(dhis2.org_units(["KSM-01", "KSM-99"]))
    null = run_dhis2(dhis2.org_units(["KSM-01", "KSM-99"], missing="null"))

    assert (wrong.outcome, "KSM-99" in wrong.error.message, "KSM-01" in wrong.error.message) == ("failed", True, False)
    assert null.state.data == {"KSM-01": UNIT, "KSM-99": None}


def test_discover_tells_what_this_instance_offers(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.discover().into("all"), dhis2.discover("dataElements").into("one"))

    assert {"dataElements", "organisationUnits", "dataValueSets"} <= run.state.all.keys()
    assert run.state.one == {"dataElements": run.state.all["dataElements"]}
    assert run.state.one["dataElements"]["path"] == "dataElements"
    assert run.state.one["dataElements"]["fields"]["name"] == {"type": "TEXT", "required": True, "writable": True}
    assert {request.path for request in dhis2_server.requests} == {"/api/resources.json", "/api/schemas.json"}
    assert STAGE in dhis2_server.store.metadata["programStages"]
