"""`crossdock credentials check`: it connects for real, says what is wrong, and shows no secret."""

import json
import signal

import pytest
from crossdock.testing import Stall
from fix_command import Crossdock, StartCrossdock, WriteYaml, shows
from fix_dhis2 import equip
from fix_distribution import Install, path_of
from pytest_httpserver import HTTPServer

CANARY = "cAnary/7+x=u 24 characters"


@pytest.fixture
def system(httpserver: HTTPServer) -> str:
    """The address of a system that lets one token in."""
    httpserver.expect_request("/me", headers={"Authorization": f"Bearer {CANARY}"}).respond_with_json({"user": "amina"})
    httpserver.expect_request("/me").respond_with_data(f"no: {CANARY}", status=401)
    return httpserver.url_for("").rstrip("/")


def kobo(url, token=CANARY, **more):
    return json.dumps({"kobo": {"adaptor": "http", "base_url": url, "token": token, "verify_path": "/me", **more}})


def check(crossdock, file, *more, **options):
    return crossdock("credentials", "check", *more, "--credentials", file, **options)


def test_a_credential_that_is_let_in_is_ok(crossdock: Crossdock, write_yaml: WriteYaml, system):
    done = check(crossdock, write_yaml(kobo(system, "env:TOKEN")), "kobo", "--verbose", env={"TOKEN": CANARY})

    assert (done.returncode, done.stdout) == (0, f"kobo: ok, http {system} as the owner of a token\n")
    assert not shows(done, CANARY)


@pytest.mark.parametrize("option", ["--json", "--verbose"])
def test_a_refused_login_is_a_failure_with_its_fix(crossdock: Crossdock, write_yaml: WriteYaml, system, option):
    """The system repeats the right secret in its answer, which is shown as little as the wrong one."""
    done = check(crossdock, write_yaml(kobo(system, "wrong-" + CANARY)), "kobo", option)

    assert done.returncode == 1
    assert "GET" in done.stdout
    assert "/me answered 401" in done.stdout
    assert "Check the user, password or token of the credential." in done.stdout
    assert not shows(done, CANARY, "wrong-" + CANARY)


def test_a_place_where_nobody_is_is_a_failure(crossdock: Crossdock, write_yaml: WriteYaml, closed_port):
    done = check(crossdock, write_yaml(kobo(closed_port.url)), "kobo", "--verbose")

    assert done.returncode == 1
    assert f"kobo: failed, GET {closed_port.url}/me: no connection to " in done.stdout
    assert "\n  fix: Check base_url and the network, and try again.\n" in done.stdout
    assert not shows(done, CANARY)


def test_a_system_that_never_answers_is_a_failure_in_time(crossdock: Crossdock, write_yaml: WriteYaml, faulty_server):
    server = faulty_server(Stall())
    done = check(crossdock, write_yaml(kobo(server.url)), "kobo", "--timeout", "5")

    assert (done.returncode, len(server.requests)) == (1, 1)
    assert done.stdout == (
        "kobo: failed, while connecting: there was no answer within 5 s\n"
        "  fix: Check the address and the network, or give it more time: --timeout SECONDS.\n"
    )


def test_an_interrupt_ends_it(start_crossdock: StartCrossdock, write_yaml: WriteYaml, faulty_server):
    server = faulty_server(Stall())
    process = start_crossdock("credentials", "check", "kobo", "--credentials", write_yaml(kobo(server.url)))
    server.wait_for_requests(1)

    process.send_signal(signal.SIGINT)

    assert process.communicate(timeout=20)[0] == ""
    assert process.returncode == 130


@pytest.mark.parametrize("words", [["kobo", "clinic"], ["--all", "clinic"]])
def test_the_credentials_of_a_project_are_checked(crossdock: Crossdock, write_job, system, tmp_path, words):
    (tmp_path / "clinic").mkdir()
    write_job("from crossdock import Job, set_data\njob = Job(set_data(1))", "clinic/load.py")
    (tmp_path / "clinic" / "project.yaml").write_text(
        "credentials: {kobo: {adaptor: http, base_url: 'http://localhost:9', verify_path: /me, token: 'env:TOKEN'}}\n"
        f"environments: {{staging: {{credentials: {{kobo: {{base_url: '{system}'}}}}}}}}\n"
        "workflows: {visits: {steps: {load: {job: load.py}}}}\n"
    )

    done = crossdock("credentials", "check", *words, "--env", "staging", env={"TOKEN": CANARY})

    assert (done.returncode, done.stdout) == (0, f"kobo: ok, http {system} as the owner of a token\n"), done.stderr


# name: the credential, what is said
REFUSED = {
    "missing": ({"token": "env:NOT_SET"}, "kobo.token: the environment has no variable 'NOT_SET'"),
    "invalid": ({"token": CANARY, "rate": "often"}, "the credential 'kobo' for http is not valid: rate: "),
    "short": ({"token": "abc"}, "kobo.token has only 3 characters; a secret needs 4"),
    "adaptor": ({"adaptor": "htpt"}, "no adaptor 'htpt' is installed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_missing_or_invalid_is_refused_and_nothing_is_asked(
    crossdock: Crossdock, write_yaml: WriteYaml, httpserver: HTTPServer, name
):
    fields, said = REFUSED[name]
    url = httpserver.url_for("").rstrip("/")

    done = check(crossdock, write_yaml(kobo(url, **{"token": CANARY, **fields})), "kobo", "--verbose")

    assert (done.returncode, httpserver.log) == (3, [])
    assert f"kobo: refused, {said}" in done.stdout
    assert "\n  fix: " in done.stdout
    assert not shows(done, CANARY)


def test_an_unknown_name_is_refused_with_the_closest_one(crossdock: Crossdock, write_yaml: WriteYaml):
    done = check(crossdock, write_yaml(kobo("http://localhost:9")), "kobbo")

    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no credential 'kobbo'; there are: kobo\n  fix: Did you mean 'kobo'?" in done.stderr


@pytest.mark.parametrize("words", [[], ["kobo", "clinic", "--all"], ["kobo", "clinic", "other"]])
def test_one_is_named_or_all_are_meant(crossdock: Crossdock, write_yaml: WriteYaml, words):
    done = check(crossdock, write_yaml("{}"), *words)
    assert (done.returncode, "name a credential, or say --all" in done.stderr) == (2, True)


def test_one_that_is_broken_keeps_no_other_from_being_checked(
    crossdock: Crossdock, write_yaml: WriteYaml, system, fake_dhis2, postgres
):
    equip(fake_dhis2)
    entries = {
        "missing": {"adaptor": "http", "token": "env:NOT_SET"},
        **json.loads(kobo(system)),
        "denied": {**fake_dhis2.credential, "pat": "d2pat_that_is_nobody's"},
        "hmis": fake_dhis2.credential,
        "warehouse": postgres.credential,
    }

    done = check(crossdock, write_yaml(json.dumps(entries)), "--all", "--json")
    without = check(crossdock, write_yaml(json.dumps({**entries, "missing": entries["hmis"]})), "--all", "--json")

    assert [(row["name"], row["status"]) for row in done.json] == [
        ("missing", "refused"),
        ("kobo", "ok"),
        ("denied", "failed"),
        ("hmis", "ok"),
        ("warehouse", "ok"),
    ]
    assert (done.returncode, without.returncode) == (3, 1)
    assert not shows(done, CANARY, fake_dhis2.credential["pat"], "d2pat_that_is_nobody's")


ACME = """
from contextlib import contextmanager
from crossdock import Adaptor
from pydantic import BaseModel, SecretStr


class Configuration(BaseModel):
    password: SecretStr


@contextmanager
def connect(configuration):
    print("in", configuration.password.get_secret_value())
    yield configuration
    print("out", configuration.password.get_secret_value())


def verify(configuration):
    {verify}


adaptor = Adaptor("acme", configuration=Configuration, connect=connect{more})
"""

# name: what verify does, more for the Adaptor, the exit code, what is printed
ADAPTORS = {
    "without-verify": ("pass", "", 0, "acme: ok, acme connects; it does not tell as whom\n"),
    "silent": ("return None", ", verify=verify", 0, "acme: ok, acme connects; it does not tell as whom\n"),
    "talkative": (
        "return configuration.password.get_secret_value()",
        ", verify=verify",
        0,
        "acme: ok, acme ***\n",
    ),
    "foreign-error": (
        "raise OSError('no ' + configuration.password.get_secret_value())",
        ", verify=verify",
        1,
        "acme: failed, OSError: no ***\n  fix: Check the credential; if it is right, tell the makers of the adaptor acme.\n",
    ),
    "ends-the-process": (
        "import os; os._exit(3)",
        ", verify=verify",
        1,
        "acme: failed, while connecting: the process ended with exit code 3\n  fix: Tell the makers of the adaptor or plugin.\n",
    ),
}


@pytest.mark.parametrize("verbose", [[], ["--verbose"]])
@pytest.mark.parametrize("name", ADAPTORS)
def test_an_adaptor_of_somebody_else_can_not_show_a_secret_or_take_the_command_down(
    crossdock: Crossdock, install: Install, write_yaml: WriteYaml, name, verbose
):
    verify, more, code, printed = ADAPTORS[name]
    env = path_of(install("crossdock-acme", ACME.replace("{verify}", verify).replace("{more}", more), entry="acme"))
    file = write_yaml(json.dumps({"acme": {"adaptor": "acme", "password": CANARY}}))

    done = check(crossdock, file, "acme", *verbose, env=env)

    assert (done.returncode, done.stdout) == (code, printed)
    assert "in ***\n" in done.stderr
    assert ("out ***\n" in done.stderr) == (name != "ends-the-process")
    assert ("Traceback" in done.stderr) == (name == "foreign-error" and verbose == ["--verbose"])
    assert not shows(done, CANARY)
