"""Servers that are known, logins, and connections that break."""

import base64
import hashlib

import pytest
from crossdock.adaptors import sftp
from crossdock.errors import CredentialError
from crossdock_sftp import Session, SftpConfiguration
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from fix_sftp import PASSWORD, private_text, public_text


def fingerprint(key):
    digest = hashlib.sha256(base64.b64decode(public_text(key).split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def logins(server):
    return [line for line in server.log if "Accepted" in line or "Failed" in line]


@pytest.mark.parametrize("key", [Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())])
def test_a_server_with_another_key_is_refused_before_anything_is_told_to_it(run_sftp, sftp_server, key):
    before = logins(sftp_server)

    run = run_sftp(sftp.list_files(), host_key=public_text(key), password=PASSWORD, private_key=None)

    assert (run.outcome, run.error.code) == ("failed", "sftp_host_key_error")
    assert fingerprint(sftp_server.host_key) in run.error.fix
    assert logins(sftp_server) == before


def test_a_server_that_no_file_of_host_keys_names_is_refused(run_sftp, sftp_server, tmp_path):
    (tmp_path / "known").write_text(f"other.example.org {public_text(sftp_server.host_key)}\n")

    run = run_sftp(sftp.list_files(), host_key=None, known_hosts=str(tmp_path / "known"))

    assert (run.error.code, run.error.details["fingerprint"]) == (
        "sftp_host_key_error",
        fingerprint(sftp_server.host_key),
    )
    assert (tmp_path / "known").read_text().count("\n") == 1


@pytest.mark.parametrize(
    "fields",
    [{"host_key": "ssh-ed25519 nonsense"}, {"host_key": "klingon AAAA"}, {"host_key": None, "known_hosts": "/none"}],
)
def test_a_host_key_that_can_not_be_read_is_refused(run_sftp, fields):
    assert run_sftp(sftp.list_files(), **fields).error.code == "sftp_host_key_error"


@pytest.mark.parametrize(
    "fields", [{"host_key": None}, {"known_hosts": "x"}, {"private_key": None}, {"password": PASSWORD}]
)
def test_a_credential_that_is_not_whole_is_refused(run_sftp, fields):
    with pytest.raises(CredentialError, match="give a"):
        run_sftp(sftp.list_files(), **fields)


def test_a_password_lets_one_in(run_sftp):
    assert run_sftp(sftp.list_files(), private_key=None, password=PASSWORD).outcome == "success"


def test_a_key_with_a_passphrase_lets_one_in(run_sftp, sftp_server):
    locked = sftp_server.user_key.private_bytes(
        Encoding.PEM, PrivateFormat.OpenSSH, BestAvailableEncryption(b"a-passphrase")
    ).decode()

    good = run_sftp(sftp.list_files(), private_key=locked, passphrase="a-passphrase")
    bad = run_sftp(sftp.list_files(), private_key=locked, passphrase="another")
    none = run_sftp(sftp.list_files(), private_key=locked)

    assert good.outcome == "success"
    assert [run.error.code for run in (bad, none)] == ["sftp_login_error"] * 2


@pytest.mark.parametrize(
    "key",
    [Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)],
)
def test_whoever_is_not_known_is_not_let_in(run_sftp, key):
    run = run_sftp(sftp.list_files(), private_key=private_text(key))

    assert (run.error.code, "does not let amina in" in run.error.message) == ("sftp_login_error", True)


def test_a_wrong_password_or_key_is_not_shown(run_sftp):
    wrong = run_sftp(sftp.list_files(), private_key=None, password="wrong-password")
    broken = run_sftp(sftp.list_files(), private_key="no-key-at-all")

    assert {run.error.code for run in (wrong, broken)} == {"sftp_login_error"}
    for run, secret in ((wrong, "wrong-password"), (broken, "no-key-at-all")):
        assert secret not in f"{run.error} {run.error.fix} {run.error.details}"


def test_nobody_there_and_nobody_who_answers_are_failures(run_sftp, closed_port, deaf_port):
    for place in (closed_port, deaf_port):
        run = run_sftp(sftp.list_files(), host=place.host, port=place.port, timeout=0.2)

        assert (run.outcome, run.error.code) == ("failed", "sftp_connection_error")


def test_verify_says_where_one_is_and_as_whom(sftp_credential, sftp_server):
    del sftp_credential["adaptor"]
    with Session(SftpConfiguration(**sftp_credential)) as session:
        said = session.verify()

    assert said == f"sftp 127.0.0.1:{sftp_server.port} as amina, root {sftp_credential['root']}"


@pytest.fixture
def proxy(tcp_proxy, sftp_server):
    return tcp_proxy(sftp_server.host, sftp_server.port)


@pytest.fixture
def run_behind(run_sftp, proxy):
    return lambda *steps: run_sftp(*steps, host=proxy.address.host, port=proxy.address.port)


@pytest.mark.parametrize(
    "step", [sftp.move("incoming/a.csv", "done/a.csv"), sftp.delete("incoming/a.csv"), sftp.read("incoming/a.csv")]
)
def test_a_connection_that_breaks_before_the_answer_is_unknown_only_where_it_writes(
    run_behind, proxy, sftp_folder, step
):
    (sftp_folder / "incoming" / "a.csv").write_text("x")

    def cut(state):
        proxy.cut_response_at = proxy.received
        return state

    run = run_behind(sftp.list_files(), cut, step)

    assert run.outcome == ("failed" if step.declaration.effect == "read" else "unknown")


def test_a_connection_that_breaks_anywhere_never_leaves_half_a_file(run_behind, proxy, sftp_folder):
    file = sftp_folder / "outgoing" / "a.txt"
    whole = "new" * 20_000
    begun = []

    def begin(state):
        begun.append(proxy.received)
        return state

    assert run_behind(sftp.list_files(), begin, sftp.write("outgoing/a.txt", whole)).outcome == "success"
    outcomes = []
    for offset in range(begun[0], proxy.received, 40):
        proxy.cut_response_at = offset
        file.write_text("old")
        outcomes.append(run_behind(sftp.list_files(), sftp.write("outgoing/a.txt", whole)).outcome)

        assert file.read_text() in (("old",) if outcomes[-1] == "failed" else ("old", whole))

    assert {"failed", "unknown"} <= set(outcomes)
