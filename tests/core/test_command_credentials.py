"""Credentials on the command line: two forms, three ways in, and references."""

import json

import pytest
from fix_command import Crossdock, WriteJob, WriteJson
from pytest_httpserver import HTTPServer

TOKEN = "s3cret-Token"
JOB = "from crossdock import Job\nfrom crossdock.adaptors import http\njob = Job(http.get('/who'))"
MARKS = "from pathlib import Path\nfrom crossdock import tap\n"


@pytest.fixture
def who(httpserver: HTTPServer) -> HTTPServer:
    """A server that answers only with the right token."""
    request = httpserver.expect_request("/who", headers={"Authorization": f"Token {TOKEN}"})
    request.respond_with_json({"user": "amina"})
    return httpserver


# each takes the address, and gives what a person wrote
FORMS = {
    "named": lambda url: {"kobo": {"adaptor": "http", "base_url": url, "token": TOKEN, "scheme": "Token"}},
    "plain": lambda url: {"base_url": url, "token": TOKEN, "scheme": "Token"},
    "camel-case": lambda url: {"baseUrl": url, "accessToken": TOKEN, "scheme": "Token"},
    "env": lambda url: {"base_url": url, "token": "env:KOBO_TOKEN", "scheme": "Token"},
    "env-named": lambda url: {
        "kobo": {"adaptor": "http", "base_url": url, "token": "env:KOBO_TOKEN", "scheme": "Token"}
    },
    "file": lambda url: {"base_url": url, "token": "file:token.txt", "scheme": "Token"},
}


@pytest.mark.parametrize("way", ["json", "yaml", "configuration", "stdin"])
@pytest.mark.parametrize("form", FORMS)
def test_credentials_reach_the_adaptor_and_nothing_else(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, who, tmp_path, form, way
):
    given = FORMS[form](who.url_for("").rstrip("/"))
    (tmp_path / "token.txt").write_text(TOKEN + "\n")
    options, stdin = written(given, way, write_json, tmp_path)
    done = crossdock("run", write_job(JOB), *options, stdin=stdin, env={"KOBO_TOKEN": TOKEN})
    assert (done.returncode, done.json) == (0, {"data": {"user": "amina"}}), done.stderr
    assert TOKEN not in done.stdout + done.stderr


def written(given, way, write_json, folder):
    """Give the options and the standard input that hand over credentials in a way."""
    if way == "configuration":
        return ["--state", write_json({"configuration": given, "data": {}})], None
    if way == "stdin":
        return ["--state", "-"], json.dumps({"configuration": given})
    if way == "json":
        return ["--credentials", write_json(given, "credentials.json")], None
    (folder / "credentials.yaml").write_text(as_yaml(given))
    return ["--credentials", "credentials.yaml"], None


def as_yaml(given, indent=""):
    """Write a mapping of texts and mappings as block YAML."""
    lines = []
    for key, value in given.items():
        nested = isinstance(value, dict)
        lines.append(f"{indent}{key}:\n{as_yaml(value, indent + '  ')}" if nested else f'{indent}{key}: "{value}"')
    return "\n".join(lines)


def test_the_credentials_file_counts_more_than_the_input(
    crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, who
):
    right = write_json(FORMS["plain"](who.url_for("").rstrip("/")), "credentials.json")
    stale = write_json({"configuration": {"base_url": "http://localhost:9", "token": "expired-token"}})
    done = crossdock("run", write_job(JOB), "--state", stale, "--credentials", right)
    assert (done.returncode, done.json["data"]) == (0, {"user": "amina"}), done.stderr


# name: the content of the file (None: there is none), what is said
BAD = {
    "missing": (None, "the credentials file 'c.yaml' can't be read: No such file or directory"),
    "yaml": ("kobo: {token: [", "the credentials file 'c.yaml' is not valid YAML in line 1, column "),
    "list": ("[1]", "the credentials file 'c.yaml' is of type list, not a mapping"),
    "empty": ("", "the credentials file 'c.yaml' is of type NoneType, not a mapping"),
    "no-adaptor": (
        "{a: {adaptor: http}, b: {base_url: x}}",
        "the credentials file 'c.yaml': the credential 'b' has no 'adaptor'",
    ),
    "env": (
        "{kobo: {adaptor: http, token: 'env:NOT_SET'}}",
        "kobo.token: the environment has no variable 'NOT_SET'",
    ),
    "file": (
        "{kobo: {adaptor: http, token: 'file:/none'}}",
        "kobo.token: the secret file '/none' can't be read: No such file or directory",
    ),
    "short": ("{kobo: {adaptor: http, token: abc}}", "kobo.token has only 3 characters; a secret needs 4"),
    "field": (
        "{kobo: {adaptor: http, base_url: 'ftp://x', token: long-secret}}",
        "the credential 'kobo' for http is not valid: base_url: ",
    ),
    "two": (
        "{a: {adaptor: http}, b: {adaptor: http}}",
        "there are 2 credentials for http: a, b",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_credential_is_refused_before_an_operation_runs(
    crossdock: Crossdock, write_job: WriteJob, tmp_path, name
):
    content, said = BAD[name]
    if content is not None:
        (tmp_path / "c.yaml").write_text(content)
    first = "from crossdock import tap\njob = Job(tap(open, 'it-ran', 'w'), *job)"
    done = crossdock("run", write_job(f"{JOB}\n{first}"), "--credentials", "c.yaml")
    assert (done.returncode, done.stdout, (tmp_path / "it-ran").exists()) == (3, "", False), done.stderr
    assert said in done.stderr
    assert "\n  fix: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "long-secret" not in done.stderr


def test_plain_fields_need_a_job_with_one_adaptor(crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson):
    job = write_job(
        "from crossdock import Job, set_data\nfrom crossdock.adaptors import dhis2, http\njob = Job(set_data(1))"
    )
    done = crossdock("run", job, "--credentials", write_json({"base_url": "http://localhost"}, "credentials.json"))
    assert done.returncode == 3
    assert (
        "gives plain fields, and the job uses dhis2, http\n  fix: Write one mapping per credential name" in done.stderr
    )
