"""Backup: a copy of a store in SQLite: all that was committed at one moment, or no file at all."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from crossdock.drafts import draft
from crossdock.store.database import Database
from crossdock.store.errors import BackupError, StoreDamagedError, StoreFullError


def back_up(database: Database, file: Path) -> int:
    """Copy a store into a new file that only its owner can read.

    Servers and workers go on meanwhile. The file gets its name when it is whole, checked and on the disk.

    Args:
        database: The store.
        file: The file.

    Returns:
        Its size in bytes.

    Raises:
        BackupError: It is there already, can't be written, or the store is in PostgreSQL.
        StoreDamagedError: The store is damaged.
    """
    if database.file is None:
        fix = "Use what PostgreSQL has for that: pg_dump --format=custom --file=FILE DATABASE."
        raise BackupError("the store is in PostgreSQL", fix=fix)
    if os.path.lexists(file):
        raise BackupError(f"there is something called {str(file)!r} already; it stays as it is")
    with _told(file), draft(file) as new:
        database.copy_to(new)
        _check(new)
        _sync(new)
        os.link(new, file)
        _sync(file.parent)
        return file.stat().st_size


@contextmanager
def _told(file: Path) -> Iterator[None]:
    """Say of what keeps a backup from being written that it was the backup."""
    try:
        yield
    except OSError as error:
        raise BackupError(f"no backup can be made at {file}: {error.strerror}") from None
    except StoreFullError:
        raise BackupError(f"there is no space for a backup at {file}") from None


def _check(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as connection:
        if connection.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
            raise StoreDamagedError("the store is damaged, and so is what was copied of it; no backup was made")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
