"""OAuth2: where a token comes from, how long it counts, and that nobody sees it."""

import json
import socket
from base64 import b64decode
from urllib.parse import parse_qs

import pytest
from crossdock import each
from crossdock.adaptors import http
from crossdock_http import HttpError, LoginError
from werkzeug import Response

CLIENT = {"client_id": "clinic", "client_secret": "secret-c4nary"}


class Issuer:
    """A token endpoint, and a system that takes its tokens."""

    def __init__(self, server):
        self.server = server
        self.grants = []
        self.logins = []
        self.valid = set()
        self.answers = {"token_type": "Bearer", "expires_in": 3600}
        server.expect_request("/token", method="POST").respond_with_handler(self._grant)
        server.expect_request("/x").respond_with_handler(self._answer)

    @property
    def paths(self):
        return [request.path for request, _ in self.server.log]

    def fields(self, **more):
        return {"oauth2": {"token_url": self.server.url_for("/token"), **CLIENT, **more}}

    def _grant(self, request):
        self.grants.append({name: value for name, (value,) in parse_qs(request.get_data(as_text=True)).items()})
        self.logins.append(request.headers.get("Authorization"))
        token = f"token-{len(self.grants)}-c4nary"
        self.valid.add(token)
        return Response(json.dumps({"access_token": token, **self.answers}), content_type="application/json")

    def _answer(self, request):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        status = 200 if token in self.valid else 401
        return Response(json.dumps(status), status=status, content_type="application/json")


@pytest.fixture
def issuer(httpserver):
    return Issuer(httpserver)


def basic(header):
    return b64decode(header.removeprefix("Basic ")).decode()


def test_client_credentials_give_one_token_for_a_run(issuer, run_http):
    run = run_http(http.get("/x"), http.get("/x"), **issuer.fields(scope="read write"))

    assert run.state.data == 200
    assert issuer.paths == ["/token", "/x", "/x"]
    assert issuer.grants == [{"grant_type": "client_credentials", "scope": "read write"}]
    assert basic(issuer.logins[0]) == "clinic:secret-c4nary"


def test_client_secret_basic_is_form_encoded_first(issuer, run_http):
    """RFC 6749, 2.3.1."""
    assert run_http(http.get("/x"), **issuer.fields(client_id="a b", client_secret="p:ä/c4nary")).state.data == 200
    assert basic(issuer.logins[0]) == "a+b:p%3A%C3%A4%2Fc4nary"


def test_client_secret_post_stands_in_the_body(issuer, run_http):
    run = run_http(http.get("/x"), **issuer.fields(client_auth="post", parameters={"audience": "fhir"}))

    assert run.state.data == 200
    assert issuer.logins == [None]
    assert issuer.grants == [{"grant_type": "client_credentials", "audience": "fhir", **CLIENT}]


def test_a_public_client_says_who_it_is(issuer, run_http):
    assert run_http(http.get("/x"), **issuer.fields(client_secret=None)).state.data == 200
    assert (issuer.logins, issuer.grants[0]["client_id"]) == ([None], "clinic")


def test_a_refresh_token_is_used_and_the_newest_one_counts(issuer, run_http):
    issuer.answers["refresh_token"] = "refresh-2-c4nary"

    def expire(state):
        issuer.valid.clear()
        return state

    run = run_http(http.get("/x"), expire, http.get("/x"), **issuer.fields(refresh_token="refresh-1-c4nary"))

    assert run.state.data == 200
    assert [grant["refresh_token"] for grant in issuer.grants] == ["refresh-1-c4nary", "refresh-2-c4nary"]
    assert {grant["grant_type"] for grant in issuer.grants} == {"refresh_token"}


@pytest.mark.parametrize("given", ["refresh-1-c4nary", "refresh-2-c4nary"])
def test_a_refresh_token_that_is_replaced_is_a_warning_as_nothing_keeps_it(issuer, run_http, given, caplog):
    issuer.answers["refresh_token"] = "refresh-2-c4nary"

    def expire(state):
        issuer.valid.clear()
        return state

    run = run_http(http.get("/x"), expire, http.get("/x"), **issuer.fields(refresh_token=given))

    replaced = given != "refresh-2-c4nary"
    codes = [warning["code"] for warning in run.state.get("warnings", [])]
    assert codes == ["refresh_token_replaced"] * replaced
    assert caplog.text.count("gave another refresh token, which is kept for this run alone") == replaced
    assert "c4nary" not in caplog.text + json.dumps(run.state)


def test_a_token_that_is_refused_is_fetched_anew_once(issuer, run_http):
    def expire(state):
        issuer.valid.clear()
        return state

    assert run_http(http.get("/x"), expire, http.get("/x"), **issuer.fields()).state.data == 200
    assert issuer.paths == ["/token", "/x", "/x", "/token", "/x"]


def test_a_system_that_refuses_the_new_token_too_is_an_error(httpserver, issuer, run_http):
    httpserver.expect_request("/closed").respond_with_json({}, status=401)

    run = run_http(http.get("/closed", retry=3), **issuer.fields())

    assert run.error.details["status"] == 401
    assert issuer.paths == ["/token", "/closed", "/token", "/closed"]


@pytest.mark.parametrize(("lasts", "tokens"), [(0, 2), ("1", 1), (3600, 1), (None, 1), ("soon", 1)])
def test_a_token_counts_as_long_as_the_system_says(issuer, run_http, lasts, tokens):
    issuer.answers["expires_in"] = lasts

    assert run_http(http.get("/x"), http.get("/x"), **issuer.fields()).state.data == 200
    assert len(issuer.grants) == tokens


def test_threads_share_one_token_and_one_renewal(issuer, run_http):
    def expire(state):
        issuer.valid.clear()
        return state.result(None)

    many = each(list(range(16)), http.get("/x"), concurrency=8)

    assert run_http(many, **issuer.fields()).outcome == "success"
    assert len(issuer.grants) == 1
    assert run_http(http.get("/x"), expire, many, **issuer.fields()).outcome == "success"
    assert len(issuer.grants) == 3


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (400, {"error": "invalid_client", "error_description": "no such client"}, "400 and gave no token: invalid_client: no such client"),
        (401, {"error": "invalid_client"}, "401 and gave no token: invalid_client"),
        (200, {"token": "misnamed-c4nary"}, "200 and gave no token"),
        (200, {"access_token": 7}, "200 and gave no token"),
        (200, {"access_token": ""}, "200 and gave no token"),
        (200, {"access_token": "two words-c4nary"}, "200 and gave no token"),
        (200, {"access_token": "é-c4nary"}, "200 and gave no token"),
        (200, {"access_token": "a\r\nX-Evil: c4nary"}, "200 and gave no token"),
        (200, ["c4nary"], "200 and gave no token"),
        (302, {}, "302 and gave no token"),
        (500, {"error": {"deep": "c4nary"}}, "500 and gave no token"),
    ],
)  # fmt: skip
def test_a_login_that_gives_no_token_says_what_the_endpoint_said(httpserver, run_http, status, body, said):
    httpserver.expect_request("/token").respond_with_json(body, status=status, headers={"Location": "/elsewhere"})

    run = run_http(http.post("/x", {}), oauth2={"token_url": httpserver.url_for("/token"), **CLIENT})

    assert (run.outcome, type(run.error), run.error.code) == ("failed", LoginError, "login_failed")
    assert f"{httpserver.url_for('/token')} answered {said}" in run.error.message
    assert "client_secret" in run.error.fix
    assert "c4nary" not in f"{run.error.message} {run.error.details} {run.state}"
    assert [request.path for request, _ in httpserver.log] == ["/token"]


def test_a_page_where_a_token_was_expected_is_no_token(httpserver, run_http):
    httpserver.expect_request("/token").respond_with_data("<html>c4nary", content_type="text/html")

    run = run_http(http.get("/x"), oauth2={"token_url": httpserver.url_for("/token"), **CLIENT})

    assert isinstance(run.error, LoginError)
    assert "c4nary" not in f"{run.error.message} {run.error.details}"


def test_a_token_endpoint_that_does_not_answer_leaves_nothing_unknown(httpserver, run_http):
    """Asking for a token writes nothing: a write that was never sent can't have happened."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/token"
        run = run_http(http.post("/x", {}, timeout=0.3), oauth2={"token_url": url, **CLIENT})

    assert (run.outcome, type(run.error), run.error.transient) == ("failed", LoginError, True)
    assert f"{url} gave no answer" in run.error.message
    assert httpserver.log == []


def test_a_busy_token_endpoint_is_transient(httpserver, run_http):
    httpserver.expect_request("/token").respond_with_data("", status=503)

    run = run_http(http.get("/x"), oauth2={"token_url": httpserver.url_for("/token"), **CLIENT})

    assert isinstance(run.error, HttpError)
    assert run.error.transient


def test_an_own_authorization_header_needs_no_token(issuer, run_http):
    issuer.valid.add("own")

    assert run_http(http.get("/x", headers={"authorization": "Bearer own"}), **issuer.fields()).state.data == 200
    assert issuer.grants == []


def test_no_authorization_header_means_none_at_all(issuer, run_http):
    assert run_http(http.get("/x", headers={"Authorization": None}, ok={401}), **issuer.fields()).state.data == 401
    assert issuer.paths == ["/x"]


def test_the_token_is_for_the_system_alone(httpserver, issuer, run_http, run_job):
    other = {"adaptor": "http", "allow_private_addresses": True, **issuer.fields()}

    run = run_job(http.get(httpserver.url_for("/x"), ok={401}), credentials={"api": other})

    assert run.state.data == 401
    assert issuer.grants == []


def test_what_was_learned_in_the_run_is_masked_in_state_and_errors(httpserver, issuer, run_http, caplog):
    issuer.answers["refresh_token"] = "refresh-2-c4nary"
    httpserver.expect_request("/echo").respond_with_handler(
        lambda request: Response(f"{request.headers['Authorization']} refresh-2-c4nary", status=418)
    )

    with caplog.at_level("DEBUG"):
        run = run_http(http.get("/echo"), **issuer.fields(refresh_token="refresh-1-c4nary"))
    kept = run_http(http.get("/echo", ok={418}), **issuer.fields())

    assert run.error.details["status"] == 418
    assert "c4nary" not in f"{run.state} {caplog.text}"
    assert kept.state.data == "Bearer *** ***"
