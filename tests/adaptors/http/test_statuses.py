"""Which status is an error, what it says, and what the job makes of it: ok, errors, redirects, deadlines."""

import socket
import time

import pytest
from crossdock import UnknownOutcomeError
from crossdock.adaptors import http
from crossdock_http import Client, DeadlineError, HttpConfiguration, HttpError, RedirectError
from werkzeug import Response


@pytest.fixture
def client(httpserver):
    with Client(HttpConfiguration(base_url=httpserver.url_for("").rstrip("/"))) as client:
        yield client


def status_of(state):
    return state.result([state.response["status"], state.data])


def test_h25_an_error_status_says_what_where_and_got(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({"detail": "gone"}, status=404, headers={"X-A": "1"})

    error = run_http(http.get("/x", query={"q": "c4nary"})).error

    assert error.message == f"GET {httpserver.url_for('/x')} answered 404 NOT FOUND"
    assert error.fix == "Check the path and base_url."
    assert {**error.details, "body": None} == {
        "status": 404,
        "method": "GET",
        "url": httpserver.url_for("/x"),
        "system": "api",
        "body": None,
    }
    assert error.answer.data == {"detail": "gone"}
    assert error.answer.response["headers"]["x-a"] == "1"
    assert error.answer.response["duration"] > 0


@pytest.mark.parametrize(
    ("status", "errors"), [(404, {404: False}), (502, {502: False}), (404, False), (500, False), (404, {404: None})]
)
def test_h26_a_status_that_the_job_lets_pass_is_no_error(httpserver, run_http, status, errors):
    httpserver.expect_request("/x").respond_with_json({"detail": "no"}, status=status)

    assert run_http(http.get("/x", errors=errors), status_of).state.data == [status, {"detail": "no"}]


def test_h26_what_errors_does_not_name_stays_as_it_is(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({}, status=500)

    assert run_http(http.get("/x", errors={404: False})).error.details["status"] == 500
    assert run_http(http.get("/x", errors={404: False}, ok={500})).outcome == "success"


@pytest.mark.parametrize("errors", [True, {404: True}])
def test_h26_true_is_an_error(httpserver, run_http, errors):
    httpserver.expect_request("/x").respond_with_json({}, status=404)

    assert run_http(http.get("/x", errors=errors, ok={200})).error.details["status"] == 404


@pytest.mark.parametrize(("status", "message"), [(404, "No Access"), (204, "No Content"), (200, "Not wanted")])
def test_h27_a_message_is_raised_for_its_status_also_for_a_good_one(httpserver, run_http, status, message):
    httpserver.expect_request("/x").respond_with_data("", status=status)

    error = run_http(http.get("/x", errors={status: message})).error

    assert isinstance(error, HttpError)
    assert (error.message, error.details["status"]) == (message, status)


def has(text):
    return lambda answer: text in answer.data["detail"] and f"refused: {answer.status} {answer.response['method']}"


def test_h28_a_function_of_the_answer_decides(httpserver, client):
    httpserver.expect_request("/x").respond_with_json({"detail": "already there"}, status=409)

    with pytest.raises(HttpError, match="refused: 409 POST"):
        client.post("/x", errors={409: has("already")})
    assert client.post("/x", errors={409: has("missing")}).data == {"detail": "already there"}


@pytest.mark.parametrize(("gives", "raises"), [(True, True), (False, False), (None, False), ("text", True)])
def test_h28_a_function_gives_what_stands_there_otherwise(httpserver, client, gives, raises):
    httpserver.expect_request("/x").respond_with_data("<nonsense", status=409, content_type="application/json")

    if not raises:
        assert client.get("/x", errors={409: lambda answer: gives}, parse="text").status == 409
        return
    with pytest.raises(HttpError):
        client.get("/x", errors={409: lambda answer: gives})


def test_h28_a_function_in_an_operation_gets_the_answer_too(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({"detail": "already there"}, status=409)

    assert run_http(http.post("/x", errors={409: has("already")})).error.message == "refused: 409 POST"
    assert run_http(http.post("/x", errors={409: has("missing")})).state.data == {"detail": "already there"}


def test_h29_true_makes_an_error_of_a_good_status_that_can_be_read(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({})

    assert run_http(http.get("/x", errors={200: True})).error.message.endswith("answered 200 OK")


def hop(server, path, to, status=302):
    server.expect_request(path).respond_with_data("", status=status, headers={"Location": to})


def test_h30_a_read_is_redirected_five_times(httpserver, run_http):
    for number, status in enumerate([301, 302, 303, 307, 308]):
        hop(httpserver, f"/{number}", f"/{number + 1}", status)
    httpserver.expect_request("/5").respond_with_json({"there": True})
    hop(httpserver, "/before", "/0")

    assert run_http(http.get("/0")).state.data == {"there": True}
    assert isinstance(run_http(http.get("/before")).error, RedirectError)


@pytest.mark.parametrize("options", [{"ok": {302}}, {"errors": {302: False}}])
def test_h31_a_redirect_that_the_job_wants_to_see_is_not_followed(httpserver, run_http, options):
    """Upstream says ``maxRedirections: 0``; here the status counts as success."""
    hop(httpserver, "/x", "/y")

    run = run_http(
        http.get("/x", **options), lambda s: s.result([s.response["status"], s.response["headers"]["location"]])
    )

    assert run.state.data == [302, "/y"]
    assert len(httpserver.log) == 1


def test_where_no_status_is_an_error_a_read_is_led_on_and_a_write_ends(httpserver, run_http):
    hop(httpserver, "/x", "/y")
    httpserver.expect_request("/y").respond_with_json("there", status=404)

    read = run_http(http.get("/x", errors=False))
    wrote = run_http(http.post("/x", {}, errors=False), lambda s: s.result(s.response["status"]))

    assert (read.state.data, wrote.state.data) == ("there", 302)


def test_h32_a_redirected_post_is_an_error_or_sent_on_whole(httpserver, run_http):
    hop(httpserver, "/moved", "/y")
    hop(httpserver, "/kept", "/y", 307)
    httpserver.expect_request("/y", method="POST", json={"a": 1}).respond_with_json("there")

    error = run_http(http.post("/moved", {"a": 1})).error

    assert isinstance(error, RedirectError)
    assert run_http(http.post("/kept", {"a": 1})).state.data == "there"


def test_h34_a_loop_ends_after_five_redirects(httpserver, run_http):
    hop(httpserver, "/x", "/x")

    error = run_http(http.get("/x")).error

    assert isinstance(error, RedirectError)
    assert "redirected more than 5 times" in error.message
    assert len(httpserver.log) == 6


@pytest.mark.parametrize("build", [http.post, http.put, http.patch])
def test_h51_a_write_that_was_moved_says_how_to_mend_it(httpserver, run_http, build):
    """Upstream's common ``get`` raises at a 301, too; here reads follow it, and writes say what to do."""
    hop(httpserver, "/x", "/y", 301)

    error = run_http(build("/x", {})).error

    assert (error.code, error.details["status"]) == ("redirected", 301)
    assert httpserver.url_for("/y") in error.message
    assert "base_url" in error.fix


def test_h51_a_207_is_fine(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("<a/>", status=207, content_type="text/plain")

    assert run_http(http.get("/x"), status_of).state.data == [207, "<a/>"]


@pytest.mark.parametrize("way", ["option", "credential"])
def test_h37_a_system_that_is_too_slow_is_an_error_in_time(run_job, way):
    options, fields = ({"timeout": 0.3}, {}) if way == "option" else ({}, {"timeout": 0.3})
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        credentials = {"api": {"adaptor": "http", "base_url": url, **fields}}
        started = time.monotonic()
        read = run_job(http.get("/x", **options), credentials=credentials)
        wrote = run_job(http.post("/x", {}, **options), credentials=credentials)

    assert isinstance(read.error, DeadlineError)
    assert read.error.message == f"GET {url}/x: no whole answer within 0.3 s"
    assert isinstance(wrote.error, UnknownOutcomeError)
    assert 0.6 <= time.monotonic() - started < 5


@pytest.mark.parametrize(("status", "fix"), [(401, "password"), (403, "right"), (404, "base_url"), (429, "rate")])
def test_a_status_that_people_meet_says_what_to_do(httpserver, run_http, status, fix):
    httpserver.expect_request("/x").respond_with_handler(lambda request: Response("", status=status))

    assert fix in run_http(http.get("/x")).error.fix
