"""Where a request is followed to, and what goes along."""

import ssl

import pytest
import trustme
from crossdock.adaptors import http
from crossdock.testing import http_reply
from crossdock_http import HttpError, RedirectError, UrlError
from werkzeug import Response

SECRET = "s3cret-c4nary"
CREDENTIALS = {
    "basic": {"username": "user", "password": SECRET},
    "token": {"token": SECRET},
    "scheme": {"token": SECRET, "scheme": "ApiKey"},
    "api key header": {"api_key": {"value": SECRET, "header": "X-API-Key"}},
    "api key query": {"api_key": {"value": SECRET, "query": "api_key"}},
    "digest": {"username": "user", "password": SECRET, "auth": "digest"},
    "cookies": {"keep_cookies": True},
}


def redirect(server, path, location, status=302, **headers):
    server.expect_request(path).respond_with_data("", status=status, headers={"Location": location, **headers})


def told(request):
    """Give all that a server got to know of the client."""
    return f"{request.full_path} {dict(request.headers)} {request.get_data()}"


@pytest.mark.parametrize("fields", CREDENTIALS.values(), ids=CREDENTIALS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_ht_06_nothing_of_the_credential_goes_to_another_origin(httpserver, other_server, run_http, fields, status):
    other_server.expect_request("/there").respond_with_json("there")
    redirect(httpserver, "/x", other_server.url_for("/there"), status, **{"Set-Cookie": f"session={SECRET}; Path=/"})
    asked = {"headers": {"X-Patient": SECRET, "Cookie": f"a={SECRET}"}, "query": {"who": SECRET}}

    run = run_http(http.get("/x", **asked), **fields)

    (request, _), *more = other_server.log
    assert (run.state.data, more) == ("there", [])
    assert SECRET in told(httpserver.log[0][0])
    assert SECRET not in told(request)
    assert not {"Authorization", "Cookie", "X-Patient", "X-Api-Key"} & set(request.headers.keys())
    assert request.full_path == "/there?"


def test_ht_06_an_access_token_stays_on_its_origin(httpserver, other_server, run_http):
    httpserver.expect_request("/token").respond_with_json({"access_token": SECRET, "expires_in": 60})
    redirect(httpserver, "/x", other_server.url_for("/there"))
    other_server.expect_request("/there").respond_with_json("there")
    login = {"token_url": httpserver.url_for("/token"), "client_id": "me", "client_secret": "n0t-told"}

    run = run_http(http.get("/x"), oauth2=login)

    assert run.state.data == "there"
    assert "Authorization" in httpserver.log[1][0].headers
    assert "Authorization" not in other_server.log[0][0].headers


def test_ht_06_what_is_needed_there_and_missing_is_said(httpserver, other_server, run_http):
    redirect(httpserver, "/x", other_server.url_for("/there"))
    other_server.expect_request("/there").respond_with_data("who are you?", status=401)

    error = run_http(http.get("/x"), token=SECRET).error

    assert isinstance(error, RedirectError)
    assert str(other_server.port) in error.message
    assert "no credentials" in error.message


def test_ht_06_the_api_key_goes_along_on_its_own_origin(httpserver, run_http):
    redirect(httpserver, "/x", "/y?page=2")
    httpserver.expect_request("/y").respond_with_json("there")

    run_http(http.get("/x", headers={"X-A": "1"}), api_key={"value": SECRET, "query": "api_key"})

    last = httpserver.log[-1][0]
    assert (last.args.to_dict(), last.headers["X-A"]) == ({"page": "2", "api_key": SECRET}, "1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "operation", [http.post("/x", {"a": 1}), http.put("/x", {}), http.delete("/x"), http.patch("/x")]
)
def test_ht_07_a_write_goes_to_no_other_origin(httpserver, other_server, run_http, operation, status):
    redirect(httpserver, "/x", other_server.url_for("/there"), status)

    error = run_http(operation).error

    assert isinstance(error, RedirectError)
    assert (error.details["status"], "base_url" in error.fix) == (status, True)
    assert str(other_server.port) in error.message
    assert (len(httpserver.log), other_server.log) == (1, [])


@pytest.mark.parametrize("operation", [http.put("/x", {}), http.delete("/x"), http.patch("/x", {"a": 1})])
@pytest.mark.parametrize("status", [301, 302, 303])
def test_ht_07_no_write_becomes_a_read(httpserver, run_http, operation, status):
    redirect(httpserver, "/x", "/y", status)

    assert isinstance(run_http(operation).error, RedirectError)
    assert [request.path for request, _ in httpserver.log] == ["/x"]


def test_ht_07_an_upload_goes_along_as_a_whole(httpserver, run_http):
    redirect(httpserver, "/x", "/y", 307)
    httpserver.expect_request("/y").respond_with_handler(lambda request: Response(request.files["file"].read()))

    def make(state):
        from crossdock import run_file

        run_file("scan.bin", create=True).write_bytes(b"grey" * 100_000)
        return state

    run = run_http(make, http.upload("/x", "scan.bin", parse="bytes"), lambda s: s.result(len(s.data)))

    assert run.state.data == 400_000


def test_ht_06_https_never_leads_to_http(faulty_server, run_job):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    plain = faulty_server(http_reply(b'"plain"'))
    server = faulty_server(http_reply(status=302, location=f"{plain.url}/x"), tls=context)
    ca = authority.cert_pem.bytes().decode()

    run = run_job(http.get("/x"), credentials={"api": {"adaptor": "http", "base_url": server.url, "ca": ca}})

    assert isinstance(run.error, RedirectError)
    assert plain.requests == []


@pytest.mark.parametrize("location", ["/x", "/x?a=1", "x", "./x", ""])
def test_ht_08_a_loop_ends(httpserver, run_http, location):
    redirect(httpserver, "/x", location)

    error = run_http(http.get("/x")).error

    assert isinstance(error, HttpError)
    assert len(httpserver.log) == (6 if location else 1)


def test_ht_08_25_hops_are_too_many_and_5_are_not(httpserver, run_http):
    for hop in range(25):
        redirect(httpserver, f"/{hop}", f"/{hop + 1}")
    httpserver.expect_request("/25").respond_with_json("there")

    assert run_http(http.get("/20")).state.data == "there"
    httpserver.clear_log()
    error = run_http(http.get("/0")).error

    assert isinstance(error, RedirectError)
    assert "more than 5 times" in error.message
    assert [request.path for request, _ in httpserver.log] == [f"/{hop}" for hop in range(6)]


ODD = {
    "missing": b"",
    "file": b"Location: file:///etc/passwd\r\n",
    "javascript": b"Location: javascript:alert(1)\r\n",
    "data": b"Location: data:,x\r\n",
    "line break": b"Location: /a%0d%0aX-Evil:1\r\n",
    "broken line": b"Location: /a\r\n\tX-Evil: 1\r\n",
    "no host": b"Location: http:///x\r\n",
    "brackets": b"Location: http://[::1/x\r\n",
    "port": b"Location: http://x.example:99999/\r\n",
    "user": b"Location: http://user:pw@127.0.0.1/\r\n",
    "blank": b"Location: http://a b/\r\n",
    "bytes": b"Location: /\xff\xfe\r\n",
    "two": b"Location: /a\r\nLocation: /b\r\n",
}


@pytest.mark.parametrize("header", ODD.values(), ids=ODD)
def test_ht_08_an_odd_location_is_a_typed_error(faulty_server, run_job, header):
    server = faulty_server(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + header + b"\r\n", http_reply(status=404))

    run = run_job(http.get("/x"), credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert (run.outcome, isinstance(run.error, HttpError | UrlError)) == ("failed", True)
    assert all(b"X-Evil:1\r\n" not in request for request in server.requests)


def test_h31_a_redirect_that_the_job_expects_is_its_answer(httpserver, run_http):
    redirect(httpserver, "/x", "/y")

    run = run_http(http.post("/x", {}, ok={302}), lambda s: s.result(s.response["headers"]["location"]))

    assert run.state.data == "/y"
