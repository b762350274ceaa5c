"""Distributions that are installed in a folder of the test: metadata and modules, as pip leaves them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Install = Callable[..., Path]


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
