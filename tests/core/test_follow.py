"""The log of a run that goes on, as an operator follows it."""

import signal
import subprocess

import pytest
from fix_command import Crossdock, StartCrossdock
from fix_serve import PATIENCE, Served

WAITS = """
    import os, time
    from crossdock import Job

    def load(state):
        print("begun", flush=True)
        while not os.path.exists("go"):
            time.sleep(0.02)
        print("done", flush=True)
        return state

    job = Job(load)
"""


@pytest.fixture
def waiting(served: Served) -> tuple[Served, str]:
    """A run that goes on until there is a file ``go``."""
    served.write(
        "workflows: {visits: {triggers: {form: {webhook: visits}}, steps: {load: {job: jobs/load.py}}}}", load=WAITS
    )
    served.start()
    [run] = served.post("visits", {})
    return served, run


def follow(start_crossdock: StartCrossdock, waiting: tuple[Served, str]) -> "subprocess.Popen[str]":
    """Follow the log of the run, and wait for its first line."""
    served, run = waiting
    following = start_crossdock("runs", "logs", "--follow", run, "--project", served.folder)
    assert following.stdout is not None
    assert following.stdout.readline().endswith("begun\n")
    return following


def test_a_log_is_followed_until_the_run_has_ended(waiting, start_crossdock):
    following = follow(start_crossdock, waiting)

    (waiting[0].folder / "go").touch()

    assert following.stdout.readline().endswith("done\n")
    assert following.communicate(timeout=PATIENCE) == ("", "")
    assert following.returncode == 0
    assert waiting[0].run(waiting[1]).run.outcome == "success"


def test_who_follows_a_log_may_leave(waiting, start_crossdock):
    following = follow(start_crossdock, waiting)

    following.send_signal(signal.SIGINT)

    assert following.communicate(timeout=PATIENCE) == ("", "")
    assert following.returncode == 130


def test_no_log_of_an_unknown_run_is_followed(waiting, crossdock: Crossdock):
    refused = crossdock("runs", "logs", "--follow", "nobody", "--project", str(waiting[0].folder))

    assert (refused.returncode, "there is no run 'nobody'" in refused.stderr) == (3, True)
