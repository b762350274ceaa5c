"""The command `crossdock`, as a real process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **(env or {})}
        command = [*COMMAND, *map(str, arguments)]
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=60,
            check=False,
            **options,
        )
        return Done(done.args, done.returncode, done.stdout, done.stderr)

    return run


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
