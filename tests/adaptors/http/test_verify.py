"""What a check of a credential asks an HTTP system, and what the answer shows."""

import pytest
from crossdock.errors import AdaptorError
from crossdock_http import Client, HttpConfiguration
from pytest_httpserver import HTTPServer
from werkzeug import Response

LOGIN = {"username": "amina", "password": "s3cret-word"}


def verify(url, **fields):
    with Client(HttpConfiguration.model_validate({"base_url": url, **fields})) as client:
        return client.verify()


@pytest.fixture
def url(httpserver: HTTPServer) -> str:
    """The address of a system: everybody sees its first page, and who is logged in sees /me."""
    basic = {"Authorization": "Basic YW1pbmE6czNjcmV0LXdvcmQ="}
    httpserver.expect_request("/").respond_with_data("welcome")
    httpserver.expect_request("/me", headers=basic).respond_with_data(b"\xff not any text")
    httpserver.expect_request("/me").respond_with_data("no", status=401)
    httpserver.expect_request("/hidden").respond_with_data("no", status=403)
    httpserver.expect_request("/moved").respond_with_response(Response(status=302, headers={"Location": "/me"}))
    httpserver.expect_request("/old").respond_with_response(
        Response(status=302, headers={"Location": "/accounts/login/"})
    )
    httpserver.expect_request("/accounts/login/").respond_with_data("who are you?", content_type="text/html")
    return httpserver.url_for("").rstrip("/")


# name: the fields of the credential, what is said after the address
LET_IN = {
    "user": ({**LOGIN, "verify_path": "/me"}, " as user amina"),
    "moved": ({**LOGIN, "verify_path": "moved"}, " as user amina"),
    "nobody": ({"verify_path": "/"}, " without a login"),
    "first-page": (LOGIN, " answered 200; only a verify_path can show that user amina is let in"),
    "first-page-of-all": ({}, " answered 200"),
    "token": ({"token": "t0ken"}, " answered 200; only a verify_path can show that the owner of a token is let in"),
    "login-page-itself": ({"verify_path": "/accounts/login/"}, " without a login"),
}


@pytest.mark.parametrize("name", LET_IN)
def test_who_is_let_in_is_told_where_and_as_whom(url, name):
    fields, said = LET_IN[name]
    assert verify(url, **fields) == url + said


@pytest.mark.parametrize("status", [400, 404, 405, 406])
def test_an_address_where_no_page_is_may_still_be_that_of_a_system(httpserver: HTTPServer, status):
    httpserver.expect_request("/api").respond_with_data("nothing here", status=status)
    address = httpserver.url_for("/api")

    assert verify(address) == f"{address} answered {status}"


# name: the fields of the credential, what is said, what to do
KEPT_OUT = {
    "wrong-password": ({**LOGIN, "password": "wrong-word", "verify_path": "/me"}, "answered 401", "Check the user"),
    "forbidden": ({**LOGIN, "verify_path": "/hidden"}, "answered 403", "Give the user of the credential the right"),
    "wrong-path": ({**LOGIN, "verify_path": "/nowhere"}, "answered 500", "Read what the system answered"),
    "login-page": (
        {**LOGIN, "verify_path": "/old"},
        "/old was redirected to a login page, /accounts/login/",
        "Check the user, password or token of the credential.",
    ),
    "outside": ({**LOGIN, "verify_path": "/../me"}, "holds a dot segment", "Give a path below base_url"),
}


@pytest.mark.parametrize("name", KEPT_OUT)
def test_who_is_kept_out_is_told_why(url, name):
    fields, said, fix = KEPT_OUT[name]
    with pytest.raises(AdaptorError) as caught:
        verify(url, **fields)

    assert said in caught.value.message
    assert caught.value.fix.startswith(fix)
    assert "s3cret" not in caught.value.message


def test_another_system_shows_nothing_of_this_login(httpserver: HTTPServer, other_server: HTTPServer):
    there = other_server.url_for("/me")
    other_server.expect_request("/me").respond_with_data("welcome")
    httpserver.expect_request("/me").respond_with_response(Response(status=302, headers={"Location": there}))

    with pytest.raises(AdaptorError, match=f"/me was redirected to http://localhost:{other_server.port}, which gets"):
        verify(httpserver.url_for("").rstrip("/"), **LOGIN, verify_path="/me")


def test_a_refused_login_counts_without_a_verify_path_too(httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_data("no", status=401)

    with pytest.raises(AdaptorError, match="answered 401"):
        verify(httpserver.url_for("").rstrip("/"), **LOGIN)


def test_without_an_address_there_is_nothing_to_ask():
    assert verify(None) == "without a base_url: there is nothing to ask"


# name: the fields, as whom they come
IDENTITIES = {
    "user": (LOGIN, "user amina"),
    "client": (
        {"oauth2": {"token_url": "https://x.org/t", "client_id": "sync", "client_secret": "s3cret-word"}},
        "client sync",
    ),
    "api-key": ({"api_key": {"value": "s3cret-word", "header": "X-Key"}}, "the owner of an API key"),
    "certificate": ({"cert": "c.pem", "key": "k.pem"}, "the owner of a certificate"),
    "nobody": ({}, None),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_an_identity_holds_no_secret(name):
    fields, who = IDENTITIES[name]
    assert HttpConfiguration.model_validate(fields).identity() == who
