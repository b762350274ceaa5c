"""A run is recorded, and replayed without the systems."""

import json
import threading
from base64 import b64decode, b64encode
from urllib.parse import quote, quote_plus

import pytest
from crossdock import each, state
from crossdock.adaptors import http
from crossdock.testing import FaultyServer, http_reply
from crossdock_http import NotRecordedError
from fix_command import Crossdock, WriteJob, WriteJson

SECRET = 's3cret/C4 "nary"+é'
ASCII = 's3cret/C4 "nary"+'
"""What a header can hold."""


@pytest.fixture
def replayed(run_job, tmp_path):
    """Record a run against a server that plays replies, and replay it when the server is gone; give both."""

    def run(operations, reply, *more, **fields):
        with FaultyServer(reply, *more) as server:
            credentials = {"api": {"adaptor": "http", "base_url": server.url, **fields}}
            first = run_job(*operations, credentials=credentials, record=tmp_path)
            asked = len(server.requests)
        again = run_job(*operations, credentials=credentials, replay=tmp_path)
        assert len(server.requests) == asked
        return first, again

    return run


def recording(folder):
    return [json.loads(line) for line in (folder / "http.jsonl").read_text("utf-8").split("\n")[:-1]]


JOB = """
from crossdock import Job, each, state
from crossdock.adaptors import http

job = Job(
    http.get_all("/pages", pages=http.Offset(2)).into("visits"),
    each(state.visits, http.post("/visits", {"id": state.data}), concurrency=4).into("sent"),
    http.stream("/lines", parse="jsonl"),
    lambda s: s.result(list(s.data)),
    http.download("/scan", "scan.bin").into("scan"),
    http.get("/gone", ok={404}),
    lambda s: s.replace(type=s.response["headers"]["content-type"]),
)
"""


def test_a_replay_gives_the_same_output_without_the_server(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, tmp_path
):
    def answer(request):
        line, _, rest = request.partition(b" HTTP/1.1")
        path = line.split(b" ")[1]
        if path.startswith(b"/pages"):
            offset = int(path.partition(b"offset=")[2] or 0)
            return http_reply(json.dumps(list(range(5))[offset : offset + 2]).encode())
        bodies = {b"/lines": b'"\xc3\xa9"\n"\xe2\x80\xa8"\n', b"/scan": bytes(range(256)), b"/visits": rest[-8:]}
        return http_reply(bodies.get(path, b'"none"'), status=404 if path == b"/gone" else 200)

    with FaultyServer(answer) as server:
        login = write_json({"base_url": server.url, "token": "t0ken-c4nary"}, "login.json")
        run = ("run", write_job(JOB), "--credentials", login)
        recorded = crossdock(*run, "--record", "tape", "--files", "a")
        asked = len(server.requests)
    replayed = crossdock(*run, "--replay", "tape", "--files", "b")

    assert (recorded.returncode, replayed.returncode) == (0, 0), recorded.stderr + replayed.stderr
    assert recorded.stdout == replayed.stdout
    assert recorded.json["data"] == "none"
    assert (tmp_path / "a/scan.bin").read_bytes() == (tmp_path / "b/scan.bin").read_bytes() == bytes(range(256))
    assert len(recording(tmp_path / "tape")) == asked == 3 + 5 + 3
    assert oct((tmp_path / "tape/http.jsonl").stat().st_mode)[-3:] == "600"


def digest_or(answer):
    """Ask for digest authentication first."""
    challenge = http_reply(status=401, www_authenticate='Digest realm="r", nonce="n1", qop="auth", algorithm=SHA-256')
    return lambda request: answer(request) if b"uthorization: Digest" in request else challenge


def login_or(answer):
    """Give access tokens at /token."""

    def reply(request):
        if request.startswith(b"POST /token"):
            return http_reply(json.dumps({"access_token": "acc3ss-c4nary", "refresh_token": "r3fresh-c4nary"}).encode())
        return answer(request)

    return reply


def everything_told(request):
    """Answer with all that the client sent."""
    return http_reply(request, content_type="text/plain", x_echo=request.split(b" ")[1].decode())


def as_bytes(request):
    return http_reply(b"\xff\xfe" + request, content_type="application/octet-stream")


WAYS = {
    "basic": {"username": "amina", "password": SECRET},
    "digest": {"username": "amina", "password": SECRET, "auth": "digest"},
    "token": {"token": ASCII},
    "header": {"api_key": {"value": ASCII, "header": "X-API-Key"}},
    "query": {"api_key": {"value": SECRET, "query": "key"}},
    "client": {"oauth2": {"client_id": "me", "client_secret": SECRET}},
    "client in the body": {"oauth2": {"client_id": "me", "client_secret": SECRET, "client_auth": "post"}},
    "refresh": {"oauth2": {"client_id": "me", "refresh_token": SECRET}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", [everything_told, as_bytes], ids=["text", "bytes"])
def test_se_03_no_secret_is_in_a_recording(run_job, tmp_path, way, answer):
    fields = json.loads(json.dumps(WAYS[way]))
    told = digest_or(answer) if way == "digest" else login_or(answer)
    with FaultyServer(told) as server:
        if "oauth2" in fields:
            fields["oauth2"]["token_url"] = f"{server.url}/token"
        credentials = {"api": {"adaptor": "http", "base_url": server.url, **fields}}
        secret = ASCII if way in ("token", "header") else SECRET
        body = {"password": secret, "url": f"/a?k={quote_plus(secret)}"}
        operations = (http.post("/x", body, parse="bytes", query={"k": secret}), lambda s: s.result(len(s.data)))
        first = run_job(*operations, credentials=credentials, record=tmp_path)
    again = run_job(*operations, credentials=credentials, replay=tmp_path)

    assert (first.outcome, again.outcome) == ("success", "success"), (first.error, again.error)
    text = (tmp_path / "http.jsonl").read_text("utf-8")
    assert "***" in text or "base64" in text
    assert_hidden(text, way)
    assert len(recording(tmp_path)) == 1


def assert_hidden(text, way):
    bodies = [
        entry["response"]["base64"] for entry in map(json.loads, text.split("\n")[:-1]) if "base64" in entry["response"]
    ]
    text += "".join(b64decode(body).decode("utf-8", "replace") for body in bodies)
    forms = [SECRET, quote(SECRET), quote(SECRET, safe=""), quote_plus(SECRET), json.dumps(SECRET)[1:-1], "c4nary"]
    forms += [b64encode(f"amina:{SECRET}".encode()).decode(), "s3cret", "C4 ", "C4%20"]
    assert not [form for form in forms if form in text], way


def test_a_recorded_refusal_is_answered_again_before_the_success(replayed, tmp_path):
    refusal = http_reply(b"{}", status=429, retry_after="0")

    first, again = replayed([http.post("/x", {"a": 1})], refusal, http_reply(b'"there"'))

    assert first.state.data == again.state.data == "there"
    assert [entry["response"]["status"] for entry in recording(tmp_path)] == [429, 200]


def test_each_exchange_answers_once_and_in_order(replayed):
    operations = [http.get("/x").into("a"), http.get("/x").into("b"), http.get("/x").into("c")]

    first, again = replayed(operations, http_reply(b"1"), http_reply(b"2"), http_reply(b"3"))

    assert [first.state[name] for name in "abc"] == [again.state[name] for name in "abc"] == [1, 2, 3]


def test_a_request_that_is_asked_once_too_often_says_so(replayed, run_job, tmp_path):
    replayed([http.get("/x")], http_reply(b"1"))
    again = run_job(http.get("http://x.example/x"), credentials={"api": {"adaptor": "http"}}, replay=tmp_path)

    assert isinstance(again.error, NotRecordedError)


NEAREST = {
    "path": (http.get("/people/8", query={"a": 1}), "GET", "path"),
    "query": (http.get("/people/7", query={"a": 2}), "GET", "query"),
    "method": (http.delete("/people/7?a=1"), "GET", "method"),
    "body": (http.post("/people", {"id": 8}), "POST", "body"),
    "twice": (http.post("/people", {"id": 7}), "POST", "answered already"),
}


@pytest.mark.parametrize(("operation", "nearest", "differs"), NEAREST.values(), ids=NEAREST)
def test_a_request_that_was_not_recorded_names_the_nearest(run_job, tmp_path, operation, nearest, differs):
    recorded = [http.get("/people/7", query={"a": 1}), http.post("/people", {"id": 7})]
    with FaultyServer(http_reply(b"{}")) as server:
        credentials = {"api": {"adaptor": "http", "base_url": server.url}}
        run_job(*recorded, credentials=credentials, record=tmp_path)
    again = run_job(*recorded, operation, credentials=credentials, replay=tmp_path)

    assert (again.outcome, type(again.error)) == ("failed", NotRecordedError)
    assert f"the nearest is {nearest} {server.url}/people" in again.error.message
    assert differs in again.error.message
    assert "a=" not in again.error.message
    assert "--record" in again.error.fix


def test_an_empty_recording_says_so(run_job, tmp_path):
    again = run_job(http.get("http://x.example/x"), credentials={"api": {"adaptor": "http"}}, replay=tmp_path)

    assert "holds no requests" in again.error.message


def test_a_broken_recording_says_where(run_job, tmp_path):
    (tmp_path / "http.jsonl").write_text('{"request"')

    again = run_job(http.get("http://x.example/x"), credentials={"api": {"adaptor": "http"}}, replay=tmp_path)

    assert isinstance(again.error, NotRecordedError)
    assert "line 1" in again.error.message


def test_a_recording_replaces_an_earlier_one(replayed, tmp_path):
    replayed([http.get("/x")], http_reply(b"1"))
    first, again = replayed([http.get("/x")], http_reply(b"2"))

    assert (first.state.data, again.state.data, len(recording(tmp_path))) == (2, 2, 1)


def test_two_credentials_of_one_system_get_each_its_own_answer(run_job, tmp_path):
    def who(request):
        return http_reply(b'"amina"' if b"t0ken-of-amina" in request else b'"ben"')

    operations = [http.get("/me", credential="a").into("a"), http.get("/me", credential="b").into("b")]
    with FaultyServer(who) as server:
        system = {"adaptor": "http", "base_url": server.url}
        credentials = {"a": {**system, "token": "t0ken-of-amina"}, "b": {**system, "token": "t0ken-of-ben"}}
        run_job(*operations, credentials=credentials, record=tmp_path)
    again = run_job(*operations, credentials=credentials, replay=tmp_path)

    assert (again.state.a, again.state.b) == ("amina", "ben")


def test_two_systems_write_at_once_and_no_line_is_torn(run_job, tmp_path):
    big = json.dumps("é" * 20_000, ensure_ascii=False).encode()
    with FaultyServer(http_reply(big)) as one, FaultyServer(http_reply(big)) as two:
        credentials = {name: {"adaptor": "http", "base_url": server.url} for name, server in (("a", one), ("b", two))}
        both = [
            each(list(range(20)), http.post("/x", {"n": state.data}, credential=name), concurrency=4) for name in "ab"
        ]
        together = each([0, 1], lambda s: both[s.data], concurrency=2)
        run = run_job(together, credentials=credentials, record=tmp_path)
    again = run_job(together, credentials=credentials, replay=tmp_path)

    assert (run.outcome, again.outcome, len(recording(tmp_path))) == ("success", "success", 40)


ODD = {
    "line separators": json.dumps("\u2028\x85\x0b\x1c", ensure_ascii=False).encode(),
    "half a character": b'"\\ud83d"',
    "a large number": b"12345678901234567890123",
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_odd_text_survives_a_recording(replayed, body):
    operations = [http.post("/x", body=body, content_type="application/json"), lambda s: s.result(repr(s.data))]

    first, again = replayed(operations, http_reply(body))

    assert first.state.data == again.state.data == repr(json.loads(body))


def test_binary_bodies_and_files_are_matched_by_what_they_are(run_job, tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files/scan").write_bytes(b"\xff" * 1000)
    operations = [http.post("/x", body=b"\xff\x00"), http.upload("/x", "scan", fields={"a": b"\xfe"})]
    with FaultyServer(http_reply(b"1")) as server:
        credentials = {"api": {"adaptor": "http", "base_url": server.url}}
        run_job(*operations, credentials=credentials, record=tmp_path, files=tmp_path / "files")
    same = run_job(*operations, credentials=credentials, replay=tmp_path, files=tmp_path / "files")
    (tmp_path / "files/scan").write_bytes(b"\xfe" * 1000)
    other = run_job(*operations, credentials=credentials, replay=tmp_path, files=tmp_path / "files")

    assert (same.outcome, other.error.code) == ("success", "not_recorded")
    assert "body" in other.error.message
    assert len((tmp_path / "http.jsonl").read_text()) < 2000


def test_a_redirect_is_replayed_hop_by_hop(replayed, tmp_path):
    hop = http_reply(status=302, location="/y")

    first, again = replayed([http.get("/x")], hop, http_reply(b'"there"'))

    assert first.state.data == again.state.data == "there"
    assert [entry["response"]["status"] for entry in recording(tmp_path)] == [302, 200]


def test_the_answer_to_head_is_the_same(replayed):
    operations = [http.head("/x"), lambda s: s.result(s.response["headers"])]

    first, again = replayed(operations, b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-A: 1\r\n\r\n")

    assert first.state.data == again.state.data == {"content-length": "7", "x-a": "1"}


def test_no_thread_waits_for_another_in_a_replay(replayed):
    operations = [each(list(range(50)), http.post("/x", {"n": state.data}), concurrency=8).into("sent")]

    first, again = replayed(operations, lambda request: http_reply(request.partition(b"\r\n\r\n")[2]))

    assert first.state.sent == again.state.sent == [{"n": n} for n in range(50)]
    assert threading.active_count() < 20
