"""Drafts: files that are written beside their place, and get their name when they are whole.

A draft is locked as long as its writer is there. So one that is not is left over from a process that was
killed, and whoever writes the same file next removes it.
"""

import fcntl
import os
from contextlib import suppress
from glob import escape, glob

ENDING = ".new"


def lock(descriptor: int) -> None:
    """Say that a draft is in work, until its descriptor is closed."""
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def clear_away(file: str) -> None:
    """Remove the drafts of a file whose writers are gone, with what lies beside them.

    Args:
        file: The file, as its drafts are named after it: ``.NAME.….new`` beside it.
    """
    folder, name = os.path.split(file)
    for draft in glob(os.path.join(escape(folder), f".{escape(name)}.*{ENDING}"), include_hidden=True):
        with suppress(OSError):  # it is in work, or somebody else removes it
            _remove(draft)


def _remove(draft: str) -> None:
    descriptor = os.open(draft, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for part in glob(f"{escape(draft)}*", include_hidden=True):
            os.unlink(part)
    finally:
        os.close(descriptor)
