"""Database: the connections of one run to a PostgreSQL database."""

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Self

import psycopg
from crossdock.scope import open_run

from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.errors import mapped
from crossdock_postgresql.session import Session


class Database:
    """The connections of one run to a PostgreSQL database; the transactions of the first are its units.

    Args:
        configuration: Where the database is.
    """

    lists_writes = True
    """In a dry run the operations list what they would have written."""

    def __init__(self, configuration: PostgresqlConfiguration) -> None:
        run = open_run()
        self._configuration = configuration
        self.dry_run = run is not None and run.dry_run
        self._main = Session(configuration, read_only=self.dry_run)
        self._in_block = False
        self._idle: list[Session] = []
        self._lock = threading.Lock()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._main.open()
        self._stack.callback(self._main.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The connection of psycopg that the units of the run are transactions of.

        What is done on it in a transaction is not repeated, nor is what operations do in that one.
        """
        self._main.count_foreign_work()
        return self._main.connection

    def verify(self) -> str:
        """Ask the server who one is, and say where, as which role, and what runs there."""
        asked = "select current_user as role, current_setting('server_version') as version"
        with mapped():
            row = self._main.connection.execute(asked).fetchone() or {}
        version = row["version"].partition(" ")[0]  # "18.1 (Debian 18.1-1.pgdg13+2)"
        return f"{self._configuration.place()} as {row['role']}, PostgreSQL {version}"

    def unit(self) -> AbstractContextManager[None]:
        """Give a unit of work: a transaction, or a savepoint within one."""
        return nullcontext() if self._configuration.commit == "operation" else self._main.unit()

    def session(self, *, commit: bool = False) -> AbstractContextManager[Session]:
        """Give the session that an operation works in.

        Args:
            commit: Whether its work is committed when it ends, on a connection of its own, whatever
                becomes of the step.
        """
        if not commit and (self._configuration.commit == "step" or self._in_block):
            return nullcontext(self._main)
        return self._committing()

    @contextmanager
    def _committing(self) -> Iterator[Session]:
        with self.aside() as session, session.unit():
            yield session

    @contextmanager
    def block(self) -> Iterator[None]:
        """Keep what is done inside as a whole or not at all, also where each operation commits."""
        if self._configuration.commit == "step" or self._in_block:
            with self._main.unit():
                yield
            return
        self._in_block = True
        try:
            with self._main.unit():
                yield
        finally:
            self._in_block = False

    @contextmanager
    def aside(self) -> Iterator[Session]:
        """Give a session of its own, which sees only what is committed."""
        session = self._taken()
        try:
            yield session
        finally:
            with self._lock:
                self._idle.append(session)

    def _taken(self) -> Session:
        with self._lock:
            while self._idle:
                session = self._idle.pop()
                if not session.connection.closed:
                    return session
        session = Session(self._configuration, read_only=self.dry_run)
        session.open()
        self._stack.callback(session.close)
        return session
