"""The child process of a run: nothing that it started outlives it, and it does not outlive its parent."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from fix_command import COMMAND, Crossdock, WriteJob, is_gone

STARTS_A_PROCESS = """
import os, subprocess
from crossdock import Job, set_data

def start(state):
    child = subprocess.Popen(["sleep", "600"])
    return state.result(child.pid)

job = Job(start)
"""

WAITS = """
import os, threading
from crossdock import Job

def wait(state):
    print("pid", os.getpid(), flush=True)
    threading.Event().wait()

job = Job(wait)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="it looks into /proc: run it on Linux")
def test_what_a_job_started_ends_with_its_run(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock("run", write_job(STARTS_A_PROCESS))

    assert done.returncode == 0
    assert is_gone(done.json["data"])


@pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="it waits for a process that is not its child: run it on Linux"
)
def test_a_run_ends_when_its_command_is_killed(write_job: WriteJob, tmp_path: Path):
    command = subprocess.Popen(
        [*COMMAND, "run", str(write_job(WAITS))], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    assert command.stderr is not None
    pid = int(command.stderr.readline().split()[1])
    child = os.pidfd_open(pid)

    command.send_signal(signal.SIGKILL)
    command.wait()

    import select

    assert select.select([child], [], [], 10)[0] == [child]
    os.close(child)
    command.stderr.close()


ENDINGS = {
    "closes all": "os.closerange(3, 200)\n    threading.Event().wait()",
    "closes all and prints": "os.closerange(3, 200)\n    print('x' * 300_000)\n    threading.Event().wait()",
    "prints without end": "while True: print('x' * 1000)",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_a_job_does_to_its_descriptors_its_time_ends(crossdock: Crossdock, write_job: WriteJob, ending: str):
    job = write_job(
        f"import os, threading\nfrom crossdock import Job\ndef end(state):\n    {ENDINGS[ending]}\njob = Job(end)"
    )

    done = crossdock("run", job, "--timeout", "1")

    assert (done.returncode, done.json["errors"]["job"]["code"]) == (5, "timeout"), done.stderr[-500:]
    assert "Traceback" not in done.stderr


def test_a_job_that_asks_a_person_gets_no_answer(crossdock: Crossdock, write_job: WriteJob):
    done = crossdock(
        "run", write_job("from crossdock import Job\njob = Job(lambda state: state.result(input()))"), stdin="typed"
    )

    assert (done.returncode, done.json["errors"]["job"]["type"]) == (1, "EOFError")


def test_a_checkpoint_outlives_a_run_that_is_killed(crossdock: Crossdock, write_job: WriteJob):
    job = write_job(
        "import threading\nfrom crossdock import Job, save_cursor\n"
        "job = Job(save_cursor('v', 5, checkpoint=True), lambda state: threading.Event().wait())"
    )

    done = crossdock("run", job, "--timeout", "1")

    assert (done.returncode, done.json["cursors"]) == (5, {"v": 5})


def test_an_input_in_openfns_form_runs_in_a_job_without_adaptors(crossdock: Crossdock, write_job: WriteJob):
    job = write_job("from crossdock import Job\njob = Job(lambda state: state)")

    assert crossdock("run", job, "--state", "-", stdin='{"configuration": {"password": "s3cret"}, "data": 1}').json == {
        "data": 1
    }
