"""The code in the documents runs, and what they name exists."""

import ast
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from crossdock import load_job
from crossdock.project.schema import project_schema
from fix_documents import DOCUMENTS, ROOT, Block, blocks
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML


def commands() -> list[tuple[Block, str]]:
    return [
        (block, line.removeprefix("$ "))
        for block in blocks("console")
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]


def test_every_block_has_a_language_that_is_tested():
    assert {block.language for block in blocks()} <= {"python", "console", "yaml", "toml", "bash", "ini", "dockerfile"}


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_in_the_documents_runs(block, tmp_path):
    file = tmp_path / "job.py"
    file.write_text(block.text, encoding="utf-8")

    if re.search(r"^job = ", block.text, re.MULTILINE):
        assert len(load_job(file)) > 0
    else:
        exec(compile(block.text, str(file), "exec"), {"__name__": "documented"})


@pytest.mark.parametrize(("block", "command"), commands(), ids=str)
def test_commands_in_the_documents_run(block, command):
    words = shlex.split(command)
    if words[0] == "make":  # its targets are proven by themselves; here, that they are there
        words = ["make", "--dry-run", *words[1:]]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml_in_the_documents_is_a_project_or_a_credentials_file(block):
    entries = YAML(typ="safe", pure=True).load(block.text)

    if "workflows" in entries:
        Draft202012Validator(project_schema()).validate(entries)
    else:
        assert all("adaptor" in entry for entry in entries.values())


def test_the_job_of_the_readme_is_that_of_the_demo():
    first = next(block for block in blocks("python") if block.document == "README.md")
    example = (ROOT / "examples/jobs/visits.py").read_text(encoding="utf-8")

    assert ast.dump(ast.parse(first.text)) == ast.dump(ast.parse(example))


def test_every_path_and_target_that_the_documents_name_exists():
    text = "\n".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)
    named = set(re.findall(r"\]\(([\w./-]+)\)", (ROOT / "README.md").read_text())) | set(
        re.findall(r"`((?:core|adaptors|examples|tests)/[\w./]+)`", text)
    )
    targets = set(re.findall(r"`make (\w+)`", text))
    makefile = (ROOT / "Makefile").read_text()

    assert [path for path in named if not (ROOT / path).exists()] == []
    assert [target for target in targets if f"\n{target}:" not in makefile] == []


def test_every_key_of_triggers_and_workflows_is_in_the_documents():
    text = (ROOT / "docs/project.md").read_text(encoding="utf-8")
    parts = project_schema()["$defs"]
    keys = {
        key
        for name in ("Webhook", "Cron", "After", "WorkflowDefinition", "StepDefinition")
        for key in parts[name]["properties"]
    }

    assert [key for key in sorted(keys) if not re.search(rf"`{key}\b", text)] == []


def test_every_module_of_core_is_on_the_map():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    modules = [path.name for path in (ROOT / "core/crossdock").glob("*.py") if path.name != "__init__.py"]

    assert [name for name in modules if name not in text] == []


@pytest.mark.parametrize("word", ["state", "operation", "job", "adaptor", "workflow", "run", "message"])
def test_each_of_the_seven_words_is_a_file(word):
    assert (ROOT / f"core/crossdock/{word}.py").is_file()
