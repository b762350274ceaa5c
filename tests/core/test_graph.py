"""``crossdock graph``: a workflow of a project, with how its steps ended when it last ran."""

import os
import pty
import stat
import struct
import subprocess
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from fix_command import COMMAND, Crossdock

PROJECT = """
name: clinic
workflows:
  visits:
    triggers:
      form: {webhook: visits, include: {form: visit_v2}}
      nightly: {cron: "0 2 * * *", timezone: Africa/Nairobi}
      later: {after: {success: other}}
    steps:
      load: {job: jobs/load.py, next: {tell: {when: "jobs/rules.py:has_rows"}, alert: on_failure}}
      tell: {job: jobs/tell.py, each: data, next: {archive: {after: always, exclude: {test: true}}}}
      alert: {job: jobs/alert.py, next: archive}
      archive: {workflow: other}
  other:
    steps:
      only: {job: jobs/tell.py}
"""
LOAD = """
import time
from crossdock import Job, JobError
def load(state):
    if state.data == "wait":
        time.sleep(60)
    if not state.data:
        raise JobError("NO_VISITS", "there are no visits")
    return state
job = Job(load)
"""
JOBS = {
    "load": LOAD,
    "tell": "from crossdock import Job\njob = Job(lambda state: state)",
    "alert": "from crossdock import Job, set_data\njob = Job(set_data({'told': 1}))",
    "rules": "def has_rows(state):\n    return len(state.data) > 1\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "jobs").mkdir()
    for name, text in JOBS.items():
        (tmp_path / "jobs" / f"{name}.py").write_text(text)
    (tmp_path / "project.yaml").write_text(PROJECT)
    for name, data in {"many": "[1, 2]", "none": "[]", "wait": '"wait"'}.items():
        (tmp_path / f"{name}.json").write_text(f'{{"data": {data}}}')
    return tmp_path


def words(text: str) -> str:
    """Give what stands in the boxes and on the ways, without the lines."""
    return " ".join("".join(" " if letter in "┌┐└┘╭╮╰╯├┤┬┴┼─│▼" else letter for letter in text).split())


def test_a_workflow_is_drawn_with_what_starts_it_and_when_each_way_is_taken(crossdock: Crossdock, project):
    done = crossdock("graph", "visits")

    assert done.returncode == 0, done.stderr
    for part in (
        "webhook visits",
        'include {"form": "visit_v2"}',
        "cron 0 2 * * *",
        "in Africa/Nairobi",
        "after success of other",
        "when has_rows on_failure",
        "per item of data",
        'always, exclude {"test": true}',
        "workflow other",
    ):
        assert part in words(done.stdout), part


def test_a_project_and_its_workflow_are_found_as_run_finds_them(crossdock: Crossdock, project):
    drawn = crossdock("graph", "visits").stdout

    for arguments in ([".", "visits"], ["project.yaml", "visits"], [project, "visits"]):
        assert crossdock("graph", *arguments).stdout == drawn
    done = crossdock("graph")
    assert (done.returncode, "the project clinic has visits, other: say which workflow" in done.stderr) == (2, True)


def test_a_broken_job_is_no_reason_not_to_draw(crossdock: Crossdock, project):
    (project / "jobs" / "load.py").write_text("raise SystemExit('loaded')")

    done = crossdock("graph", "visits")

    assert (done.returncode, done.stderr) == (0, "")


def test_the_last_run_stands_on_the_drawing(crossdock: Crossdock, project):
    assert "last ran" not in crossdock("graph", "visits").stdout

    crossdock("run", "visits", "--state", "many.json")
    shown = words(crossdock("graph", "visits").stdout)

    assert "visits last ran 20" in shown
    assert shown.count("success ") == 4  # load, tell, archive, and the trigger's word
    assert "alert" in shown
    assert shown.count("did not run") == 1


def test_what_was_handled_is_shown_as_such(crossdock: Crossdock, project):
    crossdock("run", "visits", "--state", "none.json")

    shown = words(crossdock("graph", "visits").stdout)

    assert ", handled" in shown
    assert shown.count("did not run") == 1


def test_a_step_that_was_killed_is_shown_though_it_handed_nothing_on(crossdock: Crossdock, project):
    crossdock("run", "visits", "--state", "many.json")
    crossdock("run", "visits", "--state", "wait.json", "--timeout", "2")

    assert "killed" in words(crossdock("graph", "visits").stdout)


def test_a_dry_run_leaves_the_last_run_on_the_drawing(crossdock: Crossdock, project):
    crossdock("run", "visits", "--state", "none.json")
    before = crossdock("graph", "visits").stdout

    crossdock("run", "visits", "--state", "many.json", "--dry-run")

    assert crossdock("graph", "visits").stdout == before


def test_a_step_that_runs_alone_changes_itself_alone_on_the_drawing(crossdock: Crossdock, project):
    crossdock("run", "visits", "--state", "none.json")
    crossdock("run", "visits", "--only", "load", "--state", "many.json")

    shown = words(crossdock("graph", "visits").stdout)

    assert "failed" not in shown
    assert shown.count("did not run") == 1


def test_what_is_kept_of_the_last_run_is_for_its_owner_alone(crossdock: Crossdock, project):
    crossdock("run", "visits", "--state", "many.json")

    assert stat.S_IMODE((project / ".crossdock/runs/visits.json").stat().st_mode) == 0o600


def test_a_drawing_is_written_as_svg(crossdock: Crossdock, project):
    crossdock("run", "visits", "--state", "many.json")

    done = crossdock("graph", "visits", "--output", "visits.svg")

    assert (done.returncode, done.stdout) == (0, "")
    assert "the workflow visits is drawn in visits.svg" in done.stderr
    assert (project / "visits.svg").read_text().startswith('<?xml version="1.0" encoding="UTF-8"?>\n<svg ')


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["visits", "--output", "visits.png"], 2, "--output writes SVG: name a file that ends in .svg"),
        (["visits", "--output", "no/visits.svg"], 3, "lies in a folder that does not exist"),
        (["visit"], 2, "Did you mean visits?"),
        (["a", "b", "c"], 2, "Name a project and one of its workflows."),
        (["nowhere", "visits"], 3, "there is no nowhere"),
    ],
)
def test_what_can_not_be_drawn_is_refused(crossdock: Crossdock, project, arguments, code, said):
    done = crossdock("graph", *arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


@pytest.mark.parametrize(("columns", "boxes"), [(200, True), (40, False)])
def test_a_narrow_terminal_gets_a_list(project, columns, boxes):
    parent, child = pty.openpty()
    ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm"}
    subprocess.run([*COMMAND, "graph", "visits"], cwd=project, stdout=child, env=environment, check=True, timeout=60)
    os.close(child)

    shown = os.read(parent, 100_000).decode()
    os.close(parent)

    assert ("┌" in shown) == boxes
    assert "load" in shown
