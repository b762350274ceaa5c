"""Who one is: basic, tokens, digest, cookies; and to whom nothing of it goes."""

import hashlib
import json
import secrets
from collections import Counter

import pytest
from crossdock import each
from crossdock.adaptors import http
from crossdock_http import Client, HttpConfiguration
from pytest_httpserver import HTTPServer
from werkzeug import Response

BASIC = {"username": "hello", "password": "there"}


@pytest.fixture
def other_server():
    """A server on an origin of its own."""
    with HTTPServer() as server:
        yield server


def tell(header):
    return lambda request: Response(json.dumps(request.headers.getlist(header)), content_type="application/json")


def test_h13_a_user_and_password_are_sent_as_basic(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({})

    run_http(http.get("/x"), **BASIC)

    assert httpserver.log[0][0].headers["Authorization"] == "Basic aGVsbG86dGhlcmU="


def test_h14_a_token_is_sent_as_bearer(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({})

    run_http(http.get("/x"), access_token="t0ken-value")

    assert httpserver.log[0][0].headers["Authorization"] == "Bearer t0ken-value"


def test_h14_a_token_beside_a_user_is_refused():
    """Upstream prefers the token; here a credential that says two things says neither."""
    with pytest.raises(ValueError, match="not username and token"):
        HttpConfiguration(**BASIC, token="t0ken-value")


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("fields", [BASIC, {"token": "t0ken-value"}])
def test_h15_an_authorization_header_of_the_job_is_the_only_one(httpserver, run_http, name, fields):
    httpserver.expect_request("/x").respond_with_handler(tell("Authorization"))

    assert run_http(http.get("/x", headers={name: "Scheme abc"}), **fields).state.data == ["Scheme abc"]


@pytest.mark.parametrize(
    "fields",
    [BASIC, {"token": "t0ken-value"}, {"api_key": {"value": "key-value", "header": "Authorization"}}],
)
def test_h16_without_a_base_url_nobody_gets_a_login(httpserver, run_job, caplog, fields):
    httpserver.expect_request("/x").respond_with_handler(tell("Authorization"))
    entry = {"adaptor": "http", "allow_private_addresses": True, **fields}

    run = run_job(http.get(httpserver.url_for("/x")), credentials={"api": entry})

    assert run.state.data == []
    assert "no base_url, so its user, token or key is sent nowhere" in caplog.text


def test_h16_without_a_base_url_nobody_gets_the_user_of_digest(httpserver, run_job):
    Digest(httpserver)
    entry = {"adaptor": "http", "allow_private_addresses": True, "auth": "digest", **BASIC}

    run = run_job(http.get(httpserver.url_for("/x"), ok={401}), credentials={"api": entry})

    assert [request.headers.get("Authorization") for request, _ in httpserver.log] == [None]
    assert run.outcome == "success"


@pytest.mark.parametrize(
    "fields",
    [
        BASIC,
        {"token": "t0ken-value"},
        {"api_key": {"value": "key-value", "header": "X-Key"}},
        {"api_key": {"value": "key-value", "query": "key"}},
        {"keep_cookies": True},
    ],
)
def test_h33_another_origin_gets_nothing_of_the_credential(httpserver, other_server, run_http, fields):
    away = other_server.url_for("/there")
    httpserver.expect_request("/in").respond_with_json({}, headers={"Set-Cookie": "session=c4nary; Path=/"})
    httpserver.expect_request("/x").respond_with_data("", status=302, headers={"Location": away})
    other_server.expect_request("/there").respond_with_json("public")
    mine = {"X-Mine": "c4nary", "Cookie": "own=c4nary"}

    run = run_http(http.get("/in"), http.get("/x", headers=mine, query={"q": "c4nary"}), **fields)

    assert run.state.data == "public"
    request = other_server.log[0][0]
    assert set(request.headers.keys()) <= {"Host", "Accept", "Accept-Encoding", "Connection", "User-Agent"}
    assert request.query_string == b""


def test_h33_cookies_of_another_origin_are_not_kept(httpserver, other_server, run_http):
    httpserver.expect_request("/x").respond_with_data("", status=302, headers={"Location": other_server.url_for("/in")})
    with_cookie(other_server)

    run_http(http.get("/x"), http.get("/x"), keep_cookies=True)

    assert [request.headers.get("Cookie") for request, _ in other_server.log] == [None, None]


def test_h33_on_the_own_origin_the_login_goes_along(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("", status=302, headers={"Location": "/there"})
    httpserver.expect_request("/there").respond_with_handler(tell("Authorization"))

    assert run_http(http.get("/x"), lambda s: s.result(len(s.data)), **BASIC).state.data == 1


def with_cookie(server):
    server.expect_request("/in").respond_with_json({}, headers={"Set-Cookie": "tasty_cookie=choco; Path=/"})
    server.expect_request("/x").respond_with_handler(tell("Cookie"))


def test_h44_cookies_are_kept_for_one_run_where_the_credential_says_so(httpserver, run_http):
    with_cookie(httpserver)

    assert run_http(http.get("/in"), http.get("/x"), keep_cookies=True).state.data == ["tasty_cookie=choco"]
    assert run_http(http.get("/x"), keep_cookies=True).state.data == []


def test_h44_cookies_are_not_kept_otherwise(httpserver, run_http):
    with_cookie(httpserver)

    assert run_http(http.get("/in"), http.get("/x")).state.data == []


def test_h44_a_cookie_is_not_in_the_metadata(httpserver, run_http):
    with_cookie(httpserver)

    run = run_http(http.get("/in"), lambda s: s.result(s.response["headers"]), keep_cookies=True)

    assert "set-cookie" not in run.state.data


def test_h50_there_is_no_builder_of_options_and_nothing_is_sent_that_was_not_said(httpserver, run_http):
    """Upstream chains ``http.options(…).basic(…).json()``; here the credential and ``json`` say it."""
    httpserver.expect_request("/x", json={"a": 1}).respond_with_json({})

    run_http(http.post("/x", {"a": 1}, headers={"x": 1}), username="u", password="pass")

    headers = dict(httpserver.log[0][0].headers)
    assert (headers.pop("X"), headers.pop("Authorization")) == ("1", "Basic dTpwYXNz")
    assert headers.pop("Content-Type") == "application/json"
    assert set(headers) == {"Host", "Accept", "Accept-Encoding", "Connection", "User-Agent", "Content-Length"}
    assert not hasattr(http, "options")


class Digest:
    """A system that asks for a digest (RFC 7616), and knows one user."""

    def __init__(self, server, algorithm="MD5", qop="auth"):
        self.algorithm, self.qop = algorithm, qop
        self.counts = Counter()
        self.nonces = set()
        server.expect_request("/x").respond_with_handler(self._answer)

    def _answer(self, request):
        given = request.authorization
        if given is not None and given.type == "digest" and self._is_right(request, given.parameters):
            return Response(json.dumps(request.get_data(as_text=True)), content_type="application/json")
        nonce = secrets.token_hex(8)
        self.nonces.add(nonce)
        challenge = f'Digest realm="clinic", nonce="{nonce}", algorithm={self.algorithm}, qop="{self.qop}"'
        return Response("", status=401, headers={"WWW-Authenticate": challenge})

    def _is_right(self, request, sent):
        self.counts[sent["nonce"]] += 1

        def digest(*parts):
            return hashlib.new(self.algorithm.replace("-", "").lower(), ":".join(parts).encode()).hexdigest()

        secret = digest("hello", "clinic", "there")
        asked = digest(request.method, request.environ["REQUEST_URI"])
        expected = digest(secret, sent["nonce"], sent["nc"], sent["cnonce"], sent["qop"], asked)
        fresh = sent["nonce"] in self.nonces and int(sent["nc"], 16) == self.counts[sent["nonce"]]
        return fresh and sent["response"] == expected


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", "auth,auth-int"])
def test_h46_a_digest_is_two_requests_at_first_and_one_after_that(httpserver, run_http, algorithm, qop):
    Digest(httpserver, algorithm, qop)

    run = run_http(http.post("/x?a=b", {"a": 1}), http.get("/x"), auth="digest", **BASIC)

    assert run.outcome == "success"
    assert [request.method for request, _ in httpserver.log] == ["POST", "POST", "GET"]
    assert all(request.get_data() == b'{"a":1}' for request, _ in httpserver.log[:2])


def test_h46_a_wrong_password_is_an_error_after_two_requests(httpserver, run_http):
    Digest(httpserver)

    run = run_http(http.get("/x", retry=3), auth="digest", username="hello", password="wrong-c4nary")

    assert run.error.details["status"] == 401
    assert "password" in run.error.fix
    assert len(httpserver.log) == 2
    assert "c4nary" not in "".join(request.headers.get("Authorization", "") for request, _ in httpserver.log)


def test_h46_threads_do_not_use_each_others_counts(httpserver, run_http):
    digest = Digest(httpserver)

    run = run_http(each(list(range(40)), http.get("/x"), concurrency=4), auth="digest", **BASIC)

    assert run.outcome == "success"
    assert len(httpserver.log) == 40 + len(digest.nonces)
    assert len(digest.nonces) <= 4


@pytest.mark.parametrize("value", ["Bearer own", None])
def test_h46_and_h15_the_job_has_the_last_word_on_the_header(httpserver, run_http, value):
    Digest(httpserver)

    run = run_http(http.get("/x", headers={"Authorization": value}, ok={401}), auth="digest", **BASIC)

    assert run.outcome == "success"
    assert [request.headers.get("Authorization") for request, _ in httpserver.log] == [value]


@pytest.mark.parametrize(("algorithm", "qop"), [("SHA-512-256", "auth"), ("MD5", "auth-int"), ("MD5", "strange")])
def test_h46_a_challenge_that_can_not_be_met_is_an_error_that_says_so(httpserver, run_http, algorithm, qop):
    Digest(httpserver, algorithm, qop)

    run = run_http(http.post("/x", {}), auth="digest", **BASIC)

    assert (run.outcome, run.error.code) == ("failed", "http_error")
    assert "digest" in run.error.message.lower()


def test_a_username_with_a_colon_can_not_be_sent_as_basic():
    with pytest.raises(ValueError, match="colon"):
        HttpConfiguration(username="a:b", password="there")

    assert HttpConfiguration(username="a:b", password="there", auth="digest").username == "a:b"


@pytest.mark.parametrize(
    "fields",
    [
        {"username": "u", "password": "pass-c4nary", "token": "token-c4nary"},
        {"password": "pass-c4nary"},
        {"base_url": "https://:pass-c4nary@x.example"},
        {"proxy": "ftp://u:pass-c4nary@x.example"},
        {"api_key": {"value": "key-c4nary"}},
        {"oauth2": {"client_secret": "secret-c4nary"}},
        {"oauth2": {"token_url": "https://x.example?key=c4nary", "client_id": "a"}},
    ],
)
def test_a_configuration_that_is_refused_does_not_show_what_it_holds(fields):
    with pytest.raises(ValueError, match="validation error") as refused:
        HttpConfiguration(**fields)

    assert "c4nary" not in str(refused.value)


def test_a_header_of_the_client_that_is_secret_is_sent_and_not_shown(httpserver):
    from pydantic import SecretStr

    httpserver.expect_request("/x").respond_with_handler(tell("X-Key"))
    configuration = HttpConfiguration(base_url=httpserver.url_for("").rstrip("/"))

    with Client(configuration, headers={"X-Key": SecretStr("key-c4nary")}) as client:
        assert client.get("/x").data == ["key-c4nary"]
        assert "c4nary" not in f"{client!r}"
