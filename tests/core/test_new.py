"""``crossdock new project``: what it makes works at once."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from crossdock.project import read_project
from fix_command import COMMAND, Crossdock

CLEAN = [sys.executable, "-m", "ruff", "check", "--isolated", "--line-length", "120", "."]


@pytest.fixture
def demo(crossdock: Crossdock, tmp_path: Path) -> Path:
    done = crossdock("new", "project", "demo")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return tmp_path / "demo"


def in_folder(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(folder.parent), "LANG": "C.UTF-8"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_a_new_project_runs_at_once_on_its_sample(demo):
    done = in_folder(demo, *COMMAND, "run", "--state", "sample.json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"].split("\r\n") == ["clinic,visits", "Lake,1", "North Hill,2", ""]


def test_a_new_project_tells_whom_it_should_of_a_failure(demo):
    (demo / "empty.json").write_text('{"data": []}')

    done = in_folder(demo, *COMMAND, "run", "visits", "--state", "empty.json")

    assert (done.returncode, "handled" in done.stderr) == (0, True)
    assert json.loads(done.stdout)["data"] == {"alert": "NO_VISITS: the message holds no list of visits"}


def test_a_new_project_has_one_workflow_of_three_steps_with_a_failure_edge(demo):
    read = read_project(demo)

    assert (read.name, read.workflow_names) == ("demo", ("visits",))
    steps = {step.name: {edge.to: edge.after for edge in step.next} for step in read.workflow("visits").steps}
    assert steps == {"clean": {"report": "on_success", "alert": "on_failure"}, "report": {}, "alert": {}}


def test_every_command_that_its_readme_names_works(demo):
    commands = re.findall(r"^\$ (.*)$", (demo / "README.md").read_text(), re.MULTILINE)
    assert len(commands) == 4

    for command in commands:
        done = in_folder(demo, *shlex.split(command))
        assert done.returncode == 0, (command, done.stdout, done.stderr)


def test_nothing_is_found_in_a_new_project_even_with_advice(demo):
    done = in_folder(demo, *COMMAND, "check", "--strict")

    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert "no findings in 4 files" in done.stderr
    assert in_folder(demo, *CLEAN).returncode == 0


def test_nothing_of_the_template_is_left_in_a_new_project(demo):
    texts = [file.read_text() for file in demo.rglob("*") if file.is_file()]

    assert len(texts) == 8
    assert [text for text in texts if "cookiecutter" in text or "{{" in text] == []
    assert ".crossdock/" in (demo / ".gitignore").read_text()
    assert sorted(entry.name for entry in demo.parent.iterdir()) == ["demo"]  # nothing is left at home


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Demo", "it is a small letter, then small letters, digits, '-' and '_', at most 50\n  fix: Call it demo."),
        ("Clinic Sync 2", "  fix: Call it clinic-sync-2."),
        ("9", "  fix: Choose another name, such as clinic-sync."),
        ("a" * 51, "can't be the name of a project"),
        ("sub/demo", "'sub/demo' is a path, not a name"),
        ("..", "can't be the name of a project"),
        ("", "can't be the name of a project"),
    ],
)
def test_a_name_that_can_not_be_is_refused_with_the_reason(crossdock: Crossdock, tmp_path, name, said):
    done = crossdock("new", "project", name)

    assert (done.returncode, done.stdout, [*tmp_path.iterdir()]) == (2, "", [])
    assert said in done.stderr


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_is_there_already_stays_as_it_is(crossdock: Crossdock, tmp_path, kind):
    there = tmp_path / "demo"
    if kind == "folder":
        there.mkdir()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to("nowhere")

    done = crossdock("new", "project", "demo")

    assert done.returncode == 2
    assert "there is something called 'demo' already; it stays as it is" in done.stderr
    assert there.is_symlink() or (there.read_text() == "mine" if kind == "file" else not [*there.iterdir()])


def test_without_cookiecutter_it_says_how_to_install_it(tmp_path):
    """In a process that finds no module of that name."""
    (tmp_path / "cookiecutter.py").write_text("raise ImportError('none')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from crossdock.cli import main; main()"

    done = in_folder(tmp_path, sys.executable, "-c", code, "new", "project", "demo")

    assert (done.returncode, (tmp_path / "demo").exists()) == (3, False)
    assert "fix: Install it: pip install 'crossdock[new]'." in done.stderr
