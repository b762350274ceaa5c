"""What becomes of runs when their server, or its fork server, ends: as told, or by SIGKILL."""

import os
import re
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.request import urlopen

import pytest
from fix_command import StartCrossdock, is_gone, parent_of
from fix_serve import Served, Server, until

TWO_STEPS = """
    workflows:
      visits:
        concurrency: 4
        triggers: {form: {webhook: visits}}
        steps:
          load: {job: jobs/load.py, next: report}
          report: {job: jobs/report.py}
    serve: {grace: 5 seconds, env: [FOLDER]}
"""
ONE_STEP = """
    workflows:
      visits:
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
NOTES = """
    from crossdock import Job

    def load(state):
        with open("load.txt", "a") as file:
            print(state.data["id"], file=file)
        return state

    job = Job(load)
"""
WAITS = """
    import os, time
    from crossdock import Job

    def report(state):
        with open("report.txt", "a") as file:
            print(state.data["id"], os.getpid(), file=file)
        while not os.path.exists(f"go-{state.data['id']}"):
            time.sleep(0.01)
        return state

    job = Job(report)
"""


@pytest.fixture
def waiting(served: Served) -> Served:
    """A project whose second step waits until a test lets it go on."""
    served.write(TWO_STEPS, load=NOTES, report=WAITS)
    return served


def let_go(served: Served, *ids: int) -> None:
    """Let second steps go on."""
    for id_ in ids:
        (served.folder / f"go-{id_}").touch()


def begun(served: Served, number: int = 1) -> list[int]:
    """Wait until as many second steps have begun, and give their processes."""
    lines: list[str] = until(lambda: len(served.file("report.txt")) >= number and served.file("report.txt"), "a step")
    return [int(line.split()[1]) for line in lines]


def fork_server(server: Server) -> int:
    """Give the process that forks the runs of a server."""
    return next(int(pid) for pid in os.listdir("/proc") if pid.isdigit() and parent_of(int(pid)) == server.process.pid)


def test_rt_18_a_killed_servers_run_goes_on_where_it_was(waiting: Served):
    server = waiting.start()
    ids = waiting.post("visits", {"id": 7})
    pid = begun(waiting)[0]

    server.end(signal.SIGKILL)
    until(lambda: is_gone(pid), "the end of the run's process")
    waiting.start()
    begun(waiting, 2)
    let_go(waiting, 7)
    details = waiting.run(*ids)

    assert (details.run.outcome, details.run.attempt) == ("success", 2)
    assert (details.attempts[0].outcome, details.attempts[0].error_code) == ("crashed", "worker_gone")
    assert waiting.file("load.txt") == ["7"]


def test_rt_17_a_killed_child_is_a_crash_that_is_tried_again(waiting: Served):
    waiting.start()
    ids = waiting.post("visits", {"id": 7})

    os.kill(begun(waiting)[0], signal.SIGKILL)
    begun(waiting, 2)
    let_go(waiting, 7)
    details = waiting.run(*ids)

    assert [attempt.outcome for attempt in details.attempts] == ["crashed", "success"]
    assert waiting.file("load.txt") == ["7"]


def test_a_killed_fork_server_is_replaced(waiting: Served):
    server = waiting.start()
    ids = waiting.post("visits", {"id": 7})
    child = begun(waiting)[0]

    os.kill(fork_server(server), signal.SIGKILL)
    until(lambda: is_gone(child), "the end of the run's process")
    let_go(waiting, 7)

    details = waiting.run(*ids)
    assert (details.run.outcome, details.run.attempt) == ("success", 1)
    assert [attempt.outcome for attempt in details.attempts] == ["interrupted", "success"]
    assert waiting.file("load.txt") == ["7"]


def test_nobody_outlives_a_server_and_its_fork_server_that_are_killed_at_once(served: Served):
    """Nobody is left to end the run then, and no code of ours runs in it: the pattern never lets go of Python."""
    holds_python = """
        import os, re, subprocess
        from crossdock import Job

        def load(state):
            child = subprocess.Popen(["sleep", "600"])
            with open("pids.txt", "w") as file:
                print(os.getpid(), child.pid, file=file)
            re.match(r"(a+)+$", "a" * 100 + "b")
            return state

        job = Job(load)
    """
    served.write(ONE_STEP, load=holds_python)
    server = served.start()
    served.post("visits", {})
    [pids] = until(lambda: served.file("pids.txt"), "the step")
    forks = fork_server(server)

    os.kill(forks, signal.SIGSTOP)
    server.end(signal.SIGKILL)
    os.kill(forks, signal.SIGKILL)

    until(lambda: all(is_gone(int(pid)) for pid in pids.split()), "the end of what the run is")


def test_a_run_that_ends_its_fork_server_each_time_is_dead_in_the_end(served: Served):
    """The first time it may have been another one; from then on it counts."""
    kills = """
        import os, signal, time
        from crossdock import Job

        def kill(state):
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)

        job = Job(kill)
    """
    served.write(ONE_STEP, load=kills)
    served.start()

    details = served.sent("visits", {})

    assert (details.run.state, details.run.outcome) == ("dead", "crashed")
    assert [attempt.outcome for attempt in details.attempts] == ["interrupted", "crashed", "crashed", "crashed"]


def test_rt_37_sigterm_lets_short_runs_end_and_gives_long_ones_back(waiting: Served):
    server = waiting.start("--workers", "2")
    short, long = waiting.post("visits", {"id": 1}), waiting.post("visits", {"id": 2})
    queued = waiting.post("visits", {"id": 3})
    pids = begun(waiting, 2)

    threading.Timer(1.0, let_go, [waiting, 1]).start()
    assert server.end() == 0
    assert all(map(is_gone, pids))
    states = {run.id: (run.state, run.outcome, run.attempt) for run in waiting.runs()}

    assert states[short[0]] == ("ended", "success", 1)
    assert states[long[0]] == ("available", None, 0)
    assert states[queued[0]] == ("available", None, 0)
    let_go(waiting, 2, 3)
    waiting.start()
    assert {waiting.run(*ids).run.outcome for ids in (long, queued)} == {"success"}
    assert sorted(waiting.file("load.txt")) == ["1", "2", "3"]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_cl_08_a_second_signal_ends_the_server_at_once(waiting: Served, number: signal.Signals, code: int):
    server = waiting.start()
    ids = waiting.post("visits", {"id": 7})
    pid = begun(waiting)[0]

    server.process.send_signal(number)
    server.logged("ending")
    assert server.end(number) == code
    until(lambda: is_gone(pid), "the end of the run's process")

    let_go(waiting, 7)
    waiting.start()
    assert waiting.run(*ids).run.outcome == "success"


def test_cl_09_sighup_is_ignored_and_sigpipe_too(waiting: Served):
    server = waiting.start()
    server.process.send_signal(signal.SIGHUP)
    server.logged("SIGHUP is ignored")
    server.process.send_signal(signal.SIGPIPE)
    let_go(waiting, 7)

    assert waiting.sent("visits", {"id": 7}).run.outcome == "success"
    assert server.end() == 0


@pytest.fixture
def address(served: Served) -> str:
    """Where a server is to listen that can't say where it does."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        served.address = f"http://127.0.0.1:{free.getsockname()[1]}"
    served.write(ONE_STEP, load=NOTES)
    return served.address


def goes_on(served: Served, process: "subprocess.Popen[str]") -> None:
    """See that a server takes messages and runs them, whatever signal it gets, until it is told to end."""
    for number in (signal.SIGHUP, signal.SIGPIPE):
        process.send_signal(number)
        assert served.sent("visits", {"id": int(number)}).run.outcome == "success"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert served.file("load.txt") == [str(int(number)) for number in (signal.SIGHUP, signal.SIGPIPE)]


def answers(process: "subprocess.Popen[str]", address: str) -> bool:
    """Tell whether a server answers that it is well; its end is none."""
    assert process.poll() is None
    with suppress(OSError), urlopen(f"{address}/health") as answer:
        return bool(answer.status == 200)
    return False


@pytest.mark.parametrize("redirect", ["2>&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_cl_09_a_server_goes_on_where_its_log_can_not_be_written(
    served: Served, start_crossdock: StartCrossdock, address: str, redirect: str
):
    process = start_crossdock("serve", "--port", address.rpartition(":")[2], redirect=redirect)
    until(lambda: answers(process, address), "its first answer")

    goes_on(served, process)


@pytest.mark.parametrize("redirect", ["", ">&2"])
def test_cl_09_a_server_goes_on_when_the_reader_of_its_log_is_gone(
    served: Served, start_crossdock: StartCrossdock, address: str, redirect: str
):
    process = start_crossdock("serve", "--port", address.rpartition(":")[2], redirect=redirect)
    assert process.stderr is not None
    assert '"event": "ready"' in process.stderr.readline()
    process.stderr.close()

    goes_on(served, process)


def test_cl_10_a_port_in_use_is_refused_with_its_number(waiting: Served):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        server = waiting.launch("--port", port)
        assert server.process.wait(60) == 3

    assert f"port {port}" in server.said
    assert "in use" in server.said


def test_rt_28_a_second_server_on_the_same_store_is_refused(waiting: Served):
    first = waiting.start()
    second = waiting.launch()

    assert second.process.wait(60) == 3
    assert f"process id {first.process.pid}" in second.said


def test_a_log_for_people_names_the_run_its_message_and_what_went_wrong(served: Served):
    served.write(ONE_STEP, load="from crossdock import Job\njob = Job(lambda state: state.data['gone'])\n")
    server = served.launch("--log-format", "text", env={"TZ": "Asia/Tokyo"})
    served.address = until(lambda: re.findall(r"is served at (\S+)\n", server.said), "the server's readiness")[0]

    run = served.sent("visits", {"name": "Amina"}).run

    said = f"WARNING the run of visits: failed, ended  run={run.id}  message_id={run.message}  attempt=1  error=job_exception"
    until(lambda: f" {said}\n" in server.said, "the line")
    assert f"INFO inbox visits: a message was accepted  message_id={run.message}\n" in server.said
    assert datetime.now(UTC) - datetime.fromisoformat(server.said.partition(" ")[0]) < timedelta(hours=1)
    assert "Amina" not in server.said


def test_a_project_that_can_not_be_run_is_refused_with_each_fault_once_and_its_place(served: Served):
    served.write(
        """
        credentials: {kobo: {adaptor: http, base_url: https://kobo.example.org, token: "env:KOBO_TOKEN"}}
        workflows:
          a: {steps: {load: {job: jobs/load.py, credentials: []}}}
          b: {steps: {load: {job: jobs/fine.py, credentials: [kobo]}}}
          c: {steps: {load: {job: jobs/fine.py, credentials: [kobo]}}}
          d: {steps: {load: {job: jobs/none.py, credentials: []}}}
        """,
        load="from crossdock import Job\njob = Job(undefined)\n",
        fine="from crossdock import Job\njob = Job(lambda state: state)\n",
        none="from crossdock import Job\njob = Job(print())\n",
    )

    server = served.launch()

    assert server.process.wait(60) == 3
    told = [line for line in server.said.splitlines() if line[:2] == "  " and line[2:5] != "  f"]
    assert [line.partition(": ")[0].strip() for line in told] == ["a", "b, c", "d", "fix"]
    assert "jobs/load.py:2: NameError: name 'undefined'" in told[0]
    assert "KOBO_TOKEN" in told[1]
    assert "None stands where an operation belongs; while loading jobs/none.py:2" in told[2]
