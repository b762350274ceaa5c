"""Bodies that go out: JSON, text, forms, parts; and what they are called."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from email.parser import BytesParser
from uuid import UUID

import pytest
from crossdock.adaptors import http
from crossdock.errors import ArgumentError
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug import Response


@pytest.fixture
def sent(httpserver, run_http):
    """Run an operation, and give the request that the server got."""
    httpserver.expect_request("/x").respond_with_data("")

    def send(operation):
        run = run_http(operation)
        assert run.outcome == "success", run.error
        return httpserver.log[-1][0]

    return send


def test_h19_a_dict_is_posted_as_json(sent):
    request = sent(http.post("/x", {"name": "tony stark", "age": 24}))

    assert request.content_type == "application/json"
    assert json.loads(request.get_data()) == {"name": "tony stark", "age": 24}


@pytest.mark.parametrize(
    ("value", "body"), [(["x", "y"], b'["x","y"]'), ([], b"[]"), ([{"a": 1}], b'[{"a":1}]'), ({}, b"{}")]
)
def test_h20_a_list_is_a_json_list(sent, value, body):
    assert sent(http.post("/x", value)).get_data() == body


def test_h21_a_body_is_sent_as_it_is_and_none_is_empty(sent):
    """Upstream takes a text given as data for the body; here ``json`` makes JSON of it, and ``body`` does not."""
    raw = sent(http.post("/x", body="raw"))
    assert (raw.get_data(), raw.content_type) == (b"raw", "text/plain; charset=utf-8")

    assert sent(http.post("/x", body=b"\x00\xff")).get_data() == b"\x00\xff"
    assert sent(http.post("/x", "raw")).get_data() == b'"raw"'
    assert sent(http.post("/x", 5)).get_data() == b"5"

    empty = sent(http.post("/x"))
    assert (empty.get_data(), empty.headers["Content-Length"], empty.content_type) == (b"", "0", None)


def test_h22_dates_decimals_and_uuids_are_text_in_json(sent):
    value = {
        "at": datetime(2024, 5, 2, 10, 0, tzinfo=UTC),
        "on": date(2024, 5, 2),
        "price": Decimal("1.50"),
        "id": UUID("12345678123456781234567812345678"),
    }

    assert json.loads(sent(http.post("/x", value)).get_data()) == {
        "at": "2024-05-02T10:00:00+00:00",
        "on": "2024-05-02",
        "price": "1.50",
        "id": "12345678-1234-5678-1234-567812345678",
    }


def parts(request):
    """Give the parts of a multipart body: name → type and content."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.get_data())
    return {
        part.get_param("name", header="content-disposition"): (
            part.get_content_type() if "content-type" in part else None,
            part.get_payload(decode=True),
        )
        for part in message.get_payload()
    }


def test_h23_multipart_makes_parts_and_writes_its_own_content_type(sent):
    fields = {"a": 1, "b": {"c": 2}, "d": None, "e": ["x"], "f": b"\x00\xff", "g": True, "h": "é"}

    request = sent(http.post("/x", multipart=fields, headers={"Content-Type": "x/y; boundary=mine"}))

    assert request.content_type.startswith("multipart/form-data; boundary=")
    assert "mine" not in request.content_type
    assert parts(request) == {
        "a": (None, b"1"),
        "b": ("application/json", b'{"c":2}'),
        "e": ("application/json", b'["x"]'),
        "f": (None, b"\x00\xff"),
        "g": (None, b"true"),
        "h": (None, "é".encode()),
    }


def test_h24_a_media_type_is_given_in_full(sent):
    """Upstream has short names such as ``xml``; here ``content_type`` is the type itself, and nothing is guessed."""
    assert sent(http.post("/x", {"a": 1}, content_type="application/fhir+json")).content_type == "application/fhir+json"
    assert sent(http.post("/x", {"a": 1}, headers={"content-type": "x/y"})).content_type == "x/y"

    xml = sent(http.post("/x", body="<a/>", content_type="application/xml"))
    assert (xml.content_type, xml.get_data()) == ("application/xml", b"<a/>")


def test_h24_a_get_has_no_content_type(sent):
    assert sent(http.get("/x")).content_type is None


@pytest.mark.parametrize("body", [{"form": {"a": 1}}, {"multipart": {"a": 1}}])
def test_a_content_type_beside_a_form_is_refused_and_not_ignored(httpserver, run_http, body):
    error = run_http(http.post("/x", content_type="x/y", **body)).error

    assert isinstance(error, ArgumentError)
    assert "content_type" in error.message
    assert httpserver.log == []


def test_h39_put_and_patch_send_json_and_delete_may(sent):
    for build, method in ((http.put, "PUT"), (http.patch, "PATCH")):
        request = sent(build("/x", {"a": 1}))
        assert (request.method, request.content_type, request.get_data()) == (method, "application/json", b'{"a":1}')

    assert sent(http.delete("/x")).get_data() == b""
    assert sent(http.delete("/x", json={"ids": [1]})).get_data() == b'{"ids":[1]}'


def test_h39_a_204_is_none(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("", status=204)

    run = run_http(http.delete("/x"), lambda s: s.replace(status=s.response["status"]))

    assert (run.state.data, run.state.status) == (None, 204)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON.filter(lambda value: value is not None))
@example({"": ""})
@example("\x00\u2028")
def test_h20_any_json_value_comes_back_as_it_was_sent(httpserver, run_http, value):
    httpserver.expect_request("/echo").respond_with_handler(
        lambda request: Response(request.get_data(), content_type=request.content_type)
    )

    assert run_http(http.post("/echo", value)).state.data == value
