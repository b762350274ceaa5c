"""Who may send what where to the inbox, and what it keeps of it, over the wire. IN-21 to IN-31, IN-35, IN-39."""

import base64
import hashlib
import hmac
import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from fix_server import request
from standardwebhooks import Webhook

KEY = "X-API-Key: right-key"
NEW, OLD, OTHER = "whsec_bmV3LXNlY3JldA==", "whsec_b2xkLXNlY3JldA==", "whsec_b3RoZXItc2VjcmV0"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/inbox", "/inbox/", "/inbox/nowhere", "/Inbox/open", "/inbox/Open", "/inbox/open/", "/inbox/open//x",
        "/inbox/../admin", "/inbox/%2e%2e/x", "//inbox/open", "/inbox/open/../key", "/inbox/open/%2e%2e/key",
        "/inbox/off", "/inbox/off-key", "/admin", "/metrics/x", "*",
    ],
)  # fmt: skip
def test_in_21_there_is_nothing_at_other_addresses(server, path):
    unknown, answer = server.post("/inbox/unknown"), server.post(path)

    assert (answer.status, answer.error) == (404, "not_found")
    assert answer.body == unknown.body


def test_in_21_only_who_may_send_learns_that_an_address_is_switched_off(server):
    unknown, wrong = server.post("/inbox/unknown"), server.post("/inbox/off-key", b"{}", "X-API-Key: wrong-key")
    right = server.post("/inbox/off-key", b"{}", KEY)

    assert (wrong.status, wrong.body, wrong.headers.keys()) == (404, unknown.body, unknown.headers.keys())
    assert (right.status, right.error) == (403, "trigger_disabled")
    assert server.post("/inbox/off-key", b"{}", KEY, method="GET").body == unknown.body


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT", "BREW"])
def test_in_22_an_inbox_takes_messages_by_post(server, method):
    answer = server.raw(request("/inbox/open", b"", method=method))

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    if method != "HEAD":
        assert answer.error == "method_not_allowed"
        assert "POST" in answer.json["message"]


WRONG_KEYS = [
    (),
    ("X-API-Key: wrong-key",),
    ("Authorization: right-key",),
    ("X-API-Key:",),
    ("X-API-Key: " + "k" * 16_000,),
    ("X-API-Key: é".encode("latin-1"),),
    ("X-API-Key: é".encode(),),
    (KEY, KEY),
]
WRONG_BASIC = [
    (),
    ("Authorization: Basic %%%",),
    ("Authorization: Basic " + base64.b64encode(b"no colon").decode(),),
    ("Authorization: Basic " + base64.b64encode("sync:é".encode("latin-1")).decode(),),
    ("Authorization: Basic",),
    ("Authorization: Bearer s3cret:pass",),
    ("Authorization: Basic " + base64.b64encode(b"sync:s3cret:pass").decode(),) * 2,
]


def test_in_24_all_who_may_not_send_get_the_same_answer(server):
    refused = [server.post("/inbox/key", b"{}", *headers) for headers in WRONG_KEYS]
    refused += [server.post("/inbox/basic", b"{}", *headers) for headers in WRONG_BASIC]
    right = "Authorization: Basic " + base64.b64encode(b"sync:s3cret:pass").decode()

    assert {(answer.status, answer.body) for answer in refused} == {(401, refused[0].body)}
    assert refused[0].error == "unauthorized"
    assert refused[0].headers["www-authenticate"].startswith("ApiKey ")
    assert refused[-1].headers["www-authenticate"].startswith("Basic ")
    assert server.post("/inbox/key", b"{}", KEY).status == server.post("/inbox/basic", b"{}", right).status == 200
    assert "Traceback" not in server.logged()


def test_in_24_a_header_of_64_kb_is_refused_before_it_is_compared(server):
    assert server.post("/inbox/key", b"{}", "X-API-Key: " + "k" * 65_536).status == 431


def test_in_24_who_may_not_send_is_refused_before_the_body_comes(server):
    with server.connect() as connection:
        connection.send(request("/inbox/key", b"").replace(b"Content-Length: 0", b"Content-Length: 1000000"))

        assert connection.answer().status == 401


def test_t2_who_fails_too_often_is_not_asked_again_for_a_while(start_server):
    server = start_server('Address("key", methods={"key": ApiKey("right-key")})', options="most_failures=5")

    refused = [server.post("/inbox/key", b"{}", "X-API-Key: wrong-key").status for _ in range(5)]
    answer = server.post("/inbox/key", b"{}", KEY)

    assert refused == [401] * 5
    assert (answer.status, answer.error) == (429, "too_many_failures")
    assert 0 < int(answer.headers["retry-after"]) <= 60
    assert answer.json["retry_after"] == int(answer.headers["retry-after"])
    assert server.logged().count("a request from 127.0.0.1 has wrong credentials") == 5
    assert server.logged().count("all from 127.0.0.1 gets 429 for a minute") == 1
    assert "wrong-key" not in server.logged()


def test_the_log_says_which_request_was_refused_and_why_without_its_body(start_server):
    server = start_server('Address("key", methods={"key": ApiKey("right-key")}, max_bytes=50)')

    server.post("/inbox/key", b'{"name": Amina}', KEY)
    server.post("/inbox/key", b'{"name": "%s"}' % (b"A" * 50), KEY)
    server.post("/inbox/key", b"{}")

    for said in ("got 400: invalid_json", "got 413: too_large", "has no credentials"):
        assert server.logged().count(f"inbox key: a request from 127.0.0.1 {said}") == 1
    assert "Amina" not in server.logged()


def github(body, secret=b"hmac-secret"):
    """Sign a body as GitHub does."""
    return "X-Hub-Signature-256: sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()


def test_in_26_a_signature_is_over_the_bytes_of_the_body(server):
    body = b'{"form": "visit",  "n": 1}'

    assert server.post("/inbox/hmac", body, github(body)).status == 200
    assert server.post("/inbox/hmac", body.replace(b"1", b"2"), github(body)).status == 401
    assert server.post("/inbox/hmac", body, github(body, b"other-secret")).status == 401
    assert server.post("/inbox/hmac", body, github(json.dumps(json.loads(body)).encode())).status == 401


def signed(body, *secrets, at=None, message="msg_1"):
    """Sign a body as the reference library of Standard Webhooks does."""
    at = int(time.time()) if at is None else at
    moment = datetime.fromtimestamp(at, UTC)
    signatures = " ".join(Webhook(secret).sign(message, moment, body.decode()) for secret in secrets)
    return (f"webhook-id: {message}", f"webhook-timestamp: {at}", f"webhook-signature: {signatures}")


def test_in_27_two_secrets_hold_while_they_are_changed(server):
    body = b'{"n":27}'

    for number, secrets in enumerate([(OLD,), (NEW,), (OLD, NEW)]):
        assert server.post("/inbox/signed", body, *signed(body, *secrets, message=f"in27-{number}")).status == 200
    assert server.post("/inbox/rotated", body, *signed(body, OLD)).status == 401
    assert server.post("/inbox/rotated", body, *signed(body, NEW, message="in27")).status == 200
    assert server.post("/inbox/rotated", body, *signed(body, OTHER)).status == 401


@pytest.mark.parametrize("signature", ["v1", "v1,", "v1,%%%", "v1,é", "v2,AAAA", ",", " ", "v1a,AAAA"])
def test_in_28_a_signature_that_is_none_is_refused(server, signature):
    headers = (*signed(b"{}", NEW)[:2], f"webhook-signature: {signature}")

    assert server.post("/inbox/signed", b"{}", *headers).status == 401


def test_in_28_a_body_that_is_no_text_is_refused_like_any_other(server):
    headers = signed(b"{}", NEW)

    assert server.post("/inbox/signed", b'{"a":"\xff"}', *headers).status == 401


def test_in_29_a_signature_is_five_minutes_old_at_most(server):
    now = int(time.time())

    answers = [
        server.post("/inbox/signed", b"{}", *signed(b"{}", NEW, at=now + shift, message=f"in29 {shift}")).status
        for shift in (-298, 298, -302, 302)  # one second lies on each side of the test
    ]

    assert answers == [200, 200, 401, 401]


@pytest.mark.parametrize("at", ["NaN", "1e400", "-1", "", "1.5e9x", "9" * 400])
def test_in_29_a_time_that_is_none_is_refused(server, at):
    message, _, signature = signed(b"{}", NEW)

    assert server.post("/inbox/signed", b"{}", message, f"webhook-timestamp: {at}", signature).status == 401


def test_in_30_what_comes_again_is_answered_again_and_kept_once(server):
    first, second = (server.post("/inbox/open", {"n": 30}, "webhook-id: in30") for _ in range(2))
    with ThreadPoolExecutor(20) as pool:
        more = list(pool.map(lambda _: server.post("/inbox/open", {"n": 30}, "webhook-id: in30-20"), range(20)))

    assert (first.status, second.status) == (200, 200)
    assert "x-duplicate" not in first.headers
    assert second.headers["x-duplicate"] == "true"
    for answers in ([first, second], more):
        assert {answer.status for answer in answers} == {200}
        assert len({(answer.headers["x-message-id"], answer.headers["x-run-ids"]) for answer in answers}) == 1
        assert len([run for run in server.runs() if run["id"] == answers[0].headers["x-run-ids"]]) == 1


@pytest.mark.parametrize(
    ("path", "header", "body"),
    [
        ("/inbox/open", "Idempotency-Key: in30-k", {"n": 1}),
        ("/inbox/by-header", "X-Form-Id: in30-f", {"n": 1}),
        ("/inbox/by-path", "X-None: 1", {"visit": {"id": "in30-p"}}),
    ],
)
def test_in_30_what_tells_messages_apart_may_stand_elsewhere(server, path, header, body):
    first, second = (server.post(path, body, header) for _ in range(2))

    assert first.headers["x-message-id"] == second.headers["x-message-id"]
    assert second.headers["x-duplicate"] == "true"


def test_in_30_what_the_trigger_names_counts_before_the_headers(server):
    ids = {
        server.post("/inbox/by-path", {"visit": {"id": number}}, "webhook-id: in30-same").headers["x-message-id"]
        for number in (1, 2)
    }

    assert len(ids) == 2


def test_in_31_an_id_with_another_body_is_refused(server):
    kept = server.post("/inbox/open", {"n": 1}, "webhook-id: in31")
    refused = server.post("/inbox/open", {"n": 2}, "webhook-id: in31")

    assert (kept.status, refused.status, refused.error) == (200, 409, "id_reused")
    [row] = [row for row in server.stored() if row["id"] == kept.headers["x-message-id"]]
    assert row["body"] == b'{"n": 1}'


def test_in_31_an_id_belongs_to_its_inbox(server):
    assert server.post("/inbox/any", {"n": 1}, "webhook-id: in31-own").status == 200
    assert server.post("/inbox/last", {"n": 2}, "webhook-id: in31-own").status == 200


def test_in_35_no_credential_is_kept(start_server):
    canary = "canary-7f3a91"
    server = start_server(
        f'Address("key", methods={{"key": ApiKey("{canary}-key")}}),'
        f'Address("hmac", methods={{"hmac": Hmac("X-Kobo-Checksum", "{canary}-hmac")}})'
    )
    names = ["Authorization", "Cookie", "webhook-signature", "Proxy-Authorization", "X-Hub-Signature"]
    headers = [f"{name}: {canary}" for name in names]
    signature = hmac.new(f"{canary}-hmac".encode(), b"{}", hashlib.sha256).hexdigest()

    assert server.post("/inbox/key", b"{}", f"X-API-Key: {canary}-key", *headers).status == 200
    assert server.post("/inbox/hmac", b"{}", f"X-Kobo-Checksum: {signature}", *headers).status == 200
    assert server.post("/inbox/key", b"{}", f"X-API-Key: {canary}-wrong", *headers).status == 401

    kept = b"".join(file.read_bytes() for file in server.file.parent.iterdir() if file.is_file())
    assert len(server.stored()) == 2
    assert canary.encode() not in kept
    assert signature.encode() not in kept
    assert canary not in server.logged()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_in_39_health_says_that_it_is_well_and_no_more(server, method):
    answer = server.raw(request("/health", b"", method=method))

    assert answer.status == 200
    assert answer.headers.keys() <= {"date", "content-length", "content-type"}
    if method == "GET":
        assert answer.json == {"status": "ok"}


def test_in_39_health_is_only_read(server):
    answer = server.post("/health")

    assert (answer.status, answer.error) == (405, "method_not_allowed")
    assert "GET" in answer.headers["allow"]
