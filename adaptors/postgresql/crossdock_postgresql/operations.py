"""The operations of the postgresql adaptor."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from crossdock import Adaptor, Effect, State

from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.database import Database
from crossdock_postgresql.errors import RecordError

adaptor = Adaptor("postgresql", configuration=PostgresqlConfiguration, connect=Database, unit=Database.unit)


class InsertOptions(TypedDict, total=False):
    """What an operation that writes records may be given."""

    returning: str | Sequence[str] | None
    """A column whose value comes back, or several."""
    missing: Literal["error", "null"] | None
    """What a key means that only other records have: ``error`` (the default) or ``null``."""
    null: Sequence[Any] | None
    """Values that are written as NULL, compared as a whole, such as ``("", "NaN")``."""
    credential: str | None
    """The credential to use."""


class UpsertOptions(InsertOptions, total=False):
    """What an operation that inserts or updates may be given."""

    update: Sequence[str] | None
    """The columns that are updated where the key is there already: all by default, ``[]`` none."""


def _sql_effect(statement: str, **_: Any) -> Effect:
    return (
        "read"
        if isinstance(statement, str) and statement.lstrip().lower().startswith(("select", "show", "values"))
        else "write"
    )


@adaptor.operation(effect=_sql_effect)
def sql(
    state: State,
    statement: str,
    parameters: Mapping[str, Any] | Sequence[Any] | None = None,
    *,
    credential: str | None = None,
) -> State:
    """Run one SQL statement with bound parameters.

    Args:
        statement: One statement; ``%(name)s`` or ``%s`` stands for a parameter.
        parameters: Their values, as a dict or a list; they never become part of the text.
        credential: The credential to use.

    Returns:
        The state with the rows (a list of dicts) in ``data``, or how many rows were changed.

    Raises:
        DatabaseError: The server refused it; ``details["sqlstate"]`` says why.

    Example:
        >>> sql("delete from visits where clinic = %(clinic)s", {"clinic": "K-7"})
        postgresql.sql(<str 44>, <dict 1>)
    """
    return state.result(adaptor.connection.run(statement, parameters))


@adaptor.operation(effect="read")
def find_value(
    state: State, table: str, column: str, *, where: Mapping[str, Any], credential: str | None = None
) -> State:
    """Look up one value.

    Args:
        table: The table, as ``table`` or ``schema.table``.
        column: The column whose value is wanted.
        where: Column → value that the row has.
        credential: The credential to use.

    Returns:
        The state with the value in ``data``; None if no row has these values.

    Raises:
        AmbiguousMatchError: Several rows have them.

    Example:
        >>> find_value("clinics", "id", where={"code": "K-7"})
        postgresql.find_value(<str 7>, <str 2>, where=<dict 1>)
    """
    return state.result(adaptor.connection.find_value(table, column, where))


@adaptor.operation(effect="write")
def insert(state: State, table: str, record: Mapping[str, Any], **options: Unpack[InsertOptions]) -> State:
    """Insert one record.

    Args:
        table: The table.
        record: Column → value.
        options: ``returning``, ``null``, ``credential``.

    Returns:
        The state with 1 in ``data``, or what ``returning`` asks for: the value of one column,
        or a dict of several.

    Example:
        >>> insert("clinics", {"code": "K-7"}, returning="id")
        postgresql.insert(<str 7>, <dict 1>, returning=<str 2>)
    """
    return state.result(_first(_write(table, [record], **options)))


@adaptor.operation(effect="write")
def insert_many(
    state: State, table: str, records: Iterable[Mapping[str, Any]], **options: Unpack[InsertOptions]
) -> State:
    """Insert records.

    Args:
        table: The table.
        records: Dicts of column → value, matched by name.
        options: ``returning``, ``missing``, ``null``, ``credential``.

    Returns:
        The state with the number of rows in ``data``, or a list of what ``returning`` asks for.

    Raises:
        ColumnError: The table lacks a column; no SQL was sent.
        RecordError: Records have different keys; it lists their indexes.

    Example:
        >>> insert_many("clinics", [{"code": "K-7"}, {"code": "K-8"}])
        postgresql.insert_many(<str 7>, <list 2>)
    """
    return state.result(_write(table, records, **options))


@adaptor.operation(effect="write")
def upsert(
    state: State, table: str, record: Mapping[str, Any], *, key: str | Sequence[str], **options: Unpack[UpsertOptions]
) -> State:
    """Insert one record, or update the row that has its key.

    Args:
        table: The table.
        record: Column → value.
        key: The column, columns or constraint that tell rows apart.
        options: ``update``, ``returning``, ``null``, ``credential``.

    Returns:
        The state with the number of rows in ``data``, or what ``returning`` asks for.

    Example:
        >>> upsert("clinics", {"code": "K-7", "name": "Kisumu"}, key="code")
        postgresql.upsert(<str 7>, <dict 2>, key=<str 4>)
    """
    return state.result(_first(_write(table, [record], key=key, **options)))


@adaptor.operation(effect="write")
def upsert_many(
    state: State,
    table: str,
    records: Iterable[Mapping[str, Any]],
    *,
    key: str | Sequence[str],
    **options: Unpack[UpsertOptions],
) -> State:
    """Insert records, or update the rows that have their keys.

    Args:
        table: The table.
        records: Dicts of column → value, matched by name; a key may stand in one of them only.
        key: The column, columns or constraint that tell rows apart.
        options: ``update``, ``returning``, ``missing``, ``null``, ``credential``.

    Returns:
        The state with the number of rows in ``data``, or a list of what ``returning`` asks for.

    Example:
        >>> upsert_many("clinics", [{"code": "K-7", "name": "Kisumu"}], key="code", update=["name"])
        postgresql.upsert_many(<str 7>, <list 1>, key=<str 4>, update=<list 1>)
    """
    return state.result(_write(table, records, key=key, **options))


def _write(
    table: str,
    records: Iterable[Mapping[str, Any]],
    *,
    key: str | Sequence[str] | None = None,
    update: Sequence[str] | None = None,
    returning: str | Sequence[str] | None = None,
    missing: str | None = None,
    null: Sequence[Any] | None = None,
    credential: str | None = None,
) -> Any:
    database = adaptor.connection
    if isinstance(records, Mapping | str) or not isinstance(records, Iterable):
        raise RecordError(
            f"the records are of type {type(records).__name__}", fix="Give a list of dicts: column → value."
        )
    columns = [returning] if isinstance(returning, str) else list(returning or ())
    written = database.write(
        table, records, key=key, update=update, returning=columns, missing=missing or "error", null=null or ()
    )
    return [row[returning] for row in written] if isinstance(returning, str) and isinstance(written, list) else written


def _first(written: Any) -> Any:
    return (written[0] if written else None) if isinstance(written, list) else written
