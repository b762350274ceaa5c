"""The operations that define tables."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from crossdock import State

from crossdock_postgresql import schema as schemas
from crossdock_postgresql import statements
from crossdock_postgresql.operations import WriteOptions, adaptor
from crossdock_postgresql.plan import is_planned

_logger = logging.getLogger("crossdock.postgresql")


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
        return state.result(session.perform(lambda: schemas.describe(session, table, schema)))


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
    return _define(state, schemas.creation, table, columns, **options)


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
    return _define(state, schemas.alteration, table, columns, **options)


def _define(state: State, statement_of: Any, table: str, columns: Sequence[Mapping[str, Any]], **options: Any) -> State:
    """Run a statement that defines a table; no columns are no statement."""
    if not columns:
        _logger.info("there are no columns for %s", table)
        return state
    database = adaptor.connection
    with database.session(commit=bool(options.get("commit"))) as session:
        statement = session.perform(lambda: statement_of(session, table, columns, options.get("schema")))
        if not is_planned(database, statement, None):
            session.perform(lambda: statements.run_script(session, statement))
    return state
