"""References: where a secret is kept, and what is said when it is not there."""

import json
import subprocess
import sys

import pytest
from crossdock.references import Resolved, is_own, resolve_reference
from fix_command import Crossdock, WriteJob, WriteJson
from fix_keyring import Keyring

JOB = (
    "from crossdock import Job, credentials, tap\n"
    "job = Job(tap(lambda token: print(len(token), token), credentials.kobo.token))"
)
CANARY = "cAnary/7+x=ü 'quoted'"


@pytest.fixture
def token(crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson):
    """Run a job that prints a secret and its length, as a process of its own."""

    def run(reference, env):
        given = write_json({"kobo": {"adaptor": "http", "token": reference}}, "credentials.json")
        return crossdock("run", write_job(JOB), "--credentials", given, env=env)

    return run


@pytest.mark.parametrize(("service", "name"), [("clinic", "kobo"), ("https://kobo.example.org", "amina@example.org")])
def test_a_secret_comes_from_the_keyring(keyring: Keyring, token, service, name):
    keyring.set(service, name, CANARY)

    done = token(f"keyring:{service}/{name}", keyring.env)

    assert (done.returncode, done.stderr.splitlines()[0]) == (0, f"{len(CANARY)} ***")


# name: the reference, more of the environment, what is said, what to do
MISSING = {
    "no-entry": (
        "keyring:clinic/other",
        {},
        "kobo.token: the keyring has no entry 'other' of the service 'clinic'",
        "Add it: keyring set clinic other",
    ),
    "no-name": (
        "keyring:clinic",
        {},
        "the reference 'keyring:clinic' names no entry of a keyring",
        "Write it as keyring:SERVICE/NAME.",
    ),
    "no-backend": (
        "keyring:clinic/kobo",
        {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"},
        "kobo.token: this machine has no keyring that can be used",
        "See `keyring --list-backends` and install one",
    ),
    "wrong-backend": (
        "keyring:clinic/kobo",
        {"PYTHON_KEYRING_BACKEND": "nowhere.Keyring"},
        "kobo.token: the keyring can't be asked: ModuleNotFoundError",
        "Unlock it, or correct PYTHON_KEYRING_BACKEND",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_a_keyring_that_has_nothing_refuses_the_run(keyring: Keyring, token, name):
    reference, env, said, fix = MISSING[name]

    done = token(reference, {**keyring.env, **env})

    assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (3, "", False), done.stderr
    assert said in done.stderr
    assert f"\n  fix: {fix}" in done.stderr


def test_without_the_library_the_error_says_how_to_install_it(token, tmp_path):
    """A module of that name stands in the way, and fails as one that is not there does."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "keyring.py").write_text("raise ModuleNotFoundError(name='keyring')")

    done = token("keyring:clinic/kobo", {"PYTHONPATH": str(tmp_path / "site")})

    assert done.returncode == 3
    assert "kobo.token: references to a keyring need the package 'keyring', which is not installed" in done.stderr
    assert "\n  fix: Install it: pip install 'crossdock[keyring]'." in done.stderr


def test_nothing_of_the_keyring_is_imported_before_it_is_needed():
    code = "import sys, crossdock.cli, crossdock.plugins, crossdock.references; print('keyring' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"


def test_a_resolved_secret_is_not_in_its_repr():
    assert CANARY not in repr(Resolved(CANARY, "plugin vault")) + json.dumps(str(Resolved(CANARY)))


@pytest.mark.parametrize("text", ["https://kobo.example.org", "keyring", "vault:kobo", "env", ""])
def test_a_text_of_another_scheme_is_no_reference_of_ours(text):
    assert (resolve_reference(text), is_own(text)) == (None, False)
