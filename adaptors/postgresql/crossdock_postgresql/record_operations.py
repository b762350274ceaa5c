"""The operations that write records."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Unpack

from crossdock import State, run_file, stream_csv

from crossdock_postgresql import statements
from crossdock_postgresql.errors import RecordError
from crossdock_postgresql.operations import WriteOptions, adaptor
from crossdock_postgresql.plan import is_planned, plan
from crossdock_postgresql.records import Rules
from crossdock_postgresql.writer import Manner
from crossdock_postgresql.writing import planned, write


class InsertOptions(WriteOptions, total=False):
    """What an operation that writes records may be given."""

    returning: str | Sequence[str] | None
    """A column whose value comes back, or several."""
    missing: Literal["error", "null"] | None
    """What a key means that only other records have: ``error`` (the default) or ``null``."""
    null: Sequence[Any] | None
    """Values that are written as NULL, compared as a whole, such as ``("", "NaN")``."""
    round: bool | None
    """Whether numbers are rounded to what their column keeps; by default they are refused."""


class UpsertOptions(InsertOptions, total=False):
    """What an operation that inserts or updates may be given."""

    update: Sequence[str] | None
    """The columns that are updated where the key is there already: all by default, ``[]`` none."""


@adaptor.operation(effect="write")
def insert(
    state: State,
    table: str,
    record: Mapping[str, Any],
    *,
    on_conflict: Literal["error", "nothing"] = "error",
    **options: Unpack[InsertOptions],
) -> State:
    """Insert one record.

    Args:
        table: The table.
        record: Column → value.
        on_conflict: Whether a row that is there already is an error, or left as it is (``nothing``).
        options: ``returning``, ``null``, ``round``, ``schema``, ``commit``, ``credential``.

    Returns:
        The state with the number of rows in ``data``, or what ``returning`` asks for: the value of
        one column, or a dict of several.

    Example:
        >>> insert("clinics", {"code": "K-7"}, returning="id")
        postgresql.insert(<str 7>, <dict 1>, returning=<str 2>)
    """
    return state.result(_first(_write(table, [record], on_conflict=on_conflict, **options)))


@adaptor.operation(effect="write")
def insert_many(
    state: State,
    table: str,
    records: Iterable[Mapping[str, Any]],
    *,
    on_conflict: Literal["error", "nothing"] = "error",
    **options: Unpack[InsertOptions],
) -> State:
    """Insert records: all of them or, if one can't be, none.

    Many are sent with COPY, so the records may come from a generator, in the memory of a few.

    Args:
        table: The table.
        records: Dicts of column → value, matched by name.
        on_conflict: Whether a row that is there already is an error, or left as it is (``nothing``).
        options: ``returning``, ``missing``, ``null``, ``round``, ``schema``, ``commit``,
            ``credential``.

    Returns:
        The state with the number of rows in ``data``, or a list of what ``returning`` asks for.

    Raises:
        ColumnError: The table lacks a column; no SQL was sent.
        RecordError: Records have different keys or a value that their column does not take;
            it names their indexes.
        DatabaseError: The server refused a record; ``details["records"]`` names it.

    Example:
        >>> insert_many("clinics", [{"code": "K-7"}, {"code": "K-8"}])
        postgresql.insert_many(<str 7>, <list 2>)
    """
    return state.result(_write(table, records, on_conflict=on_conflict, **options))


@adaptor.operation(effect="write")
def upsert(
    state: State, table: str, record: Mapping[str, Any], *, key: str | Sequence[str], **options: Unpack[UpsertOptions]
) -> State:
    """Insert one record, or update the row that has its key.

    Args:
        table: The table.
        record: Column → value.
        key: The column, columns or constraint that tell rows apart.
        options: ``update``, ``returning``, ``null``, ``round``, ``schema``, ``commit``,
            ``credential``.

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
    duplicates: Literal["error", "last"] = "error",
    **options: Unpack[UpsertOptions],
) -> State:
    """Insert records, or update the rows that have their keys: all of them or none.

    Args:
        table: The table.
        records: Dicts of column → value, matched by name; they may come from a generator.
        key: The column, columns or constraint that tell rows apart.
        duplicates: Whether a key that stands in several records is an ``error``, or the ``last``
            one counts, with a warning of the run.
        options: ``update``, ``returning``, ``missing``, ``null``, ``round``, ``schema``,
            ``commit``, ``credential``.

    Returns:
        The state with the number of rows in ``data``, or a list of what ``returning`` asks for.

    Example:
        >>> upsert_many("clinics", [{"code": "K-7", "name": "Kisumu"}], key="code", update=["name"])
        postgresql.upsert_many(<str 7>, <list 1>, key=<str 4>, update=<list 1>)
    """
    return state.result(_write(table, records, key=key, duplicates=duplicates, **options))


@adaptor.operation(effect="write")
def delete(
    state: State,
    table: str,
    *,
    where: Mapping[str, Any],
    operators: Mapping[str, str] | None = None,
    **options: Unpack[WriteOptions],
) -> State:
    """Delete the rows that meet a condition.

    Args:
        table: The table.
        where: Column → value that the rows have, as in ``find_value``; at least one.
        operators: Column → how it is compared, as in ``find_value``.
        options: ``schema``, ``commit``, ``credential``.

    Returns:
        The state with the number of rows in ``data``.

    Example:
        >>> delete("visits", where={"clinic": "K-7"})
        postgresql.delete(<str 6>, where=<dict 1>)
    """
    if not where:
        raise RecordError("delete has no condition", fix="Name columns in where=, or write sql('delete from …').")
    database = adaptor.connection
    with database.session(commit=bool(options.get("commit"))) as session:

        def work() -> int | None:
            statement, values = statements.deletion(session, table, where, operators, options.get("schema"))
            if is_planned(database, statement.as_string(session.connection), values):
                return None
            return statements.execute(session, statement, values).rowcount

        return state.result(session.perform(work))


@adaptor.operation(effect="write")
def replace_children(
    state: State,
    table: str,
    records: Iterable[Mapping[str, Any]],
    *,
    parent: Mapping[str, Any],
    **options: Unpack[InsertOptions],
) -> State:
    """Make records the only children of a parent: what it had is deleted, and they are inserted, or neither.

    Args:
        table: The table of the children.
        records: The children, without the columns of the parent's key.
        parent: Column → value that a child has of its parent, such as ``{"visit_id": 7}``.
        options: ``returning``, ``missing``, ``null``, ``round``, ``schema``, ``commit``,
            ``credential``.

    Returns:
        The state with the number of children in ``data``, or what ``returning`` asks for.

    Example:
        >>> replace_children("members", [{"name": "Amina"}], parent={"household_id": 7})
        postgresql.replace_children(<str 7>, <list 1>, parent=<dict 1>)
    """
    adaptor.connection  # noqa: B018 - without a run nothing else is looked at
    if not isinstance(parent, Mapping) or not parent or None in parent.values():
        raise RecordError("the parent has no key", fix="Give parent={column: value}, and no None.")
    children = [{**record, **parent} if isinstance(record, Mapping) else record for record in _checked(records)]
    return state.result(_write(table, children, instead_of=parent, **options))


@adaptor.operation(effect="write")
def copy_from(
    state: State,
    table: str,
    file: str,
    *,
    delimiter: str = ",",
    encoding: str = "utf-8",
    null: Sequence[Any] = ("",),
    **options: Unpack[WriteOptions],
) -> State:
    """Insert the rows of a CSV file of the run; its first line names the columns.

    Args:
        table: The table.
        file: The name of the file inside the run's folder (see ``run_file``).
        delimiter: What stands between two fields.
        encoding: The charset of the file.
        null: Fields that are written as NULL.
        options: ``schema``, ``commit``, ``credential``.

    Returns:
        The state with the number of rows in ``data``.

    Example:
        >>> copy_from("visits", "visits.csv", delimiter=";")
        postgresql.copy_from(<str 6>, <str 10>, delimiter=<str 1>)
    """
    adaptor.connection  # noqa: B018 - without a run nothing else is looked at
    with run_file(file).open(encoding=encoding, newline="") as lines:
        return state.result(_write(table, stream_csv(lines, delimiter=delimiter), null=null, **options))


def _write(
    table: str,
    records: Iterable[Mapping[str, Any]],
    *,
    key: str | Sequence[str] | None = None,
    update: Sequence[str] | None = None,
    on_conflict: str = "error",
    duplicates: str = "error",
    returning: str | Sequence[str] | None = None,
    missing: str | None = None,
    null: Sequence[Any] | None = None,
    round: bool | None = None,  # noqa: A002 - the word of the option
    schema: str | None = None,
    commit: bool | None = None,
    instead_of: Mapping[str, Any] | None = None,
    credential: str | None = None,
) -> Any:
    database, columns = adaptor.connection, [returning] if isinstance(returning, str) else list(returning or ())
    manner = Manner(
        key=key if isinstance(key, str) or key is None else tuple(key),
        update=None if update is None else tuple(update),
        on_conflict=on_conflict,
        returning=tuple(columns),
        duplicates=duplicates,
        rules=Rules(_missing(missing), _null(null), bool(round)),
        schema=schema,
    )
    _checked(records)
    with database.session(commit=bool(commit)) as session:
        if database.dry_run:
            for entry in session.perform(lambda: list(planned(session, table, records, manner, instead_of))):
                plan(entry)
            return None
        written = session.perform(
            lambda: write(session, table, records, manner, instead_of), repeatable=isinstance(records, list)
        )
    return [row[returning] for row in written] if isinstance(returning, str) and isinstance(written, list) else written


def _missing(missing: str | None) -> str:
    if missing not in (None, "error", "null"):
        raise RecordError(f"missing={missing!r:.40} is not known", fix="Use missing='error' or 'null'.")
    return missing or "error"


def _null(null: Any) -> tuple[Any, ...]:
    if null is None:
        return ()
    if not isinstance(null, list | tuple) or any(isinstance(value, list | dict) for value in null):
        raise RecordError("null= takes a list of plain values", fix='Give the values: null=("", "NaN").')
    return tuple(null)


def _checked(records: Any) -> Iterable[Mapping[str, Any]]:
    if type(records) is list:  # as most are
        return records
    if isinstance(records, Mapping | str | bytes) or not isinstance(records, Iterable | Iterator):
        raise RecordError(
            f"the records are of type {type(records).__name__}", fix="Give a list of dicts: column → value."
        )
    return records


def _first(written: Any) -> Any:
    return (written[0] if written else None) if isinstance(written, list) else written
