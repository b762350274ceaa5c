"""What is published: every wheel, its contents, its metadata; and that a clone installs in one go."""

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest
from fix_distribution import ADAPTOR_NAMES

ROOT = Path(__file__).parent.parent
PACKAGES = {"core": "crossdock", **{f"adaptors/{name}": f"crossdock_{name}" for name in ADAPTOR_NAMES}}
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv", ".demo", "__pycache__", ".*_cache", "dist", ".hypothesis")


class Wheel:
    """A wheel that was built, opened."""

    def __init__(self, file: Path) -> None:
        with zipfile.ZipFile(file) as archive:
            self.names = set(archive.namelist())
            self.folder = next(name.split("/")[0] for name in self.names if ".dist-info/" in name)
            self.metadata: Message = Parser().parsestr(archive.read(f"{self.folder}/METADATA").decode())
            self.entry_points = archive.read(f"{self.folder}/entry_points.txt").decode()

    @property
    def modules(self) -> set[str]:
        return {name for name in self.names if not name.startswith(self.folder)}


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Build the wheel of each distribution, from a copy."""
    copy, built = tmp_path_factory.mktemp("wheels") / "a copy", {}
    shutil.copytree(ROOT, copy, ignore=NOT_SOURCE)
    for package in PACKAGES:
        command = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(copy / "dist" / package),
            str(copy / package),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        built[package] = Wheel(next((copy / "dist" / package).glob("*.whl")))
    return built


def project(package: str) -> dict:
    return tomllib.loads((ROOT / package / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_wheel_holds_the_sources_and_nothing_else(wheels, package):
    folder = ROOT / package / PACKAGES[package]
    sources = {
        os.path.relpath(os.path.join(place, file), ROOT / package)
        for place, _, files in os.walk(folder, followlinks=True)  # the template of adaptors is a link in core
        for file in files
        if not place.endswith("__pycache__")
    }

    assert wheels[package].modules == sources
    assert f"{PACKAGES[package]}/py.typed" in sources


@pytest.mark.parametrize("package", PACKAGES)
def test_the_metadata_of_a_wheel_says_what_it_is(wheels, package):
    metadata = wheels[package].metadata

    assert (metadata["Name"], metadata["Version"]) == (project(package)["name"], project(package)["version"])
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert f"{wheels[package].folder}/licenses/LICENSE" in wheels[package].names
    assert metadata.get_payload().startswith("# crossdock")


def test_versions_agree_and_adaptors_need_this_core(wheels):
    versions = {wheel.metadata["Version"] for wheel in wheels.values()}
    major, minor, _ = versions.pop().split(".")

    assert versions == set()
    for package in PACKAGES:
        if package != "core":
            needs = wheels[package].metadata.get_all("Requires-Dist")
            assert f"crossdock<{major}.{int(minor) + 1},>={major}.{minor}" in needs


def test_no_wheel_needs_a_path(wheels):
    assert [need for wheel in wheels.values() for need in wheel.metadata.get_all("Requires-Dist") if "@" in need] == []


@pytest.mark.parametrize("name", ADAPTOR_NAMES)
def test_an_adaptor_has_its_entry_point(wheels, name):
    assert f"[crossdock.adaptors]\n{name} = crossdock_{name}\n" in wheels[f"adaptors/{name}"].entry_points


def test_each_changelog_has_an_entry_for_the_version():
    for package in PACKAGES:
        assert f"## {project(package)['version']}" in (ROOT / package / "CHANGELOG.md").read_text()


def test_one_plain_pip_install_brings_everything(tmp_path):
    """With the pip that comes with this Python, in a path with a blank."""
    copy = tmp_path / "a copy"
    shutil.copytree(ROOT, copy, ignore=NOT_SOURCE)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"

    installed = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "."], cwd=copy, capture_output=True, text=True, check=False
    )
    listed = subprocess.run(
        [python, "-m", "crossdock.cli", "adaptors", "list"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert installed.returncode == 0, installed.stderr
    assert [line.split()[0] for line in listed.stdout.splitlines()[1:]] == ADAPTOR_NAMES
    assert "broken" not in listed.stdout
