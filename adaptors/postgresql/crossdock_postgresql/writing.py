"""Records into a table: in statements while they are few, with COPY when they are many."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from crossdock_postgresql.errors import RecordError
from crossdock_postgresql.records import Record, columns_of
from crossdock_postgresql.session import Session
from crossdock_postgresql.statements import deletion, execute, shown, shown_values
from crossdock_postgresql.table import Table
from crossdock_postgresql.writer import FEW, Manner, Writer

_logger = logging.getLogger("crossdock.postgresql")


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
        execute(session, *deletion(session, name, instead_of, None, manner.schema))
        return _written(session, name, records, manner)


def planned(
    session: Session,
    name: str,
    records: Iterable[Record],
    manner: Manner,
    instead_of: Mapping[str, Any] | None = None,
) -> Iterator[dict[str, Any]]:
    """Check records as writing them would, and describe that for the plan of a dry run."""
    whole = list(records)
    table = session.table(name, manner.schema)
    if instead_of is not None:
        statement, values = deletion(session, name, instead_of, None, manner.schema)
        yield {"statement": shown(statement.as_string(session.connection)), "parameters": shown_values(values)}
    if not whole:
        return
    writer = Writer(session, table, columns_of(whole, manner.rules), manner)
    rows = list(writer.rows.of(whole))
    yield {"statement": writer.statement, "rows": len(rows), "sample": shown_values(whole[0])}


def _written(session: Session, name: str, records: Iterable[Record], manner: Manner) -> list[dict[str, Any]] | int:
    drawn = iter(records)
    first = list(drawn) if manner.returning else list(islice(drawn, FEW + 1))
    more = not manner.returning and len(first) > FEW
    table = session.table(name, manner.schema)
    if not first:
        _logger.info("there are no records for %s", name)
        return [] if manner.returning else 0
    whole = records if isinstance(records, list) else None
    known = whole if whole is not None and manner.rules.missing == "null" else first
    writer = writer_of(session, table, columns_of(known, manner.rules, more=more), manner)
    if not more:
        return writer.few(first)
    try:
        return writer.many(chain(first, drawn) if whole is None else whole)
    except RecordError:
        if whole is not None:
            columns_of(whole, manner.rules)  # names all records that lack a key, if it was that
        raise


def writer_of(session: Session, table: Table, columns: Sequence[str], manner: Manner) -> Writer:
    """Give what writes such records; it is kept for the next ones."""
    # With the types of null=, since 1 and True are equal.
    key = (table.name, manner, *map(type, manner.rules.null), *columns)
    if key not in session.prepared:
        session.prepared[key] = Writer(session, table, columns, manner)
    found: Writer = session.prepared[key]
    return found
