"""What was public at the last tag is public still: the check, on a repository of its own."""

import subprocess
import sys
from pathlib import Path

import pytest
from fix_documents import ROOT

BEFORE = '''
"""A package."""
from crossdock_acme.people import Person, find
__all__ = ["Person", "find"]
'''
PEOPLE = '''
"""People."""
def find(name, village=None):
    """Find one."""
def _hidden(name):
    """Not for others."""
class Person:
    """One."""
    def visits(self):
        """Give the visits."""
'''
WITHOUT_VILLAGE = PEOPLE.replace(", village=None", "")


class Repository:
    """A git repository with one package of version 0.1.0."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet")
        self.write("version = '0.1.0'", PEOPLE)

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=Amina", "-c", "user.email=amina@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=self.folder, check=True, capture_output=True)

    def write(self, version: str, people: str, package: str = BEFORE) -> None:
        inside = self.folder / "adaptors" / "acme" / "crossdock_acme"
        inside.mkdir(parents=True, exist_ok=True)
        (inside.parent / "pyproject.toml").write_text(f"[project]\nname = 'crossdock-acme'\n{version}\n")
        (inside / "__init__.py").write_text(package)
        (inside / "people.py").write_text(people)
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "Change it")

    def compare(self, *folders: str) -> tuple[int, str]:
        command = [sys.executable, ROOT / ".ci" / "public_api.py", *(folders or ["adaptors/acme"])]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.returncode, done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


@pytest.fixture
def tagged(repository: Repository) -> Repository:
    repository.git("tag", "v0.1.0")
    return repository


def test_without_a_tag_it_says_that_there_is_nothing_to_compare_with(repository):
    assert repository.compare() == (0, "public API: there is no tag yet, so nothing to compare it with\n")


@pytest.mark.parametrize(
    ("people", "package", "said"),
    [
        (WITHOUT_VILLAGE, BEFORE, "find(village)"),
        (PEOPLE.replace("village=None", "village"), BEFORE, "find(village)"),
        (PEOPLE.replace("visits", "calls"), BEFORE, "Person.visits"),
        (PEOPLE, BEFORE.replace('"Person", ', ""), "Person: it is not public any more"),
    ],
)
def test_a_change_that_breaks_is_named_and_the_exit_code_is_1(tagged, people, package, said):
    tagged.write("version = '0.1.1'", people, package)

    code, output = tagged.compare()

    assert (code, output.splitlines()[-2]) == (1, "public API: 1 change breaks it since v0.1.0")
    assert said in output.splitlines()[0]
    assert "raise the version" in output


def test_what_breaks_nothing_passes(tagged):
    added = PEOPLE.replace("_hidden(name)", "_hidden()").replace("village=None", "village=None, *, clinic=None")
    tagged.write("version = '0.1.1'", added)

    assert tagged.compare() == (0, "public API: nothing is broken since v0.1.0 that the versions do not say\n")


def test_a_version_that_says_so_may_break(tagged):
    tagged.write("version = '0.2.0'", WITHOUT_VILLAGE)

    code, output = tagged.compare()

    assert code == 0
    assert "find(village)" in output
    assert "(its version says so)" in output


def test_it_is_the_last_tag_that_counts(tagged):
    tagged.write("version = '0.2.0'", WITHOUT_VILLAGE)
    tagged.git("tag", "v0.2.0")

    assert tagged.compare()[0] == 0
    assert "since v0.2.0" in tagged.compare()[1]


def test_a_package_that_the_tag_does_not_have_is_new(tagged):
    (tagged.folder / "adaptors" / "new" / "crossdock_new").mkdir(parents=True)
    (tagged.folder / "adaptors" / "new" / "crossdock_new" / "__init__.py").write_text("__all__ = []")
    (tagged.folder / "adaptors" / "new" / "pyproject.toml").write_text("[project]\nversion = '0.1.0'")

    assert tagged.compare("adaptors/new")[0] == 0


def test_the_packages_of_this_repository_can_be_compared(tmp_path):
    """With a tag on what is there: nothing is broken, and every package says what of it is public."""
    subprocess.run(
        ["git", "clone", "--quiet", "--no-hardlinks", "--depth=1", f"file://{ROOT}", tmp_path / "clone"], check=True
    )
    clone = tmp_path / "clone"
    subprocess.run(["git", "tag", "v0.1.0"], cwd=clone, check=True)
    client = clone / "adaptors" / "http" / "crossdock_http" / "client.py"
    client.write_text(client.read_text().replace("def records(", "def entries("))
    packages = ["core", *(f"adaptors/{name}" for name in ("http", "postgresql", "dhis2", "kobotoolbox", "sftp"))]

    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "public_api.py", *packages],
        cwd=clone,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, "")
    assert "Client.records" in done.stdout
    assert {line.partition(":")[0] for line in done.stdout.splitlines()} == {"adaptors/http", "public API", "fix"}
