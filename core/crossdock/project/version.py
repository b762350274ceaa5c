"""Version: what stands for all that is written in a project, as a run would find it now.

The project file counts as it was when it was read; the files of jobs and of conditions, and the modules
beside them, as they are: runs read them anew.
"""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.project.project import Project

_Look = tuple[int, int, int]
"""What tells that a file or folder was changed: its number, its size and when it was written."""


class Version:
    """The version of a project, told anew whenever it is asked for.

    A file is only read again when it looks changed, so asking takes some microseconds.

    Args:
        project: The project.
    """

    def __init__(self, project: "Project") -> None:
        self._own = _digest(project.file)
        self._files = sorted(set(project.files()))
        self._folders = sorted({file.parent for file in self._files})
        self._beside: dict[Path, tuple[_Look | None, list[Path]]] = {}
        self._digests: dict[Path, tuple[_Look | None, bytes]] = {}

    def __call__(self) -> str:
        """Give the version as it is now."""
        digest = sha256(self._own)
        for file in sorted({*self._files, *self._modules()}):
            digest.update(self._of(file))
        return digest.hexdigest()[:12]

    def _modules(self) -> Iterator[Path]:
        """Give the modules beside the jobs, which they may import."""
        for folder in self._folders:
            look = _look(folder)
            if folder not in self._beside or self._beside[folder][0] != look:
                self._beside[folder] = (look, sorted(folder.glob("*.py")))
            yield from self._beside[folder][1]

    def _of(self, file: Path) -> bytes:
        look = _look(file)
        if file not in self._digests or self._digests[file][0] != look:
            self._digests[file] = (look, _digest(file))
        return self._digests[file][1]


def _look(path: Path) -> _Look | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _digest(file: Path) -> bytes:
    try:
        return sha256(file.read_bytes()).digest()
    except OSError:
        return b""
