"""How a run ends: the exit code of each outcome, and what is written then (design, section 6)."""

import json
import re
import signal
from typing import Any

import pytest
from crossdock.testing import Close, Stall
from fix_command import Crossdock, Done, StartCrossdock, WriteJob, WriteJson

INPUT = {"data": {"id": 7}}
IMPORTS = "import os, subprocess, sys, time\nfrom crossdock import *\n"

SWALLOW_ALL = """
def job(state):
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass
job = Job(job)
"""

# name: outcome, exit code, code of the error, source of the job
ENDINGS: dict[str, tuple[str, int, str | None, str]] = {
    "success": ("success", 0, None, "job = Job(set_data(1))"),
    "stopped": ("success", 0, None, "job = Job(stop('nothing to do'), set_data(1))"),
    "exception": ("failed", 1, "job_exception", "job = Job(lambda state: 1 / 0)"),
    "job-error": (
        "failed",
        1,
        "NO_SEX",
        "def refuse(state):\n    raise JobError('NO_SEX', 'no sex')\njob = Job(refuse)",
    ),
    "refused-while-running": (
        "failed",
        1,
        "plugin_unusable",
        "def late(state):\n    from crossdock.adaptors import missing\njob = Job(late)",
    ),
    "wrong-return": ("crashed", 4, "wrong_return", "job = Job(lambda state: 5)"),
    "no-return": ("crashed", 4, "wrong_return", "job = Job(lambda state: None)"),
    "not-json": ("crashed", 4, "state_not_json", "job = Job(lambda state: state.replace(seen={1, 2}))"),
    "sys-exit-0": ("crashed", 4, "exited", "job = Job(tap(sys.exit, 0))"),
    "os-exit-0": ("crashed", 4, "exited", "job = Job(tap(os._exit, 0))"),
    "abort": ("crashed", 4, "exited", "job = Job(tap(os.abort))"),
    "killed-by-itself": ("crashed", 4, "exited", "job = Job(tap(os.kill, lambda state: os.getpid(), 9))"),
    "too-large": ("killed", 5, "state_too_large", "job = Job(lambda state: state.replace(text='x' * 11_000_000))"),
    "timeout-asleep": ("killed", 5, "timeout", "job = Job(tap(time.sleep, 60))"),
    "timeout-busy": ("killed", 5, "timeout", "def spin(state):\n    while True: pass\njob = Job(spin)"),
    "timeout-stubborn": ("killed", 5, "timeout", SWALLOW_ALL),
    "timeout-while-importing": ("killed", 5, "timeout", "time.sleep(60)\njob = Job(set_data(1))"),
    "partial": (
        "partial",
        6,
        None,
        "job = Job(each([1, 0], lambda state: state.result(1 / state.data), on_error='collect'))",
    ),
}


@pytest.fixture
def end(crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson) -> Any:
    """Run a job of a source on the input."""

    def end(source: str, *options: Any) -> Done:
        given = write_json(INPUT)
        return crossdock("run", write_job(IMPORTS + source), "--state", given, *options)

    return end


@pytest.mark.parametrize("name", ENDINGS)
def test_cl_05_each_outcome_has_its_exit_code_and_its_result(end, name):
    outcome, code, error, source = ENDINGS[name]
    done = end(source, *(["--timeout", "1"] if outcome == "killed" else []))
    assert (done.returncode, f"job: {outcome} in " in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
    if error is None:
        assert "errors" not in done.json
    else:
        check_error(done, error)


def check_error(done: Done, code: str) -> None:
    """The state keeps the input and holds the error, and a person reads what it is and what to do."""
    error = done.json["errors"]["job"]
    assert (error["code"], done.json["data"]) == (code, INPUT["data"])
    assert error["fix"]
    without_source = re.sub(r"\n {6}\S.*", "", done.stderr)
    assert f"{error['message']}\n  fix: {error['fix']}\n" in without_source


@pytest.mark.parametrize("body", ["1 / 0", "5", "sys.exit(0)"])
def test_cl_05_the_error_names_the_operation_and_its_line(end, body):
    error = end(f"job = Job(set_data(1), lambda state: {body})").json["errors"]["job"]
    assert (error["operation"], error["line"]) == ("<lambda>", "job.py:3")


def test_cl_05_a_job_that_writes_errors_itself_still_ends_well(end):
    done = end("job = Job(lambda state: state.replace(errors=['late']))")
    assert (done.returncode, "errors" in done.json) == (0, False), done.stderr
    assert done.json["warnings"] == [{"code": "key_of_the_run", "key": "errors"}]


def test_cl_05_partial_keeps_the_item_that_failed(end):
    done = end(ENDINGS["partial"][3])
    assert [(item["index"], item["item"]) for item in done.json["failed"]] == [(1, 0)]
    assert "1 item failed; it is" in done.stderr


def test_cl_05_an_item_that_is_not_json_does_not_hide_why_the_run_failed(end):
    """It is the item of a loop, which nobody encoded before the run failed for another reason."""
    done = end("job = Job(each([{1}], lambda state: 1 / 0, on_error='collect'), lambda state: {}['key'])")
    assert (done.returncode, done.json["errors"]["job"]["type"]) == (1, "KeyError"), done.stderr
    assert done.json["failed"][0]["item"] == "<set>"
    assert done.json["failed"][0]["error"]["type"] == "ZeroDivisionError"


def test_cl_05_a_time_limit_ends_what_the_job_started(end, tmp_path):
    """The child process holds the pipes open, which its parent reads to the end."""
    started = tmp_path / "started"
    done = end(f"job = Job(tap(subprocess.run, ['sh', '-c', 'echo $$ > {started}; exec sleep 60']))", "--timeout", "3")
    assert done.returncode == 5
    assert not is_alive(int(started.read_text()))


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie that nobody waits for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_cl_05_a_write_without_an_answer_is_unknown(end, write_json, faulty_server, method):
    server = faulty_server(Close())
    credentials = write_json({"base_url": server.url}, "credentials.json")
    done = end(
        f"from crossdock.adaptors import http\njob = Job(http.{method}('/people', json=[1]))",
        "--credentials",
        credentials,
    )
    assert len(server.requests) == 1
    assert (done.returncode, done.json["errors"]["job"]["code"]) == (7, "unknown_outcome"), done.stderr
    assert "job: unknown in " in done.stderr


def test_cl_05_a_read_without_an_answer_failed(end, write_json, faulty_server):
    credentials = write_json({"base_url": faulty_server(Close()).url}, "credentials.json")
    done = end("from crossdock.adaptors import http\njob = Job(http.get('/people'))", "--credentials", credentials)
    assert done.returncode == 1, done.stderr


SIGNALS = [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "cancelled", 143)]
WAITING = {
    "asleep": "def wait(state):\n    print('started', flush=True)\n    time.sleep(60)\njob = Job(wait)",
    "busy": "def wait(state):\n    print('started', flush=True)\n    while True: pass\njob = Job(wait)",
    "except-exception": (
        "def wait(state):\n"
        "    print('started', flush=True)\n"
        "    try: time.sleep(60)\n"
        "    except Exception: return state\n"
        "job = Job(wait)"
    ),
    "in-a-child": "job = Job(tap(subprocess.run, ['sh', '-c', 'echo started; exec sleep 60']))",
    "caught": (
        "def wait():\n    print('started', flush=True)\n    time.sleep(60)\n"
        "job = Job(tap(wait).catch(lambda error, state: state))"
    ),
}


@pytest.mark.parametrize(("number", "outcome", "code"), SIGNALS)
@pytest.mark.parametrize("name", WAITING)
def test_cl_05_a_signal_ends_user_code(
    start_crossdock: StartCrossdock, write_job, write_json, name, number, outcome, code
):
    process = start_crossdock("run", write_job(IMPORTS + WAITING[name]), "--state", write_json(INPUT))
    assert process.stderr.readline() == "started\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, f"job: {outcome} in " in err) == (code, True), err
    assert json.loads(out)["data"] == INPUT["data"]
    assert json.loads(out)["errors"]["job"]["type"]


CHECKPOINT = """
def wait():
    print('started', flush=True)
    time.sleep(60)
job = Job(save_cursor('visits', 7, checkpoint=True), tap(wait))
"""


@pytest.mark.parametrize(("number", "outcome", "code"), SIGNALS)
def test_a_run_that_was_told_to_end_says_so_and_what_is_left(
    start_crossdock: StartCrossdock, write_job, number, outcome, code
):
    process = start_crossdock("run", write_job(IMPORTS + CHECKPOINT))
    assert process.stderr.readline() == "started\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)

    state = json.loads(out)
    error = state["errors"]["job"]
    assert (process.returncode, error["code"], error["transient"], state["cursors"]) == (
        code,
        outcome,
        True,
        {"visits": 7},
    )
    assert error["message"] == (
        f"the run was told to end by {signal.Signals(number).name}: what it committed on the way is kept, with the cursors"
        " 'visits'; the rest is undone where a system can undo it, and the state is what came in"
    )
    assert error["fix"].startswith("Run it again")
    assert (error["operation"], error["line"][:7]) == ("tap", "job.py:")
    assert f"[{outcome}] in tap (job.py:" in err
    assert error["fix"] in err


@pytest.mark.parametrize(("number", "outcome", "code"), SIGNALS)
def test_cl_05_a_signal_ends_a_wait_for_an_answer(
    start_crossdock: StartCrossdock, write_job, write_json, faulty_server, number, outcome, code
):
    job = write_job("from crossdock import Job\nfrom crossdock.adaptors import http\njob = Job(http.get('/'))")
    server = faulty_server(Stall())
    credentials = write_json({"base_url": server.url}, "credentials.json")
    process = start_crossdock("run", job, "--credentials", credentials)
    server.wait_for_requests(timeout=30)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, f"job: {outcome} in " in err) == (code, True), err
    assert json.loads(out)["errors"]["job"]["operation"] == "http.get"


@pytest.mark.parametrize(("number", "outcome", "code"), SIGNALS)
def test_cl_05_a_signal_ends_the_import_of_a_job(start_crossdock: StartCrossdock, write_job, number, outcome, code):
    job = write_job(IMPORTS + "print('started', flush=True)\ntime.sleep(60)\njob = Job(set_data(1))")
    process = start_crossdock("run", job)
    assert process.stderr.readline() == "started\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, f"job: {outcome} in " in err) == (code, True), err
    assert json.loads(out)["errors"]["job"]["code"] == outcome
    assert "Traceback" not in err


def test_cl_08_a_second_signal_ends_a_stubborn_job_at_once(start_crossdock: StartCrossdock, write_job):
    source = SWALLOW_ALL.replace("pass", "print('swallowed', flush=True)").replace(
        "time.sleep(60)", "print('started', flush=True); time.sleep(60)"
    )
    process = start_crossdock("run", write_job(IMPORTS + source))
    assert process.stderr.readline() == "started\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "swallowed\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=8)  # less than the grace after one signal
    assert process.returncode == 130, err


def test_cl_05_an_interrupt_while_the_input_is_awaited_is_130(start_crossdock: StartCrossdock, write_job, tmp_path):
    """A FIFO shows that the command is reading: opening it to write waits for a reader."""
    import os

    os.mkfifo(tmp_path / "input")
    process = start_crossdock("run", write_job("raise SystemExit('it ran')"), "--state", "input")
    with open(tmp_path / "input", "w"):
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err, "it ran" in err) == (130, False, False), err
