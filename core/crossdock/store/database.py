"""Database: how the store reaches SQLite or PostgreSQL, and what a commit promises there.

A commit returns when its data are on the disk: SQLite with ``synchronous=FULL`` syncs its log, and
PostgreSQL does by default; a server that was told not to is told otherwise. SQLite's transactions that
write say so when they begin, so that none of them can fail half way because of another.
"""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from crossdock.store.errors import (
    StoreConflictError,
    StoreDamagedError,
    StoreError,
    StoreFullError,
    StoreMissingError,
    StoreUnavailableError,
)

PATIENCE = 10
"""How many seconds to wait for a lock or a connection."""

_ON_OPENING = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",
    f"PRAGMA busy_timeout = {PATIENCE * 1000}",
)
_CONFLICTS = ("23505", "40001", "40P01")
"""PostgreSQL: two inserted the same key, could not go on at once, or waited for each other."""

_FULL, _BUSY, _DAMAGED = ("SQLITE_FULL",), ("SQLITE_BUSY", "SQLITE_LOCKED"), ("SQLITE_CORRUPT", "SQLITE_NOTADB")


class Database:
    """How the store reaches SQLite or PostgreSQL.

    Args:
        url: ``sqlite:///path`` or ``postgresql://…``.
        folder: What a path is relative to.
    """

    def __init__(self, url: str, folder: Path) -> None:
        parsed = _parsed(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.file = folder / str(parsed.database) if self.is_sqlite else None
        """The file of SQLite."""
        self.name = str(self.file) if self.is_sqlite else parsed.render_as_string(hide_password=True)
        """What messages call it."""
        self._path = os.path.abspath(self.name)
        """Where the file of SQLite is, whatever folder the process goes to."""
        self._opened: tuple[int, int] | None = None
        """Which file of SQLite it writes to: one that was put in its place since then is another one."""
        target = parsed.set(drivername="sqlite+pysqlite", database=self.name) if self.is_sqlite else _psycopg(parsed)
        try:
            self._writing = self._engine(target, "BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
            self._reading = self._engine(target, "BEGIN", pool_size=2, max_overflow=8)
        except ModuleNotFoundError as error:
            raise StoreMissingError(
                f"a store in PostgreSQL needs {error.name}, which is not installed",
                fix="Install it: pip install 'crossdock[postgres]'.",
            ) from None

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that writes; left well, it is committed and synced."""
        with self._transaction(self._writing.begin) as connection:
            yield connection
            self._check_in_place()

    def read(self) -> AbstractContextManager[Connection]:
        """Open a transaction that sees one state of the store, whatever others write meanwhile."""
        return self._transaction(self._reading.begin)

    def empty_log(self) -> bool:
        """Bring all of SQLite's log into its file and empty it: nothing that was erased is left in it.

        Returns:
            Whether it is empty now; somebody who reads may need it still.
        """
        return not self.is_sqlite or self._pragma("wal_checkpoint(TRUNCATE)")[0][0] == 0

    def limit_size(self, limit: int) -> None:
        """Let the file of SQLite grow no further than this many bytes."""
        if self.is_sqlite:
            pages = limit // int(self._pragma("page_size")[0][0])
            with self.write() as connection:  # the limit belongs to the connection that writes
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    def size(self) -> int:
        """Give how many bytes it takes: of SQLite its file and its log."""
        if self.file is None:
            with self.read() as connection:
                return int(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one())
        files = (self.file, self.file.with_name(f"{self.file.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def faults(self, *, quick: bool = False) -> list[str]:
        """Give what is wrong with the file of SQLite."""
        if not self.is_sqlite:
            return []
        said = [str(row[0]) for row in self._pragma("quick_check(20)" if quick else "integrity_check(20)")]
        return [] if said == ["ok"] else said

    def copy_to(self, file: Path) -> None:
        """Write all that is committed now into an empty file; others read and write meanwhile."""
        self._alone("VACUUM INTO ?", str(file))

    def _pragma(self, pragma: str) -> list[Any]:
        return self._alone(f"PRAGMA {pragma}")

    def _alone(self, statement: str, *parameters: str) -> list[Any]:
        """Ask SQLite something outside of any transaction."""
        with self._transaction(self._reading.connect) as connection:
            driver: Any = connection.connection.driver_connection
            try:
                return list(driver.execute(statement, parameters))
            except sqlite3.Error as error:
                raise self._mapped(DBAPIError(None, None, error)) from None

    def close(self) -> None:
        """Close all connections; the last one to close a file of SQLite empties its log."""
        self._reading.dispose()
        self._writing.dispose()

    @contextmanager
    def _transaction(self, opening: Callable[[], AbstractContextManager[Connection]]) -> Iterator[Connection]:
        try:
            with opening() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._mapped(error) from None  # the original quotes parameters, which are payload
        except sqlite3.Error as error:  # while a connection was opened
            raise self._mapped(DBAPIError(None, None, error)) from None

    def _check_in_place(self) -> None:
        """Refuse to write to a file of SQLite that has its name no more: it is gone when this process ends.

        Raises:
            StoreUnavailableError: It was moved or removed, or another one was put in its place.
        """
        if self.file is None:
            return
        found = _identity(self._path)
        self._opened = self._opened or found
        if found is None or found != self._opened:
            raise StoreUnavailableError(
                f"the store {self.name} was removed or replaced while it was in use; nothing is kept now",
                fix="Put the same file back where it was, or stop the server and put a backup in its place.",
            )

    def _engine(self, url: URL, begin: str, **pool: int) -> Engine:
        arguments = {"check_same_thread": False} if self.is_sqlite else {"connect_timeout": PATIENCE}
        engine = create_engine(
            url, connect_args=arguments, hide_parameters=True, pool_pre_ping=not self.is_sqlite, **pool
        )
        event.listen(engine, "connect", _open_sqlite if self.is_sqlite else _open_postgresql)
        if self.is_sqlite:
            event.listen(engine, "begin", lambda connection: _begin(connection, begin))
        return engine

    def _mapped(self, error: SQLAlchemyError) -> StoreError:
        """Say what an error of the database means, without what it quotes."""
        original = error.orig if isinstance(error, DBAPIError) else None
        name = str(getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None) or "")
        what = f"the store {self.name}"
        said = f" ({name or type(original or error).__name__})"
        if name.startswith(_FULL) or name == "53100":
            return StoreFullError(f"{what} is full{said}")
        if name in _CONFLICTS:
            return StoreConflictError(f"{what} was written by another process at the same time{said}")
        if name.startswith(_BUSY):
            return StoreUnavailableError(f"{what} was kept busy by another process for {PATIENCE} s{said}")
        if name.startswith(_DAMAGED):
            return StoreDamagedError(f"{what} can't be read: it is damaged, or no SQLite file{said}")
        if name.startswith(("SQLITE_CANTOPEN", "3D", "SQLITE_READONLY")):
            return StoreMissingError(f"{what} can't be opened{said}")
        if isinstance(original, sqlite3.OperationalError) or _lost(error, name):
            return StoreUnavailableError(f"{what} can't be used now{said}")
        return StoreError(f"{what} refused a statement{said}")


def _lost(error: SQLAlchemyError, sqlstate: str) -> bool:
    """Tell whether PostgreSQL can't be reached, or has no place for us now."""
    invalidated = isinstance(error, DBAPIError) and error.connection_invalidated
    no_answer = isinstance(error, DBAPIError) and type(error.orig).__name__ == "OperationalError" and not sqlstate
    return invalidated or no_answer or sqlstate.startswith(("08", "53", "57"))


def _identity(file: str) -> tuple[int, int] | None:
    """Give what tells a file from all others, None if there is none."""
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.get_backend_name() not in ("sqlite", "postgresql") or not parsed.database:
        raise StoreMissingError(
            "the address of the store is neither sqlite:///PATH nor postgresql://…", fix="Correct `store:`."
        )
    return parsed


def _psycopg(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg").update_query_dict({"application_name": "crossdock"})


def _open_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin when we say so
    for pragma in _ON_OPENING:
        connection.execute(pragma)


def _open_postgresql(connection: Any, _: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
    connection.commit()


def _begin(connection: Connection, statement: str) -> None:
    connection.exec_driver_sql(statement)


def make_private(file: Path) -> None:
    """Let nobody but its owner read a file of the store.

    It is not opened for that: whoever closes a file lets go of all locks that SQLite has on it in this process.

    Raises:
        StoreMissingError: It is a link, a folder or a device, or somebody else's.
    """
    try:
        is_file = stat.S_ISREG(file.lstat().st_mode)
        if is_file:
            file.chmod(0o600)
    except OSError as error:
        raise _not_ours(file, str(error.strerror)) from None
    if not is_file:
        raise _not_ours(file, "it is no regular file")


def _not_ours(file: Path, why: str) -> StoreMissingError:
    return StoreMissingError(
        f"the store {file} can't be opened: {why}",
        fix="Name a file that belongs to the user of the server, and is no link.",
    )
