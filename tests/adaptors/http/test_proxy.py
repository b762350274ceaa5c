"""Proxies: those of the credential, and those of the environment only where it says so."""

import pytest
from crossdock.adaptors import http
from crossdock_http import HttpConfiguration, HttpConnectionError, TlsError


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def run_tls(run_job, server, **fields):
    entry = {"adaptor": "http", "base_url": server.url_for("").rstrip("/"), **fields}
    return run_job(http.get("/x"), credentials={"api": entry})


def test_requests_go_through_the_proxy_of_the_credential(httpserver, run_http, proxy):
    httpserver.expect_request("/x", method="POST", json={"a": 1}).respond_with_json("there")

    run = run_http(http.post("/x", {"a": 1}), proxy=f"http://{proxy.place}")

    assert run.state.data == "there"
    assert proxy.asked == [f"POST {httpserver.url_for('/x')} HTTP/1.1"]


def test_https_goes_through_a_tunnel(tls_server, run_job, ca_pem, proxy):
    server = tls_server()

    run = run_tls(run_job, server, ca=ca_pem, proxy=f"http://{proxy.place}")

    assert run.state.data == "secret"
    assert proxy.asked == [f"CONNECT localhost:{server.port} HTTP/1.1"]


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize(
    ("login", "written"),
    [
        ("clinic:pass-c4nary", "clinic:pass-c4nary"),
        pytest.param(
            "clinic:p@ss:c4nary/",
            "clinic:p%40ss%3Ac4nary%2F",
        ),
    ],
)
def test_a_proxy_gets_its_user_and_nobody_else_does(
    httpserver, tls_server, run_http, run_job, ca_pem, proxy, caplog, login, written, secure
):
    proxy.login = login
    httpserver.expect_request("/x").respond_with_handler(lambda request: _seen(request))
    fields = {"proxy": f"http://{written}@{proxy.place}", "ca": ca_pem}

    with caplog.at_level("DEBUG"):
        run = run_tls(run_job, tls_server(), **fields) if secure else run_http(http.get("/x"), **fields)

    assert run.state.data == ("secret" if secure else "none")
    assert "c4nary" not in caplog.text


def _seen(request):
    from werkzeug import Response

    return Response(request.headers.get("Proxy-Authorization", "none"))


def test_a_proxy_that_refuses_the_user_says_whose_password_to_check(httpserver, run_http, proxy):
    proxy.login = "clinic:right"

    run = run_http(http.get("/x"), proxy=f"http://clinic:wrong-c4nary@{proxy.place}")

    assert "answered 407" in run.error.message
    assert "proxy" in run.error.fix
    assert "c4nary" not in f"{run.error.message} {run.error.details}"
    assert httpserver.log == []


def test_a_tunnel_that_is_refused_says_so_and_is_not_tried_again(tls_server, run_job, ca_pem, proxy):
    proxy.login = "clinic:right"

    run = run_tls(run_job, tls_server(), ca=ca_pem, proxy=f"http://clinic:wrong@{proxy.place}")

    assert isinstance(run.error, HttpConnectionError)
    assert "407" in run.error.message
    assert len(proxy.asked) == 1


def test_the_password_of_a_proxy_is_a_secret_in_both_spellings():
    configuration = HttpConfiguration(proxy="http://clinic:p%40ss-word@proxy.example:3128")

    assert set(configuration.secrets()) == {"p%40ss-word", "p@ss-word"}
    assert "p%40ss" not in repr(configuration)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_ht_17_a_proxy_of_the_environment_counts_only_with_trust_env(
    httpserver, run_http, proxy, monkeypatch, variable
):
    httpserver.expect_request("/x").respond_with_json("there")
    monkeypatch.setenv(variable, f"http://{proxy.place}")

    assert run_http(http.get("/x")).state.data == "there"
    assert proxy.asked == []

    assert run_http(http.get("/x"), trust_env=True).state.data == "there"
    assert len(proxy.asked) == 1


def test_ht_17_https_proxy_and_no_proxy_count_with_trust_env(tls_server, run_job, ca_pem, proxy, monkeypatch):
    server = tls_server()
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.place}")

    assert run_tls(run_job, server, ca=ca_pem, trust_env=True).state.data == "secret"
    assert len(proxy.asked) == 1

    monkeypatch.setenv("NO_PROXY", "localhost")
    assert run_tls(run_job, server, ca=ca_pem, trust_env=True).state.data == "secret"
    assert len(proxy.asked) == 1


def test_ht_17_the_authorities_of_the_environment_count_only_with_trust_env(
    tls_server, run_job, ca_pem, monkeypatch, tmp_path
):
    server = tls_server()
    (tmp_path / "ca.pem").write_text(ca_pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))

    assert isinstance(run_tls(run_job, server).error, TlsError)
    assert run_tls(run_job, server, trust_env=True).state.data == "secret"


def test_a_proxy_of_the_credential_counts_more_than_one_of_the_environment(httpserver, run_http, proxy, monkeypatch):
    httpserver.expect_request("/x").respond_with_json("there")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    assert run_http(http.get("/x"), trust_env=True, proxy=f"http://{proxy.place}").state.data == "there"
    assert len(proxy.asked) == 1
