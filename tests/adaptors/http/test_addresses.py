"""Which URLs and which addresses may be asked."""

import re
import socket

import pytest
from crossdock.adaptors import http
from crossdock_http import BlockedAddressError, HttpConnectionError, HttpError, UrlError
from werkzeug import Response

NO_SYSTEM = {"api": {"adaptor": "http", "token": "t0ken-c4nary"}}
INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1]",
    "[fec0::1]",
    "[fd00::1]",
    "169.254.169.254",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "0.0.0.0",
    "0",
    "224.0.0.1",
    "255.255.255.255",
]


@pytest.fixture
def connections(monkeypatch):
    """The addresses that were connected to; all of them refuse."""
    asked = []

    def create_connection(address, *_, **__):
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return asked


@pytest.fixture
def names(monkeypatch):
    """What names lead to: a list of addresses for each time they are looked up."""
    known = {}
    look_up = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **options):
        if host not in known:
            return look_up(host, port, *args, **options)
        addresses = known[host].pop(0) if len(known[host]) > 1 else known[host][0]
        family = {True: socket.AF_INET6, False: socket.AF_INET}
        return [(family[":" in each], socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize("host", INSIDE)
def test_ht_20_an_address_inside_a_network_is_blocked(run_job, connections, host):
    error = run_job(http.get(f"http://{host}/x"), credentials=NO_SYSTEM).error

    assert (type(error), error.code) == (BlockedAddressError, "blocked_address")
    assert connections == []


def test_ht_20_an_address_in_octal_is_no_url(run_job, connections):
    error = run_job(http.get("http://0177.0.0.1/x"), credentials=NO_SYSTEM).error

    assert isinstance(error, HttpError)
    assert connections == []


def test_ht_20_a_user_in_the_url_hides_no_address(run_job, connections):
    error = run_job(http.get("http://a@127.0.0.1/x"), credentials=NO_SYSTEM).error

    assert isinstance(error, UrlError)
    assert connections == []


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["::ffff:7f00:1"], ["2606:4700::1", "::1"]]
)
def test_ht_20_a_name_that_leads_inside_is_blocked(run_job, connections, names, addresses):
    names["public.example"] = [addresses]

    error = run_job(http.get("http://public.example/x"), credentials=NO_SYSTEM).error

    assert isinstance(error, BlockedAddressError)
    assert connections == []


def test_ht_20_the_connection_goes_to_the_address_that_was_judged(run_job, connections, names):
    names["rebound.example"] = [["1.1.1.1"], ["127.0.0.1"]]

    error = run_job(http.get("http://rebound.example/x", timeout=0.4), credentials=NO_SYSTEM).error

    assert type(error) is HttpConnectionError
    assert connections == [("1.1.1.1", 80)]


def test_ht_20_a_name_that_leads_elsewhere_at_the_next_try_is_judged_again(run_job, connections, names):
    names["rebound.example"] = [["1.1.1.1"], ["127.0.0.1"]]

    error = run_job(http.get("http://rebound.example/x"), credentials=NO_SYSTEM).error

    assert isinstance(error, BlockedAddressError)
    assert connections == [("1.1.1.1", 80)]


@pytest.mark.parametrize("path", ["/redirect", "/pages"])
def test_ht_20_a_system_leads_nowhere_inside(httpserver, run_http, path):
    inside = "http://127.0.0.2:9/x"
    httpserver.expect_request("/redirect").respond_with_data("", status=302, headers={"Location": inside})
    httpserver.expect_request("/pages").respond_with_json({"results": [], "next": inside})

    run = run_http(http.get_all(path))

    assert run.error.code in ("blocked_address", "paging")


def test_ht_20_the_system_of_the_credential_may_be_inside(httpserver, run_http, other_server, run_job):
    httpserver.expect_request("/x").respond_with_json("there")
    other_server.expect_request("/x").respond_with_json("anywhere")
    anywhere = {"api": {"adaptor": "http", "allow_private_addresses": True}}

    assert run_http(http.get("/x")).state.data == "there"
    assert run_job(http.get(other_server.url_for("/x")), credentials=anywhere).state.data == "anywhere"


def test_ht_20_h16_a_credential_without_a_system_is_sent_nowhere(httpserver, run_job):
    httpserver.expect_request("/x").respond_with_data(
        "", status=401, headers={"WWW-Authenticate": 'Digest realm="r", nonce="n", qop="auth"'}
    )
    fields = {"adaptor": "http", "username": "user", "password": "passw0rd", "allow_private_addresses": True}

    for auth in ("basic", "digest"):
        run_job(http.get(httpserver.url_for("/x")), credentials={"api": {**fields, "auth": auth}})

    assert ["Authorization" in request.headers for request, _ in httpserver.log] == [False, False]


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://x.example/a",
        "gopher://x.example/a",
        "javascript:1",
        "x.example/a",
        "/a",
        "",
        "//x.example/",
        "http://",
        "http:///a",
        "http://x.example:99999/",
        "http://x.example:-1/",
        "http://x.example:a/",
    ],
)
def test_ht_21_what_is_no_http_url_is_refused(run_job, connections, url):
    error = run_job(http.get(url), credentials=NO_SYSTEM).error

    assert isinstance(error, UrlError)
    assert error.fix
    assert connections == []


@pytest.mark.parametrize(
    "value",
    [
        "../admin",
        "a/../../admin",
        "%2e%2e/x",
        "..%2f",
        "//evil/x",
        "http://evil/",
        "x?admin=1",
        "x#f",
        "..;/",
        "\\..\\",
    ],
)
def test_ht_19_a_value_stays_one_segment_below_the_base_path(httpserver, run_job, value):
    httpserver.expect_request(re.compile(".*")).respond_with_handler(
        lambda request: Response(request.environ["REQUEST_URI"])
    )
    api = {"adaptor": "http", "base_url": httpserver.url_for("/api/v2"), "token": "t0ken-value"}

    run = run_job(http.get("/people/{id}/visits", params={"id": value}, parse="text"), credentials={"api": api})

    segments = run.state.data.split("/")
    assert (segments[:4], segments[5:]) == (["", "api", "v2", "people"], ["visits"])
    assert not {"?", "#", "\\"} & set(run.state.data)


def test_ht_26_a_cookie_of_one_system_is_not_sent_to_another(httpserver, other_server, run_job):
    for server in (httpserver, other_server):
        server.expect_request("/x").respond_with_json({}, headers={"Set-Cookie": "session=c4nary; Path=/"})
    systems = {
        name: {"adaptor": "http", "base_url": server.url_for("").rstrip("/"), "keep_cookies": True}
        for name, server in (("a", httpserver), ("b", other_server))
    }

    run = run_job(http.get("/x", credential="a"), http.get("/x", credential="b"), credentials=systems)

    assert run.outcome == "success"
    assert "Cookie" not in other_server.log[0][0].headers


def test_ht_26_without_a_system_no_cookie_is_kept(httpserver, other_server, run_job):
    for server in (httpserver, other_server):
        server.expect_request("/x").respond_with_json({}, headers={"Set-Cookie": "session=c4nary; Path=/"})
    anywhere = {"api": {"adaptor": "http", "allow_private_addresses": True, "keep_cookies": True}}

    urls = [server.url_for("/x") for server in (httpserver, other_server, httpserver)]
    run = run_job(*map(http.get, urls), credentials=anywhere)

    assert run.outcome == "success"
    assert not any("Cookie" in request.headers for request, _ in httpserver.log + other_server.log)


def test_ht_26_a_cookie_lasts_for_one_run(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_json({}, headers={"Set-Cookie": "session=c4nary; Path=/"})

    for _ in range(2):
        run_http(http.get("/x"), http.get("/x"), keep_cookies=True)

    assert ["Cookie" in request.headers for request, _ in httpserver.log] == [False, True, False, True]
