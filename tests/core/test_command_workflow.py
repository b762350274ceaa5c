"""``crossdock run`` on a workflow of a project: its steps, what is kept of them, and where to go on."""

import json
import os
import signal
import stat
from pathlib import Path

import pytest
from fix_command import without_privileges

PROJECT = """
name: clinic
workflows:
  visits:
    steps:
      load: {job: jobs/load.py, next: {tell: on_success, alert: on_failure}}
      tell: {job: jobs/tell.py}
      alert: {job: jobs/alert.py}
"""
LOAD = """
from crossdock import Job, JobError, save_cursor
def load(state):
    if state.data == "bad":
        raise JobError("NO_VISITS", "there are no visits")
    return state.replace(visits=[state.data, 2])
job = Job(load, save_cursor("visits", 7))
"""
TELL = "from crossdock import Job, set_data, state\njob = Job(set_data({'told': state.visits}))"
ALERT = "from crossdock import Job, set_data, state\njob = Job(set_data({'alert': state.errors['load']['code']}))"


@pytest.fixture
def project(tmp_path: Path):
    """Write a project, of which some files may be others."""

    def write(project=PROJECT, **jobs):
        (tmp_path / "jobs").mkdir(exist_ok=True)
        for name, text in {"load": LOAD, "tell": TELL, "alert": ALERT, **jobs}.items():
            (tmp_path / "jobs" / f"{name}.py").write_text(text)
        (tmp_path / "project.yaml").write_text(project)
        for name, data in {"good": 1, "bad": "bad"}.items():
            (tmp_path / f"{name}.json").write_text(json.dumps({"data": data}))
        return tmp_path

    return write


def kept(folder: Path, step: str):
    return json.loads((folder / ".crossdock" / "outputs" / "visits" / f"{step}.json").read_text())


def test_c14_a_workflow_runs_by_its_name(project, crossdock):
    project()

    for arguments in (["visits"], [".", "visits"], ["project.yaml", "visits"], ["."], []):
        done = crossdock("run", *arguments, "--state", "good.json")
        assert (done.returncode, done.json["data"]) == (0, {"told": [1, 2]}), done.stderr


def test_c14_an_unknown_workflow_is_told_which_there_are(project, crossdock):
    project()

    done = crossdock("run", "visit")

    assert done.returncode == 2
    assert "project.yaml has no workflow 'visit'; it has visits" in done.stderr
    assert "fix: Did you mean visits?" in done.stderr


def test_every_step_is_told_with_the_reason_of_those_that_did_not_run(project, crossdock):
    project()

    done = crossdock("run", "visits", "--state", "good.json")

    lines = [line.split() for line in done.stderr.splitlines()]
    assert ["load", "success"] in [line[:2] for line in lines]
    assert "alert  did not run (load: success, and the edge is on_failure)" in done.stderr


def test_a_failure_that_an_edge_handles_is_a_success(project, crossdock):
    project()

    done = crossdock("run", "visits", "--state", "bad.json")

    assert (done.returncode, done.json["data"]) == (0, {"alert": "NO_VISITS"}), done.stderr
    assert done.json["errors"]["load"]["code"] == "NO_VISITS"
    assert "load   failed" in done.stderr
    assert "handled" in done.stderr


def test_a_failure_that_nothing_handles_is_one(project, crossdock):
    project(PROJECT.replace(", alert: on_failure", ", alert: always"))

    done = crossdock("run", "visits", "--state", "bad.json")

    assert (done.returncode, done.json["data"]) == (1, {"alert": "NO_VISITS"}), done.stderr
    assert "JobError [NO_VISITS] in load (jobs/load.py:5): there are no visits" in done.stderr


def test_c5_what_each_step_hands_on_is_kept_for_its_owner_alone(project, crossdock):
    folder = project()

    crossdock("run", "visits", "--state", "good.json")

    assert kept(folder, "load")["state"] == {"data": 1, "visits": [1, 2]}
    assert kept(folder, "tell")["outcome"] == "success"
    assert (folder / ".crossdock" / ".gitignore").read_text() == "*\n"
    for path in (folder / ".crossdock").rglob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for path in (folder / ".crossdock").rglob("*/"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_c6_a_run_goes_on_from_what_is_kept(project, crossdock):
    folder = project()
    crossdock("run", "visits", "--state", "good.json")
    before = kept(folder, "load")

    done = crossdock("run", "visits", "--start", "tell")

    assert (done.returncode, done.json["data"]) == (0, {"told": [1, 2]}), done.stderr
    assert "load  success  kept from an earlier run" in done.stderr
    assert kept(folder, "load") == before


def test_c6_a_state_that_is_given_counts_more_than_what_is_kept(project, crossdock):
    folder = project()
    crossdock("run", "visits", "--state", "good.json")
    (folder / "other.json").write_text('{"visits": [9]}')

    done = crossdock("run", "visits", "--start", "tell", "--state", "other.json")

    assert (done.returncode, done.json["data"]) == (0, {"told": [9]}), done.stderr


def test_c6_nothing_that_is_kept_is_told_with_what_to_do(project, crossdock):
    project()

    done = crossdock("run", "visits", "--start", "tell")

    assert done.returncode == 2
    assert "nothing is kept of 'load', which leads to 'tell'" in done.stderr
    assert "fix: Run the workflow from the beginning, or give the input of the step: --state FILE." in done.stderr


def test_c6_a_step_that_does_not_run_this_time_leaves_nothing_of_last_time(project, crossdock):
    folder = project()
    crossdock("run", "visits", "--state", "good.json")

    crossdock("run", "visits", "--state", "bad.json")

    assert not (folder / ".crossdock" / "outputs" / "visits" / "tell.json").exists()


def test_c7_part_of_a_name_is_enough_if_it_is_the_only_one(project, crossdock):
    project()

    done = crossdock("run", "visits", "--only", "oad", "--state", "good.json")
    assert (done.returncode, done.json["visits"]) == (0, [1, 2]), done.stderr
    assert "tell" not in done.stderr

    several = crossdock("run", "visits", "--only", "l", "--state", "good.json")
    assert several.returncode == 2
    assert "the workflow 'visits' has no step 'l'; load, tell, alert have it in their names" in several.stderr


def test_w_02_a_run_ends_after_the_step_that_is_named(project, crossdock):
    project()

    done = crossdock("run", "visits", "--end", "load", "--state", "good.json")

    assert (done.returncode, done.json["visits"], done.json["data"]) == (0, [1, 2], 1), done.stderr


def test_cursors_of_a_workflow_are_kept_from_run_to_run(project, crossdock):
    folder = project(
        load=LOAD.replace('save_cursor("visits", 7)', "save_cursor('visits', lambda s: s.cursors.get('visits', 0) + 1)")
    )

    for _ in range(3):
        crossdock("run", "visits", "--state", "good.json")

    assert json.loads((folder / ".crossdock" / "cursors" / "visits.json").read_text()) == {"visits": 3}


def test_the_commands_know_the_cursors_of_a_workflow(project, crossdock, tmp_path):
    folder = project(PROJECT + "environments: {test: {}}\n")
    (tmp_path / "empty").mkdir()
    crossdock("run", "visits", "--state", "good.json")

    assert crossdock("cursors", "list").stdout == "visits  7\n"
    assert crossdock("cursors", "show", "visits", "--project", folder, "--workflow", "visits").stdout == "7\n"
    assert crossdock("cursors", "set", "visits", "9", "--env", "test").returncode == 0  # before any run of it
    assert crossdock("cursors", "list", "--env", "test").stdout == 'visits  "9"\n'
    assert crossdock("cursors", "reset", "--all").returncode == 0
    assert crossdock("cursors", "list").stdout == ""
    assert crossdock("cursors", "list", "--workflow", "visit").returncode == 2
    assert crossdock("cursors", "list", "--cursors", "c.json", "--env", "test").returncode == 2
    nowhere = crossdock("cursors", "list", cwd=tmp_path / "empty")
    assert (nowhere.returncode, "--cursors FILE; or a project" in nowhere.stderr) == (2, True)


def test_a_dry_run_keeps_nothing(project, crossdock):
    folder = project()

    done = crossdock("run", "visits", "--state", "good.json", "--dry-run")

    assert (done.returncode, done.json["plan"]) == (0, []), done.stderr
    assert list((folder / ".crossdock").rglob("*.json")) == []


def test_a_dry_run_needs_no_folder_that_it_can_write_to(project, crossdock):
    folder = project()
    folder.chmod(0o500)

    refused = crossdock("run", "visits", "--state", "good.json", preexec_fn=without_privileges)
    done = crossdock("run", "visits", "--state", "good.json", "--dry-run", preexec_fn=without_privileges)
    folder.chmod(0o700)

    assert (refused.returncode, "what the steps hand on can't be kept" in refused.stderr) == (3, True)
    assert (done.returncode, done.json["data"]) == (0, {"told": [1, 2]}), done.stderr


def test_a_wrong_step_is_wrong_input_and_nothing_says_refused(project, crossdock):
    project()

    done = crossdock("run", "visits", "--state", "good.json", "--start", "lode")

    assert (done.returncode, done.stdout) == (2, "")
    assert "visits: not run, wrong input in " in done.stderr
    assert "refused" not in done.stderr


def test_w_16_a_step_has_a_time_limit_that_ends_what_it_started(project, crossdock):
    limited = PROJECT.replace("{job: jobs/tell.py}", "{job: jobs/tell.py, limits: {seconds: 1}}")
    folder = project(limited, tell="import time\nfrom crossdock import Job, tap\njob = Job(tap(time.sleep, 60))")

    done = crossdock("run", "visits", "--state", "good.json")

    assert done.returncode == 5, done.stderr
    assert done.json["errors"]["tell"]["message"] == "the step 'tell' took longer than 1 s and was killed"
    assert "load  success" in done.stderr
    assert kept(folder, "load")["outcome"] == "success"


LIMITS = {
    "of the project": ("", "limits: {seconds: 1}\n"),
    "of the workflow": ("\n    limits: {seconds: 1}", "limits: {seconds: 300}\n"),
}


@pytest.mark.parametrize("written", LIMITS)
def test_w_16_a_run_has_the_time_limit_that_the_project_file_gives_it(project, crossdock, written):
    workflow, whole = LIMITS[written]
    sleeps = "import time\nfrom crossdock import Job, tap\njob = Job(tap(time.sleep, 60))"
    project(PROJECT.replace("  visits:", f"  visits:{workflow}") + whole, tell=sleeps)

    done = crossdock("run", "visits", "--state", "good.json")

    assert done.returncode == 5, done.stderr
    told = [error["message"] for error in done.json["errors"].values()]
    assert told == ["the run took longer than 1 s and was killed"]


def test_w_16_a_timeout_counts_before_the_limit_of_the_project_file(project, crossdock):
    project(PROJECT + "limits: {seconds: 0.001}\n")

    done = crossdock("run", "visits", "--state", "good.json", "--timeout", "60")

    assert done.returncode == 0, done.stderr


def test_w_16_a_state_may_be_as_large_as_the_project_file_says(project, crossdock):
    project(
        PROJECT + "limits: {state_mb: 0.001}\n",
        tell="from crossdock import Job, set_data\njob = Job(set_data('x' * 2000))",
    )

    done = crossdock("run", "visits", "--state", "good.json")

    assert (done.returncode, done.json["errors"]["tell"]["code"]) == (5, "state_too_large"), done.stderr


@pytest.mark.parametrize(("limits", "code"), [("{memory_mb: 300}", 5), ("{state_mb: 10}", 0)])
def test_a_run_has_the_memory_that_the_project_file_gives_it(project, crossdock, limits, code):
    """What the file does not say holds for a server alone."""
    project(
        PROJECT + f"limits: {limits}\n",
        tell="from crossdock import Job, tap\njob = Job(tap(lambda: len(bytes(2 * 10**9))))",
    )

    done = crossdock("run", "visits", "--state", "good.json")

    assert done.returncode == code, done.stderr
    assert [error["code"] for error in done.json.get("errors", {}).values()] == ["memory"][: code // 5]


def test_an_interrupt_ends_the_step_that_runs_and_what_comes_after(project, start_crossdock, tmp_path):
    waiting = f"import os, time\nfrom crossdock import Job\ndef wait(state):\n    os.mkfifo({str(tmp_path / 'at')!r})\n    time.sleep(60)\njob = Job(wait)"
    project(tell=waiting)
    process = start_crossdock("run", "visits", "--state", "good.json")
    while not (tmp_path / "at").exists():
        assert process.poll() is None
        os.sched_yield()

    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)

    assert process.returncode == 130, error
    assert json.loads(out)["errors"]["tell"]["code"] == "interrupted"
    assert "load   success" in error


def test_steps_run_at_the_same_time_where_edges_allow_it(project, crossdock, tmp_path):
    """Each of two steps waits until the other one has begun."""
    meet = "import os\nfrom crossdock import Job\ndef meet(state):\n    open({mine!r}, 'w').close()\n    while not os.path.exists({other!r}): os.sched_yield()\n    return state.result({mine!r}[-1])\njob = Job(meet)"
    first, second = str(tmp_path / "a"), str(tmp_path / "b")
    project(
        "name: two\nworkflows:\n  visits:\n    steps:\n      tell: {job: jobs/tell.py}\n      alert: {job: jobs/alert.py}\n",
        tell=meet.format(mine=first, other=second),
        alert=meet.format(mine=second, other=first),
    )

    done = crossdock("run", "visits", "--parallel", "2", "--timeout", "20")

    assert done.returncode == 0, done.stderr
    assert {name: state["data"] for name, state in done.json["inputs"].items()} == {"tell": "a", "alert": "b"}


def test_options_for_a_workflow_are_refused_for_a_job(crossdock, tmp_path):
    (tmp_path / "job.py").write_text("from crossdock import Job, set_data\njob = Job(set_data(1))")

    done = crossdock("run", "job.py", "--start", "x")

    assert (done.returncode, "are for a workflow of a project" in done.stderr) == (2, True)


def test_what_one_environment_leaves_is_nothing_for_another(project, crossdock):
    folder = project(PROJECT + "environments:\n  test: {settings: {}}\n")
    crossdock("run", "visits", "--state", "good.json")

    done = crossdock("run", "visits", "--start", "tell", "--env", "test")

    assert (done.returncode, "nothing is kept of 'load'" in done.stderr) == (2, True)
    crossdock("run", "visits", "--state", "bad.json", "--env", "test")
    assert kept(folder, "load")["outcome"] == "success"
    assert stat.S_IMODE((folder / ".crossdock" / "environments").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("option", "file"), [("--output", "project.yaml"), ("--report", "project.yaml"), ("--report", "good.json")]
)
def test_what_a_run_reads_is_not_overwritten(project, crossdock, option, file):
    folder = project()
    before = (folder / file).read_text()

    done = crossdock("run", "visits", "--state", "good.json", option, file)

    assert (done.returncode, (folder / file).read_text()) == (3, before)
    assert "is read by the run, and would be overwritten; nothing ran" in done.stderr
