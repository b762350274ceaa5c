"""`crossdock check --credentials`: what the operations need, and what there is."""

import json
from pathlib import Path

import pytest
from crossdock.checking.check import check
from crossdock.checking.credential_file import Given
from crossdock.checking.finding import Finding
from crossdock.documents import read_document
from crossdock.errors import CredentialError
from fix_command import Crossdock, WriteJob

HEAD = "from crossdock import Job, credentials, set_data\nfrom crossdock.adaptors import dhis2, http, postgresql\n"
KOBO = "kobo:\n  adaptor: http\n  base_url: https://kobo.example.org\n  token: env:KOBO_TOKEN\n"
DHIS2 = "dhis2:\n  adaptor: dhis2\n  base_url: https://dhis2.example.org\n"


def kobo(name: str) -> str:
    return KOBO.replace("kobo:", f"{name}:", 1)


# job, credentials, then: file, line, code, and words of the finding
RED = {
    "missing": (
        "http.get('/x', credential='crm')",
        KOBO,
        ("job.py", 3, "credential_missing", "there is no credential 'crm' for http; there are: kobo"),
    ),
    "none": (
        "dhis2.get('x')",
        KOBO,
        ("job.py", 3, "credential_missing", "dhis2.get needs a credential, and there is none for dhis2"),
    ),
    "ambiguous": (
        "http.get('/x')",
        kobo("one") + kobo("two"),
        ("job.py", 3, "credential_ambiguous", "there are 2 credentials for http: one, two"),
    ),
    "other-adaptor": (
        "postgresql.insert('t', {}, credential='kobo')",
        KOBO,
        ("job.py", 3, "credential_of_another_adaptor", "the credential 'kobo' is for http, not for postgresql"),
    ),
    "field-missing": (
        "dhis2.get('x')",
        "dhis2:\n  adaptor: dhis2\n  pat: abcd1234\n",
        ("given.yaml", 1, "credential_field_missing", "'base_url' is missing"),
    ),
    "no-way-in": ("dhis2.get('x')", DHIS2, ("given.yaml", 1, "credential_field_invalid", "give a pat, or a username")),
    "field-invalid": (
        "dhis2.get('x')",
        DHIS2 + "  pat: env:PAT\n  api_version: latest\n",
        ("given.yaml", 5, "credential_field_invalid", "api_version: Input should be a valid integer"),
    ),
    "field-twice": (
        "http.get('/x')",
        KOBO + "  accessToken: env:OTHER_TOKEN\n",
        ("given.yaml", 5, "credential_field_invalid", "accessToken: it is another name of token"),
    ),
    "field-unknown": (
        "http.get('/x')",
        KOBO + "  usernam: amina\n",
        ("given.yaml", 5, "credential_field_unknown", "Did you mean username?"),
    ),
    "no-adaptor": (
        "http.get('/x')",
        KOBO + "crm: {base_url: x}\n",
        ("given.yaml", 1, "credential_invalid", "has no 'adaptor'"),
    ),
    "plain-for-two": (
        "http.get('/x'), postgresql.sql('select 1')",
        "base_url: https://x.example.org\n",
        ("given.yaml", 1, "credential_invalid", "the job uses http, postgresql"),
    ),
    "read-missing": (
        "set_data(credentials.odo.password)",
        "odoo: {adaptor: http, password: x}\n",
        ("job.py", 3, "credential_missing", "Did you mean odoo?"),
    ),
    "read-field": (
        "set_data(credentials['kobo']['tokn'])",
        KOBO,
        ("job.py", 3, "credential_field_missing", "Did you mean token?"),
    ),
}
GREEN = {
    "named": ("http.get('/x', credential='kobo'), http.get('/y')", KOBO),
    "default": ("http.get('/x')", kobo("http") + kobo("other")),
    "not-used": ("http.get('/x')", KOBO + DHIS2),
    "plain": ("http.get('/x')", "base_url: https://x.example.org\nusername: amina\npassword: env:PW\n"),
    "camel-case": ("http.get('/x')", "baseUrl: https://x.example.org\naccessToken: env:TOKEN\n"),
    "references": (
        "dhis2.get('x')",
        "dhis2: {adaptor: dhis2, host_url: 'env:URL', pat: 'file:/run/pat', api_version: 'env:V'}\n",
    ),
    "own-fields": ("http.post('/x', {'db': credentials.kobo.db})", KOBO + "  db: clinic\n"),
    "chosen-at-run-time": ("*[http.get('/x', credential=name) for name in ('a', 'b')]", KOBO),
    "handed-on": ("http.get('/x', **{'credential': 'kobo'})", KOBO + kobo("b")),
    "whole-url": ("http.get('https://example.org/x')", DHIS2),
    "no-adaptor-used": ("set_data(1)", "base_url: https://x.example.org\n"),
}


def found_in(job: Path, credentials: Path) -> list[Finding]:
    given = read_document(str(credentials), what="the file", error=CredentialError)
    return check([str(job)], Given(credentials.name, given)).findings


@pytest.mark.parametrize("name", RED)
def test_a_credential_that_does_not_fit(write_job: WriteJob, name: str):
    job, given, (file, line, code, words) = RED[name]
    found = found_in(write_job(HEAD + f"job = Job({job})\n"), write_job(given, "given.yaml"))
    assert [(Path(f.file).name, f.line, f.code) for f in found] == [(file, line, code)], [*map(str, found)]
    assert words in found[0].message + found[0].fix


@pytest.mark.parametrize("name", GREEN)
def test_a_credential_that_fits_or_is_not_certain(write_job: WriteJob, name: str):
    job, given = GREEN[name]
    found = found_in(write_job(HEAD + f"job = Job({job})\n"), write_job(given, "given.yaml"))
    assert [*map(str, found)] == []


def test_one_missing_credential_is_one_finding_in_a_file(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(http.get('/x', credential='crm'),\n    http.get('/y', credential='crm'))\n")
    write_job(KOBO, "given.yaml")
    assert [f["line"] for f in crossdock("check", "job.py", "--credentials", "given.yaml", "--json").json] == [3]


def test_json_credentials_have_lines_too(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(http.get('/x'))\n")
    write_job(json.dumps({"kobo": {"adaptor": "http", "base_ur": "https://x.example.org"}}, indent=1), "given.json")
    (found,) = crossdock("check", "job.py", "--credentials", "given.json", "--json").json
    assert (found["line"], found["code"], found["fix"]) == (4, "credential_field_unknown", "Did you mean base_url?")


def test_no_value_of_a_credential_is_shown(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(dhis2.get('x'))\n")
    write_job(
        "dhis2: {adaptor: dhis2, base_url: 'ftp://s3cret-host', api_version: s3cret-v, tokn: s3cret-t}\n", "given.yaml"
    )
    done = crossdock("check", "job.py", "--credentials", "given.yaml")
    assert (done.returncode, "s3cret" in done.stdout + done.stderr) == (3, False), done.stdout


def test_a_credentials_file_that_cannot_be_read(crossdock: Crossdock, write_job: WriteJob):
    write_job(HEAD + "job = Job(http.get('/x'))\n")
    write_job("kobo: {", "given.yaml")
    done = crossdock("check", "job.py", "--credentials", "given.yaml")
    assert (done.returncode, "is not valid YAML in line 1" in done.stderr) == (3, True), done.stderr
