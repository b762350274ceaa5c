"""The road of somebody who writes an adaptor, from the READMEs alone, in an environment of their own."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PUBLISHED = ("core", "adaptors/http")
MINUTES = 5


def console(readme: Path) -> list[list[str]]:
    """Give the commands of each block of a README, in their order."""
    blocks = re.findall(r"```console\n(.*?)```", readme.read_text(), re.DOTALL)
    return [[line.removeprefix("$ ") for line in block.splitlines()] for block in blocks]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Give a folder with our wheels, as the package index will have them."""
    folder = tmp_path / "index"
    for package in PUBLISHED:
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT / package]
        subprocess.run(build, check=True, capture_output=True)
    return folder


def test_pl_14_from_nothing_to_a_wheel_by_the_readmes(index, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    environment = os.environ | {
        "PATH": f"{tmp_path / 'venv' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "PIP_FIND_LINKS": f"{index} {os.environ.get('PIP_FIND_LINKS', '')}",
    }
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    def run(*commands: str, folder: Path = tmp_path) -> str:
        script = ["bash", "-e", "-c", "\n".join(commands)]
        done = subprocess.run(script, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    tested = run(*console(ROOT / "cookiecutter-adaptor" / "README.md")[0])  # the others are other ways to begin
    package = tmp_path / "crossdock-acme"
    commands = [command for block in console(package / "README.md") for command in block]
    rest = [command for command in commands if not command.startswith(("crossdock run", "twine"))]
    run(*rest, folder=package)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert " passed" in tested
    assert [file.suffix for file in sorted((package / "dist").iterdir())] == [".whl", ".gz"]
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < MINUTES * 60
