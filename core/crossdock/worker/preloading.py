"""Preloading: what the fork server imports, so that no run has to.

It reads the files of the jobs and runs none of them. What can't be imported is left for the run,
which says what is wrong with it.
"""

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from crossdock import adaptors
from crossdock.errors import PluginError
from crossdock.otel import is_wanted
from crossdock.plugins import Plugins
from crossdock.project.posting import ADAPTOR
from crossdock.project.project import Project

_DOOR = "crossdock.adaptors"


def preload(project: Project) -> Plugins:
    """Import what the jobs of a project import, but for what lies beside them, and give the plugins of all runs."""
    import_module("crossdock.run")
    used = {str(fields["adaptor"]) for fields in project.credentials.values()} | ({ADAPTOR} if project.posts else set())
    files = set(project.files())
    folders = {file.parent for file in files}
    for file in sorted(files):
        for module, name in _imports(file):
            if module == _DOOR and name is not None:
                used.add(name)
            elif not _is_local(module, folders):
                _import(module)
    for adaptor in sorted(filter(project.adaptors.allows, used)):
        with suppress(PluginError):
            getattr(adaptors, adaptor)
    plugins = Plugins()
    plugins.load()
    if is_wanted(os.environ):
        _import("crossdock.exporting")
    for adaptor, opened in adaptors.opened.items():
        plugins.register(f"adaptor {adaptor}", opened)
    return plugins


def _imports(file: Path) -> Iterator[tuple[str, str | None]]:
    """Give the modules that a file imports, and what it takes from each."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield from ((node.module, alias.name) for alias in node.names)


def _is_local(module: str, folders: set[Path]) -> bool:
    """Tell whether a module lies beside the jobs: it is theirs, and may change."""
    top = module.partition(".")[0]
    return any((folder / f"{top}.py").exists() or (folder / top).is_dir() for folder in folders)


def _import(module: str) -> None:
    if module in sys.modules:
        return
    with suppress(Exception, SystemExit):
        if find_spec(module.partition(".")[0]) is not None:
            import_module(module)
