"""``crossdock adaptors upgrade-check``: a package beside what its template would make of it now."""

import re
import tomllib
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from crossdock.cli.baking import answers, bake, changes
from crossdock.cli.ending import write_result
from crossdock.errors import InputError

_KEPT = (".github/workflows/test.yml", ".gitignore", ".pre-commit-config.yaml")
"""The files that an author has no reason to change."""

_AUTHORS = re.compile(r"project\.(name|version|description|authors|keywords|classifiers|license)|tool\.crossdock\..*")
"""What of pyproject.toml is the author's own."""


@click.command("upgrade-check")
@click.argument("package", default=".", type=click.Path())
@click.option("--diff", is_flag=True, help="Show how files differ.")
def upgrade_check(package: str, *, diff: bool) -> None:
    """Compare an adaptor's package with the template that it was made from.

    It says what changed in the template since then, which files are not as the template makes them now,
    and what of pyproject.toml. Nothing is written. The exit code is 3 if there is something to look at.
    """
    folder = Path(package)
    made = _made_from(folder)
    asked = {name: str(made[name]) for name in ("system_name", "kind")}
    known = answers("adaptor", {**asked, "_taken": ""})  # its name is its own
    with TemporaryDirectory() as scratch:
        now = bake("adaptor", known, scratch)
        found = [*_since(int(made["version"])), *_files(folder, now, diff=diff), *_settings(folder, now)]
    if not found:
        write_result(f"{folder.resolve().name} is as template {known['__template']} makes it\n", None)
        return
    write_result("\n".join(found) + "\n", None)
    raise SystemExit(3)


def _made_from(folder: Path) -> dict[str, Any]:
    """Give what the package says of its template."""
    made = _toml(folder / "pyproject.toml").get("tool", {}).get("crossdock", {}).get("template", {})
    if not {"version", "system_name", "kind"} <= set(made):
        raise InputError(
            f"{folder / 'pyproject.toml'} does not say what the package was made from",
            fix="Give the folder of a package that `crossdock new adaptor` made: it has [tool.crossdock.template].",
        )
    return dict(made)


def _since(version: int) -> Iterator[str]:
    """Give what changed in the template after a version."""
    for number, text in changes("adaptor"):
        if number > version:
            yield f"template {number}\n{text}"


def _files(folder: Path, now: Path, *, diff: bool) -> Iterator[str]:
    for name in _KEPT:
        mine, theirs = folder / name, now / name
        if not mine.is_file():
            yield f"{name}: is missing"
        elif mine.read_bytes() != theirs.read_bytes():
            yield f"{name}: is not as the template makes it now" + (f"\n{_diff(mine, theirs, name)}" if diff else "")


def _diff(mine: Path, theirs: Path, name: str) -> str:
    has, wants = (file.read_text(encoding="utf-8", errors="replace").splitlines() for file in (mine, theirs))
    return "\n".join(unified_diff(has, wants, fromfile=name, tofile="template", lineterm=""))


def _settings(folder: Path, now: Path) -> Iterator[str]:
    """Give what pyproject.toml has otherwise than the template."""
    mine, theirs = (dict(_flat(_toml(place / "pyproject.toml"))) for place in (folder, now))
    for key, wanted in theirs.items():
        if _AUTHORS.fullmatch(key) or mine.get(key) == wanted:
            continue
        if key not in mine:
            yield f"pyproject.toml: {key} is missing; the template has {wanted}"
        elif not isinstance(wanted, list):
            yield f"pyproject.toml: {key} is {mine[key]}; the template has {wanted}"
        elif missing := [item for item in wanted if item not in mine[key]]:
            yield f"pyproject.toml: {key} lacks {', '.join(map(str, missing))}"


def _flat(table: dict[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{at}{key}.")
        else:
            yield f"{at}{key}", value


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{file} can't be read: {error}", fix="Give the folder of an adaptor's package, or correct the file."
        ) from error
