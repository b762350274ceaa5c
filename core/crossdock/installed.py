"""Which plugins are installed: their entry points, found without importing any of them."""

import logging
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

_logger = logging.getLogger("crossdock")


class Installed(NamedTuple):
    """An entry point of one of our groups, found and not loaded."""

    name: str
    module: str
    distribution: str
    version: str
    path: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version} ({self.path})"


def installed(group: str) -> list[Installed]:
    """Give the entry points of a group; of a distribution that is there twice, the first counts.

    Args:
        group: The name of the group, such as ``crossdock.adaptors``.
    """
    found: dict[str, list[Installed]] = {}
    for metadata in _mentioning(group):
        entries = _entries(metadata, group)
        if entries:
            found.setdefault(entries[0].distribution.lower().replace("_", "-").replace(".", "-"), entries)
    return sorted(entry for entries in found.values() for entry in entries)


def _mentioning(group: str) -> Iterator[str]:
    """Give the metadata folders whose entry points mention a group.

    ``importlib.metadata`` takes longer to import than all of crossdock, so it is only asked
    about folders that have something to say.
    """
    for folder in dict.fromkeys(path or "." for path in sys.path):
        try:
            names = [entry.path for entry in os.scandir(folder) if entry.name.endswith((".dist-info", ".egg-info"))]
        except OSError:  # a zip file, or a folder that is gone
            continue
        for path in sorted(names):
            if f"[{group}]" in _read(os.path.join(path, "entry_points.txt")):
                yield path


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):  # it has none, or none that can be read
        return ""


def _entries(metadata: str, group: str) -> list[Installed]:
    from importlib.metadata import PathDistribution
    from pathlib import Path

    distribution, folder = PathDistribution(Path(metadata)), Path(metadata)
    try:
        points = distribution.entry_points.select(group=group)
    except (TypeError, ValueError):
        _logger.warning("the file %s is broken; reinstall that distribution", folder / "entry_points.txt")
        return []
    about = distribution.metadata
    name = about["Name"] if about and "Name" in about else folder.stem
    version = about["Version"] if about and "Version" in about else "of no known version"
    return [Installed(point.name, point.value, name, version, str(folder.parent)) for point in points]
