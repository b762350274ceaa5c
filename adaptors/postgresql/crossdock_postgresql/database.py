"""Database: one connection to a PostgreSQL database, and what is done over it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self

import psycopg
from psycopg import sql as compose
from psycopg.rows import dict_row

from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.errors import (
    AmbiguousMatchError,
    ColumnError,
    DatabaseError,
    RecordError,
    TableError,
    connection_error,
    mapped,
)
from crossdock_postgresql.noting import NotingCursor
from crossdock_postgresql.table import COLUMNS, CONSTRAINTS, Table, identifiers, same_keys, table_identifier

_MOST_PARAMETERS = 60_000
_MOST_ROWS = 1_000


class Database:
    """One connection to a PostgreSQL database; its transactions are the units of the run.

    Args:
        configuration: Where the database is.
    """

    def __init__(self, configuration: PostgresqlConfiguration) -> None:
        self._configuration = configuration
        self._connection: psycopg.Connection[dict[str, Any]] | None = None
        self._tables: dict[str, Table] = {}

    def __enter__(self) -> Self:
        try:
            # Autocommit means only that nothing begins by itself: every unit begins a transaction.
            parameters = self._configuration.parameters()
            self._connection = psycopg.connect(
                autocommit=True,
                row_factory=dict_row,
                cursor_factory=NotingCursor,
                application_name="crossdock",
                **parameters,
            )
        except psycopg.Error as error:
            raise connection_error(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def connection(self) -> psycopg.Connection[dict[str, Any]]:
        """The open connection of psycopg."""
        if self._connection is None:
            raise RuntimeError("the Database is not open: use it in a with statement")
        return self._connection

    def unit(self) -> AbstractContextManager[None]:
        """Give a unit of work: a transaction, or a savepoint within one."""
        return _unit(self.connection)

    def run(self, statement: str, parameters: Any = None) -> list[dict[str, Any]] | int:
        """Run one statement with bound parameters.

        Returns:
            The rows if it gives any kind of rows, else how many it changed.
        """
        with mapped(), self.connection.cursor() as cursor:
            # prepare=True goes through the protocol that takes one statement only.
            cursor.execute(statement.encode(), parameters, prepare=True)
            self._tables.clear()  # it may have been a CREATE or ALTER TABLE
            return cursor.fetchall() if cursor.description is not None else cursor.rowcount

    def table(self, name: str) -> Table:
        """Describe a table.

        Raises:
            TableError: Its name can't be, or there is no such table.
        """
        if name not in self._tables:
            identifier = table_identifier(name)
            quoted = identifier.as_string(self.connection)
            with mapped():
                described = self.connection.execute(COLUMNS, [quoted]).fetchall()
                constraints = frozenset(row["conname"] for row in self.connection.execute(CONSTRAINTS, [quoted]))
            if not described:
                raise TableError(f"there is no table {name!r}", fix="Create it, or check its schema.")
            columns = {row["attname"]: row["typname"] for row in described}
            generated = frozenset(row["attname"] for row in described if row["generated"])
            self._tables[name] = Table(name, identifier, columns, constraints, generated)
        return self._tables[name]

    def write(
        self,
        name: str,
        records: Iterable[Mapping[str, Any]],
        *,
        key: str | Sequence[str] | None = None,
        update: Sequence[str] | None = None,
        returning: Sequence[str] = (),
        missing: str = "error",
        null: Sequence[Any] = (),
    ) -> list[dict[str, Any]] | int:
        """Insert records, or update those whose key is there already.

        Returns:
            The rows that ``returning`` asks for, else how many were written.
        """
        table, rows = self.table(name), list(records)
        columns = same_keys(rows, missing)
        table.check([*columns, *returning, *(update or ())])
        _check_written(table, columns, update)
        _check_keys_once(table, rows, key)
        ending = compose.SQL("").join([_on_conflict(table, columns, key, update), _returning(returning)])
        written: list[dict[str, Any]] = []
        count = 0
        for chunk in _chunks(rows, len(columns)):
            statement = _insert(table, columns, len(chunk), ending)
            values = [_bound(table, column, record.get(column), null) for record in chunk for column in columns]
            with mapped(), self.connection.cursor() as cursor:
                cursor.execute(statement, values)
                count += cursor.rowcount
                written += cursor.fetchall() if returning else []
        return written if returning else count

    def find_value(self, name: str, column: str, where: Mapping[str, Any]) -> Any:
        """Give the one value of a column where columns have these values, None if no row does."""
        table = self.table(name)
        table.check([column, *where])
        conditions = [
            compose.SQL("{} is null").format(compose.Identifier(c))
            if v is None
            else compose.SQL("{} = %s").format(compose.Identifier(c))
            for c, v in where.items()
        ]
        condition = compose.SQL(" and ").join(conditions) if conditions else compose.SQL("true")
        query = compose.SQL("select {} from {} where {} limit 2").format(
            compose.Identifier(column), table.identifier, condition
        )
        with mapped():
            found = self.connection.execute(query, [value for value in where.values() if value is not None]).fetchall()
        if len(found) > 1:
            raise AmbiguousMatchError(f"several rows of {name!r} have that {', '.join(where) or 'condition'}")
        return found[0][column] if found else None


def _check_written(table: Table, columns: list[str], update: Sequence[str] | None) -> None:
    """Refuse columns that nobody may write, and updates from values that the records do not have."""
    computed = [column for column in columns if column in table.generated]
    if computed:
        raise ColumnError(f"{table.name!r} computes {', '.join(computed)} itself", fix="Leave it out of the records.")
    lacking = [column for column in update or () if column not in columns]
    if lacking and columns:
        raise RecordError(
            f"update= names {', '.join(lacking)}, and the records have no such key",
            fix="Add it to the records, or leave it out.",
        )


def _check_keys_once(table: Table, rows: list[Mapping[str, Any]], key: str | Sequence[str] | None) -> None:
    """Refuse a key that stands twice: in one statement PostgreSQL does, and over two the last would win."""
    columns = [key] if isinstance(key, str) else list(key or ())
    if not columns or not all(column in table.columns and all(column in row for row in rows) for column in columns):
        return
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        first = seen.setdefault(repr([row[column] for column in columns]), index)
        if first != index:
            raise RecordError(
                f"the records {first} and {index} have the same {', '.join(columns)}",
                fix="Give each key only once in one batch.",
                records=[first, index],
            )


@contextmanager
def _unit(connection: psycopg.Connection[Any]) -> Iterator[None]:
    transaction = connection.transaction()
    outermost = connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with mapped():
        transaction.__enter__()
    try:
        yield
        _check_usable(connection)
    except BaseException as error:
        with mapped():
            transaction.__exit__(type(error), error, error.__traceback__)
        raise
    with mapped(committing=outermost):
        transaction.__exit__(None, None, None)


def _check_usable(connection: psycopg.Connection[Any]) -> None:
    """Refuse to end a unit well on a connection that would keep nothing of it, and say nothing."""
    status = connection.info.transaction_status
    if connection.closed or status == psycopg.pq.TransactionStatus.UNKNOWN:
        raise DatabaseError(
            "the connection to PostgreSQL broke; nothing of the open transaction was kept", transient=True
        )
    if status == psycopg.pq.TransactionStatus.INERROR:
        raise DatabaseError(
            "a statement failed and its error was dropped: PostgreSQL keeps nothing of this transaction",
            fix="Run the statement as an operation, and handle its error with .catch or try.",
        )


def _chunks(rows: list[Mapping[str, Any]], columns: int) -> Iterator[list[Mapping[str, Any]]]:
    size = max(1, min(_MOST_ROWS, _MOST_PARAMETERS // max(1, columns)))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _bound(table: Table, column: str, value: Any, null: Sequence[Any]) -> Any:
    is_null = any(value == token and type(value) is type(token) for token in null)
    return None if is_null else table.value(column, value)


def _insert(table: Table, columns: list[str], rows: int, ending: compose.Composable) -> compose.Composed:
    row = compose.SQL("({})").format(compose.SQL(", ").join([compose.Placeholder()] * len(columns)))
    values = compose.SQL(", ").join([row] * rows)
    return compose.SQL("insert into {} ({}) values {}{}").format(table.identifier, identifiers(columns), values, ending)


def _on_conflict(
    table: Table, columns: list[str], key: str | Sequence[str] | None, update: Sequence[str] | None
) -> compose.Composable:
    if key is None:
        return compose.SQL("")
    target = table.conflict_target(key)
    keys = {key} if isinstance(key, str) else set(key)
    changed = [column for column in columns if column not in keys] if update is None else list(update)
    if not changed:
        return compose.SQL(" on conflict {} do nothing").format(target)
    changes = [compose.SQL("{0} = excluded.{0}").format(compose.Identifier(column)) for column in changed]
    return compose.SQL(" on conflict {} do update set {}").format(target, compose.SQL(", ").join(changes))


def _returning(columns: Sequence[str]) -> compose.Composable:
    return compose.SQL(" returning {}").format(identifiers(columns)) if columns else compose.SQL("")
