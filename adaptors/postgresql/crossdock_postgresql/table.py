"""Names and columns: what a statement may be made of, checked before any SQL is sent."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, LiteralString, NamedTuple

from crossdock.errors import closest
from psycopg import sql as compose

from crossdock_postgresql.errors import ColumnError, TableError

_LONGEST_NAME = 63
_SYSTEM = ("information_schema", "pg_catalog", "pg_toast")

COLUMNS: LiteralString = """
    select a.attname as name, b.typname as type, coalesce(e.typname, '') as element,
        case when t.typtype = 'd' then t.typtypmod else a.atttypmod end as modifier,
        format_type(a.atttypid, a.atttypmod) as shown, a.attgenerated <> '' as generated, n.nspname as schema,
        c.relkind in ('r', 'p') and not c.relrowsecurity as copyable
    from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
        join pg_type t on t.oid = a.atttypid
        join pg_type b on b.oid = case when t.typtype = 'd' then t.typbasetype else t.oid end
        left join pg_type e on e.oid = b.typelem and b.typcategory = 'A'
    where c.oid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
    order by a.attnum"""

CONSTRAINTS: LiteralString = """
    select c.conname as name, array_agg(a.attname::text) as columns
    from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any (c.conkey)
    where c.conrelid = to_regclass(%s) and c.contype in ('p', 'u', 'x') group by c.conname"""


class Column(NamedTuple):
    """A column as the server describes it."""

    name: str
    type: str
    """Its type's short name, such as ``int4``; of a domain that below it."""
    element: str
    """The short name of an array's element type."""
    modifier: int
    shown: str
    """Its type as people write it, such as ``numeric(10,2)``."""
    generated: bool
    """Whether the server computes it."""


class Table(NamedTuple):
    """A table as the server describes it."""

    name: str
    identifier: compose.Identifier
    columns: Mapping[str, Column]
    constraints: Callable[[], Mapping[str, list[str]]]
    """Gives the constraints that tell rows apart, and the columns of each; few jobs ask."""
    copyable: bool = True
    """Whether COPY may write it: views and tables with row security take INSERT only."""

    def check(self, columns: Iterable[str]) -> None:
        """Refuse columns that the table does not have, before any SQL is sent."""
        unknown = [column for column in columns if column not in self.columns]
        if unknown:
            close = closest(str(unknown[0]), self.columns)
            raise ColumnError(
                f"the table {self.name!r} has no column {', '.join(f'{column!r:.70}' for column in unknown)}; it has {', '.join(self.columns)}",
                fix=f"Did you mean {close!r}?" if close else None,
                table=self.name,
                unknown=[str(column)[:70] for column in unknown],
            )

    def key_columns(self, key: str | Iterable[str]) -> list[str]:
        """Give the columns of a conflict key: a column, several, or a constraint."""
        if self._is_constraint(key):
            return self.constraints()[str(key)]
        columns = [key] if isinstance(key, str) else list(key)
        self.check(columns)
        return columns

    def conflict_target(self, key: str | Iterable[str]) -> compose.Composable:
        """Give the target of ON CONFLICT: columns, or a constraint."""
        if self._is_constraint(key):
            return compose.SQL("on constraint {}").format(compose.Identifier(str(key)))
        return compose.SQL("({})").format(identifiers(self.key_columns(key)))

    def _is_constraint(self, key: str | Iterable[str]) -> bool:
        return isinstance(key, str) and key not in self.columns and key in self.constraints()


def with_parameters(statement: compose.Composable, connection: Any) -> bytes:
    """Write a statement to be run with parameters: there a ``%`` in a name stands twice."""
    if isinstance(statement, compose.Composed):
        return b"".join(with_parameters(part, connection) for part in statement)
    written = statement.as_bytes(connection)
    return written.replace(b"%", b"%%") if isinstance(statement, compose.Identifier) else written


def identifiers(names: Iterable[str]) -> compose.Composed:
    """Quote names, separated by commas."""
    return compose.SQL(", ").join(compose.Identifier(name) for name in names)


def column_identifier(name: str) -> compose.Identifier:
    """Quote the name of a new column.

    Raises:
        ColumnError: It is empty or too long: the server would cut it off.
    """
    if not _is_name(name):
        raise ColumnError(f"{name!r:.100} is no name of a column", fix=f"Use 1 to {_LONGEST_NAME} bytes and no NUL.")
    return compose.Identifier(name)


def _is_name(name: str) -> bool:
    try:
        return bool(name) and "\0" not in name and len(name.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def table_identifier(name: str, schema: str | None = None) -> compose.Identifier:
    """Quote the name of a table, of at most a schema and a table.

    Raises:
        TableError: It is empty, too long, of more than two parts, or a system's.
    """
    parts = name.split(".") if isinstance(name, str) else []
    if schema is not None:
        parts = [schema, *parts]
    if not all(map(_is_name, parts)) or len(parts) not in (1, 2):
        raise TableError(f"{name!r:.100} is no name of a table")
    if len(parts) == 2:
        check_schema(parts[0])
    return compose.Identifier(*parts)


def check_schema(schema: str) -> None:
    """Refuse the schemas of the server itself."""
    if schema.lower() in _SYSTEM:
        raise TableError(f"{schema} belongs to the server itself", fix="Use the tables of the database.")
