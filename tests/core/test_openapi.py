"""``crossdock new adaptor --openapi``: operations as a document describes them, in a package that keeps the contract."""

import ast
import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from crossdock.cli.openapi.document import Part
from crossdock.cli.openapi.operations import api_of
from crossdock.cli.openapi.source import module_source
from crossdock.cli.openapi.text import literal, prose
from fix_command import COMMAND, Crossdock
from fix_openapi import HOSTILE, body, document, health_records, hostile, issues, metadata, parameter
from fix_packages import BIN, in_folder, installed
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

DOCUMENTS = {"records": health_records, "metadata": metadata, "issues": issues, "hostile": hostile}
REAL = ("records", "metadata", "issues")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Make a package of each document; that of metadata is YAML."""
    folder, made = tmp_path_factory.mktemp("packages"), {}
    for name, make in DOCUMENTS.items():
        text = StringIO()
        YAML().dump(make(), text) if name == "metadata" else text.write(json.dumps(make()))
        (folder / f"{name}.spec").write_text(text.getvalue())
        done = in_folder(folder, *COMMAND, "new", "adaptor", name.title(), "--openapi", f"{name}.spec")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        made[name] = folder / f"crossdock-{name}"
    return made


@pytest.fixture(scope="module")
def site(packages, tmp_path_factory) -> dict[str, str]:
    return installed(packages.values(), tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize("name", REAL)
def test_the_documents_are_of_real_size(name):
    assert len(DOCUMENTS[name]()["paths"]) >= 50


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_package_is_clean_and_formatted(packages, name):
    check = in_folder(packages[name], BIN / "ruff", "check", ".")
    style = in_folder(packages[name], BIN / "ruff", "format", "--check", ".")
    types = in_folder(packages[name], BIN / "mypy", "--python-executable", sys.executable)

    assert (check.returncode, style.returncode, types.returncode) == (0, 0, 0), (
        check.stdout + style.stdout + types.stdout
    )


THOROUGH = {
    "records": "update_patient",
    "metadata": "analytics",
    "issues": "labels_list_for_repo",
    "hostile": "type_ignore_noqa",
}
"""The operation that is tried where nobody answers too: that takes seconds, and all are sent alike."""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_package_keeps_the_contract_and_passes_its_test(packages, site, name):
    chosen = f"not (every_connection_is_closed or failure_is_an_error) or [{THOROUGH[name]}]"
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", "-k", chosen]

    done = in_folder(packages[name], *command, **site)

    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout, done.stdout[-3000:]
    assert not list(packages[name].rglob("owned"))


CALLS = {
    "records": (
        "update_patient('a/1', {'active': True}, if_match='2')",
        ("PUT", "/Patient/a/1", {}, {"if-match": "2", "content-type": "application/fhir+json"}, {"active": True}),
    ),
    "metadata": (
        "analytics(['dx', 'pe'], page={'size': 2}, skip_meta=True)",
        ("GET", "/analytics", {"dimension": ["dx", "pe"], "page[size]": "2", "skipMeta": "true"}, {}, None),
    ),
    "issues": (
        "labels_list_for_repo('o', 'r', 'open', 'id-7', credential_='x')",
        ("GET", "/repos/o/r/labels", {"state": "open", "credential": "x"}, {"x-request-id": "id-7"}, None),
    ),
}


@pytest.mark.parametrize("name", REAL)
def test_an_operation_sends_what_the_document_says(packages, site, tmp_path, http_system, name):
    call, (method, path, query, headers, sent) = CALLS[name]
    asked = http_system.on(method, path).answer({"id": 7})
    (tmp_path / "job.py").write_text(
        f"from crossdock import Job\nfrom crossdock.adaptors import {name}\njob = Job({name}.{call})\n"
    )
    (tmp_path / "c.json").touch(0o600)
    (tmp_path / "c.json").write_text(json.dumps({name: {"adaptor": name, "base_url": http_system.url}}))

    done = in_folder(tmp_path, *COMMAND, "run", "job.py", "--credentials", "c.json", **site)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"] == {"id": 7}
    (request,) = asked.requests
    assert request.query == query
    assert {key: request.headers.get(key) for key in headers} == headers
    assert sent is None or request.json == sent


def shown(site: dict[str, str], folder: Path, name: str) -> dict[str, str]:
    done = in_folder(folder, *COMMAND, "adaptors", "show", name, "--json", **site)
    return {operation["name"]: operation["effect"] for operation in json.loads(done.stdout)["operations"]}


def test_effects_follow_the_method_and_what_is_deprecated_is_left_out(packages, site, tmp_path):
    found = shown(site, tmp_path, "records")

    assert len(found) == (2 + 3 + 2) * 2 + 18 * 3 - 1
    assert (found["read_patient"], found["search_claim"], found["head_patient_id_history_vid"]) == ("read",) * 3
    assert (found["create_patient"], found["update_patient"], found["delete_practitioner"]) == ("write",) * 3
    assert "delete_patient" not in found


def test_names_are_none_of_python_and_none_twice(packages, site, tmp_path):
    assert {"import_", "list_", "adaptor_", "issues_get", "get_issues", "find_2", "find_10"} <= set(
        shown(site, tmp_path, "issues")
    )


def test_the_readme_says_where_the_api_is_and_how_one_gets_in(packages):
    said = {name: (packages[name] / "README.md").read_text() for name in DOCUMENTS}

    assert '  base_url: "https://eu.records.example.org/r4"\n' in said["records"]
    assert '  api_key: {"value": "env:API_KEY", "header": "X-\\"Key\\""}\n' in said["records"]
    assert '  base_url: "https://api.example.org/api/41"\n  token: "env:API_TOKEN"\n' in said["metadata"]
    assert '  oauth2: {"token_url": "https://x.example/t", "client_id": "env:API_CLIENT",' in said["issues"]
    assert '  base_url: "https://api.example.org"\n' in said["hostile"]


def source_of(described: dict) -> str:
    return module_source(api_of(Part(described)).operations, "acme", "Acme")


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "x: str | None = None"),
        ({"type": ["integer", "null"]}, "x: int | None = None"),
        ({"type": "number"}, "x: float | None = None"),
        ({"type": "array", "items": {"type": "boolean"}}, "x: list[bool] | None = None"),
        ({"type": "object"}, "x: Mapping[str, Any] | None = None"),
        ({"enum": ["a", 'b"', 1, None]}, 'x: Literal["a", \'b"\', 1] | None = None'),
        ({"enum": [str(number) * 9 for number in range(9)]}, "x: str | None = None"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "x: int | str | None = None"),
        ({"allOf": [{"type": "string"}, {"maxLength": 3}]}, "x: str | None = None"),
        ({}, "x: Any = None"),
        (True, "x: Any = None"),
    ],
)
def test_types_are_those_of_the_schema(schema, written):
    given = {"name": "x", "in": "query", "schema": schema}

    assert f"    {written},\n" in source_of(document("A", "3.1.0", {"/a": {"get": {"parameters": [given]}}}))


def test_a_package_imports_only_what_it_uses(crossdock: Crossdock, tmp_path):
    described = {"get": {"summary": "x", "description": "Literal: Any or Mapping[str, Any]."}}
    (tmp_path / "api.json").write_text(json.dumps(document("A", "3.1.0", {"/": described})))

    assert crossdock("new", "adaptor", "Acme", "--openapi", "api.json").returncode == 0

    package = tmp_path / "crossdock-acme"
    check = in_folder(package, BIN / "ruff", "check", ".")
    style = in_folder(package, BIN / "ruff", "format", "--check", ".")
    assert (check.returncode, style.returncode) == (0, 0), check.stdout + style.stdout


text = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80))


@given(st.lists(text, min_size=1, max_size=3))
def test_whatever_a_document_says_is_never_code(texts):
    """The source compiles, and holds nothing but functions whose docstrings run nothing but their own example."""
    parts = ast.parse(source_of(hostile([*texts, "plain"]))).body

    operations = [part for part in parts if isinstance(part, ast.FunctionDef) and not part.name.startswith("_")]
    assert {type(part) for part in parts} == {ast.FunctionDef}
    for operation in operations:
        assert [type(line) for line in operation.body] == [ast.Expr, ast.Assign, ast.Return]
        assert (ast.get_docstring(operation) or "").count(">>>") == 1


@given(st.text())
def test_a_literal_is_the_text_that_it_was_made_of(value):
    assert eval(literal(value)) == value
    assert '"""' not in prose(value)


ONE = {"get": {"operationId": "one"}}
FAULTS = {
    "swagger": ({"swagger": "2.0"}, "at $: it is of Swagger 2\n  fix: Convert it to OpenAPI 3 first."),
    "no version": ({"paths": {}}, "at $: it has no 'openapi'"),
    "version": ({"openapi": "4.0.0"}, "at $.openapi: it is '4.0.0', not 3.0 or 3.1"),
    "no mapping": ([], "at $: it is no mapping"),
    "no paths": ({"openapi": "3.1.0"}, "at $: it has no 'paths'"),
    "nothing": (document("A", "3.1.0", {}), "at $.paths: it describes no operation"),
    "path": (document("A", "3.1.0", {"a": ONE}), "at $.paths.a: it is a path that does not begin with"),
    "place": (document("A", "3.1.0", {"/{id}": ONE}), "at $.paths[\"/{id}\"].get: it says nothing of 'id' in its path"),
    "spare": (
        document("A", "3.1.0", {"/a": {"get": {"parameters": [parameter("id", "path")]}}}),
        "at $.paths[\"/a\"].get: it has the path parameter 'id', and no such place",
    ),
    "brace": (document("A", "3.1.0", {"/a}": ONE}), "it has a path with a brace that nothing closes"),
    "where": (
        document("A", "3.1.0", {"/a": {"get": {"parameters": [parameter("id", "matrix")]}}}),
        'at $.paths["/a"].get.parameters[0].in: it is no place of a parameter',
    ),
    "remote": (
        document("A", "3.1.0", {"/a": {"get": {"parameters": [{"$ref": "https://x.example/p.json#/p"}]}}}),
        "it refers to 'https://x.example/p.json#/p', which is outside of the document",
    ),
    "dangling": (
        document("A", "3.1.0", {"/a": {"post": {"requestBody": {"$ref": "#/components/x"}}}}),
        "at $.paths[\"/a\"].post.requestBody: it refers to '#/components/x', which is not there",
    ),
    "circle": (
        document("A", "3.1.0", {"/a": {"$ref": "#/paths/~1b"}, "/b": {"$ref": "#/paths/~1a"}}),
        "it is a reference that leads to itself",
    ),
    "type": (
        document("A", "3.1.0", {"/a": {"post": {"requestBody": body({"type": "file"})}}}),
        "requestBody.content[\"application/json\"].schema: it has the type 'file'",
    ),
    "id": (document("A", "3.1.0", {"/a": {"get": {"operationId": 7}}}), "get.operationId: it is no text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_document_with_a_fault_is_refused_with_its_place_and_nothing_is_made(crossdock: Crossdock, tmp_path, fault):
    written, said = FAULTS[fault]
    (tmp_path / "api.json").write_text(json.dumps(written))

    done = crossdock("new", "adaptor", "Acme", "--openapi", "api.json")

    assert (done.returncode, done.stdout, [file.name for file in tmp_path.iterdir()]) == (2, "", ["api.json"])
    assert said in done.stderr
    assert "\n  fix: " in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--openapi", "none.json"], "the OpenAPI document none.json can't be read: No such file"),
        (["--openapi", "broken.json"], "the OpenAPI document broken.json is not JSON"),
        (["--openapi", "broken.yaml"], "the OpenAPI document broken.yaml is not valid YAML in line 1"),
        (["--openapi", "broken.json", "--kind", "database"], "OpenAPI describes an HTTP API, and --kind is database"),
    ],
)
def test_what_is_no_document_is_refused(crossdock: Crossdock, tmp_path, options, said):
    (tmp_path / "broken.json").write_text('{"openapi": ')
    (tmp_path / "broken.yaml").write_text("openapi: [")

    done: subprocess.CompletedProcess[str] = crossdock("new", "adaptor", "Acme", *options)

    assert (done.returncode, (tmp_path / "crossdock-acme").exists()) == (2, False)
    assert said in done.stderr


def test_what_is_left_out_is_said(crossdock: Crossdock, tmp_path):
    paths = {
        "/old": {"get": {"deprecated": True}},
        "/cookie": {"get": {"parameters": [parameter("sid", "cookie", required=True)]}},
        "/a#b": ONE,
        "/header": {"get": {"parameters": [parameter("X Y", "header")]}},
        "/kept": ONE,
    }
    (tmp_path / "api.json").write_text(json.dumps(document("A", "3.1.0", paths)))

    done = crossdock("new", "adaptor", "Acme", "--openapi", "api.json")

    assert done.returncode == 0
    assert done.stderr.splitlines()[:4] == [
        "left out: GET '/old': it is deprecated",
        "left out: GET '/cookie': it needs a cookie",
        "left out: GET '/a#b': its path is none that a request can have",
        "left out: GET '/header': a header has a name that HTTP does not allow",
    ]
