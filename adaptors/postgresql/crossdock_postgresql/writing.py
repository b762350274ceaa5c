"""Records into a table: in statements while they are few, with COPY when they are many.

Whatever the way, all of it is written or nothing, and an error names the record that it is about.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, count, islice
from typing import Any, NamedTuple

from crossdock import warn
from crossdock.scope import open_run
from psycopg import sql as compose

from crossdock_postgresql.errors import DatabaseError, RecordError, mapped, naming
from crossdock_postgresql.records import Record, Row, Rows, Rules, columns_of
from crossdock_postgresql.session import Session
from crossdock_postgresql.statements import deletion
from crossdock_postgresql.table import Table, identifiers

FEW = 500
"""Up to so many records statements are faster than COPY into a temporary table (measured)."""

_MOST_PARAMETERS = 60_000
_TWICE = "21000"
"""What the server says of a key that stands twice in one statement."""

_BINARY = frozenset(
    [
        "int2",
        "int4",
        "int8",
        "numeric",
        "float8",
        "bool",
        "text",
        "varchar",
        "bpchar",
        "date",
        "timestamp",
        "timestamptz",
        "time",
        "uuid",
        "bytea",
        "json",
        "jsonb",
    ]
)
"""The types whose binary form psycopg writes."""

_logger = logging.getLogger("crossdock.postgresql")
_numbers = count(1)


class Manner(NamedTuple):
    """How records are written."""

    key: str | tuple[str, ...] | None = None
    """The column, columns or constraint that tell rows apart; None inserts only."""
    update: tuple[str, ...] | None = None
    """The columns that are updated where the key is there already; None: all."""
    on_conflict: str = "error"
    """Without a key: whether a row that is there already is an ``error`` or left alone, ``nothing``."""
    returning: tuple[str, ...] = ()
    duplicates: str = "error"
    """Whether a key that stands twice is an ``error``, or its ``last`` record counts."""
    rules: Rules = Rules()
    schema: str | None = None


class Writer:
    """Writes records of the same columns into one table.

    Args:
        session: The connection.
        table: The table.
        columns: The columns of the records.
        manner: How they are written.
    """

    def __init__(self, session: Session, table: Table, columns: Sequence[str], manner: Manner) -> None:
        table.check([*manner.returning, *(manner.update or ())])
        _check_update(columns, manner.update)
        self._session = session
        self._table = table
        self._manner = manner
        self._keys = table.key_columns(manner.key) if manner.key is not None else []
        self._at = [columns.index(name) for name in self._keys] if set(self._keys) <= set(columns) else []
        self._ending = compose.SQL("").join([_on_conflict(table, columns, manner), _returning(manner.returning)])
        self._statements: dict[int, Any] = {}
        self.rows = Rows(table, columns, manner.rules)

    def few(self, records: Sequence[Record], start: int = 0) -> list[dict[str, Any]] | int:
        """Write records in statements of many rows each.

        Args:
            records: The records.
            start: The index of the first one, for errors.
        """
        rows = self._without_duplicates(list(self.rows.of(records, start)), start)
        if len(rows) == 1:
            with naming(start):
                return self._insert(rows)
        if not rows:
            return [] if self._manner.returning else 0
        written: list[dict[str, Any]] | int = self._whole(
            lambda: self._insert(rows), lambda until: self._insert(rows[:until]), len(rows), start
        )
        return written

    def many(self, records: Iterable[Record]) -> int:
        """Write any number of records with COPY, in the memory of a few."""
        if self._manner.key is not None or self._manner.on_conflict != "error" or not self._table.copyable:
            return self._merge(records)
        try:
            with self._session.savepoint():
                return self._copy(self._table.identifier, self.rows.columns, self.rows.of(records))
        except DatabaseError as error:
            if "records" in error.details or error.transient or not isinstance(records, list):
                raise
            return self._merge(records)  # which finds the record

    def _insert(self, rows: Sequence[Row]) -> list[dict[str, Any]] | int:
        written, returned = 0, list[dict[str, Any]]()
        size = max(1, min(FEW, _MOST_PARAMETERS // len(self.rows.columns)))
        for begin in range(0, len(rows), size):
            chunk = rows[begin : begin + size]
            with mapped(), self._session.connection.cursor() as cursor:
                cursor.execute(self._statement(len(chunk)), list(chain.from_iterable(chunk)))
                written += cursor.rowcount
                returned += cursor.fetchall() if self._manner.returning else []
        return returned if self._manner.returning else written

    @property
    def statement(self) -> str:
        """The statement for one row, for people."""
        return bytes(self._statement(1)).decode()

    def _statement(self, rows: int) -> Any:
        """Give the statement that inserts so many rows; that for one row is kept."""
        if rows not in self._statements:
            row = compose.SQL("({})").format(compose.SQL(", ").join([compose.Placeholder()] * len(self.rows.columns)))
            statement = compose.SQL("insert into {} ({}) values {}{}").format(
                self._table.identifier,
                identifiers(self.rows.columns),
                compose.SQL(", ").join([row] * rows),
                self._ending,
            )
            self._statements = {rows: statement.as_bytes(self._session.connection)}
        return self._statements[rows]

    def _without_duplicates(self, rows: list[Row], start: int) -> list[Row]:
        """Refuse or drop records with a key that stands in another one, too."""
        if not self._at:
            return rows
        last: dict[Any, int] = {}
        for index, row in enumerate(rows):
            key = tuple([row[at] for at in self._at])
            before = last.get(key) if None not in key else None
            if before is not None and self._manner.duplicates != "last":
                raise self._twice(start + before, start + index)
            last[key if None not in key else index] = index
        if len(last) < len(rows):
            self._warn_of_duplicates(len(rows) - len(last))
        return [rows[index] for index in sorted(last.values())] if len(last) < len(rows) else rows

    def _copy(self, target: compose.Identifier, columns: Sequence[str], rows: Iterator[Row], types: Any = None) -> int:
        """Send rows with COPY, in the binary form where all types have one."""
        if types is None:
            types = [self._table.columns[name].type for name in columns]
        binary = set(types) <= _BINARY
        statement = compose.SQL("copy {} ({}) from stdin{}").format(
            target, identifiers(columns), compose.SQL(" (format binary)" if binary else "")
        )
        with mapped(), self._session.connection.cursor() as cursor:
            with cursor.copy(statement) as copy:
                if binary:
                    copy.set_types(types)
                write = copy.write_row
                for row in rows:
                    write(row)
            return cursor.rowcount

    def _merge(self, records: Iterable[Record]) -> int:
        """Send rows into a temporary table, and insert or update from there in one statement."""
        name, number = f"crossdock_{next(_numbers)}", _free_name(self.rows.columns)
        target, n, columns = (
            compose.Identifier("pg_temp", name),
            compose.Identifier(number),
            identifiers(self.rows.columns),
        )

        def insert(until: int) -> int:
            return self._execute(
                # A temporary table gives its rows in the order in which they came.
                "insert into {} ({}) select {} from {} where {} < {}{}",
                *(self._table.identifier, columns, columns, target, n, compose.Literal(until), self._ending),
            )

        with self._session.savepoint():
            self._execute(
                "create temp table {} as select 0 as {}, {} from {} with no data",
                *(compose.Identifier(name), n, columns, self._table.identifier),
            )
            types = ["int4", *(self._table.columns[column].type for column in self.rows.columns)]
            numbered = ((index, *row) for index, row in enumerate(self.rows.of(records)))
            sent = self._copy(target, [number, *self.rows.columns], numbered, types)
            if self._manner.duplicates == "last" or self._manner.update == ():
                self._check_twice(target, n)
            try:
                written: int = self._whole(lambda: insert(sent), insert, sent, 0)
            except DatabaseError as error:
                if error.details.get("sqlstate") == _TWICE:
                    self._check_twice(target, n)
                raise
            self._execute("drop table {}", target)
        return written

    def _check_twice(self, name: compose.Identifier, number: compose.Identifier) -> None:
        """Refuse or drop rows of the temporary table whose key another one has, too."""
        if not self._at:
            return
        keys, present = (
            identifiers(self._keys),
            compose.SQL(" and ").join(
                compose.SQL("{} is not null").format(compose.Identifier(key)) for key in self._keys
            ),
        )
        query = compose.SQL(
            "select min({n}) as first, max({n}) as last from {t} where {p} group by {k} having count(*) > 1 limit 1"
        ).format(n=number, t=name, p=present, k=keys)
        with mapped():
            twice = self._session.connection.execute(query).fetchone()
        if twice is None:
            return
        if self._manner.duplicates != "last":
            raise self._twice(twice["first"], twice["last"])
        same = compose.SQL(" and ").join(
            compose.SQL("a.{k} = b.{k}").format(k=compose.Identifier(key)) for key in self._keys
        )
        dropped = self._execute(
            "delete from {} a using {} b where {} and a.{} < b.{}", name, name, same, number, number
        )
        self._warn_of_duplicates(dropped)

    def _whole(self, write: Callable[[], Any], write_until: Callable[[int], Any], rows: int, start: int) -> Any:
        """Write all rows or none; if the server refuses them, find the first row that it refuses."""
        try:
            with self._session.savepoint():
                return write()
        except DatabaseError as error:
            if error.transient or rows == 0 or error.details.get("sqlstate") == _TWICE:
                raise
            with naming(start + self._first_refused(write_until, rows)):
                raise

    def _first_refused(self, write_until: Callable[[int], Any], rows: int) -> int:
        """Find the row without which the rows before it can be written, by trying half of them."""
        good, bad = 0, rows
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._is_refused(lambda: write_until(middle)):  # noqa: B023 - called at once
                bad = middle
            else:
                good = middle
        return good

    def _is_refused(self, write: Callable[[], Any]) -> bool:
        try:
            with self._session.savepoint():
                write()
                raise _Undo
        except _Undo:
            return False
        except DatabaseError:
            return True

    def _execute(self, statement: str, *parts: compose.Composable) -> int:
        with mapped(), self._session.connection.cursor() as cursor:
            cursor.execute(compose.SQL(statement).format(*parts))
            return cursor.rowcount

    def _twice(self, first: int, last: int) -> RecordError:
        return RecordError(
            f"the records {first} and {last} have the same {', '.join(self._keys)}",
            fix="Give each key only once in one batch, or say duplicates='last'.",
            records=[first, last],
        )

    def _warn_of_duplicates(self, dropped: int) -> None:
        if open_run() is not None:
            warn("duplicate_keys", table=self._table.name, key=self._keys, dropped=dropped)


class _Undo(Exception):  # noqa: N818 - leaves a trial, and is no error
    """What was tried is undone."""


def write(
    session: Session,
    name: str,
    records: Iterable[Record],
    manner: Manner,
    instead_of: Mapping[str, Any] | None = None,
) -> list[dict[str, Any]] | int:
    """Write records into a table.

    Args:
        session: The connection.
        name: The table.
        records: Dicts of column → value.
        manner: How they are written.
        instead_of: Column → value of the rows that are deleted before; all of it happens or nothing.

    Returns:
        The rows that ``returning`` asks for, else how many were inserted or updated.
    """
    if instead_of is None:
        return _written(session, name, records, manner)
    with session.savepoint():
        statement, values = deletion(session, name, instead_of, None, manner.schema)
        session.connection.execute(statement.encode(), values)
        return _written(session, name, records, manner)


def planned(session: Session, name: str, records: Iterable[Record], manner: Manner) -> dict[str, Any]:
    """Check records as writing them would, and describe that for the plan of a dry run."""
    whole = list(records)
    table = session.table(name, manner.schema)
    columns = columns_of(whole, manner.rules)
    writer = Writer(session, table, columns, manner)
    for _ in writer.rows.of(whole):
        pass
    return {
        "statement": writer.statement if columns else "",
        "rows": len(whole),
        "sample": dict(whole[0]) if whole else None,
    }


def _written(session: Session, name: str, records: Iterable[Record], manner: Manner) -> list[dict[str, Any]] | int:
    drawn = iter(records)
    first = list(drawn) if manner.returning else list(islice(drawn, FEW + 1))
    more = not manner.returning and len(first) > FEW
    table = session.table(name, manner.schema)
    if not first:
        _logger.info("there are no records for %s", name)
        return [] if manner.returning else 0
    known = records if isinstance(records, list) else first
    writer = writer_of(session, table, columns_of(known, manner.rules, more=more), manner)
    if not more:
        return writer.few(first)
    return writer.many(records if isinstance(records, list) else chain(first, drawn))


def writer_of(session: Session, table: Table, columns: Sequence[str], manner: Manner) -> Writer:
    """Give what writes such records; it is kept for the next ones."""
    key = (table.name, manner, repr(manner.rules.null), *columns)
    if key not in session.prepared:
        session.prepared[key] = Writer(session, table, columns, manner)
    found: Writer = session.prepared[key]
    return found


def _check_update(columns: Sequence[str], update: Sequence[str] | None) -> None:
    """Refuse updates from values that the records do not have."""
    lacking = [column for column in update or () if column not in columns]
    if lacking:
        raise RecordError(
            f"update= names {', '.join(lacking)}, and the records have no such key",
            fix="Add it to the records, or leave it out.",
        )


def _on_conflict(table: Table, columns: Sequence[str], manner: Manner) -> compose.Composable:
    if manner.key is None:
        return compose.SQL(" on conflict do nothing" if manner.on_conflict == "nothing" else "")
    target = table.conflict_target(manner.key)
    keys = set(table.key_columns(manner.key))
    changed = [name for name in columns if name not in keys] if manner.update is None else list(manner.update)
    if not changed:
        return compose.SQL(" on conflict {} do nothing").format(target)
    changes = [compose.SQL("{0} = excluded.{0}").format(compose.Identifier(column)) for column in changed]
    return compose.SQL(" on conflict {} do update set {}").format(target, compose.SQL(", ").join(changes))


def _returning(columns: Sequence[str]) -> compose.Composable:
    return compose.SQL(" returning {}").format(identifiers(columns)) if columns else compose.SQL("")


def _free_name(columns: Sequence[str]) -> str:
    """Give a name for the number of a record that no column has."""
    name = "n"
    while name in columns:
        name += "_"
    return name
