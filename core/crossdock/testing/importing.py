"""What importing an adaptor does, seen from outside of a fresh process."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from crossdock import shared
from crossdock.installed import Installed, installed
from crossdock.loading import ADAPTORS
from crossdock.testing import watching

_HEAVY = (
    "IPython",
    "_pytest",
    "alembic",
    "cookiecutter",
    "crossdock.cli",
    "crossdock.server",
    "crossdock.store",
    "crossdock.testing",
    "crossdock.worker",
    "matplotlib",
    "numpy",
    "pandas",
    "pytest",
    "sqlalchemy",
    "starlette",
    "unittest",
    "uvicorn",
)
"""What no job needs when it is loaded: tools, other parts of crossdock, and libraries that take a second."""

_SCRIPT = """
import json, runpy, sys
module, told, watching, shared = sys.argv[1:]
with runpy.run_path(shared)["replacing"]() as replaced, runpy.run_path(watching)["reaching"]() as seen:
    __import__(module)
with open(told, "w") as file:
    json.dump([sorted(sys.modules), sorted(set(seen)), replaced], file)
"""


class Imported(NamedTuple):
    """What importing a module did."""

    heavy: set[str]
    """What it imported and should not."""
    reached: list[str]
    replaced: list[str]
    printed: str


def imports_of(adaptor: Installed, folder: Path) -> Imported:
    """Import the module of an adaptor in a process of its own.

    Args:
        adaptor: Its entry point.
        folder: Where the process may write what it saw.
    """
    told = folder / "imported.json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", _SCRIPT, adaptor.module, str(told), watching.__file__, str(shared.__file__)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if not told.exists():
        return Imported(set(), [], [], done.stdout + done.stderr)
    modules, reached, replaced = json.loads(told.read_text(encoding="utf-8"))
    unwanted = {*_HEAVY, *_other_adaptors(adaptor)}
    return Imported({name for name in modules if name in unwanted}, reached, replaced, done.stdout + done.stderr)


def requirements_of(adaptor: Installed) -> dict[str, str]:
    """Give what the distribution of an adaptor needs: names in one spelling, and what is asked of each."""
    from importlib.metadata import PathDistribution

    metadata = next(
        path
        for path in sorted(Path(adaptor.path).iterdir())
        if path.suffix in (".dist-info", ".egg-info")
        and _spelt(path.name.partition("-")[0]) == _spelt(adaptor.distribution)
    )
    lines = PathDistribution(metadata).requires or []
    return {_spelt(found[0]): line for line in lines if (found := re.match(r"[\w.-]+", line))}


def _other_adaptors(adaptor: Installed) -> set[str]:
    needed = requirements_of(adaptor)
    return {
        other.module for other in installed(ADAPTORS) if other != adaptor and _spelt(other.distribution) not in needed
    }


def _spelt(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
