"""Names and columns: what a statement may be made of, checked before any SQL is sent."""

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString, NamedTuple

from crossdock.errors import closest
from crossdock.state import encode
from psycopg import sql as compose
from psycopg.types.json import Jsonb

from crossdock_postgresql.errors import ColumnError, RecordError, TableError

_LONGEST_NAME = 63

COLUMNS: LiteralString = """
    select a.attname, t.typname, a.attgenerated <> '' as generated
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped
    order by a.attnum"""

CONSTRAINTS: LiteralString = (
    "select conname from pg_constraint where conrelid = to_regclass(%s) and contype in ('p', 'u', 'x')"
)


class Table(NamedTuple):
    """A table as the server describes it."""

    name: str
    identifier: compose.Identifier
    columns: Mapping[str, str]
    """Column → type."""
    constraints: frozenset[str]
    generated: frozenset[str] = frozenset()
    """The columns that the server computes."""

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

    def conflict_target(self, key: str | Iterable[str]) -> compose.Composable:
        """Give the target of ON CONFLICT: columns, or a constraint."""
        if isinstance(key, str) and key in self.constraints and key not in self.columns:
            return compose.SQL("on constraint {}").format(compose.Identifier(key))
        columns = [key] if isinstance(key, str) else list(key)
        self.check(columns)
        return compose.SQL("({})").format(identifiers(columns))

    def value(self, column: str, value: Any) -> Any:
        """Give a value as it is bound for a column: dicts and lists as JSON where the column is JSON."""
        is_json = self.columns[column] in ("json", "jsonb")
        if isinstance(value, dict) and not is_json:
            raise RecordError(
                f"the column {column!r} of {self.name!r} is of type {self.columns[column]} and got a dict",
                fix="Pick a field of it, or use a jsonb column.",
            )
        return Jsonb(value, dumps=encode) if is_json and value is not None else value


def identifiers(names: Iterable[str]) -> compose.Composed:
    """Quote names, separated by commas."""
    return compose.SQL(", ").join(compose.Identifier(name) for name in names)


def table_identifier(name: str) -> compose.Identifier:
    """Quote the name of a table, of at most a schema and a table.

    Raises:
        TableError: It is empty, too long, of more than two parts, or a system's.
    """
    parts = name.split(".") if isinstance(name, str) else []
    good = all(part and "\0" not in part and len(part.encode()) <= _LONGEST_NAME for part in parts)
    if not good or len(parts) not in (1, 2):
        raise TableError(f"{name!r:.100} is no name of a table")
    if parts[0].lower() in ("information_schema", "pg_catalog", "pg_toast") and len(parts) == 2:
        raise TableError(f"{name!r} belongs to the server itself", fix="Use the tables of the database.")
    return compose.Identifier(*parts)


def same_keys(records: list[Mapping[str, Any]], missing: str) -> list[str]:
    """Give the columns of records, which all have the same keys unless missing ones are null.

    Raises:
        RecordError: It lists the records that lack keys, or are no mappings.
    """
    shapeless = [index for index, record in enumerate(records) if not isinstance(record, Mapping)]
    if shapeless:
        raise RecordError(
            f"the records {_some(shapeless)} are no dicts",
            fix="Give a list of dicts: column → value.",
            records=shapeless[:50],
        )
    columns = list(dict.fromkeys(key for record in records for key in record))
    lacking = [index for index, record in enumerate(records) if len(record) < len(columns)]
    if lacking and missing != "null":
        keys = [column for column in columns if column not in records[lacking[0]]]
        raise RecordError(
            f"the records {_some(lacking)} have fewer keys than others; the first lacks {', '.join(keys)}",
            records=lacking[:50],
        )
    if not columns and records:
        raise RecordError("the records have no keys", fix="Give dicts of column → value.")
    return columns


def _some(indexes: list[int]) -> str:
    return ", ".join(map(str, indexes[:10])) + (f" and {len(indexes) - 10} more" if len(indexes) > 10 else "")
