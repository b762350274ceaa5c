"""The errors of the postgresql adaptor, and the one place where those of psycopg become ours.

AdaptorError
├── DatabaseError              the server refused or failed; ``details.sqlstate`` says why
├── TableError                 a table's name can't be, or there is no such table
├── ColumnError                a column or conflict key is not the table's
├── RecordError                records can't be written: other keys, wrong shape
└── AmbiguousMatchError        a lookup of one row found several
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from crossdock import AdaptorError, UnknownOutcomeError

_TRANSIENT = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"})
# Classes of errors whose text names objects and roles. The text of all others may hold row values.
_PLAIN_CLASSES = frozenset({"08", "25", "28", "3D", "40", "42", "53", "55", "57"})
_FIXES = {
    "21000": "Give each key only once in one batch.",
    "22": "Correct the value; the column's type does not take it.",
    "23": "Correct the record; the named constraint does not take it.",
    "25": "Use a role and a server that may write.",
    "28": "Check user and password of the credential.",
    "3D": "Check the database's name in the credential.",
    "42501": "Give the role of the credential the right to do this.",
    "42": "Correct the statement.",
}


class DatabaseError(AdaptorError):
    """The server refused a statement or failed; the details hold the SQLSTATE and no row data."""

    code = "database_error"


class TableError(AdaptorError):
    """A table's name can't be, or there is no such table."""

    code = "unknown_table"
    fix = "Name a table as 'table' or 'schema.table'."


class ColumnError(AdaptorError):
    """A column or conflict key is not the table's."""

    code = "unknown_column"
    fix = "Use the names of the table's columns as the keys of a record."


class RecordError(AdaptorError):
    """Records can't be written as they are."""

    code = "bad_record"
    fix = "Give every record the same keys, or missing='null'."


class AmbiguousMatchError(AdaptorError):
    """A lookup of one row found several."""

    code = "ambiguous_match"
    fix = "Name more columns in where=."


@contextmanager
def mapped(*, committing: bool = False) -> Iterator[None]:
    """Turn what psycopg raises into our errors, without row data and connection strings.

    Args:
        committing: Whether the statement is a COMMIT: if the connection breaks there, nobody
            knows whether it happened.
    """
    try:
        yield
    except psycopg.Error as error:
        lost = isinstance(error, psycopg.OperationalError) and not error.sqlstate
        if committing and lost:
            raise UnknownOutcomeError("the connection broke while the work was committed") from _without_rows(error)
        raise _database_error(error, lost=lost) from _without_rows(error)


def connection_error(error: psycopg.Error) -> DatabaseError:
    """Describe a connection that could not be opened; psycopg's own text may hold the password."""
    text = str(error)
    reasons = {
        "password authentication failed": "user or password are wrong",
        "does not exist": "there is no such database or role",
        "Connection refused": "nothing listens there",
        "could not translate host name": "the host's name is unknown",
        "failed to resolve host": "the host's name is unknown",
        "SSL": "no agreement on TLS",
        "timeout": "no answer in time",
    }
    reason = next(
        (meaning for part, meaning in reasons.items() if part in text),
        "the connection string or the server is not right",
    )
    return DatabaseError(
        f"no connection to PostgreSQL: {reason}",
        fix="Check host, port, database, user and password of the credential, and whether the server runs.",
        transient="nothing listens" in reason or "in time" in reason,
        sqlstate=error.sqlstate,
    )


def _database_error(error: psycopg.Error, *, lost: bool) -> DatabaseError:
    state = error.sqlstate or ""
    diagnosis = error.diag
    facts = {
        "sqlstate": error.sqlstate,
        "table": diagnosis.table_name,
        "column": diagnosis.column_name,
        "constraint": diagnosis.constraint_name,
        "datatype": diagnosis.datatype_name,
    }
    named = ", ".join(f"{name} {value}" for name, value in facts.items() if value and name != "sqlstate")
    text = diagnosis.message_primary if state[:2] in _PLAIN_CLASSES else None
    if isinstance(error, psycopg.ProgrammingError) and not state:
        text = str(error)[:200]  # psycopg's own words on placeholders and parameters, not on values
    what = "the connection to the server broke" if lost else _condition(error)
    return DatabaseError(
        f"PostgreSQL: {what}{f' ({state})' if state else ''}{f': {text}' if text else ''}{f'; {named}' if named else ''}",
        fix=_FIXES.get(state) or _FIXES.get(state[:2]),
        transient=lost or state in _TRANSIENT or state[:2] == "08",
        **facts,
    )


def _condition(error: psycopg.Error) -> str:
    """Give the name of an error's condition in words: ``unique violation``."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in type(error).__name__).strip()


def _without_rows(error: psycopg.Error) -> psycopg.Error | None:
    """Drop an original whose text shows a row, so that no traceback prints it."""
    return error if (error.sqlstate or "")[:2] in _PLAIN_CLASSES else None
