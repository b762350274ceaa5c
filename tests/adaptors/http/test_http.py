"""The http adaptor on a real server."""

import json
import re
from urllib.parse import quote

import pytest
from crossdock import Job, Run, State, UnknownOutcomeError, Workflow, each, state
from crossdock.adaptors import http
from crossdock.testing import Close
from crossdock_http import (
    Client,
    HttpConfiguration,
    HttpConnectionError,
    HttpError,
    NoAnswerError,
    RedirectError,
    UrlError,
)
from werkzeug import Request, Response


def failure(run):
    assert run.outcome != "success"
    return run.error


def test_h02_a_json_answer_is_the_result_with_its_metadata_beside_it(httpserver, run_http):
    httpserver.expect_request("/people/7").respond_with_json({"name": "Amina"}, headers={"X-Page": "1"})
    seen = {}

    run = run_http(http.get("/people/7", query={"token": "abc"}), lambda s: seen.update(s.response) or s)

    assert run.state.data == {"name": "Amina"}
    assert (seen["status"], seen["method"], seen["headers"]["x-page"]) == (200, "GET", "1")
    assert seen["url"] == httpserver.url_for("/people/7")
    assert seen["duration"] > 0


@pytest.mark.parametrize(
    ("type_", "body", "data"),
    [
        ("application/json; charset=utf-8", b'{"n": 9007199254740993}', {"n": 9007199254740993}),
        ("application/fhir+json", b"[1]", [1]),
        ("text/xml", b"<a/>", {"a": ""}),
        ("application/atom+xml", b"<a b='1'/>", {"a": {"@b": "1"}}),
        ("application/xhtml+xml", b"<html/>", "<html/>"),
        ("text/plain; charset=latin-1", "é".encode("latin-1"), "é"),
        ("application/json", b"", None),
    ],
)
def test_h02_h06_and_h07_the_answer_is_read_as_what_it_says_it_is(httpserver, run_http, type_, body, data):
    httpserver.expect_request("/x").respond_with_data(body, content_type=type_)

    assert run_http(http.get("/x")).state.data == data


@pytest.mark.parametrize("body", [b"<html>Log in</html>", b'{"a": NaN}', b"{"])
def test_ht_14_and_h09_something_else_where_json_was_expected_says_so(httpserver, run_http, body):
    httpserver.expect_request("/x").respond_with_data(body, content_type="text/html")

    error = failure(run_http(http.get("/x", parse="json")))

    assert isinstance(error, HttpError)
    assert "text/html" in error.message
    assert "login" in error.fix


@pytest.mark.parametrize("value", [["x", "y"], [], [{"a": 1}], {"on": "2024-05-02"}, 0, False, "text"])
def test_h20_any_json_value_is_sent_as_json(httpserver, run_http, value):
    httpserver.expect_request("/x", method="POST").respond_with_handler(
        lambda request: Response(request.get_data(), content_type=request.content_type)
    )

    run = run_http(http.post("/x", value))

    assert run.state.data == value


def test_h39_every_method_reaches_the_server(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_handler(
        lambda request: Response(json.dumps(request.method), content_type="application/json")
    )

    run = run_http(
        http.get("/x").into("a"),
        http.post("/x").into("b"),
        http.put("/x").into("c"),
        http.patch("/x").into("d"),
        http.delete("/x").into("e"),
        http.request("report", "/x").into("f"),
    )

    assert [run.state[name] for name in "abcdef"] == ["GET", "POST", "PUT", "PATCH", "DELETE", "REPORT"]


def echo(request: Request) -> Response:
    return Response(
        json.dumps({"query": request.args.to_dict(flat=False), "headers": dict(request.headers)}),
        content_type="application/json",
    )


def test_h17_and_h18_query_and_headers_leave_none_away_and_repeat_lists(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_handler(echo)
    query = {"filter": ["a", "b"], "none": state.nothing, "flag": True, "n": 1, "q": 'a&b="é"'}

    run = run_http(http.get("/x?fixed=1", query=query, headers={"X-A": "1", "X-B": None}))

    assert run.state.data["query"] == {
        "fixed": ["1"],
        "filter": ["a", "b"],
        "flag": ["true"],
        "n": ["1"],
        "q": ['a&b="é"'],
    }
    assert run.state.data["headers"]["X-A"] == "1"
    assert "X-B" not in run.state.data["headers"]


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({"username": "u", "password": "pass word"}, "Basic dTpwYXNzIHdvcmQ="),
        ({"token": "t0ken"}, "Bearer t0ken"),
        ({"access_token": "t0ken"}, "Bearer t0ken"),
        ({"token": "user:key1", "scheme": "ApiKey"}, "ApiKey user:key1"),
        ({}, None),
    ],
)
def test_h13_and_h14_credentials_go_into_the_authorization_header(httpserver, run_http, fields, header):
    httpserver.expect_request("/x").respond_with_handler(echo)
    seen = []

    run_http(http.get("/x"), lambda s: seen.append(s.data["headers"].get("Authorization")) or s, **fields)

    assert seen == [header]


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "u"},
        {"username": "u", "password": "pass", "token": "token"},
        {"base_url": "ftp://x"},
        {"base_url": "https://u:pw@x"},
    ],
)
def test_a_configuration_that_can_not_be_is_refused(fields):
    with pytest.raises(ValueError, match="Value error"):
        HttpConfiguration(**fields)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_ht_12_and_h25_an_error_status_is_an_error_with_one_request(httpserver, run_http, status):
    httpserver.expect_request("/x").respond_with_json({"detail": "no"}, status=status)

    run = run_http(http.get("/x", query={"key": "s3cret-key"}))

    error = failure(run)
    assert (error.details["status"], error.details["method"], error.details["system"]) == (status, "GET", "api")
    assert error.answer.data == {"detail": "no"}
    assert error.transient is False
    assert "s3cret-key" not in str(run.state)
    assert len(httpserver.log) == 1


def test_h26_a_status_that_is_expected_is_no_error(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json(None, status=404)

    assert run_http(http.get("/x", ok={404}), lambda s: s.result(s.response["status"])).state.data == 404


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
def test_a_status_that_may_pass_is_transient(httpserver, run_http, status):
    httpserver.expect_request("/x").respond_with_data("", status=status)

    assert failure(run_http(http.get("/x"))).transient is True


@pytest.mark.parametrize("status", [301, 302, 303])
def test_ht_07_and_h32_a_redirected_write_is_an_error_and_not_an_empty_get(httpserver, run_http, status):
    httpserver.expect_request("/x").respond_with_data("", status=status, headers={"Location": "/y"})

    error = failure(run_http(http.post("/x", {"a": 1})))

    assert isinstance(error, RedirectError)
    assert "base_url" in error.fix
    assert len(httpserver.log) == 1


@pytest.mark.parametrize("status", [307, 308])
def test_ht_07_and_h32_a_write_is_sent_on_where_its_method_and_body_stay(httpserver, run_http, status):
    httpserver.expect_request("/x").respond_with_data("", status=status, headers={"Location": "/y"})
    httpserver.expect_request("/y", method="POST", json={"a": 1}).respond_with_json("there")
    httpserver.expect_request("/far").respond_with_data(
        "", status=status, headers={"Location": "http://other.example/y"}
    )

    assert run_http(http.post("/x", {"a": 1})).state.data == "there"
    assert isinstance(failure(run_http(http.post("/far", {"a": 1}))), RedirectError)


def test_h30_and_h34_a_read_follows_a_redirect_and_not_for_ever(httpserver, run_http):
    httpserver.expect_request("/near").respond_with_data("", status=302, headers={"Location": "/there"})
    httpserver.expect_request("/there").respond_with_json("there")
    httpserver.expect_request("/loop").respond_with_data("", status=302, headers={"Location": "/loop"})

    assert run_http(http.get("/near")).state.data == "there"
    assert isinstance(failure(run_http(http.get("/loop"))), RedirectError)


@pytest.mark.parametrize(
    "value", ["../admin", "a/b", "x?admin=1", "x#f", "é", "a b", "%2e%2e", "//evil", "..;", "http://evil/"]
)
def test_ht_19_a_value_in_a_path_is_one_segment(httpserver, run_http, value):
    httpserver.expect_request(re.compile(".*")).respond_with_handler(
        lambda request: Response(request.environ["REQUEST_URI"])
    )

    run = run_http(http.get("/people/{id}", params={"id": value}, parse="text"))

    assert run.state.data == f"/people/{quote(value, safe='')}"


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_ht_19_an_empty_value_in_a_path_is_refused(run_http, httpserver, value):
    assert isinstance(failure(run_http(http.get("/people/{id}", params={"id": value}))), UrlError)
    assert httpserver.log == []


@pytest.mark.parametrize(
    "path",
    [
        "../admin",
        "/a/../../admin",
        "/%2e%2e/x",
        "/a/..%2f",
        "//evil/x",
        "http://evil.example/",
        "/a/..;/",
        "/\\..\\",
        "file:///etc/passwd",
        "/a\r\nX: 1",
    ],
)
def test_ht_19_a_path_that_leaves_the_base_url_is_refused(run_http, httpserver, path):
    assert isinstance(failure(run_http(http.get(path))), UrlError)
    assert httpserver.log == []


def test_h38_no_connection_is_transient_and_names_the_place(closed_port, run_job):
    error = failure(run_job(http.post("/x", {}), credentials={"api": {"adaptor": "http", "base_url": closed_port.url}}))

    assert isinstance(error, HttpConnectionError)
    assert error.transient
    assert f"127.0.0.1:{closed_port.port}" in error.message


def test_ht_01_a_write_without_an_answer_is_unknown_and_a_read_is_not(faulty_server, run_job):
    credentials = {"api": {"adaptor": "http", "base_url": faulty_server(Close()).url}}

    wrote = run_job(http.post("/x", {}), credentials=credentials)
    read = run_job(http.get("/x"), credentials=credentials)

    assert (wrote.outcome, type(wrote.error)) == ("unknown", UnknownOutcomeError)
    assert (read.outcome, type(read.error), read.error.transient) == ("failed", NoAnswerError, True)


def pages(httpserver, path, *answers):
    for query, answer in answers:
        httpserver.expect_request(path, query_string=query).respond_with_json(answer)


def test_h48_get_all_follows_next(httpserver, run_http):
    url = httpserver.url_for("/v")
    pages(
        httpserver,
        "/v",
        ("limit=2", {"results": [1, 2], "next": f"{url}?start=2", "count": 3}),
        ("start=2", {"results": [3], "next": None, "count": 3}),
    )

    assert run_http(http.get_all("/v", query={"limit": 2})).state.data == [1, 2, 3]


def test_get_all_refuses_a_next_that_repeats_or_leaves(httpserver, run_http):
    pages(
        httpserver, "/loop", ("", {"results": [], "next": "/loop?p=1"}), ("p=1", {"results": [], "next": "/loop?p=1"})
    )
    pages(httpserver, "/away", ("", {"results": [], "next": "http://other.example/away"}))

    assert "read before" in failure(run_http(http.get_all("/loop"))).message
    assert "another origin" in failure(run_http(http.get_all("/away"))).message


def test_get_all_needs_to_know_where_the_items_are(httpserver, run_http):
    httpserver.expect_request("/v").respond_with_json({"a": [1], "b": [2]})

    assert "a, b" in failure(run_http(http.get_all("/v"))).message
    assert run_http(http.get_all("/v", items="b")).state.data == [2]


def test_c23_and_h43_each_item_is_posted_with_its_own_values(httpserver, run_http):
    httpserver.expect_request("/x", method="POST").respond_with_json({})

    run_http(
        each(state["items"], http.post("/x", {"id": state.data["id"]})), state={"items": [{"id": n} for n in (1, 2, 3)]}
    )

    assert [json.loads(request.get_data()) for request, _ in httpserver.log] == [{"id": 1}, {"id": 2}, {"id": 3}]


def test_one_client_serves_a_run_and_is_closed(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({})
    clients = []

    run_http(
        http.get("/x"),
        lambda s: clients.append(http.adaptor.connection) or s,
        http.get("/x"),
        lambda s: clients.append(http.adaptor.connection) or s,
    )

    assert clients[0] is clients[1]
    with pytest.raises(RuntimeError, match="not open"):
        clients[0].get("/x")


def test_a_client_that_is_not_open_says_so():
    with pytest.raises(RuntimeError, match="with statement"):
        Client(HttpConfiguration(base_url="https://x.example")).get("/x")


def test_h10_without_a_base_url_a_whole_url_is_needed(httpserver, run_job):
    httpserver.expect_request("/x").respond_with_json("open")

    anywhere = {"api": {"adaptor": "http", "allow_private_addresses": True}}

    assert run_job(http.get(httpserver.url_for("/x")), credentials=anywhere).state.data == "open"
    assert isinstance(failure(run_job(http.get("/x"))), UrlError)


def test_a_job_can_be_run_twice(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json("again")
    job = Job(http.get("/x"))
    url = httpserver.url_for("").rstrip("/")

    runs = [
        Run(Workflow.of(job), State(), credentials={"http": {"adaptor": "http", "base_url": url}}) for _ in range(2)
    ]

    assert [run.execute() for run in runs] == ["success", "success"]


@pytest.mark.parametrize("path", ["/people/7#x", "http://u:p@{host}/x", "http://x.example:99999/"])
def test_urls_with_a_fragment_a_user_or_no_port_are_refused(run_http, httpserver, path):
    run = run_http(http.delete(path.replace("{host}", f"localhost:{httpserver.port}")))

    assert isinstance(failure(run), UrlError)
    assert httpserver.log == []


def test_h15_a_header_of_the_credential_can_be_left_out(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_handler(echo)

    run = run_http(http.get("/x", headers={"authorization": None}), token="t0ken-value")

    assert "Authorization" not in run.state.data["headers"]


def test_endless_nesting_is_no_json(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("[" * 100_000, content_type="application/json")

    assert isinstance(failure(run_http(http.get("/x"))), HttpError)


def test_se_03_nothing_shows_what_a_client_knows():
    configuration = HttpConfiguration(base_url="https://x.example", token="t0ken-c4nary")

    with Client(configuration) as client:
        assert "c4nary" not in f"{configuration!r} {configuration} {client!r} {client} {client.url('/x')}"
