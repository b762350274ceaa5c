"""What goes out and how it comes back: bodies, keys, kinds of answers."""

import json

import pytest
from crossdock.adaptors import http
from crossdock_http import HttpConfiguration, HttpError
from werkzeug import Response


def test_h45_a_form_is_sent_as_a_form(httpserver, run_http):
    httpserver.expect_request("/x", method="POST").respond_with_handler(
        lambda request: Response(json.dumps(request.form.to_dict(flat=False)), content_type="application/json")
    )

    run = run_http(http.post("/x", form={"name": "A & B", "ids": [1, 2], "none": None, "flag": True}))

    assert run.state.data == {"name": ["A & B"], "ids": ["1", "2"], "flag": ["true"]}


def test_two_bodies_are_refused(httpserver, run_http):
    assert "json, body" in run_http(http.post("/x", {"a": 1}, body="b")).error.message
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("api_key", "sent"),
    [({"header": "X-API-Key"}, ("headers", "X-API-Key")), ({"query": "api_key"}, ("args", "api_key"))],
)
def test_an_api_key_goes_where_the_credential_says_and_is_masked(httpserver, run_http, api_key, sent):
    httpserver.expect_request("/x").respond_with_handler(lambda request: Response(getattr(request, sent[0])[sent[1]]))

    run = run_http(http.get("/x", query={"page": 1}), api_key={"value": "key-c4nary", **api_key})

    assert run.state.data == "***"
    assert getattr(httpserver.log[0][0], sent[0])[sent[1]] == "key-c4nary"


@pytest.mark.parametrize("api_key", [{"value": "key"}, {"value": "key", "header": "A", "query": "b"}])
def test_an_api_key_needs_one_place(api_key):
    with pytest.raises(ValueError, match="header or query"):
        HttpConfiguration(api_key=api_key)


@pytest.mark.parametrize(
    ("parse", "data"),
    [("text", "<a>é</a>"), ("xml", {"a": "é"}), ("lines", ["<a>é</a>"]), ("auto", {"a": "é"})],
)
def test_h05_an_answer_is_read_as_asked(httpserver, run_http, parse, data):
    httpserver.expect_request("/x").respond_with_data(
        "<a>é</a>".encode("latin-1"), content_type="text/xml; charset=latin-1"
    )

    assert run_http(http.get("/x", parse=parse)).state.data == data


def test_h05_bytes_are_given_as_they_are(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data(b"\xff\x00")

    assert run_http(http.get("/x", parse="bytes"), lambda s: s.result(len(s.data))).state.data == 2


@pytest.mark.parametrize(("charset", "said"), [("utf-8", "is false from byte 1 on"), ("klingon", "is not known")])
def test_a_false_or_unknown_charset_is_an_error_that_says_what_to_do(httpserver, run_http, charset, said):
    httpserver.expect_request("/x").respond_with_data(b"a\xff", content_type=f"text/plain; charset={charset}")

    error = run_http(http.get("/x")).error

    assert isinstance(error, HttpError)
    assert said in error.message
    assert "parse='bytes'" in error.fix


@pytest.mark.parametrize("status", [200, 204])
def test_h07_an_empty_answer_is_none(httpserver, run_http, status):
    httpserver.expect_request("/x").respond_with_data(b"", status=status, content_type="application/json")

    assert run_http(http.get("/x", parse="json")).state.data is None


def test_h41_head_gives_headers_and_no_data(httpserver, run_http):
    httpserver.expect_request("/x", method="HEAD").respond_with_json({"a": 1}, headers={"X-Count": "7"})

    run = run_http(http.head("/x"), lambda s: s.replace(count=s.response["headers"]["x-count"]))

    assert (run.state.data, run.state.count) == (None, "7")
