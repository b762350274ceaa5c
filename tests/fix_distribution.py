"""Distributions that are installed in a folder of the test: metadata and modules, as pip leaves them."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ACME = '''
from contextlib import nullcontext
from crossdock import Adaptor

adaptor = Adaptor("{name}", connect=lambda _: nullcontext(str.upper), api={api})


@adaptor.operation(effect="read")
def shout(state, text):
    """Say a text loudly."""
    return state.result(adaptor.connection(text))
'''
GOOD = ACME.format(name="good", api=1)
USES = "from crossdock import Job\nfrom crossdock.adaptors import {name}\njob = Job({name}.shout('hi'))"
HOOKS = "from crossdock import hookimpl\ncrossdock_api = 1\n"

ADAPTOR_NAMES = sorted(file.parent.name for file in Path(__file__).parent.parent.glob("adaptors/*/pyproject.toml"))
"""The adaptors of this project."""

Install = Callable[..., Path]


def path_of(*folders) -> dict[str, str]:
    """Give the environment in which folders are installed."""
    return {"PYTHONPATH": os.pathsep.join(map(str, folders))}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution of one module, and forget that module afterwards."""
    modules: list[str] = []

    def install(
        name: str, source: str | None, *, entry: str, group: str = "crossdock.adaptors", version: str = "1.0"
    ) -> Path:
        folder = tmp_path / "site" / name
        module = name.replace("-", "_")
        metadata = folder / f"{module}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module}\n")
        if source is not None:
            (folder / f"{module}.py").write_text(source)
        modules.append(module)
        monkeypatch.syspath_prepend(str(folder))
        return folder

    yield install
    for module in modules:
        sys.modules.pop(module, None)
