"""The JSON Schema of project files: it says what the reader says, and it is published."""

import json
from pathlib import Path

import pytest
from crossdock.documents import read_document
from crossdock.errors import ProjectError
from crossdock.project.schema import project_schema
from fix_command import Crossdock
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parent.parent.parent
PUBLISHED = ROOT / "core/crossdock/project/project.schema.json"
VALIDATOR = Draft202012Validator(project_schema())
EXAMPLES = sorted(path for folder in ("examples", "tests/acceptance") for path in (ROOT / folder).rglob("project.yaml"))


def test_the_published_schema_is_that_of_the_reader(crossdock: Crossdock):
    printed = crossdock("project", "schema")

    assert PUBLISHED.read_text(encoding="utf-8") == printed.stdout, "write it: crossdock project schema > FILE"
    assert json.loads(printed.stdout)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(printed.json)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_fit_the_schema(path: Path):
    written = read_document(str(path), what="the project", error=ProjectError)

    assert [error.message for error in VALIDATOR.iter_errors(written.content)] == []


def test_every_key_is_explained():
    parts = project_schema()["$defs"] | {"the file": project_schema()}
    without = [
        f"{part}.{key}"
        for part, schema in parts.items()
        for key, field in schema["properties"].items()
        if "description" not in field and "description" not in parts.get(field.get("$ref", "").rpartition("/")[2], {})
    ]

    assert without == []
