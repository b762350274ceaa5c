"""The command `crossdock`, as a real process."""

import ctypes
import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

COMMAND = [sys.executable, "-m", "crossdock.cli"]


class Done(subprocess.CompletedProcess[str]):
    """A command that ended."""

    @property
    def json(self) -> Any:
        """What it printed on standard output."""
        return json.loads(self.stdout)


Crossdock = Callable[..., Done]


@pytest.fixture
def crossdock(tmp_path: Path) -> Crossdock:
    """Run the command in an empty folder, with an environment of its own."""

    def run(
        *arguments: str | Path, stdin: str | None = None, env: dict[str, str] | None = None, **options: Any
    ) -> Done:
        command = [*COMMAND, *map(str, arguments)]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            env=_environment(tmp_path, env),
            timeout=60,
            check=False,
            **{"cwd": tmp_path, **options},
        )
        return Done(done.args, done.returncode, done.stdout, done.stderr)

    return run


def _environment(home: Path, more: dict[str, str] | None) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", **(more or {})}


StartCrossdock = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start_crossdock(tmp_path: Path) -> Iterator[StartCrossdock]:
    """Start the command and go on, with a shell's redirection such as ``>&-``; the test's end ends it."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *arguments: str | Path, redirect: str = "", env: dict[str, str] | None = None, **options: Any
    ) -> "subprocess.Popen[str]":
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            ["sh", "-c", f'exec "$@" {redirect}', "sh", *COMMAND, *map(str, arguments)],
            text=True,
            cwd=tmp_path,
            env=_environment(tmp_path, env),
            **{**pipes, **options},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:  # closes its pipes, and waits
            process.kill()


def without_privileges() -> None:
    """As ``preexec_fn``: give up root's right to read and write everything; for others nothing changes."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def parent_of(pid: int) -> int:
    """Give the parent of a process; 0 if the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def is_gone(pid: int) -> bool:
    """Tell whether a process ended; one that nobody waits for any more counts as ended."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


WriteJob = Callable[..., Path]


@pytest.fixture
def write_job(tmp_path: Path) -> WriteJob:
    """Write a job file."""

    def write(source: str, name: str = "job.py") -> Path:
        file = tmp_path / name
        file.write_text(source, encoding="utf-8")
        return file

    return write


WriteJson = Callable[..., Path]


@pytest.fixture
def write_json(tmp_path: Path) -> WriteJson:
    """Write a JSON file that only its owner can read."""

    def write(value: Any, name: str = "state.json") -> Path:
        file = tmp_path / name
        file.touch(0o600)
        file.write_text(json.dumps(value), encoding="utf-8")
        return file

    return write


WriteYaml = Callable[[str], str]


@pytest.fixture
def write_yaml(tmp_path: Path) -> WriteYaml:
    """Write the file c.yaml, which only its owner can read; gives its name."""

    def write(text: str) -> str:
        file = tmp_path / "c.yaml"
        file.touch(0o600)
        file.write_text(text, encoding="utf-8")
        return file.name

    return write


def shows(done: Done, *secrets: str) -> bool:
    """Tell whether a command printed a secret, as it is or encoded."""
    printed = done.stdout + done.stderr
    return any(form in printed for secret in secrets for form in _forms(secret))


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    return {secret, quote(secret), quote(secret, safe=""), raw.hex(), b64encode(raw).decode().rstrip("=")}
