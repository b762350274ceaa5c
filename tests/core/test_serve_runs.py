"""What becomes of a served run, however its process ends."""

import json
import os
import textwrap
from pathlib import Path

import pytest
from crossdock.store.records import NewMessage, NewRun
from fix_command import is_gone, parent_of
from fix_serve import Served, until

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


STUBBORN = "\nwhile True:\n    try:\n        while True: pass\n    except {}: pass"
ENDLESS = {
    "a loop": "while True: pass",
    "a loop that swallows exceptions": STUBBORN.format("Exception"),
    "a loop that swallows everything": STUBBORN.format("BaseException"),
    "sleep": "import time; time.sleep(60)",
    "an expression without end": "import re; re.match('(a|a)*b', 'a' * 99)",
}


def test_rt_12_a_run_that_takes_too_long_is_killed(served: Served):
    served.write(ONE_STEP.replace("seconds: 20", "seconds: 1"), load=ENDS)
    served.start()

    ids = {how: served.post("visits", {"code": code})[0] for how, code in ENDLESS.items()}
    for how, run in ids.items():
        details = served.run(run)
        assert (details.run.outcome, details.run.error_code) == ("killed", "timeout"), how
        (attempt,) = details.attempts
        assert attempt.ended_at is not None
        assert (attempt.ended_at - attempt.started_at).total_seconds() >= 1, how
    assert served.sent("visits", {}).run.outcome == "success"


def peak(pid: int) -> int:
    """Give the most memory that a process had, in kB."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmHWM:")[2].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it looks into /proc: run it on Linux")
def test_rt_14_a_run_that_needs_too_much_memory_is_killed(served: Served):
    served.write(ONE_STEP, load=ENDS)
    server = served.start()
    assert served.sent("visits", {}).run.outcome == "success"
    before = peak(server.process.pid)

    ended = [served.sent("visits", {"code": code}) for code in ("'x' * 10**9", "[object() for _ in range(10**8)]")]

    assert [(details.run.outcome, details.run.error_code) for details in ended] == [("killed", "memory")] * 2
    assert peak(server.process.pid) - before < 20_000
    assert served.sent("visits", {}).run.outcome == "success"


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="it looks into /proc: run it on Linux")
@pytest.mark.parametrize("what", ["open('/dev/null')", "__import__('socket').socket()"])
def test_rt_15_a_run_that_opens_too_much_fails_and_its_server_holds_none_of_it(served: Served, what: str):
    served.write(ONE_STEP, load=ENDS)
    server = served.start()
    assert served.sent("visits", {}).run.outcome == "success"
    before = held(server.process.pid)

    details = served.sent("visits", {"code": f"kept = [{what} for _ in range(5000)]"})

    assert details.run.outcome == "failed"
    assert details.error is not None
    assert "Too many open files" in details.error["message"]
    assert served.sent("visits", {}).run.outcome == "success"
    until(lambda: held(server.process.pid) == before, "as many descriptors as before")


def held(server: int) -> list[int]:
    """Count what a server holds open, and its fork server."""
    pids = [server, *(pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if parent_of(pid) == server)]
    return [len(os.listdir(f"/proc/{pid}/fd")) for pid in pids]


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


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it looks into /proc: run it on Linux")
@pytest.mark.parametrize(
    "code", ["for _ in range(1024): print(('x' * 1023 + '\\n') * 1024)", "for _ in range(10**6): print('x')"]
)
def test_rt_35_a_gigabyte_and_a_million_lines_take_no_space(served: Served, code: str):
    served.write(ONE_STEP.replace("seconds: 20", "seconds: 300"), load=ENDS)
    server = served.start()
    assert served.sent("visits", {"code": "for _ in range(10): print('x' * 1000)"}).run.outcome == "success"
    before = peak(server.process.pid)

    (run,) = served.post("visits", {"code": code})
    assert served.run(run, seconds=300).run.outcome == "success"
    assert served.lines(run)[-1].endswith("more lines were dropped: the log of a run has a limit")
    assert peak(server.process.pid) - before < 60_000
    assert sum(file.stat().st_size for file in (served.folder / ".crossdock").iterdir()) < 20 * 1024 * 1024


def test_a_log_may_be_larger_than_it_usually_is(served: Served):
    served.write(ONE_STEP.replace("memory_mb", "log_mb: 8, memory_mb"), load=ENDS)
    served.start()

    details = served.sent("visits", {"code": "for _ in range(140): print('x' * 49_999)"})

    assert served.lines(details.run.id) == ["x" * 49_999] * 140


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


def test_rt_40_a_run_of_a_workflow_that_is_gone_is_dead_at_once_until_it_is_back(served: Served):
    served.write(ONE_STEP, load=ENDS)
    receiving = served.start("--workers", "0")
    (run,) = served.post("visits", {})
    receiving.end()
    served.write(ONE_STEP.replace("visits:", "others:").replace("webhook: visits", "webhook: others"), load=ENDS)
    other = served.start()

    details = served.run(run)

    assert (details.run.state, details.run.outcome, details.run.attempt) == ("dead", "refused", 1)
    assert details.error is not None
    assert "has no workflow 'visits'" in details.error["message"]
    other.end()
    served.write(ONE_STEP, load=ENDS)
    served.start()
    with served.store() as store:
        again = store.retry(run)
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
