"""What every adaptor keeps to: X01 to X07."""

import doctest
import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from crossdock import State
from crossdock.errors import NoRunError
from crossdock.installed import installed
from crossdock.loading import ADAPTORS, load_adaptor
from fix_distribution import ADAPTOR_NAMES

OF_HTTP = {"dhis2", "http", "kobotoolbox"}
OPERATIONS = [(name, operation) for name in ADAPTOR_NAMES for operation in load_adaptor(name).adaptor.operations]


def build(name, operation):
    """Build an operation with arguments of some kind for all that it needs."""
    declaration = load_adaptor(name).adaptor.operations[operation]
    needed = [p for p in declaration.parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    positional = ["x" for p in needed if p.kind is not p.KEYWORD_ONLY]
    keywords = {p.name: "x" for p in needed if p.kind is p.KEYWORD_ONLY}
    return getattr(load_adaptor(name), operation)(*positional, **keywords)


def test_the_adaptors_that_are_installed_are_these():
    assert [entry.name for entry in installed(ADAPTORS)] == ADAPTOR_NAMES


@pytest.mark.parametrize("name", ADAPTOR_NAMES)
def test_every_adaptor_can_tell_who_one_is(name):
    assert load_adaptor(name).adaptor.verify is not None


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_x01_building_does_nothing_and_running_needs_a_run(name, operation, monkeypatch):
    def refuse(*_):
        raise AssertionError("building opened a socket")

    monkeypatch.setattr("socket.socket.connect", refuse)
    built = build(name, operation)

    with pytest.raises(NoRunError, match=rf"^(the connection of {name}|run_file\(…\)) needs a run"):
        built(State())


def test_x01_running_twice_has_two_effects(httpserver, run_job):
    http = load_adaptor("http")
    httpserver.expect_request("/x", method="POST").respond_with_json({})
    built = http.post("/x", {})

    run_job(built, built, credentials={"http": {"adaptor": "http", "base_url": httpserver.url_for("").rstrip("/")}})

    assert len(httpserver.log) == 2


def test_x03_a_credential_is_in_no_state_error_or_log(httpserver, run_job, caplog):
    http = load_adaptor("http")
    httpserver.expect_request("/x").respond_with_json({"detail": "no"}, status=500)
    entry = {
        "adaptor": "http",
        "base_url": httpserver.url_for("").rstrip("/"),
        "username": "u",
        "password": "cAnary-1234",
    }

    with caplog.at_level("DEBUG"):
        run = run_job(http.get("/x"), credentials={"http": entry})

    assert "cAnary" not in str(run.state) + str(run.error) + repr(run.error.answer) + caplog.text


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_x04_every_operation_takes_the_name_of_a_credential(name, operation):
    assert "credential" in inspect.signature(getattr(load_adaptor(name), operation)).parameters


@pytest.mark.parametrize("name", ADAPTOR_NAMES)
def test_x04_every_example_runs(name):
    folder = Path(load_adaptor(name).__file__).parent
    modules = [
        import_module(f"crossdock_{name}.{file.stem}") for file in folder.glob("*.py") if file.stem != "__init__"
    ]

    results = [doctest.testmod(module) for module in modules]

    assert sum(result.failed for result in results) == 0
    assert sum(result.attempted for result in results) >= len(load_adaptor(name).adaptor.operations)


def test_x05_what_an_operation_gives_is_json(httpserver, run_job, postgres):
    http, postgresql = load_adaptor("http"), load_adaptor("postgresql")
    httpserver.expect_request("/x").respond_with_json([1])

    run = run_job(
        http.get("/x").into("answer"),
        postgresql.sql("select 1.5 as n, now() as at, current_date as on, gen_random_uuid() as id").into("rows"),
        credentials={
            "h": {"adaptor": "http", "base_url": httpserver.url_for("").rstrip("/")},
            "p": postgres.credential,
        },
    )

    assert run.outcome == "success"


@pytest.mark.parametrize("name", ADAPTOR_NAMES)
def test_x06_importing_an_adaptor_imports_no_other_and_prints_nothing(name):
    code = f"import json, sys, crossdock_{name}; sys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(json.loads(done.stderr))
    others = (
        {f"crossdock_{other}" for other in ADAPTOR_NAMES}
        - {f"crossdock_{name}"}
        - ({"crossdock_http"} if name in OF_HTTP else set())
    )

    assert done.stdout == ""
    assert not imported & others
    assert ("psycopg" in imported) == (name == "postgresql")
    assert ("httpx" in imported) == (name in OF_HTTP)


@pytest.mark.parametrize(("name", "operation"), OPERATIONS)
def test_x07_an_unknown_option_is_refused_by_name(name, operation):
    builder = getattr(load_adaptor(name), operation)
    needed = sum(p.default is p.empty for p in inspect.signature(builder).parameters.values())

    with pytest.raises(TypeError, match="has no option 'optoin'"):
        _ = builder(*["x"] * needed, optoin=1)
