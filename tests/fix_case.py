"""An integration case: its runs go through the real command against real servers.

A case is two files of data, what comes in and what must leave, and a job. What a run did is
written in the form of its expected entry, so that one comparison shows every difference.
"""

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from shutil import copytree
from typing import Any, NamedTuple
from xml.etree.ElementTree import canonicalize

import pytest
from crossdock.testing import Postgres
from fix_command import Crossdock, Done, WriteJson
from fix_systems import Described, Systems, json_of

FOLDER = Path(__file__).parent / "acceptance"
JOBS = {
    name: FOLDER / "jobs" / job
    for name, job in {
        "01": "new_submissions.py",
        "01-interrupted": "new_submissions.py",
        "02": "market_survey.py",
        "04": "case_report.py",
        "05": "chw_report.py",
        "08": "referrals.py",
        "08-sparse": "referrals.py",
        "10": "household_form.py",
    }.items()
}
"""The job of each case. A name with a word marks a case that adds what the numbered one does not meet of its rules."""

OUTCOMES = {0: "success", 1: "error", 6: "partial"}
OURS = ("warnings", "failed", "errors", "cursors")
"""What the runtime writes into a final state; there it counts only where a case expects it."""
NAMES = {"errors": "form_errors"}
"""What the cases call by a name that is the runtime's here, and how their jobs call it."""

CODES = {"dhis2_import_refused": "DHIS2_VALIDATION", "ambiguous": "AMBIGUOUS_MATCH"}
"""What the cases call an error of an adaptor."""

SCHEMES = {"kobo": "Token"}
KEY_HEADER = "Ocp-Apim-Subscription-Key"
OF_THE_JOB = ("path",)
"""Fields that the cases keep with the credentials, and that are constants of the job here."""
SECRETS = ("password", "token", "pat", "api_key", "subscription_key", "dsn")
TELLING = 9
"""Characters from which on a text of the input can't stand in an error by chance."""

Fields = Mapping[str, Any]


class Happened(NamedTuple):
    """What one run of a case did, beside what it should have done."""

    seen: str
    expected: str
    unanswered: list[Described]
    leaked: list[str]


PlayCase = Callable[[str, Path], Iterator[Happened]]

PROJECTS = {"08": FOLDER / "projects" / "referrals", "08-sparse": FOLDER / "projects" / "referrals"}
"""The project of a case that is about several steps."""


@pytest.fixture
def play_case(
    crossdock: Crossdock, write_json: WriteJson, systems: Systems, postgres: Postgres, tmp_path: Path
) -> PlayCase:
    """Play the runs of a case with a job, one after another."""

    def run(job: Path, state: Any, given: Mapping[str, Fields], clock: str) -> Done:
        # Verbose, because there a secret would leak first.
        always = ["--state", write_json(state), "--now", clock, "--verbose"]
        if job.is_dir():
            return crossdock("run", job, name_of(job), *always, env=variables(given))
        credentials = {system: entry(system, fields) for system, fields in given.items()}
        return crossdock("run", job, *always, "--credentials", write_json(credentials, "credentials.json"))

    def play(name: str, job: Path) -> Iterator[Happened]:
        case, expected_runs = read_case(name, systems, postgres)
        if job.is_dir():  # what it keeps is not for the checkout
            job = copytree(job, tmp_path / job.name)
        postgres.execute("drop schema public cascade; create schema public;" + case["db"]["ddl"] + case["db"]["seed"])
        last: Any = None
        for given, expected in zip(case["runs"], expected_runs, strict=True):
            systems.answer_with(given.get("stubs", []))
            state = last if given.get("carry_state") else given["state"]
            done = run(job, state, case["credentials"], given["clock"])
            seen = what_was_seen(given["name"], done, systems, expected)
            if "steps" in expected:
                seen |= {"steps": steps_of(job)} if job.is_dir() else {"steps": expected["steps"]}
            seen |= {"tables": tables(postgres, case["db"]["dump"])} if "tables" in expected else {}
            leaked = [*leaked_secrets(case["credentials"], done), *leaked_rows(state, done)]
            yield Happened(readable(seen), readable(completed(expected)), systems.unanswered, leaked)
            last = done.json if done.returncode in (0, 6) else last

    return play


def read_case(name: str, systems: Systems, postgres: Postgres) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Read a case, with the addresses of this test where the file has places for them."""

    def address(place: re.Match[str]) -> str:
        return json.dumps(systems.address(place["system"]) if place["system"] else postgres.dsn)[1:-1]

    text = (FOLDER / "cases" / f"case-{name}.input.json").read_text(encoding="utf-8")
    case = json.loads(re.sub(r"\{\{(dsn|base:(?P<system>\w+))\}\}", address, text))
    expected = json.loads((FOLDER / "cases" / f"case-{name}.expected.json").read_text(encoding="utf-8"))
    return {"db": {"ddl": "", "seed": "", "dump": {}}, **case}, [in_our_names(run) for run in expected["runs"]]


def name_of(project: Path) -> str:
    """Give the workflow that a case runs: it is called like its project."""
    return project.name


def variables(credentials: Mapping[str, Fields]) -> dict[str, str]:
    """Give the environment in which a project finds the credentials of a case."""
    return {
        f"{system}_{field}".upper(): text for system, fields in credentials.items() for field, text in fields.items()
    }


def steps_of(project: Path) -> list[list[str]]:
    """Give how the steps of each item ended, as the run kept it: item, step, and its outcome or code."""
    (kept,) = (json.loads(path.read_text()) for path in project.glob(".crossdock/outputs/*/handle.json"))
    return [[end["item"], end["step"], code_of_end(end)] for end in kept["inner"]]


def code_of_end(end: Mapping[str, Any]) -> str:
    """Give the code that the cases use for the end of a step."""
    return "HTTP_ERROR" if str(end["code"]).startswith("http") else end["code"] or end["outcome"]


def entry(system: str, fields: Fields) -> dict[str, Any]:
    """Give a credential of a case in the words of the adaptor that takes it."""
    if "dsn" in fields:
        return {"adaptor": "postgresql", **fields}
    if "pat" in fields:
        return {"adaptor": "dhis2", **fields}
    if "api_key" in fields:
        token = f"{fields['username']}:{fields['api_key']}"
        return {"adaptor": "http", "base_url": fields["base_url"], "token": token, "scheme": "ApiKey"}
    if "subscription_key" in fields:
        key = {"header": KEY_HEADER, "value": fields["subscription_key"]}
        return {"adaptor": "http", "base_url": fields["base_url"], "api_key": key}
    known = {name: value for name, value in fields.items() if name not in OF_THE_JOB}
    return {"adaptor": "http", "scheme": SCHEMES.get(system, "Bearer"), **known}


# What must not be seen


def leaked_secrets(credentials: Mapping[str, Fields], done: Done) -> list[str]:
    """Give the secrets that a run showed anywhere."""
    secrets = {secret for fields in credentials.values() for secret in secrets_of(fields)}
    return [secret for secret in secrets if secret in done.stdout + done.stderr]


def secrets_of(fields: Fields) -> Iterator[str]:
    """Give the secrets of a credential, and what basic authentication makes of them."""
    yield from (fields[name] for name in SECRETS if name in fields)
    if "password" in fields:
        yield b64encode(f"{fields['username']}:{fields['password']}".encode()).decode()


def leaked_rows(state: Mapping[str, Any], done: Done) -> list[str]:
    """Give the values of the input that the error of a database told."""
    error = error_of(done)
    if error is None or code_of(error) != "DB_ERROR":
        return []
    told = json.dumps(error, ensure_ascii=False) + done.stderr
    return [text for text in values_of(state) if len(text) >= TELLING and text in told]


def values_of(value: Any) -> Iterator[str]:
    """Give every text in a JSON value that is not a key."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from values_of(item)


# What was seen, and what is expected, in one form


def what_was_seen(name: str, done: Done, systems: Systems, expected: Mapping[str, Any]) -> dict[str, Any]:
    """Describe what a run did, as far as its expected entry has words for it."""
    assert done.stdout, done.stderr
    pairs: Iterator[tuple[Any, Any]] = zip_longest(
        systems.requests, expected["requests"][: len(systems.requests)], fillvalue={}
    )
    seen = {
        "name": name,
        "outcome": OUTCOMES.get(done.returncode, f"exit code {done.returncode}"),
        "warnings": sorted(warning["code"] for warning in done.json.get("warnings", [])),
        "requests": [as_expected(*pair) for pair in pairs],
        "error": shown_error(done, expected.get("error")),
    }
    return seen | ({"final_state": own(done.json, expected)} if "final_state" in expected else {})


def in_our_names(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Give an expected entry in the words that a job uses here."""
    ours = dict(expected)
    if "final_state" in ours:
        ours["final_state"] = {NAMES.get(key, key): value for key, value in ours["final_state"].items()}
    return ours


def completed(expected: Mapping[str, Any]) -> dict[str, Any]:
    """Complete an expected entry: what it does not mention must not happen."""
    requests = [completed_request(request) for request in expected["requests"]]
    return {"error": None, **expected, "requests": requests, "warnings": sorted(expected.get("warnings", []))}


def completed_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """Complete an expected request."""
    body = {"xml": same_xml(request["xml"])} if "xml" in request else {}
    return {"query": {}, "headers": {}, **request, **body}


def as_expected(request: Described, like: Mapping[str, Any]) -> dict[str, Any]:
    """Give a request in the form of an expected one: only the headers that it names, and the parsed body."""
    seen = {key: value for key, value in request.items() if key not in ("headers", "body")}
    seen["headers"] = {name: request["headers"].get(name) for name in like.get("headers", {})}
    if "xml" in like:
        return {**seen, "xml": same_xml(request["body"])}
    sent = json_of(request)
    if sent is not None or not request["body"]:
        return seen if sent is None else {**seen, "json": sent}
    return {**seen, "text": request["body"]}


def same_xml(text: str) -> str:
    """Give XML in the one form that all documents of the same names, attributes and text share."""
    return canonicalize(text, rewrite_prefixes=True)


def shown_error(done: Done, like: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give the error of a run in the words of the cases, with the details that one expects."""
    error = error_of(done)
    if error is None:
        return None
    details = error["details"]
    return {"code": code_of(error), "details": {key: details.get(key) for key in (like or {}).get("details", details)}}


def error_of(done: Done) -> dict[str, Any] | None:
    """Give the record of the error that ended a run."""
    return next(iter(done.json.get("errors", {}).values()), None)


def code_of(error: Mapping[str, Any]) -> str:
    """Give the code that the cases use for an error."""
    if error["details"].get("sqlstate"):
        return "DB_ERROR"
    return CODES.get(error["code"]) or ("HTTP_ERROR" if error["details"].get("status") else str(error["code"]))


def own(state: Mapping[str, Any], expected: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a job left in its final state; of the runtime's own keys only those that are expected."""
    return {key: value for key, value in state.items() if key not in OURS or key in expected["final_state"]}


def tables(postgres: Postgres, queries: Mapping[str, str]) -> dict[str, Any]:
    """Give the rows of the tables that a case looks at."""
    return {name: postgres.execute(query) for name, query in queries.items()}


def readable(value: Any) -> str:
    """Write a value as lines whose differences can be read, and in which 1 and true differ."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=plain)


def plain(value: Any) -> Any:
    """Give a value of the database as JSON has it."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return f"{value.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a column of type {type(value).__name__} has no JSON form yet")
