"""Which run is next, how often it is tried, in which order, and what its end starts."""

import json
import os
import signal
import threading
from itertools import accumulate
from textwrap import dedent

import pytest
from fix_command import Crossdock, WriteJson
from fix_serve import Served, until
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

FAILS = """
    from crossdock import AdaptorError, Job, JobError

    def load(state):
        with open("load.txt", "a") as file:
            print(state.data.get("id"), file=file)
        if state.data.get("fails") == "once" and len(open("load.txt").readlines()) > 1:
            return state.result({"again": True})
        if state.data.get("fails"):
            raise AdaptorError("it is busy", transient=state.data["fails"] != "for good")
        return state

    job = Job(load)
"""
RETRIED = """
    workflows:
      visits:
        retry: {attempts: 2, backoff: 1 seconds}
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""


def test_a_failure_that_may_pass_is_tried_again_as_often_as_is_said(served: Served):
    served.write(RETRIED, load=FAILS)
    served.start()

    once, always, final = (served.sent("visits", {"fails": how}) for how in ("once", "always", "for good"))

    assert [attempt.outcome for attempt in once.attempts] == ["failed", "success"]
    assert [attempt.outcome for attempt in always.attempts] == ["failed", "failed"]
    assert (always.run.state, always.run.outcome) == ("ended", "failed")
    assert [attempt.outcome for attempt in final.attempts] == ["failed"]
    first, second = once.attempts
    assert first.ended_at is not None
    assert 0.8 <= (second.started_at - first.ended_at).total_seconds() <= 10


def test_runs_of_a_workflow_keep_their_order_also_behind_one_that_is_tried_again(served: Served):
    served.write(RETRIED, load=FAILS)
    served.start("--workers", "4")

    ids = [served.post("visits", {"id": n, "fails": "always" if n == 0 else None})[0] for n in range(10)]
    for id_ in ids:
        served.run(id_)

    assert served.file("load.txt") == ["0", *map(str, range(10))]


def test_runs_about_the_same_go_one_after_another_and_others_at_the_same_time(served: Served):
    served.write(
        """
        workflows:
          visits:
            concurrency: 4
            serialize_by: data.patient
            triggers: {form: {webhook: visits}}
            steps: {load: {job: jobs/load.py}}
        """,
        load="""
        import os, time
        from crossdock import Job

        def load(state):
            with open("load.txt", "a") as file:
                print(state.data["patient"], state.data["id"], file=file)
            while state.data["patient"] == "slow" and not os.path.exists("go"):
                time.sleep(0.01)
            return state

        job = Job(load)
        """,
    )
    served.start("--workers", "3")

    slow = [served.post("visits", {"patient": "slow", "id": n})[0] for n in range(3)]
    fast = [served.post("visits", {"patient": "fast", "id": n})[0] for n in range(5)]
    assert {served.run(id_).run.outcome for id_ in fast} == {"success"}
    assert [line for line in served.file("load.txt") if line.startswith("slow")] == ["slow 0"]
    (served.folder / "go").touch()

    assert {served.run(id_).run.outcome for id_ in slow} == {"success"}
    assert [line for line in served.file("load.txt") if line.startswith("slow")] == ["slow 0", "slow 1", "slow 2"]


WAITS = """
    import os, time
    from crossdock import Job

    def load(state):
        while not os.path.exists("go"):
            time.sleep(0.01)
        return state

    job = Job(load)
"""
FAST = """
    import os, time
    from crossdock import Job

    def load(state):
        with open("load.txt", "a", buffering=1) as file:
            file.write(f"+{state.data['id']}\\n")
            while state.data["id"] < 2 and not {"+0\\n", "+1\\n"} <= set(open("load.txt")):
                time.sleep(0.01)
            file.write(f"-{state.data['id']}\\n")
        return state

    job = Job(load)
"""


def test_rt_42_a_slow_workflow_does_not_hold_up_another_one(served: Served):
    """A thousand are in the queue; four hundred have their turn, to be done in seconds. The test of the store runs all."""
    served.write(
        """
        workflows:
          slow: {triggers: {form: {webhook: slow}}, steps: {load: {job: jobs/slow.py}}}
          fast: {concurrency: 2, triggers: {form: {webhook: fast}}, steps: {load: {job: jobs/fast.py}}}
        """,
        slow=WAITS,
        fast=FAST,
    )
    served.queue("slow", [b"{}"] * 3)
    served.queue("fast", [b'{"id": %d}' % number for number in range(1000)])

    def counts() -> dict[str, tuple[int, int, dict[str, int]]]:
        with served.store() as store:
            return {of.workflow: (of.waiting, of.running, dict(of.ended)) for of in store.history.stats()}

    served.start("--workers", "3")
    until(lambda: len(served.file("load.txt")) >= 800, "the steps of the fast ones", 120)

    assert counts()["slow"] == (2, 1, {})
    assert set(counts()["fast"][2]) == {"success"}
    at_once = list(accumulate(1 if line[0] == "+" else -1 for line in served.file("load.txt")))
    assert max(at_once) == 2
    (served.folder / "go").touch()
    until(lambda: counts()["slow"] == (0, 0, {"success": 3}), "the end of the slow ones")


def test_rt_22_each_message_is_processed_once_by_many_workers(served: Served):
    served.write(RETRIED.replace("retry:", "concurrency: 4\n        retry:"), load=FAILS)
    served.start("--workers", "4")
    ids: list[str] = []

    def send(first: int) -> None:
        ids.extend(served.post("visits", {"id": n})[0] for n in range(first, first + 125))

    senders = [threading.Thread(target=send, args=[first]) for first in (0, 125, 250, 375)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert {served.run(id_).run.outcome for id_ in ids} == {"success"}
    assert sorted(map(int, served.file("load.txt"))) == list(range(500))


def test_rt_19_what_is_sent_again_after_a_crash_has_the_same_key(served: Served, httpserver: HTTPServer):
    kept, calls = dict[str, int](), list[str]()

    def keep(request: Request) -> Response:
        calls.append(request.headers["Idempotency-Key"])
        number = kept.setdefault(calls[-1], len(kept) + 1)
        return Response(json.dumps({"number": number}), 201, mimetype="application/json")

    httpserver.expect_request("/visits", method="POST").respond_with_handler(keep)
    served.write(
        f"credentials: {{api: {{adaptor: http, base_url: '{httpserver.url_for('')}'}}}}\n" + dedent(RETRIED),
        load="""
        import os
        from crossdock import Job, idempotency_key, state
        from crossdock.adaptors import http

        def crash_once(state):
            if not os.path.exists("crashed"):
                open("crashed", "w").close()
                os.kill(os.getpid(), 9)
            return state

        key = lambda state: idempotency_key(state.data["id"])
        job = Job(http.post("/visits", state.data, idempotent=key), crash_once)
        """,
    )
    served.start()

    crashed, other = served.sent("visits", {"id": 7}), served.sent("visits", {"id": 7})

    first, second, third = calls
    assert first == second != third
    assert [attempt.outcome for attempt in crashed.attempts] == ["crashed", "success"]
    assert [json.loads(run.final or b"")["data"] for run in (crashed, other)] == [{"number": 1}, {"number": 2}]
    assert len(kept) == 2


def test_success_and_failure_start_the_workflows_that_wait_for_them(served: Served):
    served.write(
        """
        workflows:
          visits: {triggers: {form: {webhook: visits}}, steps: {load: {job: jobs/load.py}}}
          report: {triggers: {done: {after: {success: visits}}}, steps: {keep: {job: jobs/keep.py}}}
          alert: {triggers: {failed: {after: {failure: visits}}}, steps: {keep: {job: jobs/keep.py}}}
          never: {triggers: {failed: {after: {failure: visits}, enabled: false}}, steps: {keep: {job: jobs/keep.py}}}
        """,
        load=FAILS,
        keep="from crossdock import Job\njob = Job(lambda state: state.result({'data': state.data, **state.request}))\n",
    )
    served.start()

    well, badly = served.sent("visits", {"id": 1}), served.sent("visits", {"id": 2, "fails": "for good"})
    until(lambda: {"report", "alert"} <= {run.workflow for run in served.runs()}, "the runs that follow")
    followers = {run.workflow: served.run(run.id) for run in served.runs() if run.workflow != "visits"}

    assert set(followers) == {"report", "alert"}
    told = {name: json.loads(run.final or b"")["data"] for name, run in followers.items()}
    assert (told["report"]["run"], told["report"]["data"]) == (well.run.id, {"id": 1})
    assert (told["alert"]["run"], told["alert"]["data"]) == (badly.run.id, {"id": 2, "fails": "for good"})
    assert told["alert"]["errors"]["load"]["message"] == "it is busy"
    assert {name: run.message.kind for name, run in followers.items()} == {"report": "flow", "alert": "catch"}


def test_cursors_are_kept_from_run_to_run_and_not_after_a_failure(served: Served, crossdock: Crossdock):
    served.write(
        RETRIED.replace("attempts: 2", "attempts: 1"),
        load="""
        from crossdock import Job, JobError, save_cursor

        def load(state):
            return state.result({"before": state.cursors.get("last")})

        def fail(state):
            if state.data_id == 2:
                raise JobError("BAD", "it is bad")
            return state

        job = Job(
            lambda state: state.replace(data_id=state.data["id"]),
            load,
            save_cursor("last", lambda state: state.data_id),
            fail,
        )
        """,
    )
    served.start()

    assert crossdock("cursors", "list", "--served").stdout == ""
    outcomes = [served.sent("visits", {"id": n}) for n in (1, 2, 3)]

    assert [details.run.outcome for details in outcomes] == ["success", "failed", "success"]
    assert json.loads(outcomes[2].final or b"")["data"] == {"before": 1}
    assert crossdock("cursors", "list", "--served", "--workflow", "visits").stdout == "last  3\n"
    assert crossdock("cursors", "show", "last", "--served", "--project", served.folder).stdout == "3\n"
    assert crossdock("cursors", "list").stdout == ""
    assert crossdock("cursors", "list", "--served", "--cursors", "c.json").returncode == 2


def test_a_run_in_work_that_is_cancelled_ends(served: Served):
    served.write(
        RETRIED,
        load="""
        import time
        from crossdock import Job

        def load(state):
            open("load.txt", "w").close()
            time.sleep(600)

        job = Job(load)
        """,
    )
    served.start()
    ids = served.post("visits", {})
    until(lambda: (served.folder / "load.txt").exists(), "the step")

    with served.store() as store:
        store.cancel(*ids)

    assert served.run(*ids).run.outcome == "cancelled"


@pytest.mark.parametrize("told_by", ["its own write", "its heartbeat"])
def test_rt_23_a_server_that_stood_still_changes_nothing_of_what_another_one_did(served: Served, told_by: str):
    """Two servers share a store where it is PostgreSQL; here the second one claims without serving."""
    served.write(RETRIED, load=FAILS)
    server = served.start()
    (served.folder / "jobs" / "load.py").write_text(
        "import os, time\nfrom crossdock import Job\n\ndef load(state):\n    open('begun', 'w').close()\n"
        "    while not os.path.exists('go'): time.sleep(0.01)\n    return state.result('the zombie was here')\n\njob = Job(load)\n",
        encoding="utf-8",
    )
    ids = served.post("visits", {"id": 7})
    until(lambda: (served.folder / "begun").exists(), "the step")
    os.kill(server.process.pid, signal.SIGSTOP)

    from datetime import timedelta
    from time import monotonic

    from crossdock.store.records import Finish
    from crossdock.store.store import Store

    ahead = [0.0]
    with Store(
        "sqlite:///.crossdock/crossdock.db", folder=served.folder, monotonic=lambda: monotonic() + ahead[0]
    ) as other:
        assert other.claim("other") is None
        ahead[0] = timedelta(hours=1).total_seconds()
        claimed = other.claim("other")
        assert claimed is not None
        other.finish(claimed, Finish("success", b'{"data":"mine"}'))
    if told_by == "its own write":
        (served.folder / "go").touch()
    os.kill(server.process.pid, signal.SIGCONT)
    server.logged("taken over")

    details = served.run(*ids)
    assert details.final == b'{"data":"mine"}'
    assert [step.step for step in details.steps] == []


def test_the_failed_items_of_a_run_can_be_run_again_alone(served: Served):
    served.write(
        RETRIED,
        load="""
        import os
        from crossdock import Job, JobError, each, state

        def send(state):
            with open("load.txt", "a") as file:
                print(state.data, file=file)
            if state.data % 2 and not os.path.exists("repaired"):
                raise JobError("ODD", "it is odd")
            return state

        job = Job(each(state.data.items, send, on_error="collect"))
        """,
    )
    served.start()
    partial = served.sent("visits", {"items": [1, 2, 3, 4]})
    assert (partial.run.outcome, partial.run.failed_items) == ("partial", 2)
    (served.folder / "repaired").touch()

    with served.store() as store:
        again = store.retry(partial.run.id, only_failed=True)

    assert served.run(again).run.outcome == "success"
    assert served.file("load.txt") == ["1", "2", "3", "4", "1", "3"]
    assert served.run(partial.run.id).run.failed_items == 0


def test_a_workflow_can_be_started_by_hand(served: Served, crossdock: Crossdock, write_json: WriteJson):
    served.write(RETRIED, load=FAILS)
    served.start()

    done = crossdock("trigger", "run", "visits", "--state", write_json({"data": {"id": 7}}))
    details = served.run(*done.json["run_ids"])

    assert done.returncode == 0
    assert (details.run.outcome, details.message.kind) == ("success", "manual")
    assert served.file("load.txt") == ["7"]
    assert crossdock("trigger", "run", "visit").returncode == 2
