"""The operations of the postgresql adaptor."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict, Unpack

from crossdock import Adaptor, Effect, Job, Operation, State, run_file, stream_csv
from crossdock.scope import open_run

from crossdock_postgresql import schema as schema_module
from crossdock_postgresql import statements
from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.database import Database
from crossdock_postgresql.errors import RecordError
from crossdock_postgresql.records import Rules
from crossdock_postgresql.statements import Parameters
from crossdock_postgresql.writing import Manner, planned, write

_logger = logging.getLogger("crossdock.postgresql")

_FORMERLY = {
    "setNull": "null",
    "uuid": "column",
    "relation": "table",
    "operator": "operators",
    "values": "parameters",
    "writeSql": "--dry-run",
    "execute": "--dry-run",
}
"""What options of OpenFn's postgresql adaptor are called here."""

adaptor = Adaptor(
    "postgresql", configuration=PostgresqlConfiguration, connect=Database, unit=Database.unit, renamed=_FORMERLY
)


class WriteOptions(TypedDict, total=False):
    """What every operation that writes may be given."""

    schema: str | None
    """The schema of the table."""
    commit: bool | None
    """Whether it is committed at once, on a connection of its own, whatever becomes of the step."""
    credential: str | None
    """The credential to use."""


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


def _sql_effect(statement: str, **_: Any) -> Effect:
    return "read" if statements.reads(statement) else "write"


@adaptor.operation(effect=_sql_effect)
def sql(
    state: State,
    statement: str,
    parameters: Parameters = None,
    *,
    commit: bool = False,
    credential: str | None = None,
) -> State:
    """Run one SQL statement with bound parameters.

    Args:
        statement: One statement; ``%(name)s`` or ``%s`` stands for a parameter.
        parameters: Their values, as a dict or a list; they never become part of the text.
        commit: Whether it is committed at once, whatever becomes of the step.
        credential: The credential to use.

    Returns:
        The state with the rows (a list of dicts) in ``data``, or how many rows were changed.

    Raises:
        DatabaseError: The server refused it; ``details["sqlstate"]`` says why.

    Example:
        >>> sql("delete from visits where clinic = %(clinic)s", {"clinic": "K-7"})
        postgresql.sql(<str 44>, <dict 1>)
    """
    database = adaptor.connection
    if not statements.reads(statement) and _planned(database, statement, parameters):
        return state.result(None)
    with database.session(commit=commit) as session:
        return state.result(session.perform(lambda: statements.run(session, statement, parameters)))


@adaptor.operation(effect="write")
def script(state: State, text: str, *, commit: bool = False, credential: str | None = None) -> State:
    """Run several statements without parameters, such as a migration.

    Args:
        text: The statements; nothing from a message may stand in it.
        commit: Whether they are committed at once, whatever becomes of the step.
        credential: The credential to use.

    Returns:
        The state as it was.

    Example:
        >>> script("create table a (id int); create table b (id int)")
        postgresql.script(<str 48>)
    """
    database = adaptor.connection
    if not _planned(database, text, None):
        with database.session(commit=commit) as session:
            session.perform(lambda: statements.run_script(session, text))
    return state


@adaptor.operation(effect="read")
def query(
    state: State,
    statement: str,
    parameters: Parameters = None,
    *,
    max_rows: int = 100_000,
    credential: str | None = None,
) -> State:
    """Get the rows of a statement.

    Args:
        statement: One statement that gives rows; ``%(name)s`` or ``%s`` stands for a parameter.
        parameters: Their values, as a dict or a list.
        max_rows: The most rows; more are an error.
        credential: The credential to use.

    Returns:
        The state with a list of dicts in ``data``.

    Raises:
        TooManyRowsError: There are more rows.

    Example:
        >>> query("select * from visits where clinic = %s", ["K-7"])
        postgresql.query(<str 38>, <list 1>)
    """
    with adaptor.connection.session() as session:
        return state.result(session.perform(lambda: statements.query(session, statement, parameters, max_rows)))


@adaptor.operation(effect="read")
def rows(state: State, statement: str, parameters: Parameters = None, *, credential: str | None = None) -> State:
    """Get the rows of a statement one by one, in the memory of a few, for ``each`` or another write.

    They are read over a connection of their own, so they do not hold what this step has written.
    The result can be iterated once, in the same job.

    Args:
        statement: One statement that gives rows.
        parameters: Its values, as in ``query``.
        credential: The credential to use.

    Returns:
        The state with an iterator of dicts in ``data``.

    Example:
        >>> rows("select * from visits")
        postgresql.rows(<str 20>)
    """
    return state.result(statements.stream(adaptor.connection, statement, parameters))


@adaptor.operation(effect="read")
def find_value(
    state: State,
    table: str,
    column: str,
    *,
    where: Mapping[str, Any],
    operators: Mapping[str, str] | None = None,
    schema: str | None = None,
    credential: str | None = None,
) -> State:
    """Look up one value.

    Args:
        table: The table, as ``table`` or ``schema.table``.
        column: The column whose value is wanted.
        where: Column → value that the row has; None finds NULL, a list one of its items.
        operators: Column → how it is compared: ``= != < <= > >= like ilike``, ``contains``,
            ``starts with``; ``=`` by default.
        schema: The schema of the table.
        credential: The credential to use.

    Returns:
        The state with the value in ``data``; None if no row has these values.

    Raises:
        AmbiguousMatchError: Several rows have them.

    Example:
        >>> find_value("clinics", "id", where={"code": "K-7"})
        postgresql.find_value(<str 7>, <str 2>, where=<dict 1>)
    """
    with adaptor.connection.session() as session:
        found = session.perform(lambda: statements.find_value(session, table, column, where, operators, schema))
    return state.result(found)


@adaptor.operation(effect="read")
def lookup(
    state: State,
    table: str,
    key: str,
    values: str | Sequence[str] | None = None,
    *,
    where: Mapping[str, Any] | None = None,
    schema: str | None = None,
    credential: str | None = None,
) -> State:
    """Load a table into a dict once, to look many records up in it.

    Args:
        table: The table.
        key: The column that the dict's keys come from; they are text, as JSON has it.
        values: The column of the values, or columns for a dict of each; all by default.
        where: Column → value that the rows have.
        schema: The schema of the table.
        credential: The credential to use.

    Returns:
        The state with the dict in ``data``.

    Example:
        >>> lookup("clinics", "code", "id").into("clinics")
        postgresql.lookup(<str 7>, <str 4>, <str 2>).into(<str 7>)
    """
    with adaptor.connection.session() as session:
        return state.result(
            session.perform(lambda: statements.lookup(session, table, key, values, where or {}, schema))
        )


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
        statement, values = statements.deletion(session, table, where, operators, options.get("schema"))
        if _planned(database, statement, values):
            return state.result(None)
        return state.result(session.perform(lambda: statements.run(session, statement, values)))


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


@adaptor.operation(effect="read")
def describe_table(state: State, table: str, *, schema: str | None = None, credential: str | None = None) -> State:
    """Describe the columns of a table.

    Args:
        table: The table.
        schema: Its schema.
        credential: The credential to use.

    Returns:
        The state with one dict for each column in ``data``: ``name``, ``type``, ``required``,
        ``default``, ``identity``; an empty list if there is no such table.

    Example:
        >>> describe_table("visits")
        postgresql.describe_table(<str 6>)
    """
    with adaptor.connection.session() as session:
        return state.result(session.perform(lambda: schema_module.describe(session, table, schema)))


@adaptor.operation(effect="write")
def create_table(
    state: State, table: str, columns: Sequence[Mapping[str, Any]], **options: Unpack[WriteOptions]
) -> State:
    """Create a table if there is none of this name.

    Args:
        table: Its name.
        columns: Dicts of ``name`` and ``type``, and of ``default`` (a value), ``required``,
            ``unique``, ``identity``, ``primary_key`` what a column needs; none is no table.
        options: ``schema``, ``commit``, ``credential``.

    Returns:
        The state as it was.

    Example:
        >>> create_table("visits", [{"name": "id", "type": "int", "primary_key": True}])
        postgresql.create_table(<str 6>, <list 1>)
    """
    return _define(state, schema_module.creation, table, columns, **options)


@adaptor.operation(effect="write")
def alter_table(
    state: State, table: str, columns: Sequence[Mapping[str, Any]], **options: Unpack[WriteOptions]
) -> State:
    """Add columns to a table.

    Args:
        table: Its name.
        columns: The new columns, as in ``create_table``.
        options: ``schema``, ``commit``, ``credential``.

    Returns:
        The state as it was.

    Example:
        >>> alter_table("visits", [{"name": "note", "type": "text"}])
        postgresql.alter_table(<str 6>, <list 1>)
    """
    return _define(state, schema_module.alteration, table, columns, **options)


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


@adaptor.operation(effect="read")
def copy_to(state: State, source: str, file: str, *, schema: str | None = None, credential: str | None = None) -> State:
    """Write a table, or the rows of a SELECT, into a CSV file of the run.

    Args:
        source: The table, or a SELECT without parameters.
        file: The name of the file inside the run's folder (see ``run_file``).
        schema: The schema of the table.
        credential: The credential to use.

    Returns:
        The state with ``file`` and ``rows``, their number, in ``data``.

    Example:
        >>> copy_to("select * from visits", "visits.csv")
        postgresql.copy_to(<str 20>, <str 10>)
    """
    with adaptor.connection.session() as session:
        path = run_file(file, create=True)
        written = session.perform(lambda: statements.copy_to(session, source, path, schema))
    return state.result({"file": file, "rows": written})


@adaptor.operation(effect="write")
def transaction(state: State, *operations: Operation, credential: str | None = None) -> State:
    """Run operations that stand or fall together: what they did to this database is kept, or none of it.

    A step is one transaction by itself. This is for a function that goes on after a failure, and for
    a credential with ``commit: operation``.

    Args:
        operations: What to run; they use the same credential.
        credential: The credential to use.

    Returns:
        The state that the last one gives.

    Example:
        >>> transaction(insert("parents", {"id": 7}), insert("children", {"parent": 7}))
        postgresql.transaction(postgresql.insert(<str 7>, <dict 1>), postgresql.insert(<str 8>, <dict 1>))
    """
    with adaptor.connection.block():
        return Job(*operations)(state)


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
        rules=Rules(missing or "error", tuple(null or ()), bool(round)),
        schema=schema,
    )
    _checked(records)
    with database.session(commit=bool(commit)) as session:
        if database.dry_run:
            _plan(planned(session, table, records, manner))
            return None
        written = session.perform(
            lambda: write(session, table, records, manner, instead_of), repeatable=isinstance(records, list)
        )
    return [row[returning] for row in written] if isinstance(returning, str) and isinstance(written, list) else written


def _define(state: State, statement_of: Any, table: str, columns: Sequence[Mapping[str, Any]], **options: Any) -> State:
    """Run a statement that defines a table; no columns are no statement."""
    if not columns:
        _logger.info("there are no columns for %s", table)
        return state
    database = adaptor.connection
    with database.session(commit=bool(options.get("commit"))) as session:
        statement = session.perform(lambda: statement_of(session, table, columns, options.get("schema")))
        if not _planned(database, statement, None):
            session.perform(lambda: statements.run_script(session, statement))
    return state


def _planned(database: Database, statement: str, parameters: Parameters) -> bool:
    """List a statement in the plan of a dry run; tell whether this is one."""
    if database.dry_run:
        _plan({"statement": statements.shown(statement), "parameters": parameters})
    return database.dry_run


def _plan(entry: Mapping[str, Any]) -> None:
    run = open_run()
    if run is not None:
        run.plan_write(entry)


def _checked(records: Any) -> Iterable[Mapping[str, Any]]:
    if isinstance(records, Mapping | str | bytes) or not isinstance(records, Iterable | Iterator):
        raise RecordError(
            f"the records are of type {type(records).__name__}", fix="Give a list of dicts: column → value."
        )
    return records


def _first(written: Any) -> Any:
    return (written[0] if written else None) if isinstance(written, list) else written
