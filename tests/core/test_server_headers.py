"""What state.request holds of a request, and what it must not hold. IN-35."""

import pytest
from crossdock.decoding import decode
from crossdock.server.headers import describe_request, only_value
from crossdock.state import encode
from hypothesis import given, settings
from hypothesis import strategies as st

CANARY = b"canary-7f3a91"


@pytest.mark.parametrize(
    "name",
    [
        b"Authorization",
        b"X-API-Key",
        b"Cookie",
        b"webhook-signature",
        b"Proxy-Authorization",
        b"Set-Cookie",
        b"X-Hub-Signature",
        b"x-hub-signature-256",
        b"X-Auth-Token",
        b"X-Amz-Security-Token",
        b"X-Csrf-Token",
        b"Svix-Signature",
        b"Api-Secret",
        b"X-Password",
        b"X-Session",
        b"X-KOBO-CHECKSUM",
    ],
)
def test_in_35_headers_that_hold_credentials_are_left_out(name):
    headers = [(b"Host", b"inbox.example"), (name, CANARY), (name.upper(), CANARY)]

    request = describe_request("POST", "/inbox/visits", b"", headers, secret={"x-kobo-checksum"})

    assert request["headers"] == {"host": "inbox.example"}
    assert CANARY not in encode(request)


def test_the_headers_that_a_job_may_want_are_kept():
    headers = [
        (b"Content-Type", b"application/json"),
        (b"webhook-id", b"msg_1"),
        (b"Webhook-Timestamp", b"1700000000"),
        (b"Idempotency-Key", b"visit-7"),
        (b"X-Forwarded-For", b"10.0.0.1"),
        (b"x-forwarded-for", b"10.0.0.2"),
        (b"X-Clinic", "Zoë".encode()),
        (b"X-Ward", "Zoë".encode("latin-1")),
        (b"traceparent", b"00-1-2-01"),
    ]

    assert describe_request("POST", "/inbox/visits", b"", headers)["headers"] == {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": "1700000000",
        "idempotency-key": "visit-7",
        "x-forwarded-for": "10.0.0.1, 10.0.0.2",
        "x-clinic": "Zoë",
        "x-ward": "Zoë",
        "traceparent": "00-1-2-01",
    }


def test_a_header_that_carries_a_signature_is_left_out_whatever_its_name():
    request = describe_request("POST", "/", b"", [(b"Idempotency-Key", CANARY)], secret={"idempotency-key"})

    assert request["headers"] == {}


def test_path_and_query_are_kept():
    request = describe_request("POST", "/inbox/visits/Patient/é", b"x=1&tag=a&tag=b%20c&empty=&flag&%C3%A9=%FF", [])

    assert request == {
        "method": "POST",
        "path": "/inbox/visits/Patient/é",
        "query": {"x": "1", "tag": ["a", "b c"], "empty": "", "flag": "", "é": "\ufffd"},
        "headers": {},
    }


@pytest.mark.parametrize(
    ("headers", "value"),
    [
        ([], None),
        ([(b"X-Key", b" \ta b ")], b"a b"),
        ([(b"x-key", b"")], b""),
        ([(b"x-key", b"a"), (b"X-KEY", b"a")], None),
        ([(b"x-keys", b"a")], None),
    ],
)
def test_a_header_has_a_value_if_it_stands_there_once(headers, value):
    assert only_value(headers, b"x-key") == value


TEXT = st.text(st.characters() | st.characters(categories=["Cs"]))  # with lone surrogates


@settings(max_examples=500, deadline=None)
@given(TEXT, TEXT, st.binary(), st.lists(st.tuples(st.binary(), st.binary())))
def test_whatever_a_request_says_of_itself_can_stand_in_a_state(method, path, query, headers):
    request = describe_request(method, path, query, headers)

    assert decode(encode(request)) == request
