"""What becomes of a served run, however its process ends."""

import json
import textwrap

from crossdock.store.records import NewMessage, NewRun
from fix_command import is_gone
from fix_serve import Served

ONE_STEP = """
    workflows:
      visits:
        concurrency: 4
        limits: {seconds: 20, memory_mb: 300}
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
ENDS = """
    import ctypes, os, sys
    from crossdock import Job

    def load(state):
        exec(state.data.get("code", ""))
        return state.result(1)

    job = Job(load)
"""


NOTES = """
    from crossdock import Job

    def step(state):
        with open("notes.txt", "a") as file:
            file.write("NAME\\n")
        return state

    job = Job(step)
"""
DIES_ONCE = """
    import os

    def dies_once(state):
        if not os.path.exists("died"):
            open("died", "w").close()
            os._exit(9)
        return True
"""


def test_a_message_is_run_and_its_outcome_kept(served: Served):
    served.write(ONE_STEP, load=ENDS)
    served.start()

    details = served.sent("visits", {"code": "print('hello')"})

    assert (details.run.state, details.run.outcome, details.run.attempt) == ("ended", "success", 1)
    assert json.loads(details.final or b"")["data"] == 1
    assert [(step.step, step.outcome) for step in details.steps] == [("load", "success")]
    assert served.lines(details.run.id) == ["hello"]


CRASHES = {
    "sys.exit(0)": "sys.exit(0)",
    "raise SystemExit('x')": "sys.exit('x')",
    "os._exit(0)": "exit code 0",
    "os.abort()": "signal SIGABRT",
    "ctypes.string_at(0)": "signal SIGSEGV",
    "os.kill(os.getpid(), 9)": "signal SIGKILL",
}


def test_rt_11_a_process_that_ends_is_a_crash_and_no_success(served: Served):
    served.write(ONE_STEP, load=ENDS)
    served.start()
    crashing = {code: served.post("visits", {"code": code}) for code in CRASHES}

    assert served.sent("visits", {}).run.outcome == "success"
    for code, ids in crashing.items():
        details = served.run(*ids)
        assert details.run.outcome == "crashed", code
        assert details.error is not None
        assert CRASHES[code] in details.error["message"]
        assert details.error["code"] == "exited"


def test_rt_18_a_step_that_ended_before_its_process_died_is_not_run_again(served: Served):
    served.write(
        """
        workflows:
          visits:
            triggers: {form: {webhook: visits}}
            steps:
              load: {job: jobs/load.py, next: {report: {when: "jobs/rules.py:dies_once"}}}
              report: {job: jobs/report.py}
        """,
        load=NOTES.replace("NAME", "load"),
        report=NOTES.replace("NAME", "report"),
        rules=DIES_ONCE,
    )
    served.start()

    details = served.sent("visits", {})

    assert (details.run.outcome, details.run.attempt) == ("success", 2)
    assert served.file("notes.txt") == ["load", "report"]


def test_rt_24_a_message_that_always_crashes_is_dead_after_three_times(served: Served):
    served.write(ONE_STEP, load=ENDS)
    served.start()
    poison = served.post("visits", {"code": "ctypes.string_at(0)"})

    neighbours = [run for _ in range(20) for run in served.post("visits", {})]
    dead = served.run(*poison)

    assert (dead.run.state, dead.run.outcome, dead.run.attempt) == ("dead", "crashed", 3)
    assert [attempt.outcome for attempt in dead.attempts] == ["crashed"] * 3
    assert {served.run(run).run.outcome for run in neighbours} == {"success"}


def test_rt_12_a_run_that_takes_too_long_is_killed(served: Served):
    served.write(ONE_STEP.replace("seconds: 20", "seconds: 1"), load=ENDS)
    served.start()
    stubborn = "\nwhile True:\n    try:\n        while True: pass\n    except BaseException: pass"

    ids = [*served.post("visits", {"code": stubborn}), *served.post("visits", {"code": "import time; time.sleep(60)"})]
    ended = [served.run(run) for run in ids]

    assert [details.run.outcome for details in ended] == ["killed", "killed"]
    assert {details.error["code"] for details in ended if details.error} == {"timeout"}
    assert served.sent("visits", {}).run.outcome == "success"


def test_rt_14_a_run_that_needs_too_much_memory_is_killed(served: Served):
    served.write(ONE_STEP, load=ENDS)
    served.start()

    ended = [served.sent("visits", {"code": code}) for code in ("'x' * 10**9", "[object() for _ in range(10**8)]")]

    assert [(details.run.outcome, details.run.error_code) for details in ended] == [("killed", "memory")] * 2
    assert served.sent("visits", {}).run.outcome == "success"


def test_rt_34_a_run_sees_of_the_environment_what_the_project_names(served: Served):
    served.write(ONE_STEP + "    serve: {env: [SEEN]}\n", load=ENDS)
    served.start(env={"SEEN": "seen", "SECRET": "hidden"})

    details = served.sent("visits", {"code": "print(os.environ.get('SEEN'), os.environ.get('SECRET'))"})

    assert served.lines(details.run.id) == ["seen None"]


def test_rt_35_a_log_that_is_too_long_is_cut_and_the_run_succeeds(served: Served):
    served.write(ONE_STEP.replace("memory_mb", "log_mb: 1, memory_mb"), load=ENDS)
    served.start()

    details = served.sent("visits", {"code": "for _ in range(300): print('x' * 49_999)\nprint('y' * 5_000_000)"})
    lines = served.lines(details.run.id)

    assert details.run.outcome == "success"
    assert sum(map(len, lines)) < 1024 * 1024
    assert lines[-1].endswith("more lines were dropped: the log of a run has a limit")


def test_rt_40_a_job_that_is_gone_makes_the_run_dead_until_it_is_back(served: Served):
    served.write(ONE_STEP, load=ENDS)
    served.start()
    (served.folder / "jobs" / "load.py").unlink()

    details = served.sent("visits", {})

    assert (details.run.state, details.run.outcome) == ("dead", "refused")
    assert details.error is not None
    assert "load.py" in details.error["message"]
    served.write(ONE_STEP, load=ENDS)
    with served.store() as store:
        again = store.retry(details.run.id)
    assert served.run(again).run.outcome == "success"


def test_what_a_run_started_ends_with_it(served: Served):
    served.write(ONE_STEP, load=ENDS)
    served.start()

    code = "import subprocess; print(subprocess.Popen(['sleep', '600']).pid)"
    details = served.sent("visits", {"code": code})

    assert is_gone(int(served.lines(details.run.id)[0]))


def test_a_secret_is_in_nothing_that_a_served_run_leaves(served: Served):
    served.write(
        """
        credentials: {kobo: {adaptor: http, base_url: https://kobo.example.org, token: "env:KOBO_TOKEN"}}
        """
        + textwrap.indent(textwrap.dedent(ONE_STEP), " " * 8),
        load="""
        import logging
        from crossdock import Job, credentials, resolve

        def load(state):
            token = resolve(credentials.kobo.token, state)
            print("printed", token)
            logging.getLogger("crossdock.job").warning("logged %s", token)
            raise ValueError(f"failed with {token}")

        job = Job(load)
        """,
    )
    server = served.start(env={"KOBO_TOKEN": "canary-2f9c71"})

    details = served.sent("visits", {})
    lines = served.lines(details.run.id)
    assert server.end() == 0

    assert details.error is not None
    assert details.error["message"] == "failed with ***"
    assert {"printed ***", "logged ***"} <= set(lines)
    left = [file for file in served.folder.rglob("*") if file.is_file() and b"canary-2f9c71" in file.read_bytes()]
    assert left == []


def test_runs_of_another_version_are_held_where_the_project_says_so(served: Served):
    served.write(ONE_STEP + "    serve: {on_change: hold}\n", load=ENDS)
    server = served.start()
    assert served.sent("visits", {}).run.outcome == "success"
    assert server.end() == 0
    with served.store() as store:
        version = served.runs()[0].project_version
        waiting = [NewRun("visits", "form", of) for of in (version, "an older one")]
        ids = store.accept(NewMessage("visits", b"{}", waiting, content_type="application/json")).runs

    served.start()
    same, other = (served.run(id_) for id_ in ids)

    assert same.run.outcome == "success"
    assert (other.run.state, other.run.outcome) == ("dead", "refused")
    with served.store() as store:
        again = store.retry(other.run.id, project_version=version)
    assert served.run(again).run.outcome == "success"
