"""Who is told that a run did not end well, however it ended: real servers, real processes, real signals."""

import json
import signal
from datetime import timedelta
from typing import Any

from crossdock.store.records import NewMessage, NewRun, StoredRun
from fix_command import is_gone
from fix_serve import Served, Server, until
from pytest_httpserver import HTTPServer
from werkzeug import Response

PROJECT = """
    name: clinic
    workflows:
      visits:
        concurrency: 8
        limits: {seconds: 20, memory_mb: 300, state_mb: 1}
        triggers: {form: {webhook: visits}}
        notify: NOTIFY
        steps: {load: {job: jobs/load.py}}
      quick:
        limits: {seconds: 1}
        triggers: {form: {webhook: quick}}
        notify: NOTIFY
        steps: {load: {job: jobs/load.py, next: {handle: on_failure}}, handle: {job: jobs/write.py}}
      short:
        triggers: {form: {webhook: short}}
        notify: NOTIFY
        steps: {load: {job: jobs/load.py, limits: {seconds: 1}, next: {handle: on_failure}}, handle: {job: jobs/write.py}}
      tell: {steps: {write: {job: jobs/write.py}}}
      alert:
        triggers: {visits: {after: {failure: visits}}, quick: {after: {failure: quick}}, short: {after: {failure: short}}}
        steps: {write: {job: jobs/write.py}}
"""
TOLD = PROJECT.replace("NOTIFY", "{workflow: tell}")
RUNS = """
    import os, time
    from crossdock import Job, JobError, State
    from crossdock.errors import UnknownOutcomeError

    def load(state):
        names = {**globals(), "state": state}
        exec(state.data["code"], names)
        return names["state"]

    job = Job(load)
"""
WRITES = "from crossdock import Job\njob = Job(lambda state: state.result({'data': state.data, **state.request}))\n"
PATIENT = "Amina Njeri"


def told(served: Served, workflow: str, number: int) -> list[dict[str, Any]]:
    """Wait until as many runs of a workflow have ended, and give what they were told."""

    def ended() -> list[StoredRun]:
        return [run for run in served.runs(workflow) if run.state == "ended"]

    until(lambda: len(ended()) >= number, f"{number} runs of {workflow}")
    return [json.loads(served.run(run.id).final or b"")["data"] for run in ended()]


ENDS = {
    "raise JobError('BAD_VISIT', 'it is ' + state.data['name'])": ("failed", "failed", "BAD_VISIT"),
    "raise UnknownOutcomeError('nobody knows')": ("failed", "unknown", "unknown_outcome"),
    "raise SystemExit(0)": ("failed", "crashed", "exited"),
    "'x' * 10**9": ("failed", "killed", "memory"),
    "state = state.result('x' * 2_000_000)": ("failed", "killed", "state_too_large"),
    "os.kill(os.getpid(), 9)": ("dead", "crashed", "exited"),
    "os._exit(0)": ("dead", "crashed", "exited"),
}


STUBBORN = "while True:\n    try:\n        time.sleep(60)\n    except BaseException: pass"
TOO_SLOW = dict.fromkeys(("quick", "short"), ("failed", "killed", "timeout"))


def test_somebody_is_told_of_every_bad_end_whatever_ended_the_process(served: Served):
    served.write(TOLD, load=RUNS, write=WRITES)
    served.start()
    ids = {code: served.post("visits", {"name": PATIENT, "code": code})[0] for code in ENDS}
    for workflow in TOO_SLOW:
        ids[workflow] = served.post(workflow, {"name": PATIENT, "code": STUBBORN})[0]

    notices = {notice["run"]: notice["data"] for notice in told(served, "tell", len(ids))}
    alerts = {alert["run"]: alert for alert in told(served, "alert", len(ids))}

    assert set(notices) == set(alerts) == set(ids.values())
    for code, (event, outcome, error) in {**ENDS, **TOO_SLOW}.items():
        notice = notices[ids[code]]
        assert (notice["event"], notice["outcome"], notice["error"], notice["step"]) == (event, outcome, error, "load")
        assert alerts[ids[code]]["outcome"] == outcome
    assert PATIENT not in repr(notices)
    for workflow in TOO_SLOW:
        assert served.run(ids[workflow]).steps == (), "no edge is followed: its process is gone"


def test_a_notice_holds_ids_names_codes_times_and_counts_and_nothing_else(served: Served):
    served.write(TOLD, load=RUNS, write=WRITES)
    served.start()

    run = served.sent("visits", {"name": PATIENT, "code": "raise JobError('BAD_VISIT', state.data['name'])"})

    (notice,) = told(served, "tell", 1)
    assert run.run.ended_at is not None
    assert notice["data"] == {
        "event": "failed",
        "project": "clinic",
        "workflow": "visits",
        "trigger": "form",
        "run": run.run.id,
        "message": run.message.id,
        "outcome": "failed",
        "error": "BAD_VISIT",
        "step": "load",
        "attempts": 1,
        "received_at": run.message.received_at.isoformat(),
        "ended_at": run.run.ended_at.isoformat(),
        "text": f"clinic: a run of visits did not succeed: failed, BAD_VISIT in the step load (run {run.run.id})",
    }
    assert (notice["notice"], notice["workflow"], notice["run"]) == ("failed", "visits", run.run.id)
    assert {one.message for one in served.runs("tell")}.isdisjoint({run.message.id})


def test_what_is_told_is_chosen_and_success_and_parts_of_it_are_not(served: Served):
    only_dead = PROJECT.replace("NOTIFY", "[{workflow: tell, on: [dead]}]")
    served.write(only_dead, load=RUNS, write=WRITES)
    served.start()

    for code in (
        "pass",
        "from crossdock import put_aside; put_aside({'id': 1}, {'code': 'x'}, index=0)",
        "raise JobError('BAD', '')",
    ):
        served.sent("visits", {"code": code})
    dead = served.sent("visits", {"code": "os._exit(1)"})

    assert [notice["run"] for notice in told(served, "tell", 1)] == [dead.run.id]
    assert {run.outcome for run in served.runs("visits")} == {"success", "partial", "failed", "crashed"}


def kill_servers(served: Served, times: int) -> None:
    """Kill as many servers, one after another, while a run goes on in them."""
    for attempt in range(1, times + 1):
        server = served.servers[-1] if attempt == 1 else served.start()
        pids = until(lambda: len(served.file("pids.txt")) == attempt and served.file("pids.txt"), "the run")  # noqa: B023
        server.end(signal.SIGKILL)
        until(lambda: is_gone(int(pids[-1])), "the end of the run's process")  # noqa: B023


def test_a_run_that_dies_with_its_server_is_told_once_by_the_next_one(served: Served):
    served.write(TOLD, load=RUNS, write=WRITES)
    served.start()
    hangs = "print(os.getpid(), file=open('pids.txt', 'a'))\ntime.sleep(600)"
    (id_,) = served.post("visits", {"name": PATIENT, "code": hangs})

    kill_servers(served, 3)
    served.start()

    (notice,) = told(served, "tell", 1)
    (alert,) = told(served, "alert", 1)
    details = served.run(id_)
    assert (details.run.state, details.run.attempt, details.error["code"]) == ("dead", 3, "worker_gone")
    assert (notice["run"], notice["data"]["event"], notice["data"]["error"]) == (id_, "dead", "worker_gone")
    assert (alert["run"], alert["outcome"]) == (id_, "crashed")
    assert next(iter(alert["errors"].values()))["code"] == "worker_gone"


def test_a_notice_survives_a_server_that_is_killed_and_is_told_once(served: Served):
    slow = "import os, time\nfrom crossdock import Job\n\ndef write(state):\n    with open('told.txt', 'a') as file:\n        print(os.getpid(), file=file)\n    while not os.path.exists('go'):\n        time.sleep(0.01)\n    return state\n\njob = Job(write)\n"
    served.write(TOLD, load=RUNS, write=slow)
    server = served.start()
    served.post("visits", {"code": "raise JobError('BAD', 'it is bad')"})
    pids = until(lambda: served.file("told.txt"), "the notice")

    server.end(signal.SIGKILL)
    until(lambda: is_gone(int(pids[0])), "the end of the run's process")
    (served.folder / "go").touch()
    served.start()

    until(lambda: [run.outcome for run in served.runs("tell")] == ["success"], "the notice's run")
    assert [run.attempt for run in served.runs("tell")] == [2]


def test_a_notice_that_fails_and_what_it_starts_tell_nobody(served: Served):
    served.write(
        """
        defaults: {notify: {workflow: tell}}
        workflows:
          visits: {triggers: {form: {webhook: visits}, again: {after: {failure: more}}}, steps: {load: {job: jobs/load.py}}}
          more: {triggers: {failed: {after: {failure: tell}}}, steps: {load: {job: jobs/load.py}}}
          tell: {triggers: {form: {webhook: tell}}, steps: {load: {job: jobs/load.py}}}
        """,
        load="from crossdock import Job, JobError, require\njob = Job(require(lambda state: False, 'no'))\n",
    )
    server = served.start()

    served.sent("visits", {})
    until(lambda: [run.state for run in served.runs()] == ["ended"] * 4, "what follows")
    assert server.end() == 0

    assert [run.workflow for run in served.runs()] == ["visits", "tell", "more", "visits"]


def test_who_is_told_of_all_workflows_is_not_told_of_itself(served: Served):
    served.write(
        """
        defaults: {notify: [{workflow: tell, on: [failed]}]}
        workflows:
          tell: {triggers: {form: {webhook: tell}}, steps: {load: {job: jobs/load.py}}}
        """,
        load="from crossdock import Job, require\njob = Job(require(lambda state: False, 'no'))\n",
    )
    server = served.start()

    assert served.sent("tell", {}).run.outcome == "failed"
    assert server.end() == 0

    assert [run.workflow for run in served.runs()] == ["tell"]


def test_a_run_that_is_held_for_another_version_is_told(served: Served):
    served.write(TOLD + "    serve: {on_change: hold}\n", load=RUNS, write=WRITES)
    served.start()
    with served.store() as store:
        old = NewMessage("visits", b"{}", [NewRun("visits", "form", "an older one")], content_type="application/json")
        (held,) = store.accept(old).runs

    (notice,) = told(served, "tell", 1)

    assert (notice["run"], notice["data"]["event"], notice["data"]["outcome"]) == (held, "dead", "refused")


POSTED = PROJECT.replace("NOTIFY", '{webhook: "env:OPS", headers: {X-Key: "env:OPS_KEY"}}')
KEY = "canary-7b12e0"


def posting(served: Served, httpserver: HTTPServer) -> Server:
    """Serve a project whose notices are posted to a server of the test."""
    served.write(POSTED, load=RUNS, write=WRITES)
    return served.start(env={"OPS": httpserver.url_for("/ops") + "?sig=canary-44", "OPS_KEY": KEY})


def test_a_notice_is_posted_until_it_arrives_each_time_with_the_same_key(served: Served, httpserver: HTTPServer):
    answers = [Response(status=503, headers={"Retry-After": "0"}), Response("thanks", content_type="text/plain")]
    httpserver.expect_request("/ops", method="POST").respond_with_handler(lambda _: answers.pop(0))
    posting(served, httpserver)

    failed = served.sent("visits", {"name": PATIENT, "code": "raise JobError('BAD_VISIT', state.data['name'])"})
    until(lambda: [run.outcome for run in served.runs("notify:visits:1")] == ["success"], "the notice's run")

    first, second = [request for request, _ in httpserver.log]
    assert (second.json["run"], second.json["error"], second.json["step"]) == (failed.run.id, "BAD_VISIT", "load")
    assert second.args.to_dict() == {"sig": "canary-44"}
    assert second.headers["X-Key"] == KEY
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] != ""
    assert PATIENT.encode() not in second.data
    left = [file.read_bytes() for file in served.folder.rglob("*") if file.is_file()]
    assert not any(KEY.encode() in text or b"canary-44" in text for text in left)


def test_a_notice_whose_receiver_is_broken_waits_and_holds_up_no_other_workflow(served: Served, httpserver: HTTPServer):
    httpserver.expect_request("/ops").respond_with_data("broken", status=500)
    posting(served, httpserver)

    served.sent("visits", {"code": "raise JobError('BAD', 'it is bad')"})

    def waiting() -> list[StoredRun]:
        return [run for run in served.runs("notify:visits:1") if run.state == "available" and run.attempt == 1]

    (notice,) = until(waiting, "an attempt that failed")
    assert (notice.outcome, notice.error_code, notice.most_attempts) == ("failed", "notice_not_posted", 10)
    assert notice.due_at - notice.queued_at > timedelta(seconds=20)
    assert served.sent("visits", {"code": "pass"}).run.outcome == "success"


def test_a_webhook_whose_address_is_missing_is_refused_before_anything_is_received(served: Served):
    served.write(POSTED, load=RUNS, write=WRITES)

    server = served.launch(env={"OPS_KEY": KEY})

    assert server.process.wait(60) == 3
    assert "OPS" in server.said
