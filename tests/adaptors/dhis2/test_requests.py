"""What is asked of DHIS2: paths, queries, headers, bodies; and what is refused before anything is asked."""

import threading
from base64 import b64encode

import pytest
from crossdock import each, state
from crossdock.adaptors import dhis2, http
from crossdock.errors import CredentialError, OptionError
from crossdock_dhis2.testing import FakeDhis2, Response
from fix_dhis2 import AGE, PROGRAM, UNIT, asked, equip, event, visits

ELEMENT = "FTRrcoaog83"
NEW = {"name": "Births", "shortName": "Births", "valueType": "NUMBER"}


def keep_response(state):
    """Keep the metadata of the last answer, which goes when the step ends."""
    return state.replace(seen=state.response)


def test_d01_a_list_in_a_query_repeats_its_key(dhis2_server, run_dhis2):
    dhis2_server.add("dataSets", {"id": "pBOMPrpg1QX"})
    query = {"dataSet": "pBOMPrpg1QX", "period": 201401, "orgUnit": UNIT, "filter": ["a:eq:b", "c:gt:2"], "fields": "*"}

    run = run_dhis2(dhis2.data_values({"dataValues": [visits(period="201401")]}), dhis2.get("dataValueSets", query))

    assert asked(dhis2_server)[:2] == ("GET", "/api/dataValueSets")
    assert dhis2_server.requests[-1].query["filter"] == ["a:eq:b", "c:gt:2"]
    assert [held["value"] for held in run.state.data["dataValues"]] == [12]


def test_d02_without_a_query_there_is_none(dhis2_server, run_dhis2):
    run_dhis2(dhis2.get("dataElements"))
    plain = asked(dhis2_server)
    run_dhis2(dhis2.get("dataElements", {"orgUnit": ["x", "y"]}))

    assert plain == ("GET", "/api/dataElements", {})
    assert asked(dhis2_server)[2] == {"orgUnit": ["x", "y"]}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "/api/dataElements"),
        ({"api_version": None}, "/api/dataElements"),
        ({"api_version": ""}, "/api/dataElements"),
        ({"api_version": 42}, "/api/42/dataElements"),
        ({"apiVersion": "42"}, "/api/42/dataElements"),
    ],
)
def test_d03_the_version_stands_in_the_path(dhis2_server, run_dhis2, fields, path):
    assert run_dhis2(dhis2.get("dataElements"), **fields).outcome == "success"
    assert asked(dhis2_server)[1] == path


@pytest.mark.parametrize("end", ["", "/", "/api", "/api/"])
def test_d03_an_instance_below_a_path_is_found_with_and_without_a_slash(run_dhis2, end):
    with FakeDhis2(context="/sub") as fake:
        run = run_dhis2(dhis2.get("nowhere"), fake=equip(fake), base_url=fake.url + end, api_version=42)

        assert (run.error.details["status"], asked(fake)[1]) == (404, "/sub/api/42/system/info")
        assert asked(fake, 0)[1] == "/sub/api/42/nowhere"


@pytest.mark.parametrize(
    "operation",
    [
        dhis2.get("dataElements", api_version=41),
        dhis2.create("dataElements", NEW, api_version=41),
        dhis2.create("events", event(), api_version=41),
        dhis2.get_all("dataElements", api_version=41),
    ],
)
def test_d04_an_operation_may_ask_for_another_version(dhis2_server, run_dhis2, operation):
    assert run_dhis2(operation, api_version=42).outcome == "success"
    assert asked(dhis2_server)[1].startswith("/api/41/")


def test_d05_a_token_goes_before_a_user(dhis2_server, run_dhis2):
    run_dhis2(dhis2.get("dataElements"), username="admin", password="district")

    assert dhis2_server.requests[-1].headers["authorization"] == "ApiToken d2pat_of_a_fake_DHIS2"


def test_d05_a_user_goes_as_basic_authentication(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.get("dataElements"), pat=None, username="admin", password="district")

    assert run.outcome == "success"
    assert dhis2_server.requests[-1].headers["authorization"] == f"Basic {b64encode(b'admin:district').decode()}"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pat": None}, "give a pat, or a username and password"),
        ({"pat": None, "username": "admin"}, "username and password go together"),
        ({"pat": None, "password": "district"}, "username and password go together"),
    ],
)
def test_d06_without_a_way_in_nothing_is_asked(dhis2_server, run_dhis2, fields, reason):
    with pytest.raises(CredentialError, match=reason) as raised:
        run_dhis2(dhis2.get("me"), **fields)

    assert "district" not in str(raised.value)
    assert dhis2_server.requests == []


@pytest.mark.parametrize("name", ["hostUrl", "host_url"])
def test_d07_the_old_name_of_the_address_is_known(dhis2_server, run_dhis2, name):
    assert run_dhis2(dhis2.get("dataElements"), base_url=None, **{name: dhis2_server.url}).outcome == "success"


def test_d07_the_oldest_name_of_the_address_is_known_and_told_of(dhis2_server, run_dhis2, caplog):
    assert run_dhis2(dhis2.get("dataElements"), base_url=None, apiUrl=dhis2_server.url).outcome == "success"
    assert "apiUrl of a dhis2 credential is deprecated: call it base_url" in caplog.text


def test_d08_without_a_credential_the_error_names_the_address(run_job):
    with pytest.raises(CredentialError, match="base_url: Field required"):
        run_job(dhis2.get("me"))


def test_d12_what_is_not_the_trackers_is_posted_as_it_is(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.create("dataElements", NEW, query={"importStrategy": "CREATE"}), keep_response)

    assert asked(dhis2_server) == ("POST", "/api/dataElements", {"importStrategy": "CREATE"})
    assert dhis2_server.requests[-1].body == NEW
    assert run.state.seen["status"] == 201
    assert run.state.seen["headers"]["location"].endswith(run.state.data["response"]["uid"])


def test_d13_create_tracker_is_an_error_that_names_the_import(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.create("tracker", {"events": []}))

    assert "tracker_import" in run.error.fix
    assert dhis2_server.requests == []


def test_d14_update_replaces_what_is_not_the_trackers(dhis2_server, run_dhis2):
    run = run_dhis2(
        dhis2.update("dataElements", AGE, {**NEW, "name": state.data["name"]}), state={"data": {"name": "Years"}}
    )

    assert run.outcome == "success"
    assert asked(dhis2_server) == ("PUT", f"/api/dataElements/{AGE}", {})
    assert dhis2_server.store.metadata["dataElements"][AGE]["name"] == "Years"


@pytest.mark.parametrize("record", [{"event": "EV1abcdefgh"}, {}])
def test_d15_update_imports_what_is_the_trackers_with_its_identifier(dhis2_server, run_dhis2, record):
    dhis2_server.add("events", event(event="EV1abcdefgh"))

    run = run_dhis2(dhis2.update("events", "EV1abcdefgh", {**event(4), **record}))

    assert run.outcome == "success"
    assert asked(dhis2_server) == ("POST", "/api/tracker", {"async": "false", "importStrategy": "UPDATE"})
    assert dhis2_server.requests[-1].body["events"][0]["event"] == "EV1abcdefgh"


def test_d15_update_refuses_a_record_of_another_identifier(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.update("events", "EV1abcdefgh", event(event="EV2abcdefgh")))

    assert "has another event" in run.error.message
    assert dhis2_server.requests == []


def test_d21_delete(dhis2_server, run_dhis2):
    dhis2_server.add("dataElements", {"id": ELEMENT})

    assert run_dhis2(dhis2.delete("dataElements", ELEMENT)).outcome == "success"
    assert asked(dhis2_server) == ("DELETE", f"/api/dataElements/{ELEMENT}", {})
    assert ELEMENT not in dhis2_server.store.metadata["dataElements"]


def test_d22_delete_of_the_trackers_sends_the_identifier(dhis2_server, run_dhis2):
    dhis2_server.add("trackedEntities", {"trackedEntity": "LcRd6Nyaq7T"})
    dhis2_server.add("events", {"event": "EV1abcdefgh"}, {"event": "EV2abcdefgh"})

    run = run_dhis2(
        dhis2.delete("trackedEntities", "LcRd6Nyaq7T"), dhis2.delete("events", ["EV1abcdefgh", "EV2abcdefgh"])
    )

    assert run.outcome == "success"
    assert [request.body for request in dhis2_server.requests] == [
        {"trackedEntities": [{"trackedEntity": "LcRd6Nyaq7T"}]},
        {"events": [{"event": "EV1abcdefgh"}, {"event": "EV2abcdefgh"}]},
    ]
    assert asked(dhis2_server)[2] == {"async": "false", "importStrategy": "DELETE"}
    assert dhis2_server.store.tracker["events"] == {}


def test_d22_several_that_are_not_the_trackers_are_deleted_one_by_one(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.delete("dataElements", [AGE, ELEMENT]))

    assert "each(" in run.error.fix
    assert dhis2_server.requests == []


def test_d27_the_http_adaptor_asks_dhis2_without_wrapping_anything(dhis2_server, run_job):
    token = dhis2_server.credential["pat"]
    entry = {"adaptor": "http", "base_url": dhis2_server.url, "token": token, "scheme": "ApiToken"}

    run = run_job(
        http.post("/api/tracker", {"events": [lambda s: event()]}, query={"importStrategy": "CREATE", "async": False}),
        keep_response,
        credentials={"raw": entry},
    )

    assert asked(dhis2_server)[2] == {"importStrategy": "CREATE", "async": "false"}
    assert dhis2_server.requests[-1].body == {"events": [event()]}
    assert run.state.seen["status"] == 200


def test_d28_patch_takes_an_empty_answer(dhis2_server, run_dhis2):
    dhis2_server.fail(204, method="PATCH")

    run = run_dhis2(dhis2.patch("dataElements", AGE, {"name": "n"}))

    assert (run.outcome, run.state.data) == ("success", None)
    assert asked(dhis2_server)[:2] == ("PATCH", f"/api/dataElements/{AGE}")


@pytest.mark.parametrize("changes", [[{"op": "replace", "path": "/name", "value": "n"}], {"name": "n"}])
def test_d29_patch_sends_a_json_patch(dhis2_server, run_dhis2, changes):
    run = run_dhis2(dhis2.patch("dataElements", AGE, changes))

    assert run.outcome == "success"
    assert dhis2_server.requests[-1].headers["content-type"] == "application/json-patch+json"
    assert isinstance(dhis2_server.requests[-1].body, list)
    assert dhis2_server.store.metadata["dataElements"][AGE]["name"] == "n"


def test_d29_what_belongs_to_the_tracker_is_not_patched(dhis2_server, run_dhis2):
    run = run_dhis2(dhis2.patch("events", "EV1abcdefgh", {"status": "ACTIVE"}))

    assert "update" in run.error.fix
    assert dhis2_server.requests == []


def test_d30_bytes_are_given_as_they_are_and_later_calls_are_not_changed_by_that(dhis2_server, run_dhis2):
    dhis2_server.fail(200, "not JSON", headers={"Content-Type": "image/png"}, path="image")

    def image(state):
        found = dhis2.get("trackedEntities/x/image", headers={"accept": "image/*"}, parse="bytes").result()
        return state.result(b64encode(found).decode())

    run = run_dhis2(image, dhis2.get("dataElements").into("elements"), dhis2.create("dataElements", NEW).into("made"))

    first, second, third = dhis2_server.requests
    assert run.state.data == b64encode(b"not JSON").decode()
    assert [first.headers["accept"], second.headers["accept"]] == ["image/*", "application/json"]
    assert third.headers["content-type"] == "application/json"


@pytest.mark.parametrize("type_", ["enrollments", "events", "relationships", "trackedEntities"])
def test_d38_types_of_the_tracker_go_through_the_tracker(dhis2_server, run_dhis2, type_):
    run_dhis2(dhis2.create(type_, {"orgUnit": UNIT}))

    assert asked(dhis2_server)[1] == "/api/tracker"


@pytest.mark.parametrize("type_", ["dataValueSets", "dataElements"])
def test_d38_other_types_have_their_own_path(dhis2_server, run_dhis2, type_):
    run_dhis2(dhis2.create(type_, {"dataValues": [visits()]}))

    assert asked(dhis2_server)[1] == f"/api/{type_}"


def test_d39_each_row_is_created_by_itself(dhis2_server, run_dhis2):
    run = run_dhis2(
        each(state.rows, dhis2.create("events", lambda s: event(s.data["age"]))),
        state={"rows": [{"age": 1}, {"age": 2}]},
    )

    assert run.outcome == "success"
    sent = [request.body["events"][0]["dataValues"][0]["value"] for request in dhis2_server.requests]
    assert sent == [1, 2]


def test_d40_a_get_has_no_body_and_the_options_of_a_request_count(dhis2_server, run_dhis2):
    run = run_dhis2(
        dhis2.get("nothing", errors={404: False}).into("a"),
        dhis2.get("nothing", ok={404}).into("b"),
        dhis2.update("dataElements", ELEMENT, NEW, errors={404: False}).into("c"),
        dhis2.find_one("nothing", errors={404: "it is not there"}).into("d"),
    )

    assert (run.outcome, run.error.message) == ("failed", "it is not there: E1005")
    assert dhis2_server.requests[0].headers.get("content-length") is None


def test_d40_a_timeout_is_kept(dhis2_server, run_dhis2):
    released = threading.Event()

    def wait(request):
        released.wait(5)

    dhis2_server.before = wait
    try:
        assert run_dhis2(dhis2.get("me", timeout=0.2, retry=0)).error.code == "deadline"
    finally:
        released.set()


def test_old_names_of_options_are_told(run_dhis2):
    with pytest.raises(OptionError, match="'apiVersion', which is called api_version="):
        dhis2.get("me", apiVersion=33)
    with pytest.raises(OptionError, match="'importStrategy', which is called strategy="):
        dhis2.tracker_import({}, importStrategy="CREATE")


# DH-08 and DH-09: who may come in, and where


def test_dh_08_a_token_that_is_not_accepted_is_an_error_that_names_the_setting(run_dhis2):
    run = run_dhis2(dhis2.get("me"), pat="d2pat_expired_and_secret")

    assert (run.outcome, run.error.code) == ("failed", "auth_failed")
    assert "pat" in run.error.fix
    assert "d2pat_expired" not in str(run.state) + str(run.error)


def test_dh_08_a_refusal_with_a_page_is_the_same_error(dhis2_server, run_dhis2):
    dhis2_server.fail(401, "<html>HTTP Status 401</html>")

    assert run_dhis2(dhis2.create("events", event())).error.code == "auth_failed"


@pytest.mark.parametrize("operation", [dhis2.get("me"), dhis2.create("events", event()), dhis2.get_all("me")])
def test_d35_a_login_page_is_no_data(dhis2_server, run_dhis2, operation):
    dhis2_server.fail(200, "<!DOCTYPE html><title>DHIS2 login</title>")

    run = run_dhis2(operation)

    assert (run.outcome, run.error.code) == ("failed", "login_page")
    assert "unexpected content" in run.error.message
    assert "user or token" in run.error.fix


def test_dh_09_a_redirect_to_the_login_is_a_login_page(dhis2_server, run_dhis2):
    pages = iter([Response(302, "", {"location": "/dhis-web-login/"}), Response(200, "<html>Log in</html>")])
    dhis2_server.before = lambda _: next(pages)

    run = run_dhis2(dhis2.get("me"))

    assert run.error.code == "login_page"
    assert "/dhis-web-login/" in run.error.message


@pytest.mark.parametrize("operation", [dhis2.get("me"), dhis2.create("events", event())])
def test_dh_09_an_instance_at_another_path_is_told(run_dhis2, operation):
    with FakeDhis2(context="/dhis") as fake:
        run = run_dhis2(operation, fake=fake, base_url=fake.url.removesuffix("/dhis"))

        assert run.outcome == "failed"
        assert "base_url" in run.error.fix
        assert f"{fake.url}" in run.error.fix + run.error.message


@pytest.mark.parametrize("operation", [dhis2.get("dataElements"), dhis2.create("events", event())])
def test_dh_09_a_version_that_there_is_not_is_told(dhis2_server, run_dhis2, operation):
    run = run_dhis2(operation, api_version=33)

    assert (run.error.code, run.error.details["status"]) == ("unsupported_api_version", 404)
    assert "version 33" in run.error.message
    assert "api_version" in run.error.fix


def test_dh_09_what_is_not_there_is_no_wrong_version(run_dhis2):
    run = run_dhis2(dhis2.get(f"dataElements/{ELEMENT}"), api_version=42)

    assert (run.error.code, run.error.details["errors"]) == ("dhis2_request_refused", ["E1005"])


# DH-10 and DH-11: identifiers and periods

BAD_UIDS = ["../users/x", "abcdefghij", "abcdefghijkl", "1bcdefghijk", "", None, "abc efghijk", "äbcdefghijk"]


@pytest.mark.parametrize("uid", BAD_UIDS)
@pytest.mark.parametrize("resource", ["dataElements", "events"])
def test_dh_10_what_is_no_identifier_is_refused_before_anything_is_asked(dhis2_server, run_dhis2, uid, resource):
    for operation in (dhis2.update(resource, uid, {}), dhis2.delete(resource, uid), dhis2.import_job(uid)):
        assert run_dhis2(operation).error.code == "bad_uid"
    assert run_dhis2(dhis2.patch("dataElements", uid, {})).error.code == "bad_uid"
    assert dhis2_server.requests == []


@pytest.mark.parametrize("uid", [uid for uid in BAD_UIDS if uid])
def test_dh_10_identifiers_in_records_are_checked_too(dhis2_server, run_dhis2, uid):
    nested = {"trackedEntities": [{"enrollments": [{"events": [{"event": uid}]}]}]}
    for operation in (
        dhis2.create("events", event(event=uid)),
        dhis2.create("events", event(enrollment=uid)),
        dhis2.tracker_import(nested),
        dhis2.save("events", event(), found=uid),
    ):
        run = run_dhis2(operation)
        assert run.error.code == "bad_uid"
        assert uid not in run.error.message
    assert dhis2_server.requests == []


@pytest.mark.parametrize("period", ["2024-13", "202413", "2024W54", "20240230", "last month", 20241301])
def test_dh_11_what_is_no_period_is_refused_before_anything_is_asked(dhis2_server, run_dhis2, period):
    for operation in (
        dhis2.data_values({"dataValues": [visits(period=period)]}),
        dhis2.data_values({"period": period, "dataValues": []}),
        dhis2.create("dataValueSets", {"period": period, "dataValues": [visits(period=None)]}),
        dhis2.get("dataValueSets", {"period": ["202401", period]}),
    ):
        assert run_dhis2(operation).error.code == "bad_period"
    assert dhis2_server.requests == []


def test_dh_11_an_organisation_unit_that_there_is_not_is_dhis2s_own_error(run_dhis2):
    run = run_dhis2(dhis2.create("events", event(orgUnit="nowhere0000")))

    assert (run.error.code, run.error.details["errors"]) == ("dhis2_import_refused", ["E1011"])


def test_dh_11_a_code_of_another_refusal_is_told(run_dhis2):
    run = run_dhis2(dhis2.analytics({"filter": "ou:x"}))

    assert (run.error.code, run.error.details) == (
        "dhis2_request_refused",
        {"status": 409, "errors": ["E7124"], "system": "hmis"},
    )


def test_references_that_are_no_identifiers_are_left_to_dhis2(dhis2_server, run_dhis2):
    run_dhis2(dhis2.create("events", event(program="CHILD", orgUnit="KSM-01"), query={"idScheme": "CODE"}))

    assert dhis2_server.requests[-1].body["events"][0]["program"] == "CHILD"
    assert PROGRAM != "CHILD"
