"""The files of a run: large or binary data that does not belong into the state.

They lie in one folder. A run that was given none makes a temporary one when it is first needed,
which ends with the run.
"""

import logging
import os
import stat
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from crossdock.errors import FileNameError, NoRunError
from crossdock.scope import run_in_progress

if TYPE_CHECKING:
    from pathlib import Path

_logger = logging.getLogger("crossdock")


def run_file(name: str, *, create: bool = False) -> "Path":
    """Give the path of a file of the current run.

    Args:
        name: Its name inside the run's folder, with ``/`` between folders.
        create: Whether it may be new; then the folders on the way to it are made.

    Raises:
        FileNameError: The name leads out of the run's folder, or to no regular file.
        NoRunError: No run is in progress.

    Example:
        >>> from crossdock import Job, Run, Workflow
        >>> def keep(state):
        ...     run_file("scans/7.txt", create=True).write_text("grey")
        ...     return state.result(run_file("scans/7.txt").read_text())
        >>> run = Run(Workflow.of(Job(keep)))
        >>> run.execute(), run.state.data
        ('success', 'grey')
    """
    return run_in_progress("run_file(…)").files.path(name, create=create)


class RunFiles:
    """The folder of a run's files.

    Args:
        folder: An existing or new folder that stays when the run ends; by default a temporary one.
    """

    def __init__(self, folder: "Path | None" = None) -> None:
        self._given = None if folder is None else os.path.abspath(folder)
        self._folder: str | None = None
        self._closed = False
        self._lock = threading.Lock()
        self.tell: Callable[[str], None] | None = None
        """Called with the path of a temporary folder before it is made: a supervising process removes it."""

    def path(self, name: str, *, create: bool = False) -> "Path":
        """Give the path of a file in the folder; the arguments are those of ``run_file``."""
        from pathlib import Path  # imported late: it takes as long as a quarter of core

        _check_name(name)
        folder = os.path.realpath(self._made())
        try:
            path = _inside(folder, name)
            _check_file(path, name, create=create)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text that a file can be named"
            raise _refused(name, f"can't be used: {reason}") from None
        return Path(path)

    def __enter__(self) -> "RunFiles":
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the temporary folder with all that is in it."""
        with self._lock:
            self._closed = True
            if self._folder is not None and self._given is None:
                remove_folder(self._folder)

    def _made(self) -> str:
        """Give the folder, which is made when it is first needed."""
        with self._lock:
            if self._closed:
                raise NoRunError("the run has ended, and its files with it")
            if self._folder is None:
                self._folder = self._temporary() if self._given is None else self._given
                os.makedirs(self._folder, mode=0o700, exist_ok=self._given is not None)
            return self._folder

    def _temporary(self) -> str:
        """Choose a folder that nobody else can have made."""
        from tempfile import gettempdir  # imported late: few runs have files

        folder = os.path.join(gettempdir(), f"crossdock-{os.urandom(16).hex()}")
        if self.tell is not None:
            self.tell(folder)
        return folder


def remove_folder(folder: str) -> None:
    """Remove a folder with all that is in it; what can't be removed is logged."""
    from shutil import rmtree  # imported late: few runs have files

    rmtree(folder, ignore_errors=True)
    if os.path.lexists(folder):
        _logger.warning("the folder %s of the run's files could not be removed: remove it yourself", folder)


def _check_name(name: Any) -> None:
    """Refuse a name that says itself that it is no name inside a folder."""
    if not isinstance(name, str):
        raise FileNameError(f"a file of the run is named by text, and got a value of type {type(name).__name__}")
    if not name.strip("./"):
        raise _refused(name, "names no file")
    if name.startswith("/"):
        raise _refused(name, "is an absolute path")
    if ".." in name.split("/"):
        raise _refused(name, "has a '..' in it")
    if "\\" in name or "\0" in name:
        raise _refused(name, f"has a {'backslash' if chr(92) in name else 'NUL character'} in it")


def _inside(folder: str, name: str) -> str:
    """Follow a name, links included, and refuse it if it ends outside of the folder."""
    path = os.path.realpath(os.path.join(folder, name))
    if path == folder or os.path.commonpath([folder, path]) != folder:
        raise _refused(name, "leads out of the folder of the run's files")
    return path


def _check_file(path: str, name: str, *, create: bool) -> None:
    """Refuse what is no regular file; if it may be new, make the folders on the way to it."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not create:
            raise
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return
    if not stat.S_ISREG(mode):
        raise _refused(name, "is no regular file")


def _refused(name: str, why: str) -> FileNameError:
    return FileNameError(f"the file name {name!r:.200} {why}")
