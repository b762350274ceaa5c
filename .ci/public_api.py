"""Compare what the packages make public with what they did at the last tag: `make public-api`.

Public is what a module names in ``__all__``, in packages given as folders. What breaks it needs a version that says
so: 0.1 → 0.2, later 1.x → 2.0, as the packages of others ask for ``>=0.1,<0.2``. Without that the exit code is 1.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import griffe

_COLOUR = re.compile(r"\x1b\[\d+m")


def git(*arguments: str) -> str | None:
    """Give what a git command says; None if it fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def generation(project: str) -> tuple[str, ...]:
    """Give the part of a version that is raised when something breaks: its first number, or two of them from 0."""
    numbers = tomllib.loads(project)["project"]["version"].split(".")
    return tuple(numbers[: 2 if numbers[0] == "0" else 1])


def may_break(folder: str, tag: str) -> bool:
    """Tell whether the version of a package says since the tag that something breaks."""
    before = git("show", f"{tag}:{folder}/pyproject.toml")
    return before is not None and generation(before) != generation((Path(folder) / "pyproject.toml").read_text())


def public(package: griffe.Module) -> Iterator[griffe.Module]:
    """Give the modules of a package that say what of them is public."""
    if package.exports is not None:
        yield package
    for module in package.modules.values():
        if not module.is_alias:
            yield from public(module)


def exports(module: griffe.Module) -> set[str]:
    """Give the names in the ``__all__`` of a module."""
    return {str(name) for name in module.exports or ()}


def explained(breakage: griffe.Breakage) -> str:
    """Say in one line, without colours, what breaks where."""
    return _COLOUR.sub("", breakage.explain())


def breakages(folder: str, tag: str) -> Iterator[str]:
    """Explain each change of a package since the tag that breaks what others wrote on it."""
    package = next(Path(folder).glob("crossdock*/__init__.py")).parent.name
    if git("cat-file", "-e", f"{tag}:{folder}/{package}/__init__.py") is None:
        return  # it is newer than the tag
    before = griffe.load_git(package, ref=tag, search_paths=[folder], allow_inspection=False)
    now = griffe.load(package, search_paths=[folder], allow_inspection=False)
    there = {module.path: module for module in public(now)}
    for module in public(before):
        names = exports(there[module.path]) if module.path in there else set()
        yield from (f"{module.path}.{name}: it is not public any more" for name in exports(module) - names)
        if names:
            yield from map(explained, griffe.find_breaking_changes(module, there[module.path]))


def main(folders: list[str]) -> int:
    """Say what breaks, and whether the versions say so, too."""
    tag = git("describe", "--tags", "--abbrev=0")
    if tag is None:
        print("public API: there is no tag yet, so nothing to compare it with")
        return 0
    refused = 0
    for folder in folders:
        found = sorted(set(breakages(folder, tag)))
        agreed = may_break(folder, tag)
        refused += 0 if agreed else len(found)
        for line in found:
            print(f"{folder}: {line}{' (its version says so)' if agreed else ''}")
    if refused:
        print(f"public API: {refused} {'change breaks' if refused == 1 else 'changes break'} it since {tag}")
        print(
            "fix: Keep what was public, or raise the version of the package: the second number of 0.x, else the first."
        )
        return 1
    print(f"public API: nothing is broken since {tag} that the versions do not say")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
