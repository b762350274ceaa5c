"""Each environment has its own store: what came for one never runs in another."""

import pytest
from crossdock.project import read_project
from crossdock.store.store import Store
from fix_command import Crossdock
from fix_operate import CHECK, LOAD, PROJECT, accept
from fix_serve import Served

ENVIRONMENTS = """
environments:
  test: {}
  stage: {store: "sqlite:///stage.db"}
  same: {store: "sqlite:///clinic.db"}
"""


def write(served: Served, store: str) -> None:
    served.write(f"store: {store}\n{PROJECT}{ENVIRONMENTS}", check=CHECK, load=LOAD)


@pytest.mark.parametrize(
    ("store", "environment", "is_at"),
    [
        ("sqlite:///clinic.db", None, "sqlite:///clinic.db"),
        ("sqlite:///clinic.db", "test", None),
        ("postgresql://db/clinic", "test", None),
        ("postgresql://db/clinic", "stage", "sqlite:///stage.db"),
        ("sqlite:///clinic.db", "same", "sqlite:///clinic.db"),
        ("env:CLINIC_STORE", "test", "env:CLINIC_STORE"),
        ("sqlite:///.crossdock/crossdock.db", "test", "sqlite:///.crossdock/environments/test/crossdock.db"),
        ("sqlite:///.crossdock/crossdock.db", "stage", "sqlite:///stage.db"),
    ],
)
def test_the_store_of_an_environment(served: Served, store: str, environment: str | None, is_at: str | None):
    write(served, store)

    assert read_project(served.folder, environment).store == is_at


@pytest.mark.parametrize("arguments", ["serve --port 0", "runs list", "trigger run visits", "prune", "store upgrade"])
def test_an_environment_without_a_store_does_not_take_that_of_the_project(
    served: Served, crossdock: Crossdock, arguments: str
):
    write(served, "sqlite:///clinic.db")
    with Store("sqlite:///clinic.db", folder=served.folder) as store:
        accept(store)

    refused = crossdock(*arguments.split(), "--env", "test")

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "environments.test has no store" in refused.stderr
    assert "fix: Write environments.test.store" in refused.stderr
    with Store("sqlite:///clinic.db", folder=served.folder) as store:
        assert store.claim("worker") is not None


def test_an_environment_with_a_store_is_served_from_that(served: Served, crossdock: Crossdock):
    write(served, "sqlite:///clinic.db")
    with Store("sqlite:///clinic.db", folder=served.folder) as store:
        accept(store)
    (served.folder / "works").touch()
    served.start("--env", "stage")

    [run] = served.post("visits", {"id": 8})

    assert [one["id"] for one in crossdock("runs", "list", "--env", "stage", "--json").json] == [run]
    assert [one["state"] for one in crossdock("runs", "list", "--json").json] == ["available"]


def test_what_runs_without_a_store_needs_none(served: Served, crossdock: Crossdock):
    write(served, "sqlite:///clinic.db")
    (served.folder / "works").touch()

    done = crossdock("run", ".", "visits", "--env", "test", "--state", "-", stdin='{"data": {"id": 7}}')

    assert done.returncode == 0, done.stderr


def test_check_advises_a_store_for_each_environment(served: Served, crossdock: Crossdock):
    write(served, "sqlite:///clinic.db")

    done = crossdock("check")

    assert done.returncode == 0, done.stderr
    assert "advice_no_store environments.test has no store of its own" in " ".join(done.stdout.split())
    assert "environments.stage" not in done.stdout
