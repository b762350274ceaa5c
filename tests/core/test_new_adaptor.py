"""``crossdock new adaptor``: a package that works, and how it is compared with its template later."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from crossdock.loading import RESERVED
from fix_command import COMMAND, Crossdock
from fix_distribution import ADAPTOR_NAMES
from fix_packages import BIN, in_folder, installed

ROOT = Path(__file__).parent.parent.parent
KINDS = ("http", "database", "other")
AWKWARD = {
    "http": ("Acme", "Amina Said", "The registry of Acme."),
    "database": (
        "Ünïted Clinics, North (2nd) & Co",
        'Amina "Mina" O\'Neill',
        'Reads "visits" \\ {{ 7 * 7 }} {% raw %}.',
    ),
    "other": ("Abcdefghij abcdefghij abcdefghij abcdefg", "A", "x" * 300),
}
"""Answers for each kind: plain, full of characters that mean something somewhere, and as long as can be."""


def answered(kind: str) -> list[str]:
    system, author, description = AWKWARD[kind]
    return [system, "--kind", kind, "--author", author, "--description", description]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a package of each kind, and give their folders."""
    folder, made = tmp_path_factory.mktemp("packages"), {}
    for kind in KINDS:
        before = set(folder.iterdir())
        done = in_folder(folder, *COMMAND, "new", "adaptor", *answered(kind))
        assert done.returncode == 0, done.stderr
        (made[kind],) = set(folder.iterdir()) - before
    return made


@pytest.fixture(scope="module")
def site(packages, tmp_path_factory) -> dict[str, str]:
    """Install the packages from their wheels, and give the environment in which they are."""
    return installed(packages.values(), tmp_path_factory.mktemp("site"))


def name_of(package: Path) -> str:
    return package.name.removeprefix("crossdock-").replace("-", "_")


def test_the_three_packages_are_named_after_their_systems(packages):
    assert [package.name for package in packages.values()] == [
        "crossdock-acme",
        "crossdock-united-clinics-north-2nd-co",
        "crossdock-abcdefghij-abcdefghij-abcdefghij-abcdefg",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_template_is_left_and_the_answers_are_what_was_given(packages, kind):
    texts = {
        file.name: file.read_text() for file in packages[kind].rglob("*") if file.is_file() and file.suffix != ".whl"
    }
    project = tomllib.loads(texts["pyproject.toml"])["project"]

    assert [name for name, text in texts.items() if "cookiecutter" in text] == []
    assert (project["authors"], project["description"]) == ([{"name": AWKWARD[kind][1]}], AWKWARD[kind][2])
    assert {"LICENSE", "README.md", "CHANGELOG.md", "py.typed", "test.yml", ".pre-commit-config.yaml"} <= set(texts)


@pytest.mark.parametrize("kind", KINDS)
def test_cookiecutter_asks_four_questions_and_makes_the_same_package(packages, tmp_path, kind):
    typed = "\n".join([*AWKWARD[kind], str(KINDS.index(kind) + 1), ""])

    done = in_folder(tmp_path, BIN / "cookiecutter", ROOT / "cookiecutter-adaptor", typed=typed)

    made = tmp_path / packages[kind].name
    files = [file.relative_to(made) for file in made.rglob("*") if file.is_file()]
    assert (done.returncode, "[4/4] What kind of system it is" in done.stdout) == (0, True), done.stderr
    assert len(files) == 13
    assert [file for file in files if (made / file).read_bytes() != (packages[kind] / file).read_bytes()] == []


def test_cookiecutter_makes_a_package_of_all_defaults(tmp_path):
    done = in_folder(tmp_path, BIN / "cookiecutter", "--no-input", ROOT / "cookiecutter-adaptor")

    assert done.returncode == 0, done.stderr
    assert "The crossdock adaptor for Acme." in (tmp_path / "crossdock-acme" / "README.md").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_clean(packages, kind):
    check = in_folder(packages[kind], BIN / "ruff", "check", ".")
    style = in_folder(packages[kind], BIN / "ruff", "format", "--check", ".")
    types = in_folder(packages[kind], BIN / "mypy", "--python-executable", sys.executable)

    assert (check.returncode, style.returncode, types.returncode) == (0, 0, 0), (
        check.stdout + style.stdout + types.stdout
    )


@pytest.mark.parametrize("kind", KINDS)
def test_pl_14_a_new_package_passes_its_tests_and_the_contract(packages, site, kind):
    done = in_folder(packages[kind], sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", **site)

    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_the_installed_adaptor_is_listed_and_shown(packages, site, tmp_path, kind):
    listed = in_folder(tmp_path, *COMMAND, "adaptors", "list", "--json", **site)
    shown = in_folder(tmp_path, *COMMAND, "adaptors", "show", name_of(packages[kind]), "--json", **site)

    status = {entry["name"]: entry["status"] for entry in json.loads(listed.stdout)}
    described = json.loads(shown.stdout)
    assert status[name_of(packages[kind])] == "ok"
    assert [operation["effect"] for operation in described["operations"]] in (["write", "read"], ["read", "write"])
    assert all(operation["example"] for operation in described["operations"])
    assert all(field["description"] for field in described["credential"])


def test_the_job_of_the_readme_runs(packages, site, tmp_path, http_system):
    """The http one, with the files that its README shows; only the address is the test's."""
    job, credentials = re.findall(
        r"```(?:python|yaml)\n(.*?)```", (packages["http"] / "README.md").read_text(), re.DOTALL
    )
    (tmp_path / "job.py").write_text(job)
    (tmp_path / "credentials.yaml").write_text(credentials.replace("https://api.example.org", http_system.url))
    (tmp_path / "credentials.yaml").chmod(0o600)
    token = {"Authorization": "Bearer s3cret-token"}
    http_system.on("GET", "/api/people", query={"village": "Kisiwa"}, headers=token).answer([{"id": 1}])
    http_system.on("POST", "/api/visits", json={"seen": [{"id": 1}]}).answer({"id": 7}, status=201)

    command = [*COMMAND, "run", "job.py", "--credentials", "credentials.yaml"]
    done = in_folder(tmp_path, *command, API_TOKEN="s3cret-token", **site)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == {"id": 7}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["9 lives"], "the adaptor would be called '9_lives': its name begins with a letter"),
        (["***"], "'***' can't be the name of a system: it is 1 to 40 letters"),
        (["x" * 41], "can't be the name of a system"),
        (['Acme"""'], "can't be the name of a system"),
        (["{{ 7 }}"], "'{{ 7 }}' can't be the name of a system"),
        ([""], "can't be the name of a system"),
        (["( )"], "the adaptor would be called ''"),
        (["HTTP"], "there is a package crossdock-http already\n  fix: Use it, or choose another name"),
        (["Class"], "'class' is a word of Python, so no job could import the adaptor"),
        (["Acme", "--author", " "], "the author is empty"),
        (["Acme", "--description", "a\nb"], "the description is empty, or holds line breaks"),
        (["Acme", "--kind", "soap"], "'soap' is not one of 'http', 'database', 'other'"),
    ],
)
def test_answers_that_no_package_can_be_made_of_are_refused_with_the_reason(
    crossdock: Crossdock, tmp_path, options, said
):
    done = crossdock("new", "adaptor", *options)

    assert (done.returncode, done.stdout, [*tmp_path.iterdir()]) == (2, "", [])
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_there_already_stays(crossdock: Crossdock, tmp_path):
    (tmp_path / "crossdock-acme").write_text("mine")

    done = crossdock("new", "adaptor", "Acme")

    assert (done.returncode, (tmp_path / "crossdock-acme").read_text()) == (2, "mine")


def test_the_template_needs_the_core_that_it_comes_with():
    version = tomllib.loads((ROOT / "core/pyproject.toml").read_text())["project"]["version"]
    made = (ROOT / "cookiecutter-adaptor/crossdock-{{ cookiecutter.__name }}/pyproject.toml").read_text()
    major, minor, _ = version.split(".")

    assert set(re.findall(r'"crossdock(?:-http|\[test\])?(>=[^"]*)"', made)) == {
        f">={major}.{minor},<{major}.{int(minor) + 1}"
    }


def test_the_changelog_of_the_template_ends_at_its_version():
    version = json.loads((ROOT / "cookiecutter-adaptor/cookiecutter.json").read_text())["__template"]

    assert (
        re.findall(r"^## (.*)$", (ROOT / "cookiecutter-adaptor/CHANGELOG.md").read_text(), re.MULTILINE)[0] == version
    )


def test_the_names_of_our_adaptors_are_taken():
    taken = json.loads((ROOT / "cookiecutter-adaptor/cookiecutter.json").read_text())["_taken"]

    assert taken.split() == list(RESERVED) == ADAPTOR_NAMES


@pytest.fixture
def package(crossdock: Crossdock, tmp_path: Path) -> Path:
    assert crossdock("new", "adaptor", "Acme", "--author", "Amina Said").returncode == 0
    return tmp_path / "crossdock-acme"


def upgrade_check(package: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return in_folder(package, *COMMAND, "adaptors", "upgrade-check", *options)


def test_a_new_package_is_as_its_template_makes_it(package):
    done = upgrade_check(package)

    assert (done.returncode, done.stdout) == (0, "crossdock-acme is as template 1 makes it\n")


@pytest.mark.parametrize("name", ["kobotoolbox", "sftp"])
def test_ours_are_compared_with_the_template_though_their_names_are_taken(name):
    done = upgrade_check(ROOT / "adaptors" / name)

    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith(".github/workflows/test.yml: is missing\n")


def test_what_an_author_writes_is_no_difference(package):
    file = package / "pyproject.toml"
    text = (
        file.read_text()
        .replace('version = "0.1.0"', 'version = "3.2.1"')
        .replace('"integration"]', '"acme", "registry"]')
    )
    file.write_text(text.replace('"pydantic>=2.10"]', '"pydantic>=2.10", "zeep>=4"]') + "\n[tool.acme]\nx = 1\n")
    (package / "crossdock_acme" / "adaptor.py").write_text("")
    (package / "README.md").write_text("")

    assert upgrade_check(package).returncode == 0


def test_what_is_not_as_the_template_makes_it_is_said(package):
    (package / ".pre-commit-config.yaml").unlink()
    with (package / ".gitignore").open("a") as file:
        file.write("mine\n")
    project = (package / "pyproject.toml").read_text()
    (package / "pyproject.toml").write_text(
        project.replace('">=3.11"', '">=3.9"').replace('"crossdock-http>=0.1,<0.2", ', "").replace("strict = true", "")
    )

    done, with_diff = upgrade_check(package), upgrade_check(package, "--diff")

    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        ".gitignore: is not as the template makes it now",
        ".pre-commit-config.yaml: is missing",
        "pyproject.toml: project.requires-python is >=3.9; the template has >=3.11",
        "pyproject.toml: project.dependencies lacks crossdock-http>=0.1,<0.2",
        "pyproject.toml: tool.mypy.strict is missing; the template has True",
    ]
    assert "\n-mine\n" in with_diff.stdout


def test_a_package_of_an_older_template_is_told_what_changed(package):
    file = package / "pyproject.toml"
    file.write_text(re.sub(r"(?m)^version = 1$", "version = 0", file.read_text()))

    done = upgrade_check(package)

    assert (done.returncode, done.stdout) == (3, "template 1\n- The first version.\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[project]\nname = 'x'\n", "does not say what the package was made from"),
        ("[project\n", "pyproject.toml can't be read"),
        (None, "pyproject.toml can't be read"),
    ],
)
def test_a_folder_that_is_no_package_of_the_template_is_refused(crossdock: Crossdock, tmp_path, text, said):
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)

    done = crossdock("adaptors", "upgrade-check")

    assert done.returncode == 2
    assert said in done.stderr
