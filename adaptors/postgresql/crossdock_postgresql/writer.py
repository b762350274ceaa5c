"""Writer: records of the same columns into one table, in statements or with COPY.

Whatever the way, all of it is written or nothing, and an error names the record that it is about.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any, NamedTuple, TypeVar

from crossdock import warn
from crossdock.scope import open_run
from psycopg import sql as compose

from crossdock_postgresql.errors import DatabaseError, RecordError, mapped, name_record
from crossdock_postgresql.records import Record, Row, Rows, Rules
from crossdock_postgresql.session import Session
from crossdock_postgresql.table import Table, identifiers, with_parameters

T = TypeVar("T")
FEW = 100
"""Up to so many records statements are as fast as COPY into a temporary table (measured)."""

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
        told_apart = set(self._keys) <= set(columns) and not any(table.columns[name].element for name in self._keys)
        self._at = [columns.index(name) for name in self._keys] if told_apart else []
        self._ending = compose.SQL("").join([_on_conflict(table, columns, manner), _returning(manner.returning)])
        self._statements: dict[int, Any] = {}
        self.rows = Rows(table, columns, manner.rules)

    @property
    def statement(self) -> str:
        """The statement for one row, for people."""
        return self._inserting(1).as_string(self._session.connection)

    def few(self, records: Sequence[Record]) -> list[dict[str, Any]] | int:
        """Write records in statements of many rows each."""
        rows = list(self.rows.of(records))
        kept = self._without_duplicates(rows)
        if len(kept) > 1:
            return self._whole(lambda until: self._insert([rows[index] for index in kept[:until]]), kept)
        try:
            return self._insert([rows[kept[0]]])
        except DatabaseError as error:
            name_record(error, kept[0])
            raise

    def many(self, records: Iterable[Record]) -> int:
        """Write any number of records with COPY, in the memory of a few."""
        if self._manner.key is not None or self._manner.on_conflict != "error" or not self._table.copyable:
            return self._merge(records)
        try:
            with self._session.savepoint():
                return self._copy(self._table.identifier, self.rows.columns, self._types(), self.rows.of(records))
        except DatabaseError as error:
            if "records" in error.details or error.transient or not isinstance(records, list):
                raise
            return self._merge(records)  # which finds the record

    def _insert(self, rows: Sequence[Row]) -> list[dict[str, Any]] | int:
        written, returned = 0, list[dict[str, Any]]()
        size = max(1, min(FEW, _MOST_PARAMETERS // len(self.rows.columns)))
        for begin in range(0, len(rows), size):
            chunk = rows[begin : begin + size]
            cursor = self._session.cursor
            with mapped():
                cursor.execute(self._statement(len(chunk)), list(chain.from_iterable(chunk)))
            written += cursor.rowcount
            if self._manner.returning:
                returned += cursor.fetchall()
        return returned if self._manner.returning else written

    def _statement(self, rows: int) -> Any:
        """Give the statement that inserts so many rows; the last one is kept, since the next records are as many."""
        if rows not in self._statements:
            self._statements = {rows: with_parameters(self._inserting(rows), self._session.connection)}
        return self._statements[rows]

    def _inserting(self, rows: int) -> compose.Composed:
        row = compose.SQL("({})").format(compose.SQL(", ").join([compose.Placeholder()] * len(self.rows.columns)))
        return compose.SQL("insert into {} ({}) values {}{}").format(
            self._table.identifier, identifiers(self.rows.columns), compose.SQL(", ").join([row] * rows), self._ending
        )

    def _without_duplicates(self, rows: Sequence[Row]) -> Sequence[int]:
        """Refuse or drop records with a key that stands in another one, too; give the indexes of the others."""
        if not self._at:
            return range(len(rows))
        last: dict[Any, int] = {}
        for index, row in enumerate(rows):
            key = tuple([row[at] for at in self._at])
            before = last.get(key) if None not in key else None
            if before is not None and self._manner.duplicates != "last":
                raise self._twice(before, index)
            last[key if None not in key else index] = index
        if len(last) < len(rows):
            self._warn_of_duplicates(len(rows) - len(last))
        return sorted(last.values())

    def _types(self) -> list[str]:
        return [self._table.columns[name].type for name in self.rows.columns]

    def _copy(
        self, target: compose.Identifier, columns: Sequence[str], types: Sequence[str], rows: Iterator[Row]
    ) -> int:
        """Send rows with COPY, in the binary form where all types have one."""
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
            rows = self.rows.of(records, numbered=True)
            sent = self._copy(target, [number, *self.rows.columns], ["int4", *self._types()], rows)
            if self._manner.duplicates == "last" or self._manner.update == ():
                self._check_twice(target, n)
            try:
                written = self._whole(insert, range(sent))
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

    def _whole(self, write_until: Callable[[int], T], indexes: Sequence[int]) -> T:
        """Write all rows or none; if the server refuses them, find the first row that it refuses.

        Args:
            write_until: Writes the rows before a number.
            indexes: The index of each row's record.
        """
        try:
            with self._session.savepoint():
                return write_until(len(indexes))
        except DatabaseError as error:
            if error.transient or not indexes or error.details.get("sqlstate") == _TWICE:
                raise
            name_record(error, indexes[self._first_refused(write_until, len(indexes))])
            raise

    def _first_refused(self, write_until: Callable[[int], Any], rows: int) -> int:
        """Find the row without which the rows before it can be written, by trying half of them."""
        good, bad = 0, rows
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._is_refused(write_until, middle):
                bad = middle
            else:
                good = middle
        return good

    def _is_refused(self, write_until: Callable[[int], Any], rows: int) -> bool:
        try:
            with self._session.savepoint():
                write_until(rows)
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
