"""Statements that a job writes itself, and what is read with statements of ours."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg
from crossdock.errors import StateEncodingError, cut
from crossdock.state import encode
from psycopg import sql as compose
from psycopg.rows import dict_row

from crossdock_postgresql.database import Database
from crossdock_postgresql.errors import AmbiguousMatchError, DatabaseError, TooManyRowsError, mapped
from crossdock_postgresql.session import Session
from crossdock_postgresql.table import identifiers, with_parameters
from crossdock_postgresql.where import condition_of

Parameters = Mapping[str, Any] | Sequence[Any] | None
_READS = re.compile(r"(?:[\s(]|--[^\n]*(?:\n|$)|/\*.*?\*/)*(?:select|show|values|table)\b", re.IGNORECASE | re.DOTALL)
_ON_ROWS = ("SELECT", "SHOW", "INSERT", "UPDATE", "DELETE", "MERGE")
_ITERATED = 2000


def reads(statement: Any) -> bool:
    """Tell whether a statement only reads, by its first word."""
    return isinstance(statement, str) and _READS.match(statement) is not None


def run(session: Session, statement: str, parameters: Parameters = None) -> list[dict[str, Any]] | int:
    """Run one statement with bound parameters.

    Returns:
        The rows if it gives any kind of rows, else how many it changed.
    """
    with session.connection.cursor() as cursor:
        # prepare=True goes through the protocol that takes one statement only.
        cursor.execute(statement.encode(), parameters, prepare=True)
        if not (cursor.statusmessage or "").startswith(_ON_ROWS):  # it may have been an ALTER TABLE
            session.begin_afresh()
        return cursor.fetchall() if cursor.description is not None else cursor.rowcount


def run_script(session: Session, text: str) -> None:
    """Run several statements, without parameters, one after another."""
    session.connection.execute(text.encode())
    session.begin_afresh()


def query(session: Session, statement: str, parameters: Parameters, max_rows: int) -> list[dict[str, Any]]:
    """Give the rows of a statement, and refuse more than may be."""
    with session.connection.cursor() as cursor:
        cursor.execute(statement.encode(), parameters, prepare=True)
        if cursor.description is None:
            raise DatabaseError("the statement gives no rows", fix="Use sql(…) for a statement that changes rows.")
        rows = cursor.fetchmany(max_rows + 1)
    if len(rows) > max_rows:
        raise TooManyRowsError(f"the statement gives more than {max_rows} rows")
    return rows


def stream(database: Database, statement: str, parameters: Parameters) -> Iterator[dict[str, Any]]:
    """Give the rows of a statement one by one, in the memory of a few, over a connection of its own."""
    with (
        database.aside() as session,
        session.unit(),
        mapped(),
        session.connection.cursor("crossdock", row_factory=dict_row) as cursor,
    ):
        cursor.itersize = _ITERATED
        cursor.execute(statement.encode(), parameters)
        yield from cursor


def find_value(
    session: Session,
    name: str,
    column: str,
    where: Mapping[str, Any],
    operators: Mapping[str, str] | None,
    schema: str | None,
) -> Any:
    """Give the one value of a column where columns have these values, None if no row does."""
    table = session.table(name, schema)
    table.check([column])
    condition, values = condition_of(table, where, operators)
    statement = compose.SQL("select {} from {} where {} limit 2").format(
        compose.Identifier(column), table.identifier, condition
    )
    found = execute(session, statement, values).fetchall()
    if len(found) > 1:
        raise AmbiguousMatchError(f"several rows of {name!r} have that {', '.join(where) or 'condition'}")
    return found[0][column] if found else None


def lookup(
    session: Session,
    name: str,
    key: str,
    values: str | Sequence[str] | None,
    where: Mapping[str, Any],
    schema: str | None,
) -> dict[str, Any]:
    """Give a table as a dict: the text of a column → another one's value, or a dict of several."""
    table = session.table(name, schema)
    wanted = [values] if isinstance(values, str) else list(values if values is not None else table.columns)
    table.check([key, *wanted])
    condition, bound = condition_of(table, where)
    columns = identifiers(dict.fromkeys([key, *wanted]))
    statement = compose.SQL("select {} from {} where {} and {} is not null").format(
        columns, table.identifier, condition, compose.Identifier(key)
    )
    found: dict[str, Any] = {}
    for row in execute(session, statement, bound):
        text = str(row[key])
        if text in found:
            raise AmbiguousMatchError(
                f"several rows of {name!r} have the same {key}", fix="Use a column that is unique."
            )
        found[text] = row[values] if isinstance(values, str) else {column: row[column] for column in wanted}
    return found


def deletion(
    session: Session, name: str, where: Mapping[str, Any], operators: Mapping[str, str] | None, schema: str | None
) -> tuple[compose.Composed, list[Any]]:
    """Give the statement that deletes the rows that meet a condition, and its values."""
    table = session.table(name, schema)
    condition, values = condition_of(table, where, operators)
    return compose.SQL("delete from {} where {}").format(table.identifier, condition), values


def execute(session: Session, statement: compose.Composable, values: Sequence[Any]) -> psycopg.Cursor[dict[str, Any]]:
    """Run a statement of ours with bound values."""
    return session.connection.execute(with_parameters(statement, session.connection), values)


def copy_to(session: Session, source: str, file: Path, schema: str | None) -> int:
    """Write a table, or the rows of a SELECT, as CSV into a file, and give the number of rows."""
    rows = compose.SQL("({})").format(compose.SQL(source.rstrip("; \n"))) if reads(source) else None
    place = rows if rows is not None else session.table(source, schema).identifier
    if isinstance(place, compose.Identifier):
        place = compose.SQL("(select * from {})").format(place)
    statement = compose.SQL("copy {} to stdout (format csv, header true)").format(place)
    with file.open("wb") as out, session.connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for chunk in copy:
                out.write(chunk)
        return cursor.rowcount


def shown_values(values: Parameters) -> Any:
    """Give values as a plan shows them: of what is no JSON, such as bytes, the type."""
    if isinstance(values, Mapping):
        return {name: _shown_value(value) for name, value in values.items()}
    return None if values is None else [_shown_value(value) for value in values]


def _shown_value(value: Any) -> Any:
    try:
        encode(value)
    except StateEncodingError:
        return f"<{type(value).__name__}>"
    return value


def shown(statement: str) -> str:
    """Give a statement for a plan: on one line, not too long."""
    return cut(" ".join(statement.split()), 500)
