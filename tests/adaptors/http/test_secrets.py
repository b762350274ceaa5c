"""No secret comes out: not of logs, errors, the state, or a repr, whatever goes wrong."""

import json
import logging

import pytest
from crossdock import Run
from crossdock.adaptors import http
from crossdock.error_record import error_record
from crossdock.errors import CrossdockError
from crossdock_http.content import Request
from crossdock_http.reply import Reply
from pytest_httpserver import HTTPServer
from werkzeug import Response

CANARY = "c4nary"
BASIC = {"username": "clinic", "password": "pass/wörd-c4nary"}
WAYS = {
    "basic": BASIC,
    "digest": {**BASIC, "auth": "digest"},
    "token": {"token": "token-c4nary", "scheme": "ApiKey"},
    "header": {"api_key": {"value": "key c4nary", "header": "X-Key"}},
    "query": {"api_key": {"value": "key/c4nary", "query": "api_key"}},
    "client": {"oauth2": {"token_url": "{server}/token", "client_id": "clinic", "client_secret": "secret-c4nary"}},
    "refresh": {"oauth2": {"token_url": "{server}/token", "client_id": "clinic", "refresh_token": "refresh-c4nary"}},
    "refused": {"oauth2": {"token_url": "{server}/no", "client_id": "clinic", "client_secret": "secret-c4nary"}},
    "proxy": {**BASIC, "proxy": "http://clinic:proxy-c4nary@127.0.0.1:9", "timeout": 0.4},  # no time to try again
}


@pytest.fixture
def system(httpserver: HTTPServer):
    """A system that fails in every way, and repeats in its answers all that it was told."""

    def token(request):
        grant = {"access_token": "granted-c4nary", "refresh_token": "next-c4nary", "expires_in": 1}
        return Response(json.dumps(grant), content_type="application/json")

    def echo(request):
        told = "told: " + json.dumps([request.url, sorted(request.headers.items()), request.get_data(as_text=True)])
        status = int(request.path.removeprefix("/"))
        challenge = 'Digest realm="a", nonce="b", algorithm=MD5, qop="auth"' if status == 401 else "Basic"
        headers = {"WWW-Authenticate": challenge, "Location": f"http://other.example/?back={request.url}"}
        return Response(told, status=status, headers=headers, content_type="text/plain")

    httpserver.expect_request("/token").respond_with_handler(token)
    httpserver.expect_request("/no").respond_with_handler(
        lambda request: Response(json.dumps({"error": request.get_data(as_text=True)}), status=400)
    )
    for status in (200, 302, 401, 404, 500):
        httpserver.expect_request(f"/{status}").respond_with_handler(echo)
    return httpserver.url_for("").rstrip("/")


FAILING = {
    "401": http.get("/401"),
    "404": http.get("/404", query={"q": 1}),
    "500": http.post("/500", {"a": 1}),
    "redirected": http.post("/302", {"a": 1}),
    "no-json": http.get("/200", parse="json"),
    "no-json-of-a-write": http.post("/200", {}, parse="json"),
    "own-message": http.get("/404", errors={404: "no"}),
    "elsewhere": http.get("http://other.example/x"),
    "bad-header": http.get("/200", headers={"X-A": "a\nb"}),
    "bad-path": http.get("/../x"),
    "too-large": http.get("/200"),
}


def shown(run: Run) -> str:
    """Give everything that a run shows of how it ended."""
    error = run.error
    chain = []
    while error is not None and len(chain) < 100:
        chain += [repr(error), str(error), *getattr(error, "__notes__", [])]
        error = error.__cause__
    record = error_record(run.error) if run.error is not None else {}
    return run.redactor(json.dumps([chain, record], default=str)) + repr(run.state) + str(run.state)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("what", FAILING)
def test_ht_22_and_h52_no_secret_is_logged_or_shown(system, run_job, caplog, way, what):
    fields = json.loads(json.dumps(WAYS[way]).replace("{server}", system))
    entry = {"adaptor": "http", "base_url": system, "timeout": 5, **fields}
    entry |= {"max_response_bytes": 150} if what == "too-large" else {}
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # the test's own server logs the URLs that it gets

    with caplog.at_level(logging.DEBUG):
        run = run_job(FAILING[what], credentials={"api": entry})

    assert isinstance(run.error, CrossdockError)
    assert CANARY not in caplog.text
    assert CANARY not in shown(run)
    assert CANARY not in "".join(str(vars(record)) for record in caplog.records)  # what handlers may print, too


def test_se_03_a_request_and_its_reply_do_not_show_what_they_hold():
    request = Request("POST", "https://x.example/a?key=c4nary", {"authorization": "c4nary"}, b"c4nary")
    reply = Reply("POST", "https://x.example/a", 200, "OK", {"set-cookie": "c4nary"}, b"c4nary", 0.1)

    assert CANARY not in f"{request} {request!r} {reply} {reply!r}"
    assert "POST https://x.example/a" in repr(request)
    assert "POST https://x.example/a: 200" in repr(reply)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({**BASIC, "auth": "basic"}, "basic"),
        ({"api_key": {"value": "key-c4nary", "header": "X-Key"}}, "X-Key"),
        ({"oauth2": {"token_url": "https://x.example/t", "client_id": "clinic", "client_auth": "post"}}, "post"),
        ({"oauth2": {"token_url": "https://x.example/t", "client_id": "clinic"}}, "clinic"),
        ({"oauth2": {"token_url": "https://x.example/t", "client_id": "clinic"}}, "https://x.example/t"),
    ],
)
def test_what_is_no_secret_in_a_credential_stays_in_the_state(system, run_job, fields, word):
    run = run_job(
        lambda s: s.result(word),
        credentials={"api": {"adaptor": "http", "base_url": system, **fields}},
    )

    assert run.state.data == word
