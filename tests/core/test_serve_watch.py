"""What a served project tells of itself at /metrics and /health, and to whom."""

import json
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from crossdock.store.records import Finish, NewMessage, NewRun
from fix_serve import PATIENCE, Served, until
from fix_server import Connection, StartServer
from prometheus_client.parser import text_string_to_metric_families

PROJECT = """
    serve: {metrics: {auth: {api_key: "env:WATCH_KEY", basic: {user: prom, password: "env:WATCH_KEY"}}}}
    workflows:
      visits:
        triggers:
          form: {webhook: visits, exclude: {test: true}}
          nightly: {cron: "0 2 1 1 *"}
        steps: {load: {job: jobs/load.py}}
      orders:
        triggers: {form: {webhook: orders}}
        steps: {load: {job: jobs/load.py}}
"""
LOAD = """
    from crossdock import Job, require, state

    job = Job(require(state.data["id"], "it has no id"))
"""
KEY = {"x-api-key": "watch-s3cret"}
OURS = {"crossdock", "watch-s3cret", "visits", "orders", "form", "load"}


class Page(NamedTuple):
    """What was answered to who looked."""

    status: int
    kind: str
    text: str

    @property
    def json(self) -> Any:
        """It as JSON."""
        return json.loads(self.text)

    @property
    def figures(self) -> dict[tuple[str, ...], float]:
        """The metrics: name and values of labels → value."""
        families = text_string_to_metric_families(self.text)
        return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


def page(address: str, headers: dict[str, str] | None = None) -> Page:
    """Look at a page."""
    try:
        with urlopen(Request(address, headers=headers or {}), timeout=PATIENCE) as answer:
            return Page(answer.status, answer.headers["content-type"], answer.read().decode())
    except HTTPError as error:
        return Page(error.code, error.headers["content-type"], error.read().decode())


@pytest.fixture
def watched(served: Served) -> Served:
    """A served project that three messages came to: one run succeeded, one failed, one message was refused."""
    served.write(PROJECT, load=LOAD)
    served.start(env={"WATCH_KEY": KEY["x-api-key"]})
    assert served.sent("visits", {"id": 7}).run.outcome == "success"
    assert served.sent("orders", {}).run.outcome == "failed"
    assert page(f"{served.address}/inbox/visits").status == 405
    return served


def test_in_39_strangers_see_totals_and_no_names(watched):
    seen = until(lambda: _counted(watched), "the count of both runs")

    assert seen.kind == "text/plain; version=0.0.4; charset=utf-8"
    assert seen.figures["crossdock_inbox_requests_total", "200"] == 2
    assert seen.figures["crossdock_inbox_requests_total", "405"] == 1
    assert seen.figures["crossdock_runs_total", "success", "ended"] == 1
    assert seen.figures["crossdock_runs_total", "failed", "ended"] == 1
    assert seen.figures["crossdock_attempts_total", "success"] == 1
    assert seen.figures["crossdock_attempt_seconds_count",] == 2
    assert seen.figures["crossdock_attempt_seconds_sum",] > 0
    assert seen.figures["crossdock_runs_waiting",] == seen.figures["crossdock_runs_dead",] == 0
    assert seen.figures["crossdock_workers",] == 2
    assert seen.figures["crossdock_store_bytes",] > 4096
    labels = {
        name: value
        for family in text_string_to_metric_families(seen.text)
        for one in family.samples
        for name, value in one.labels.items()
    }
    assert labels.keys() == {"status", "outcome", "state", "le"}
    assert "visits" not in seen.text
    assert "version" not in seen.text


REFUSED = {
    "431": b"POST /inbox/visits HTTP/1.1\r\nX: " + b"a" * 20_000,
    "414": b"POST /inbox/" + b"a" * 10_000,
    "400": b"POST /inbox/visits HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
}


def test_what_is_refused_before_it_is_a_request_is_counted_too(watched: Served):
    for status, sent in REFUSED.items():
        with Connection(int(watched.address.rpartition(":")[2]), PATIENCE, set()) as connection:
            connection.send(sent)
            assert str(connection.answer().status) == status

    seen = page(f"{watched.address}/metrics", KEY).figures

    assert {status: seen["crossdock_inbox_requests_total", "", status] for status in REFUSED} == dict.fromkeys(
        REFUSED, 1
    )
    assert seen["crossdock_inbox_requests_total", "visits", "405"] == 1


def _counted(watched: Served, headers: dict[str, str] | None = None) -> Page | None:
    """Give the metrics when both runs are in them: they are counted just after they ended."""
    seen = page(f"{watched.address}/metrics", headers)
    runs = sum(value for key, value in seen.figures.items() if key[0] == "crossdock_runs_total")
    return seen if runs == 2 else None


@pytest.mark.parametrize("headers", [KEY, {"authorization": "Basic cHJvbTp3YXRjaC1zM2NyZXQ="}], ids=["key", "basic"])
def test_who_may_sees_each_workflow_and_trigger(watched, headers):
    seen = until(lambda: _counted(watched, headers), "the count of both runs").figures

    assert seen["crossdock_inbox_requests_total", "visits", "200"] == 1
    assert seen["crossdock_runs_total", "success", "ended", "form", "visits"] == 1
    assert seen["crossdock_runs_total", "failed", "ended", "form", "orders"] == 1
    assert seen["crossdock_attempt_seconds_count", "orders"] == 1
    assert seen["crossdock_attempt_seconds_bucket", "+Inf", "orders"] == 1
    assert seen["crossdock_runs_waiting", "visits"] == 0
    assert [key for key in seen if key[0] == "crossdock_build_info"] == [("crossdock_build_info", "0.1.0")]


@pytest.mark.parametrize("path", ["/metrics", "/health"])
def test_wrong_credentials_are_refused_and_not_taken_for_none(watched, path):
    refused = page(watched.address + path, {"x-api-key": "watch-s3cre"})

    assert (refused.status, refused.json["error"]) == (401, "unauthorized")
    assert watched.servers[0].logged(f"{path}: a request from 127.0.0.1 has wrong credentials")["level"] == "warning"
    for _ in range(30):
        page(watched.address + path, {"x-api-key": "watch-s3cre"})
    assert page(watched.address + path, KEY).status == 429
    assert page(watched.address + path).status == 200


def test_in_39_health_tells_strangers_one_word_and_who_may_the_rest(watched):
    assert page(f"{watched.address}/health").json == {"status": "ok"}

    told = page(f"{watched.address}/health", KEY).json

    assert told["status"] == "ok"
    assert told["store"]["writable"] is True
    assert min(told["store"]["bytes"], told["store"]["disk_free_bytes"]) > 4096
    assert told["queue"] == {"waiting": 0, "running": 0, "dead": 0, "oldest_waiting_seconds": None}
    assert told["workers"] == {"all": 2, "alive": 2, "busy": 0, "well": True}
    assert told["next_tick"].endswith("-01-01T02:00:00.000+00:00")
    until(lambda: page(f"{watched.address}/health", KEY).json["last_heartbeat"], "a heartbeat")


def test_health_fails_while_what_forks_the_runs_is_gone_and_it_is_started_again(watched):
    pid = watched.servers[0].process.pid
    [fork_server] = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())

    os.kill(fork_server, signal.SIGKILL)

    failing = until(lambda: _with_status(watched, 503), "the failure")
    assert (failing.json["status"], failing.json["workers"]["well"]) == ("failing", False)
    until(lambda: _with_status(watched, 200), "the recovery")
    assert watched.servers[0].logged("fork server")["event"] == "fork_server_died"
    assert watched.sent("visits", {"id": 8}).run.outcome == "success"


def _with_status(watched: Served, status: int) -> Page | None:
    seen = page(f"{watched.address}/health", KEY)
    return seen if seen.status == status else None


FULL = """
    import signal
    from crossdock.server.metrics import Metrics
    from crossdock.server.watch import Watch, Workers
    from sqlalchemy import text
    watch = Watch(store, lambda: Workers(2, 2, 0, None, True), Metrics(), {}, lambda: None)
    def limit(number, _):
        room = store.size() if number == signal.SIGUSR1 else 1 << 40
        store.limit_size(room)
        print("limited", flush=True)
    signal.signal(signal.SIGUSR1, limit)
    signal.signal(signal.SIGUSR2, limit)
"""


def test_health_fails_while_the_store_is_full(start_server: StartServer):
    server = start_server(setup=FULL.strip(), options="watch=watch")
    address = f"http://127.0.0.1:{server.port}/health"
    assert page(address) == Page(200, "application/json", '{"status":"ok"}')

    server.process.send_signal(signal.SIGUSR1)
    assert server.process.stdout is not None
    assert server.process.stdout.readline() == b"limited\n"

    until(lambda: server.post("/inbox/open", {"large": "x" * 20_000}).status == 503, "a full store")
    failing = until(lambda: (seen := page(address)).status == 503 and seen, "the failure")
    assert failing.json == {"status": "failing"}
    assert page(f"http://127.0.0.1:{server.port}/metrics").figures["crossdock_store_up",] == 1
    server.process.send_signal(signal.SIGUSR2)
    until(lambda: page(address).status == 200, "the recovery")


def test_figures_of_the_queue_come_from_an_index_and_not_from_all_runs(store):
    """So a scrape takes no longer with a long history, nor with 100,000 runs that wait."""
    for number in range(5):
        store.accept(NewMessage("visits", b"{}", [NewRun("visits" if number % 2 else "orders", "form", "v1")]))
    dead = store.claim("worker")
    store.finish(dead, Finish("crashed", dead=True))

    found = store.history.queues()

    assert [(queue.workflow, queue.waiting, queue.running, queue.dead) for queue in found] == [
        (workflow, 2, 0, int(workflow == dead.workflow)) for workflow in ("orders", "visits")
    ]
    if store.file is not None:
        for line in _plans(store):
            assert "SCAN run" not in line
            assert "TEMP B-TREE" not in line


def _plans(store: Any) -> list[str]:
    """Give how SQLite finds what ``queues`` asks for."""
    from crossdock.store import history
    from sqlalchemy.dialects import sqlite

    lines = []
    for wanted in (history._COUNTED, history._FIRST):
        statement = str(wanted.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        with store._database.read() as connection:
            lines += [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}")]
    assert any("COVERING INDEX run_queue" in line for line in lines), lines
    return lines
