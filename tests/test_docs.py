"""What is documented is what there is: every operation, hook, command, key and error code."""

import ast
import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import get_overloads

import click
import crossdock
import pytest
from crossdock import plugins, values
from crossdock.cli import add_commands
from crossdock.errors import CrossdockError
from crossdock.loading import load_adaptor
from crossdock.project.schema import project_schema
from fix_distribution import ADAPTOR_NAMES
from lxml import html

ROOT = Path(__file__).parent.parent


class Page:
    """A page as it is read: its text, what stands there as code, and its signatures."""

    def __init__(self, file: Path) -> None:
        body = html.parse(file).find(".//article")
        self.text = body.text_content()
        self.code = {code.text_content() for code in body.iter("code")}
        signatures = [sig for sig in body.iter("dt") if sig.get("id")]
        self.signatures = {sig.get("id"): " ".join(sig.text_content().split()).rstrip("¶") for sig in signatures}

    def parameters(self, name: str) -> list[tuple[str, str]]:
        """Give name and default of each parameter, as the page shows them."""
        assert name in self.signatures, f"{name} is not documented"
        shown = self.signatures[name]
        function = ast.parse(f"def f{shown[shown.index('(') :].partition(' → ')[0]}: ...").body[0]
        assert isinstance(function, ast.FunctionDef)
        given = function.args
        positional = [*given.posonlyargs, *given.args]
        defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
        named = [*zip(positional, defaults, strict=True), *zip(given.kwonlyargs, given.kw_defaults, strict=True)]
        return [(argument.arg, "" if default is None else ast.unparse(default)) for argument, default in named]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Page]:
    """Build the documentation, with each signature in one line, and give its pages by name."""
    built = tmp_path_factory.mktemp("docs")
    sphinx = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "-t", "one_line_signatures"]
    done = subprocess.run([*sphinx, "docs", built], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = [file for file in built.rglob("*.html") if file.name not in ("search.html", "genindex.html")]
    return {str(file.relative_to(built).with_suffix("")): Page(file) for file in files}


def parameters_of(function: object) -> list[tuple[str, str]]:
    """Give name and default of each parameter that can be given by name or place."""
    known = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    return [
        (parameter.name, "" if parameter.default is parameter.empty else repr(parameter.default))
        for parameter in known
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    ]


@pytest.mark.parametrize("adaptor", ADAPTOR_NAMES)
def test_every_operation_is_documented_with_its_signature(pages, adaptor):
    module = load_adaptor(adaptor)

    for name in module.adaptor.operations:
        assert pages[f"reference/{adaptor}"].parameters(f"{module.__name__}.{name}") == parameters_of(
            getattr(module, name)
        )


def test_every_hook_is_documented_with_its_signature(pages):
    hooks = [name for name in dir(plugins.HookSpecifications) if name.startswith("crossdock_")]

    assert len(hooks) == 9
    for name in hooks:
        wanted = parameters_of(getattr(plugins.HookSpecifications, name))[1:]  # without self
        assert pages["reference/adaptors"].parameters(f"crossdock.plugins.HookSpecifications.{name}") == wanted


@pytest.mark.parametrize(("page", "module"), [("jobs", crossdock), ("values", values)])
def test_every_public_name_is_documented(pages, page, module):
    shown = pages[f"reference/{page}"]

    missing = [name for name in module.__all__ if not re.search(rf"\b{name}\b", shown.text)]
    functions = [getattr(module, name) for name in module.__all__ if inspect.isfunction(getattr(module, name))]
    functions = [function for function in functions if not get_overloads(function)]  # each of theirs is shown

    assert missing == []
    assert len(functions) > 15
    for function in functions:
        assert [name for name, _ in shown.parameters(f"{module.__name__}.{function.__name__}")] == [
            name for name, _ in parameters_of(function)
        ]


def commands(group: click.Group, before: str) -> list[tuple[str, click.Command]]:
    found = []
    for name, command in group.commands.items():
        found.append((f"{before} {name}", command))
        if isinstance(command, click.Group):
            found += commands(command, f"{before} {name}")
    return found


def test_every_command_is_documented_with_its_options(pages):
    text = pages["reference/command"].text
    known = commands(add_commands(), "crossdock")

    assert len(known) > 30
    for name, command in known:
        assert f"{name} [OPTIONS]" in text
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert [given for given in option.opts if given not in text] == [], name


def test_every_key_of_a_project_file_is_documented(pages):
    code, schema = pages["reference/project-yaml"].code, project_schema()

    keys = {key for thing in [schema, *schema["$defs"].values()] for key in thing.get("properties", ())}

    assert len(keys) > 60
    assert sorted(keys - code) == []


def subclasses(kind: type) -> list[type]:
    return [found for below in kind.__subclasses__() for found in (below, *subclasses(below))]


def test_every_error_code_is_documented(pages):
    packages = {"crossdock", *(f"crossdock_{adaptor}" for adaptor in ADAPTOR_NAMES)}
    import_module("crossdock.project.posting")  # an error that no other module has imported yet
    ours = [kind for kind in subclasses(CrossdockError) if kind.__module__.partition(".")[0] in packages]

    codes = {kind.code for kind in ours if not kind.__name__.startswith("_")}

    assert len(codes) > 40
    assert sorted(codes - pages["reference/errors"].code) == []


def test_no_page_is_left_out_of_the_index(pages):
    assert {"index", "guarantees", "state", "trust", "tutorial/first-job", "tutorial/first-adaptor"} <= set(pages)
