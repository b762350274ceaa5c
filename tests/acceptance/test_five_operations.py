"""What an adaptor of an HTTP API takes: five operations are a package of at most 120 lines outside its tests."""

import shutil
import sys
from pathlib import Path

import pytest
from fix_command import COMMAND
from fix_packages import BIN, in_folder, installed

DEPOT = Path(__file__).parent.parent / "data" / "depot"
MOST_LINES = 120
PLACES = {
    "adaptor.py": "crossdock_depot/adaptor.py",
    "package.py": "crossdock_depot/__init__.py",
    "contract.py": "tests/test_contract.py",
    "depot.py": "tests/test_depot.py",
}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a package from the template, with what its author then wrote."""
    folder = tmp_path_factory.mktemp("author")
    done = in_folder(folder, *COMMAND, "new", "adaptor", "Depot", "--author", "Amina Said")
    assert done.returncode == 0, done.stderr
    made = folder / "crossdock-depot"
    (made / "tests" / "conftest.py").unlink()
    for name, place in PLACES.items():
        shutil.copy(DEPOT / name, made / place)
    return made


def test_five_operations_are_a_package_of_120_lines(package):
    modules = [file for file in package.rglob("*.py") if "tests" not in file.parts]

    lines = {file.name: len(file.read_text().splitlines()) for file in modules}

    assert set(lines) == {"__init__.py", "adaptor.py"}
    assert sum(lines.values()) <= MOST_LINES
    assert (package / "crossdock_depot/adaptor.py").read_text().count("@adaptor.operation(") == 5


def test_it_is_clean(package):
    tools = (
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--python-executable", sys.executable],
    )

    for tool, *options in tools:
        done = in_folder(package, BIN / tool, *options)
        assert done.returncode == 0, done.stdout


def test_it_pages_uploads_downloads_waits_and_keeps_the_contract(package, tmp_path):
    site = installed([package], tmp_path)

    done = in_folder(package, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", **site)

    assert done.returncode == 0, done.stdout
    skipped = [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]
    assert [line for line in skipped if "zinc.pdf" not in line] == []  # the contract has no file to upload
