"""How an answer is read: by its type, as asked, in its charset; and what its metadata are."""

import gzip
import json
import zlib

import pytest
from crossdock.adaptors import http
from crossdock.errors import UnknownOutcomeError
from crossdock_http import HttpError
from werkzeug import Response


def test_h02_a_charset_makes_json_no_less_json(httpserver, run_http):
    httpserver.expect_request("/json").respond_with_data(b'{"x":23}', content_type="application/json; charset=utf-8")

    assert run_http(http.get("/json")).state.data == {"x": 23}


def test_h03_the_metadata_stand_in_response_without_the_body(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({"a": 1}, status=201, headers={"X-Count": "7"})

    response = run_http(http.get("/x", query={"q": "c4nary"}), lambda s: s.result(s.response)).state.data

    assert set(response) == {"method", "url", "status", "reason", "headers", "duration", "query"}
    assert (response["method"], response["status"], response["reason"]) == ("GET", 201, "CREATED")
    assert response["url"] == httpserver.url_for("/x")
    assert response["headers"]["x-count"] == "7"
    assert all(name == name.lower() for name in response["headers"])
    assert response["duration"] > 0


def test_h04_the_old_data_is_gone_unless_it_was_named(httpserver, run_http):
    """Upstream pushes the old data to ``references``; here ``.into`` names what is to stay."""
    httpserver.expect_request("/x").respond_with_json("new")
    before = {"data": {"triggering": "event"}, "counter": 1}

    def count(state):
        return state.replace(counter=state.counter + 1)

    replaced = run_http(count, http.get("/x"), count, state=before).state
    beside = run_http(http.get("/x").into("answer"), state=before).state

    assert (replaced.data, replaced.counter, "references" in replaced) == ("new", 3, False)
    assert (beside.data, beside.answer) == ({"triggering": "event"}, "new")


@pytest.mark.parametrize(
    ("type_", "parse", "data"),
    [
        ("application/json", "text", '{"a": 1}'),
        ("text/plain", "json", {"a": 1}),
        ("application/json", "lines", ['{"a": 1}']),
    ],
)
def test_h05_parse_counts_more_than_the_type(httpserver, run_http, type_, parse, data):
    httpserver.expect_request("/x").respond_with_data('{"a": 1}', content_type=type_)

    assert run_http(http.get("/x", parse=parse)).state.data == data


def test_h05_bytes_take_the_place_of_base64(httpserver, run_http):
    """Upstream gives base64 text; here ``bytes`` are bytes, which a job encodes where JSON needs it."""
    httpserver.expect_request("/x").respond_with_data(b"\x00\xff", content_type="image/png")

    run = run_http(http.get("/x", parse="bytes"), lambda s: s.result([type(s.data).__name__, list(s.data)]))

    assert run.state.data == ["bytes", [0, 255]]


@pytest.mark.parametrize("type_", ["application/fhir+json", "application/problem+json", "APPLICATION/JSON"])
def test_h06_every_type_of_json_is_json(httpserver, run_http, type_):
    httpserver.expect_request("/x").respond_with_data('{"a": 1}', content_type=type_)

    assert run_http(http.get("/x")).state.data == {"a": 1}


@pytest.mark.parametrize("method", ["get", "put", "post"])
@pytest.mark.parametrize("parse", [None, "json", "xml", "csv", "bytes", "lines", "text"])
@pytest.mark.parametrize("status", [200, 204])
def test_h07_nothing_is_none_however_it_is_read(httpserver, run_http, method, parse, status):
    httpserver.expect_request("/x").respond_with_data("", status=status)

    assert run_http(getattr(http, method)("/x", parse=parse)).state.data is None


def test_h08_a_body_without_a_type_is_text(httpserver, run_http):
    def answer(request):
        response = Response('{"a":1}')
        del response.headers["Content-Type"]
        return response

    httpserver.expect_request("/x").respond_with_handler(answer)

    assert run_http(http.get("/x")).state.data == '{"a":1}'


def test_h09_a_page_that_is_called_json_is_an_error_that_shows_it(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("<html>Log in</html>", content_type="application/json")

    error = run_http(http.get("/x")).error

    assert isinstance(error, HttpError)
    assert "answered 200 with what it calls JSON, and is not, of 19 bytes where JSON was expected" in error.message
    assert (error.details["status"], error.excerpt) == (200, "<html>Log in</html>")
    assert "Log in" not in str(error.details)


def test_h09_of_a_write_nobody_knows_whether_it_happened(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("<html>Log in</html>", content_type="application/json")

    assert isinstance(run_http(http.post("/x", {})).error, UnknownOutcomeError)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_h40_a_compressed_answer_is_read(httpserver, run_http, encoding):
    body = json.dumps({"a": "é" * 1000}).encode()
    packed = gzip.compress(body) if encoding == "gzip" else zlib.compress(body)
    httpserver.expect_request("/x").respond_with_data(
        packed, content_type="application/json", headers={"Content-Encoding": encoding}
    )

    run = run_http(http.get("/x"))

    assert run.state.data == {"a": "é" * 1000}
    assert encoding in httpserver.log[0][0].headers["Accept-Encoding"]


BOMB = b"""<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><a>&c;</a>"""
OUTSIDE = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>"""


@pytest.mark.parametrize(
    ("body", "data"),
    [
        (b"<a><b>1</b></a>", {"a": {"b": "1"}}),
        (b'<f:a xmlns:f="urn:f"><f:b>1</f:b></f:a>', {"f:a": {"@xmlns:f": "urn:f", "f:b": "1"}}),
    ],
)
def test_h49_xml_becomes_a_dict(httpserver, run_http, body, data):
    httpserver.expect_request("/x").respond_with_data(body, content_type="application/octet-stream")

    assert run_http(http.get("/x", parse="xml")).state.data == data


@pytest.mark.parametrize("body", [BOMB, OUTSIDE])
@pytest.mark.parametrize("parse", ["auto", "xml"])
def test_h49_entities_are_refused(httpserver, run_http, body, parse):
    httpserver.expect_request("/x").respond_with_data(body, content_type="application/xml")

    run = run_http(http.get("/x", parse=parse))

    assert isinstance(run.error, HttpError)
    assert "bbbb" not in f"{run.error} {run.state}"


def test_csv_becomes_a_dict_for_each_line(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data(
        'name,village\nAmina,"A, B"\nÉlodie,C\n'.encode("latin-1"), content_type="text/csv; charset=latin-1"
    )

    assert run_http(http.get("/x", parse="csv")).state.data == [
        {"name": "Amina", "village": "A, B"},
        {"name": "Élodie", "village": "C"},
    ]


def test_csv_that_is_none_is_an_error_and_after_a_write_unknown(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("a,b\n1,2,3\n", content_type="text/csv")

    error = run_http(http.get("/x", parse="csv")).error

    assert isinstance(error, HttpError)
    assert error.message.startswith(f"GET {httpserver.url_for('/x')} answered 200: ")
    assert run_http(http.post("/x", {}, parse="csv")).outcome == "unknown"


@pytest.mark.parametrize("parse", ["text", "lines", "csv", "xml"])
def test_the_charset_of_the_job_counts_more_than_that_of_the_system(httpserver, run_http, parse):
    body = {"csv": "a\né\n", "xml": "<a>é</a>"}.get(parse, "é")
    httpserver.expect_request("/x").respond_with_data(body.encode("cp1252"), content_type="text/plain; charset=utf-8")
    data = {"csv": [{"a": "é"}], "xml": {"a": "é"}, "lines": ["é"], "text": "é"}[parse]

    assert run_http(http.get("/x", parse=parse, charset="cp1252")).state.data == data


@pytest.mark.parametrize(
    ("type_", "text"),
    [('text/plain; charset="ISO-8859-1"', "é"), ("text/plain;CHARSET=latin-1", "é"), ("text/plain", None)],
)
def test_the_charset_of_the_system_is_read_however_it_is_written(httpserver, run_http, type_, text):
    httpserver.expect_request("/x").respond_with_handler(
        lambda request: Response("é".encode("latin-1"), headers={"Content-Type": type_})
    )

    assert run_http(http.get("/x")).state.get("data") == text
