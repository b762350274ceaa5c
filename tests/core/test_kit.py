"""The test kit: run_job, http_system, postgres, cassette, canary_sweep, frozen_clock."""

import base64
import json
import logging
import os
import re
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from crossdock import Step, Workflow, each, load_job, now, require, set_data, state, warn
from crossdock.adaptors import http, postgresql
from crossdock.errors import CredentialError, JobLoadError
from crossdock.testing import Canary, Postgres, http_system, run_job
from fix_documents import ROOT

CANARY = 'cAnary/+"7"'


def give_now(state):
    return state.result(now().isoformat())


def test_run_job_takes_operations_functions_jobs_workflows_and_files(tmp_path):
    file = tmp_path / "double.py"
    file.write_text("from crossdock import Job\njob = Job(lambda state: state.result(2 * state.data))\n")
    twice = Workflow("twice", Step("one", load_job(file), next="two"), Step("two", load_job(file)))

    assert run_job(set_data(3), lambda state: state.result(state.data + 1)).data == 4
    assert run_job(str(file), state={"data": 4}).data == 8
    assert run_job(set_data(5), file).data == 10
    assert run_job(load_job(file), state={"data": 1}).workflow.steps[0].name == "job"
    assert run_job(file, state={"data": 1}).workflow.steps[0].name == "double"
    assert run_job(twice, state={"data": 1}).data == 4


@pytest.fixture
def sample(tmp_path):
    (tmp_path / "sample.json").write_text('{"data": {"id": 7}}')
    (tmp_path / "sample.csv").write_text("id\n7\n8\n")
    return tmp_path


def test_run_job_reads_the_state_as_the_command_does(sample):
    assert run_job(set_data(state.data["id"]), state=sample / "sample.json").data == 7
    rows = run_job(lambda state: state.result(list(state.data)), state=str(sample / "sample.csv"))
    assert rows.data == [{"id": "7"}, {"id": "8"}]


def test_run_job_tells_failed_items_and_warnings():
    def work(state):
        warn("SEEN", number=state.data)
        return require(state.data != 2, "no two")

    run = run_job(each([1, 2], work, on_error="collect"))

    assert (run.outcome, [item["item"] for item in run.failed]) == ("partial", [2])
    assert [warning["code"] for warning in run.warnings] == ["SEEN", "SEEN"]
    assert (run_job(set_data(1)).failed, run_job(set_data(1)).warnings) == ([], [])


def test_a_run_that_an_assertion_shows_says_why_it_failed():
    assert repr(run_job(require(False, "the message has no form"))) == (
        "<job: failed, requirement_not_met: the message has no form>"
    )
    assert repr(run_job(set_data(1))) == "<job: success>"


def test_what_a_run_shows_of_its_error_is_masked(http_system):
    http_system.on("GET", "/x").answer([])
    leaks = require(False, "the token is cAnary-1234")

    run = run_job(http.get("/x"), leaks, credentials={"x": http_system.credential(token="cAnary-1234")})

    assert repr(run) == "<job: failed, requirement_not_met: the token is ***>"


@pytest.mark.parametrize("given", ["2024-05-02T08:00", "2024-05-02T11:00+03:00", datetime(2024, 5, 2, 8, tzinfo=UTC)])
def test_run_job_sets_the_clock(given):
    assert run_job(give_now, now=given).data == "2024-05-02T08:00:00+00:00"


def test_what_keeps_a_job_from_starting_is_raised(tmp_path):
    with pytest.raises(CredentialError):
        run_job(postgresql.sql("select 1"))
    with pytest.raises(JobLoadError):
        run_job(tmp_path / "none.py")


def test_the_clock_stands_still_until_it_is_moved(run_job, frozen_clock):
    assert run_job(give_now).data == run_job(give_now).data == frozen_clock.now.isoformat()

    frozen_clock.tick(days=1, hours=1)
    assert run_job(give_now).data == "2024-05-03T09:00:00+00:00"
    frozen_clock.set("2025-01-01")
    assert run_job(give_now).data == "2025-01-01T00:00:00+00:00"


def test_the_http_system_answers_what_fits(run_job, http_system):
    first = http_system.on("GET", "/people", query={"page": 1}).answer([1])
    more = http_system.on("GET", "/people", query={"page": 2}, headers={"X-Clinic": "lake"}).answer([2])
    kept = http_system.on("POST", re.compile(r"/people/\d+"), json={"name": "Amina"}).answer({"id": 7}, status=201)

    run = run_job(
        http.get("/people", query={"page": 1}).into("one"),
        http.get("/people", query={"page": 2, "size": 5}, headers={"x-clinic": "lake"}).into("two"),
        http.post("/people/7", {"name": "Amina", "age": 30}),
        credentials={"api": http_system.credential()},
    )

    assert (run.outcome, run.state.one, run.state.two, run.data) == ("success", [1], [2], {"id": 7})
    assert [len(exchange.requests) for exchange in (first, more, kept)] == [1, 1, 1]
    assert kept.requests[0].json == {"name": "Amina", "age": 30}
    assert [str(request) for request in http_system.requests] == [
        "GET /people?page=1",
        "GET /people?page=2&size=5",
        "POST /people/7",
    ]


def test_the_http_system_answers_in_sequence_and_the_last_for_good(run_job, http_system):
    http_system.on("GET", "/n").answer(status=503, headers={"retry-after": "0"}).answer(lambda asked: asked.query)
    api = {"api": http_system.credential(retry=1)}

    runs = [run_job(http.get("/n", query={"q": [1, 2]}), credentials=api) for _ in range(2)]

    assert [run.data for run in runs] == [{"q": ["1", "2"]}] * 2
    assert len(http_system.requests) == 3


def test_of_what_fits_the_newest_counts(run_job, http_system):
    http_system.on("GET", "/x").answer("old")
    http_system.on("GET", "/x").answer("new")

    assert run_job(http.get("/x"), credentials={"api": http_system.credential()}).data == "new"


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/x", {}),
        ("GET", "/x/", {}),
        ("GET", "/x", {"query": {"a": 2}}),
        ("GET", "/x", {"headers": {"a": "c"}}),
        ("GET", "/x", {"json": {}}),
    ],
)
def test_the_http_system_fails_for_what_nothing_was_said_about(method, path, options):
    with ExitStack() as stack:
        system = stack.enter_context(http_system())
        system.on(method, path, **options)
        asks = http.get("/x", query={"a": 1}, headers={"a": "b"})
        run = run_job(asks, credentials={"api": system.credential()})

        with pytest.raises(AssertionError, match=r"nothing was said about:\n  GET /x\?a=1\nwhat is answered:"):
            stack.close()
    assert run.error.answer.status == 501


def test_the_http_system_has_forgotten_the_test_before(http_system):
    assert (http_system.requests, http_system.unexpected) == ([], [])


def test_each_test_has_an_empty_database(run_job, postgres):
    postgres.execute("create table visits (id int)")

    run = run_job(postgresql.insert("visits", {"id": 7}), credentials={"db": postgres.credential})

    assert run.outcome == "success"
    assert postgres.execute("select id from visits where id = %s", 7) == [{"id": 7}]
    assert isinstance(postgres, Postgres)


def forms():
    raw = CANARY.encode()
    return {
        "plain": raw,
        "percent-encoded": quote(CANARY, safe="").encode(),
        "percent-encoded, small": quote(CANARY, safe="").lower().encode(),
        "base64": base64.b64encode(b"user:" + raw),
        "base64, one off": base64.b64encode(b"user1:" + raw + b"more"),
        "base64 for URLs": base64.urlsafe_b64encode(b"??" + raw),
        "JSON": json.dumps(CANARY).encode(),
        "hex": raw.hex().encode(),
        "hex, large": raw.hex().upper().encode(),
    }


@pytest.mark.parametrize("form", forms())
def test_a_canary_is_seen_in_every_form(form):
    seen = Canary(CANARY).seen({"here": b"before " + forms()[form] + b" after", "there": b"nothing"})

    assert {sighting.place for sighting in seen} == {"here"}
    assert form.partition(",")[0] in {sighting.form for sighting in seen}


def log_it(secret, folder):
    logging.getLogger("crossdock").debug("with %s", secret)


def write_it(secret, folder):
    (folder / "deep").mkdir()
    (folder / "deep" / "file.bin").write_bytes(b"\0\xff" + secret.encode() + b"\0")


@pytest.mark.parametrize(
    ("leak", "place"),
    [
        (lambda secret, _: print(secret), "stdout"),
        (lambda secret, _: print(secret, file=sys.stderr), "stderr"),
        (lambda secret, _: subprocess.run([sys.executable, "-c", f"print({secret!r})"], check=True), "stdout"),
        (log_it, "the log"),
        (write_it, "file.bin"),
    ],
)
def test_the_sweep_finds_a_leak(canary_sweep, tmp_path, leak, place):
    leak(canary_sweep.secret, tmp_path)

    with pytest.raises(AssertionError, match=rf"the canary was seen in .*{place}: plain"):
        canary_sweep(tmp_path)


def test_the_sweep_finds_a_leak_in_what_it_is_given(canary_sweep, tmp_path):
    canary_sweep(tmp_path, nothing="***")

    with pytest.raises(AssertionError, match="error: plain") as raised:
        canary_sweep(error=ValueError(canary_sweep.secret))
    assert canary_sweep.secret not in str(raised.value)


def test_an_adaptor_that_masks_passes_the_sweep(run_job, http_system, canary_sweep, tmp_path):
    http_system.on("GET", "/x").answer({"detail": "no"}, status=500)
    entry = http_system.credential(username="u", password=canary_sweep.secret)

    run = run_job(http.get("/x"), credentials={"api": entry}, record=tmp_path)

    canary_sweep(tmp_path, state=run.state, error=run.error, answer=run.error.answer, run=run)
    assert (tmp_path / "http.jsonl").stat().st_size > 0


TAPED = """
import os
from crossdock.adaptors import http
from crossdock.testing import FaultyServer

def test_taped(run_job, cassette):
    entry = {"adaptor": "http", "base_url": os.environ["ACME"], "token": os.environ.get("TOKEN", "any other")}
    runs = [run_job(http.get("/people", query={"n": n}), credentials={"acme": entry}) for n in (1, 2)]
    assert [run.data for run in runs] == [{"n": "1"}, {"n": "2"}], runs
"""


def tape(folder, url, *options, **environment):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, str(folder)]
    env = {**os.environ, "ACME": url, **environment}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def test_a_cassette_is_recorded_once_and_replayed_without_a_network(tmp_path, http_system):
    http_system.on("GET", "/people").answer(lambda asked: asked.query | {})
    (tmp_path / "test_acme.py").write_text(TAPED)

    before = tape(tmp_path, http_system.url)
    recorded = tape(tmp_path, http_system.url, "--record-cassettes", TOKEN="cAnary-1234")
    asked = len(http_system.requests)
    replayed = tape(tmp_path, http_system.url)

    assert (before.returncode, recorded.returncode, replayed.returncode) == (1, 0, 0), recorded.stdout
    assert "pytest --record-cassettes" in before.stdout
    assert (asked, len(http_system.requests)) == (2, 2)
    files = sorted(path for path in tmp_path.rglob("*") if path.is_file() and path.suffix == ".jsonl")
    assert [path.relative_to(tmp_path).as_posix() for path in files] == [
        f"cassettes/test_acme/test_taped/run-{n}/http.jsonl" for n in (1, 2)
    ]
    assert Canary("cAnary-1234").seen({str(path): path.read_bytes() for path in files}) == []


def test_the_kit_is_for_type_checked_tests(tmp_path):
    (tmp_path / "test_typed.py").write_text(
        "from crossdock import set_data\nfrom crossdock.testing import HttpSystem, RunJob\n\n\n"
        "def test_typed(run_job: RunJob, http_system: HttpSystem) -> None:\n"
        '    http_system.on("GET", "/x").answer([1], status=200)\n'
        '    run = run_job(set_data(7), credentials={"api": http_system.credential("acme")})\n'
        "    assert run.outcome == 'success' and run.failed == []\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_a_test_that_fails_shows_why_its_run_did(tmp_path):
    """The lines of who wrote the operation, the error, what to do, and no secret."""
    (tmp_path / "test_visits.py").write_text("""
from crossdock import require, set_data
from crossdock.adaptors import http

def name_of(state):
    return state.result(state.data["name"])  # the line that is at fault

def test_a_name(run_job, http_system):
    http_system.on("GET", "/x").answer(status=404)
    credentials = {"api": http_system.credential(token="cAnary-1234")}
    run_job(set_data(1))
    run_job(http.get("/x"), credentials=credentials)
    run_job(require(False, "the token is cAnary-1234"), http.get("/x"), credentials=credentials)
    run = run_job(set_data({}), name_of)
    assert run.outcome == "success"

def test_all_is_well(run_job):
    assert run_job(require(False, "meant to fail")).outcome == "failed"
""")

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_visits.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    shown = done.stdout.split("Run that failed")

    assert (done.returncode, len(shown)) == (1, 4)
    assert "HttpError: GET" in shown[1]
    assert "in operation 1 of 1 of job: http.get(<str 2>)" in shown[1]
    assert "the token is ***" in shown[2]
    assert "# the line that is at fault" in shown[3]
    assert "KeyError: 'name'" in shown[3]
    assert "core/crossdock" not in "".join(shown[1:])
    assert "meant to fail" not in done.stdout
