"""What a request is given: lazily, by its name, and refused before anything is sent."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from crossdock import each, state
from crossdock.adaptors import http
from crossdock.errors import ArgumentError
from crossdock_http import Client, HttpConfiguration
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug import Response


@pytest.fixture
def client(httpserver):
    with Client(HttpConfiguration(base_url=httpserver.url_for("").rstrip("/"))) as client:
        yield client


def test_h17_a_header_of_the_request_is_sent(httpserver, run_http):
    httpserver.expect_request("/x", headers={"X-Crossdock": "testing"}).respond_with_json("seen")

    assert run_http(http.get("/x", headers={"x-crossdock": "testing"})).state.data == "seen"


def test_h42_whatever_a_request_is_given_may_depend_on_the_state(httpserver, run_http):
    httpserver.expect_request(
        "/people/7", method="PUT", query_string="q=Amina", json={"name": "Amina"}
    ).respond_with_json("done", headers={"X-Seen": "1"})

    run = run_http(
        http.request(
            lambda s: s.data["how"],
            lambda s: f"/people/{s.data['id']}",
            json=lambda s: {"name": s.data["name"]},
            query={"q": state.data["name"]},
            headers=lambda s: {"X-Id": str(s.data["id"])},
        ),
        state={"data": {"how": "put", "id": 7, "name": "Amina"}},
    )

    assert run.state.data == "done"
    assert httpserver.log[0][0].headers["X-Id"] == "7"


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_h43_each_sends_one_request_for_each_item_in_order(httpserver, run_http, method):
    httpserver.expect_request("/x").respond_with_json({})
    build = getattr(http, method)

    run = run_http(each(state.data, build("/x", json=lambda s: {"id": s.data})), state={"data": [1, 2, 3]})

    assert run.outcome == "success"
    assert [json.loads(request.get_data()) for request, _ in httpserver.log] == [{"id": 1}, {"id": 2}, {"id": 3}]


def test_h43_each_gets_in_order(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({})

    run_http(each(state.data, http.get("/x", query={"id": state.data})), state={"data": [1, 2, 3]})

    assert [request.args["id"] for request, _ in httpserver.log] == ["1", "2", "3"]


V1 = ["successCodes", "gzip", "keepCookie", "agentOptions", "followAllRedirects", "maxRedirects", "maxRedirections"]
V1 += ["responseType", "encoding", "qs", "formData", "authentication", "auth", "contentType", "parseAs", "tls"]


@pytest.mark.parametrize("option", V1)
def test_h45_an_option_of_old_jobs_is_refused_by_its_name(option):
    """Upstream ignores what it does not know; here the job does not even load."""
    with pytest.raises(TypeError, match=f"'{option}'"):
        http.get("/x", **{option: None})


# option: what it can't be, what is said, part of how to write it
WRONG = {
    "params": (["7"], "params can't be this list", "params={'id': 7}"),
    "query": ("a=1", "query can't be this str", "query={'page': 2}"),
    "headers": ([("a", "1")], "headers can't be this list", "headers={"),
    "form": ([("a", 1)], "form can't be this list", "form={"),
    "multipart": ("a=1", "multipart can't be this str", "multipart={"),
    "body": ({"a": 1}, "body can't be this dict", "json=…"),
    "parse": ("yaml", "parse can't be 'yaml'", "one of auto, json"),
    "charset": ("klingon", "charset can't be 'klingon'", "charset='latin-1'"),
    "ok": (404, "ok can't be 404", "ok={404}"),
    "errors": ({"404": False}, "errors can't be this dict", "errors={404: False}"),
    "timeout": (0, "timeout can't be 0", "timeout=30"),
    "retry": (-1, "retry can't be -1", "retry=2"),
    "idempotent": (7, "idempotent can't be this int", "the key"),
}


@pytest.mark.parametrize("option", WRONG)
def test_an_option_that_can_not_be_is_refused_before_a_write_is_sent(httpserver, run_http, option):
    value, said, fix = WRONG[option]

    run = run_http(http.request("POST", "/x", **{option: value}))

    assert (run.outcome, type(run.error)) == ("failed", ArgumentError)
    assert said in run.error.message
    assert fix in run.error.fix
    assert httpserver.log == []


@pytest.mark.parametrize("value", [[404], {404}, (404,), frozenset({404}), range(400, 410)])
def test_ok_takes_any_collection_of_statuses(client, httpserver, value):
    httpserver.expect_request("/x").respond_with_data("", status=404)

    assert client.get("/x", ok=value).status == 404


@pytest.mark.parametrize("method", [None, "", "GE T", "GET /y HTTP/1.1\r\nX: 1", 7])
def test_a_method_that_is_no_word_is_refused(httpserver, run_http, method):
    assert isinstance(run_http(http.request(method, "/x")).error, ArgumentError)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("options", "where"),
    [
        ({"json": {"a": [{1, 2}]}}, "json can't be sent: a value of type set is not JSON at $.a[0]"),
        ({"json": {"a": float("nan")}}, "$.a"),
        ({"json": b"a"}, "json can't be sent"),
        ({"json": "\ud800"}, "json can't be sent"),
        ({"query": {"a": {1, 2}}}, "query['a'] can't be sent"),
        ({"query": {"a": b"x"}}, "query['a'] can't be sent"),
        ({"query": {"a": float("inf")}}, "query['a'] can't be sent"),
        ({"query": {"a": "\ud800"}}, "query['a'] can't be sent"),
        ({"form": {"a": [object()]}}, "form['a'] can't be sent"),
        ({"multipart": {"a": {"b": {1}}}}, "multipart['a'] can't be sent"),
        ({"body": "\ud800"}, "body can't be sent"),
        ({"headers": {"X-A": b"x"}}, "'X-A' can't be sent"),
    ],
)
def test_a_value_that_can_not_be_sent_is_named_and_not_shown(httpserver, run_http, options, where):
    run = run_http(http.request("POST", "/x", **options))

    assert (run.outcome, type(run.error)) == ("failed", ArgumentError)
    assert where in run.error.message
    assert "of the state" not in run.error.message
    assert httpserver.log == []


ON = datetime(2024, 5, 2, 10, 0, tzinfo=UTC)
ID = UUID("12345678123456781234567812345678")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (1.5, "1.5"),
        (Decimal("1.50"), "1.50"),
        (date(2024, 5, 2), "2024-05-02"),
        (ON, "2024-05-02T10:00:00+00:00"),
        (ID, str(ID)),
    ],
)
def test_a_value_is_the_same_text_in_path_query_form_and_header(httpserver, run_http, value, text):
    httpserver.expect_request(f"/x/{text}").respond_with_handler(
        lambda request: Response(
            json.dumps([request.args["v"], request.form["v"], request.headers["X-V"]]), content_type="application/json"
        )
    )
    given = {"v": value}

    run = run_http(http.post("/x/{v}", params=given, query=given, form=given, headers={"X-V": value}))

    assert run.state.data == [text] * 3


@pytest.mark.parametrize("name", ["X Name", "", "X:Name", "é", "X\n", 7, "Content-Length", "transfer-encoding"])
def test_a_header_name_that_can_not_be_is_refused(httpserver, run_http, name):
    run = run_http(http.post("/x", {}, headers={name: "a"}))

    assert (run.outcome, type(run.error)) == ("failed", ArgumentError)
    assert repr(str(name)) in run.error.message
    assert httpserver.log == []


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0b", "a\x01", " a", "a ", "\t", "é", ["a"], {"a": 1}])
def test_a_header_value_that_would_not_arrive_is_refused_by_name(httpserver, run_http, value):
    run = run_http(http.get("/x", headers={"X-Name": value}))

    assert isinstance(run.error, ArgumentError)
    assert "'X-Name'" in run.error.message
    assert httpserver.log == []


def test_an_idempotency_key_is_a_header_like_any_other(httpserver, run_http):
    assert isinstance(run_http(http.post("/x", {}, idempotent="a\r\nX: 1")).error, ArgumentError)
    assert httpserver.log == []

    httpserver.expect_request("/x").respond_with_json({})
    run_http(http.post("/x", {}, idempotent="key-7"), http.post("/x", {}, idempotent=True))

    first, second = (request.headers["Idempotency-Key"] for request, _ in httpserver.log)
    assert (first, len(second)) == ("key-7", 36)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(min_codepoint=1, max_codepoint=300), max_size=20))
@example("a\x7fb")
@example("a\tb")
@example("")
def test_a_header_arrives_as_it_is_or_is_refused(client, httpserver, value):
    httpserver.expect_request("/x").respond_with_handler(lambda request: Response(request.headers["X-V"]))
    before = len(httpserver.log)

    try:
        answer = client.get("/x", headers={"X-V": value}, parse="text")
    except ArgumentError:
        assert len(httpserver.log) == before
        assert not (value.isascii() and value.isprintable() and value == value.strip())
    else:
        assert (answer.data or "") == value
