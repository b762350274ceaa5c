"""Whom a system is trusted by, and who one is oneself: real certificates on real sockets."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme
from crossdock import UnknownOutcomeError
from crossdock.adaptors import http
from crossdock.errors import CredentialError
from crossdock_http import HttpConfiguration, TlsError


@pytest.fixture
def ask(run_job):
    """Ask a server with these fields of a credential, by GET or by another operation."""

    def run(server, operation=None, **fields):
        entry = {"adaptor": "http", "base_url": server.url_for("").rstrip("/"), **fields}
        return run_job(operation or http.get("/x"), credentials={"api": entry})

    return run


@pytest.mark.parametrize("form", ["text", "file"])
def test_h35_a_server_of_a_private_authority_is_trusted_by_the_credential(tls_server, ask, ca_pem, tmp_path, form):
    """Upstream has a ``tls`` option for each request too; here who is trusted stands in the credential alone."""
    file = tmp_path / "ca.pem"
    file.write_text(ca_pem)

    assert ask(tls_server(), ca=ca_pem if form == "text" else str(file)).state.data == "secret"


def test_h35_a_request_has_no_tls_option():
    with pytest.raises(TypeError, match="tls"):
        http.get("/x", tls={"ca": "x"})


def test_ht_16_and_h35_a_server_of_an_unknown_authority_is_refused_once(tls_server, ask, caplog):
    with caplog.at_level("INFO", "crossdock"):
        run = ask(tls_server(), http.post("/x", {}))

    assert (run.outcome, type(run.error), run.error.code) == ("failed", TlsError, "tls_error")
    assert run.error.transient is False
    assert "unable to get local issuer certificate" in run.error.message
    assert "ca=FILE" in run.error.fix
    assert "tried again" not in caplog.text


YESTERDAY = datetime.now(UTC) - timedelta(days=1)
BAD = {
    "expired": (lambda ca: ca.issue_cert("localhost", not_before=YESTERDAY, not_after=YESTERDAY), "has expired"),
    "wrong-host": (lambda ca: ca.issue_cert("other.example"), "not valid for 'localhost'"),
    "self-signed": (lambda _: trustme.CA(), "self-signed certificate"),
}


@pytest.mark.parametrize("name", BAD)
def test_ht_16_a_certificate_that_is_not_good_is_refused_with_the_reason(tls_server, ask, authority, ca_pem, name):
    make, reason = BAD[name]
    run = ask(tls_server(make(authority)), ca=ca_pem)

    assert isinstance(run.error, TlsError)
    assert reason in run.error.message


def test_ht_16_a_server_of_the_last_century_is_refused(tls_server, ask, ca_pem):
    run = ask(tls_server(newest=ssl.TLSVersion.TLSv1), ca=ca_pem)

    assert isinstance(run.error, TlsError)
    assert "no secure connection" in run.error.message


def test_ht_16_and_h35_verify_false_works_and_warns_in_every_run(tls_server, ask, caplog):
    server = tls_server(trustme.CA())

    for _ in range(2):
        caplog.clear()
        run = ask(server, verify=False)

        assert run.state.data == "secret"
        assert [entry["code"] for entry in run.state.warnings] == ["tls_not_verified"]
        assert "verify: false" in caplog.text


@pytest.mark.parametrize("form", ["text", "file"])
def test_h36_a_server_that_asks_for_a_certificate_gets_that_of_the_credential(
    tls_server, ask, authority, ca_pem, tmp_path, form
):
    own = authority.issue_cert("clinic-7")
    cert, key = own.cert_chain_pems[0].bytes().decode(), own.private_key_pem.bytes().decode()
    if form == "file":
        for name, text in (("cert.pem", cert), ("key.pem", key)):
            (tmp_path / name).write_text(text)
        cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")

    assert ask(tls_server(clients=authority), ca=ca_pem, cert=cert, key=key).state.data == "secret"


def test_h36_without_a_certificate_the_handshake_fails(tls_server, ask, authority, ca_pem):
    run = ask(tls_server(clients=authority, newest=ssl.TLSVersion.TLSv1_2), ca=ca_pem)

    assert isinstance(run.error, TlsError)


@pytest.mark.parametrize(
    "fields",
    [{"ca": "/no/such.pem"}, {"ca": "-----BEGIN nonsense"}, {"cert": "/no/cert.pem", "key": "/no/key.pem"}],
)
def test_a_certificate_that_can_not_be_read_is_named(tls_server, ask, fields):
    error = ask(tls_server(), **fields).error

    assert isinstance(error, CredentialError)
    assert " and ".join(fields) in error.message
    assert "/no/such.pem" in error.message or "/no/such.pem" not in fields.values()
    assert "PEM" in error.fix


def test_a_key_that_is_not_of_the_certificate_shows_nothing_of_it(tls_server, ask, authority):
    cert = authority.issue_cert("clinic-7").cert_chain_pems[0].bytes().decode()
    key = trustme.CA().issue_cert("clinic-8").private_key_pem.bytes().decode()

    error = ask(tls_server(), cert=cert, key=key).error

    assert isinstance(error, CredentialError)
    assert key[40:80] not in f"{error} {error.__cause__} {error.__context__}"


def test_a_certificate_without_its_key_is_refused(ca_pem):
    with pytest.raises(ValueError, match="cert and key go together"):
        HttpConfiguration(cert=ca_pem)


def test_h36_with_tls_1_3_the_refusal_comes_late_and_is_still_one_of_tls(tls_server, ask, authority, ca_pem):
    """The server refuses only after the request is on its way; it did not read it."""
    server = tls_server(clients=authority)

    assert isinstance(ask(server, ca=ca_pem).error, TlsError)
    assert not isinstance(ask(server, http.post("/x", {}), ca=ca_pem).error, UnknownOutcomeError)
