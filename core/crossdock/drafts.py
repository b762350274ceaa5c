"""Drafts: files that are written beside their place, and get their name when they are whole.

A draft is locked as long as its writer is there. So one that is not is left over from a process that was
killed, and whoever writes the same file next removes it.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape, glob
from pathlib import Path

_ENDING = ".new"


@contextmanager
def draft(file: str | Path) -> Iterator[Path]:
    """Make an empty draft of a file that only its owner can read; it is gone when the block is left.

    Args:
        file: The file; the draft lies beside it, and so on the same file system.

    Yields:
        Its path; whoever renames it, or links it to another name, keeps what is in it.
    """
    clear_away(file)
    descriptor, name = _locked(file)
    try:
        yield Path(name)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
        os.close(descriptor)


def clear_away(file: str | Path) -> None:
    """Remove the drafts of a file whose writers are gone, with what lies beside them."""
    folder, name = os.path.split(file)
    for left in glob(os.path.join(escape(folder), f".{escape(name)}.*{_ENDING}"), include_hidden=True):
        with suppress(OSError):  # it is in work, or somebody else removes it
            _remove(left)


def _locked(file: str | Path) -> tuple[int, str]:
    import tempfile  # imported late: most commands write no file

    folder, base = os.path.split(file)
    while True:
        descriptor, name = tempfile.mkstemp(dir=folder or ".", prefix=f".{base}.", suffix=_ENDING)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if _is_there(name, descriptor):
            return descriptor, name
        os.close(descriptor)  # somebody took it for one that was left over, before it was locked


def _is_there(name: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(name), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(left: str) -> None:
    descriptor = os.open(left, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for part in glob(f"{escape(left)}*", include_hidden=True):
            os.unlink(part)
    finally:
        os.close(descriptor)
