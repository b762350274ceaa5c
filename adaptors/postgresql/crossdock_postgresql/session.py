"""Session: one connection to PostgreSQL and its open transaction."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, LiteralString, TypeVar

import psycopg
from crossdock.scope import StopStep
from crossdock.trace import is_traced
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row

from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.errors import DatabaseError, TableError, connection_error, mapped
from crossdock_postgresql.noting import NotingCursor
from crossdock_postgresql.reading import register
from crossdock_postgresql.table import COLUMNS, CONSTRAINTS, Column, Table, check_schema, table_identifier

T = TypeVar("T")
_TRIES = 3
_numbers = count(1)
_READ_ONLY = "25006"
_PARAMETERS = {"application_name": "crossdock", "client_encoding": "utf8"}
_logger = logging.getLogger("crossdock.postgresql")


class Session:
    """One connection to PostgreSQL, and the transaction and savepoints that are open on it.

    Args:
        configuration: Where the database is.
        read_only: Whether its transactions may write nothing.
    """

    def __init__(self, configuration: PostgresqlConfiguration, *, read_only: bool = False) -> None:
        self._configuration = configuration
        self._read_only = read_only
        self._begin: LiteralString = "begin read only" if read_only else "begin"
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._cursor: psycopg.Cursor[dict[str, Any]] | None = None
        self._depth = 0
        self._done = 0
        """How many operations the open transaction holds."""
        self._tables: dict[str, Table] = {}
        self.prepared: dict[Any, Any] = {}
        """What was prepared for writing a table; forgotten with the tables."""

    def open(self) -> None:
        """Connect; a server that is starting or full is tried again while the time lasts."""
        try:
            self._connect()
        except DatabaseError as error:
            if not error.transient:
                raise
            self._connect_patiently(error)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()

    @property
    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The open connection of psycopg."""
        if self._connection is None:
            raise RuntimeError("the Database is not open: use it in a with statement")
        return self._connection

    @property
    def cursor(self) -> psycopg.Cursor[dict[str, Any]]:
        """A cursor for statements whose result is used at once; making one takes as long as a small statement."""
        if self._cursor is None:
            self._cursor = self.connection.cursor()
        return self._cursor

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Do a unit of work: a transaction, or a savepoint within one."""
        self._enter()
        try:
            yield
        except StopStep:  # which ends a step well
            self._keep()
            raise
        except BaseException as error:
            self._undo()
            self._explain(error)
            raise
        self._keep()

    def perform(self, work: Callable[[], T], *, repeatable: bool = True) -> T:
        """Do the work of one operation.

        A deadlock, a serialization failure or a lost connection is repeated if the operation is
        all that its transaction holds: then nothing of it was kept, and nothing else is lost.

        Args:
            work: What to do.
            repeatable: Whether it may be done again from its beginning.
        """
        try:
            with mapped():
                result = work()
        except DatabaseError as error:
            if not (error.repeatable and repeatable) or self._done or not self._depth:
                raise
            result = self._repeated(work, error)
        self._done += 1
        return result

    def count_foreign_work(self) -> None:
        """Note that the open transaction may hold what nobody could do again."""
        self._done += 1

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Keep what was done before if what is inside fails."""
        self.connection.execute("savepoint crossdock_work")
        try:
            yield
        except BaseException:
            if self._is_open():
                self.connection.execute("rollback to savepoint crossdock_work")
                self.connection.execute("release savepoint crossdock_work")
            raise
        self.connection.execute("release savepoint crossdock_work")

    def table(self, name: str, schema: str | None = None) -> Table:
        """Describe a table.

        Raises:
            TableError: Its name can't be, or there is no such table.
        """
        key = f"{schema}.{name}" if schema else name
        if key not in self._tables:
            described = self.described(name, schema)
            if described is None:
                raise TableError(f"there is no table {key!r}", fix="Create it, or check its schema.")
            self._tables[key] = described
        return self._tables[key]

    def described(self, name: str, schema: str | None = None) -> Table | None:
        """Describe a table anew; None if there is none."""
        identifier = table_identifier(name, schema)
        quoted = identifier.as_string(self.connection)
        rows = self.connection.execute(COLUMNS, [quoted]).fetchall()
        if not rows:
            return None
        check_schema(rows[0]["schema"])
        fields = ("name", "type", "element", "modifier", "shown", "generated")
        columns = {row["name"]: Column(*(row[field] for field in fields)) for row in rows}

        @cache
        def constraints() -> dict[str, list[str]]:
            return {row["name"]: row["columns"] for row in self.connection.execute(CONSTRAINTS, [quoted])}

        return Table(name, identifier, columns, constraints, rows[0]["copyable"])

    def forget_tables(self) -> None:
        """Look tables up again: one may have changed."""
        self._tables.clear()
        self.prepared.clear()

    def begin_afresh(self) -> None:
        """Look tables up again, and prepare statements anew: those for a column of another type would fail."""
        name = f"crossdock_afresh_{next(_numbers)}"
        # psycopg drops what it prepared when something is rolled back, by a statement that it sees for the first time.
        for statement in (f"savepoint {name}", f"rollback to savepoint {name}", f"release savepoint {name}"):
            self.connection.execute(statement.encode())
        self.forget_tables()

    def _connect(self) -> None:
        known = self._configuration
        if known.is_open_to_readers():
            _logger.warning("%s is reached without TLS: what is sent can be read on its way", known.place())
        try:
            self._connection, self._cursor = _connected(known), None
        except (psycopg.Error, UnicodeError) as error:
            refused = connection_error(error, known)
        else:
            return register(self._connection)
        raise refused  # outside of the except, since what psycopg says may hold the password

    def _connect_patiently(self, first: DatabaseError) -> None:
        import stamina  # imported late: most servers are there

        tries = stamina.retry_context(
            on=lambda error: isinstance(error, DatabaseError) and error.transient,
            attempts=None,
            timeout=self._configuration.connect_timeout,
            wait_initial=0.2,
            wait_max=2.0,
        )
        for attempt in tries:
            with attempt:
                if attempt.num == 1:
                    _logger.info("connecting is tried again: %s", first)
                    raise first
                self._connect()
                return

    def _repeated(self, work: Callable[[], T], first: DatabaseError) -> T:
        import stamina  # imported late: hardly anything is repeated

        tries = stamina.retry_context(
            on=lambda error: isinstance(error, DatabaseError) and error.repeatable,
            attempts=_TRIES,
            timeout=None,
            wait_initial=0.1,
            wait_max=2.0,
        )
        for attempt in tries:
            with attempt, mapped():
                if attempt.num == 1:
                    _logger.info("the transaction is begun again: %s", first)
                    raise first
                self._begin_again()
                return work()
        raise AssertionError("stamina gives up by raising")

    def _begin_again(self) -> None:
        """Begin the open transaction once more, with its savepoints, on a new connection if the old one is lost."""
        if self._is_open():
            self.connection.execute("rollback")
        else:
            self.close()
            self.open()
        for depth in range(self._depth):
            self._start(depth)

    def _start(self, depth: int) -> None:
        self.connection.execute(self._begin if depth == 0 else f"savepoint crossdock_{depth}".encode())

    def _enter(self) -> None:
        with mapped():
            self._start(self._depth)
        if self._depth == 0:
            self._done = 0
        self._depth += 1

    def _keep(self) -> None:
        try:
            self._check_usable()
        except DatabaseError:
            self._undo()
            raise
        self._depth -= 1
        with mapped(committing=self._depth == 0):
            self.connection.execute(f"release savepoint crossdock_{self._depth}".encode() if self._depth else b"commit")

    def _undo(self) -> None:
        """Go back to where the unit began; that it can't be done must not hide why the unit failed."""
        self._depth -= 1
        self.forget_tables()
        if not self._is_open():
            return  # the server has undone it
        try:
            for statement in _undoing(self._depth):
                self.connection.execute(statement)
        except psycopg.Error as error:
            _logger.warning("the work of a unit could not be undone: %s", type(error).__name__)

    def _explain(self, error: BaseException) -> None:
        """Say of a write that a dry run refused that this was one."""
        if self._read_only and isinstance(error, DatabaseError) and error.details.get("sqlstate") == _READ_ONLY:
            error.fix = "Leave it out of the dry run: what a reading statement writes by a function can't be planned."

    def _is_open(self) -> bool:
        return not self.connection.closed and self.connection.info.transaction_status != TransactionStatus.UNKNOWN

    def _check_usable(self) -> None:
        """Refuse to end a unit well on a connection that would keep nothing of it, and say nothing."""
        status = self.connection.info.transaction_status
        if not self._is_open():
            raise DatabaseError(
                "the connection to PostgreSQL broke; nothing of the open transaction was kept", transient=True
            )
        if status == TransactionStatus.INERROR:
            raise DatabaseError(
                "a statement failed and its error was dropped: PostgreSQL keeps nothing of this transaction",
                fix="Run the statement as an operation, and handle its error with .catch or try.",
            )
        if status == TransactionStatus.IDLE:
            raise DatabaseError(
                "a statement ended the transaction of the step",
                fix="Leave BEGIN, COMMIT and ROLLBACK out; use commit=True for work that stands by itself.",
            )


def _undoing(depth: int) -> list[bytes]:
    """Give the statements that undo the transaction (depth 0) or a savepoint."""
    if depth == 0:
        return [b"rollback"]
    return [f"{what} savepoint crossdock_{depth}".encode() for what in ("rollback to", "release")]


def _connected(configuration: PostgresqlConfiguration) -> psycopg.Connection[dict[str, Any]]:
    """Open a connection with the settings of a credential."""
    timeout = {"connect_timeout": max(2, round(configuration.connect_timeout))}
    # Autocommit means only that nothing begins by itself: every unit begins a transaction.
    connection = psycopg.connect(
        **{**_PARAMETERS, **timeout, **configuration.parameters()},
        autocommit=True,
        row_factory=dict_row,
        cursor_factory=NotingCursor if is_traced() else psycopg.Cursor,
    )
    settings = list(configuration.settings().items())
    connection.execute(
        "select set_config(t.n, t.v, false) from unnest(%s::text[], %s::text[]) t (n, v)",
        [*map(list, zip(*settings, strict=True))],
    )
    return connection
