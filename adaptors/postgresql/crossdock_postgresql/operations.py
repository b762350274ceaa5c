"""The operations of the postgresql adaptor."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from crossdock import Adaptor, Effect, Job, Operation, State, run_file

from crossdock_postgresql import statements
from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.database import Database
from crossdock_postgresql.plan import is_planned
from crossdock_postgresql.statements import Parameters

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
    "postgresql",
    configuration=PostgresqlConfiguration,
    connect=Database,
    unit=Database.unit,
    verify=Database.verify,
    renamed=_FORMERLY,
)


class WriteOptions(TypedDict, total=False):
    """What every operation that writes may be given."""

    schema: str | None
    """The schema of the table."""
    commit: bool | None
    """Whether it is committed at once, on a connection of its own, whatever becomes of the step."""
    credential: str | None
    """The credential to use."""


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
    if not statements.reads(statement) and is_planned(database, statement, parameters):
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
    if not is_planned(database, text, None):
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
        >>> from crossdock_postgresql import insert
        >>> transaction(insert("parents", {"id": 7}), insert("children", {"parent": 7}))
        postgresql.transaction(postgresql.insert(<str 7>, <dict 1>), postgresql.insert(<str 8>, <dict 1>))
    """
    with adaptor.connection.block():
        return Job(*operations)(state)
