"""The errors of the postgresql adaptor, and the one place where those of psycopg become ours.

AdaptorError
├── DatabaseError              the server refused or failed; ``details.sqlstate`` says why
├── TableError                 a table's name can't be, or there is no such table
├── ColumnError                a column or conflict key is not the table's
├── RecordError                records can't be written: other keys, a value that its column does not take
├── TooManyRowsError           a statement gives more rows than may be read into memory
└── AmbiguousMatchError        a lookup of one row found several
"""

import re

import psycopg
from crossdock import AdaptorError, UnknownOutcomeError

from crossdock_postgresql.configuration import PostgresqlConfiguration

_COPIED = re.compile(r"^COPY .*?, line (\d+)", re.MULTILINE)
_REPEATABLE = frozenset({"40001", "40P01", "57P01", "57P02"})
_TRANSIENT = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"})
# Classes of errors whose text names objects and roles. The text of all others may hold row values.
_PLAIN_CLASSES = frozenset({"08", "25", "28", "3D", "40", "42", "53", "55", "57"})
_WAITED = re.compile(r'^while \w+ tuple \(\d+,\d+\) in relation "(.+)"$', re.MULTILINE)
_SYNTAX = "42601"
_FIXES = {
    "21000": "Give each key only once in one batch.",
    "22": "Correct the value; the column's type does not take it.",
    "23": "Correct the record; the named constraint does not take it.",
    "23503": "Write the row that it refers to first.",
    "23502": "Give the column a value.",
    "23505": "Use upsert with its columns as the key, or on_conflict='nothing'.",
    "25": "Use a role and a server that may write.",
    "28": "Check user and password of the credential.",
    "3D": "Check the database's name in the credential.",
    "42P01": "Check the table's name and schema, or create it.",
    "42P10": "Name a key that a unique constraint or index is on, or create one.",
    "42501": "Give the role of the credential the right to do this.",
    "42": "Correct the statement.",
    "40": "Run it again; another transaction was in its way.",
    "55P03": "Let the other transaction end first, or raise lock_timeout of the credential.",
    "57014": "Make the statement do less, or raise statement_timeout of the credential.",
    "57P": "Run it again when the server is there.",
    "53": "Give the server more of what it lacks, or ask it for less.",
}
_FEWER = "Use fewer at a time, or raise its max_connections."
_CHECK_SERVER = "Check host and port of the credential, and whether the server runs."
_REASONS = {
    "certificate": ("its certificate is not good", "Check host, ca, cert and key of the credential.", False),
    "password authentication failed": (
        "user or password are wrong",
        "Check user and password of the credential.",
        False,
    ),
    "not permitted to log in": (
        "this role may not log in",
        "Use a role that may, or let it: alter role … login.",
        False,
    ),
    "no password supplied": ("it asks for a password", "Add password to the credential.", False),
    "no pg_hba.conf entry": ("it lets this user in from elsewhere only", "Ask who runs the server to allow it.", False),
    "does not exist": ("there is no such database or role", "Check database and user of the credential.", False),
    "remaining connection slots": ("it has no connection left", _FEWER, True),
    "too many": ("it has no connection left", _FEWER, True),
    "starting up": ("it is starting", "Wait, and try again.", True),
    "shutting down": ("it is shutting down", "Wait, and try again.", True),
    "Connection refused": ("nothing listens there", _CHECK_SERVER, True),
    "No such file": ("there is no such socket", _CHECK_SERVER, True),
    "could not translate host name": ("the host's name is unknown", "Check host of the credential.", False),
    "failed to resolve host": ("the host's name is unknown", "Check host of the credential.", False),
    "SSL": ("no agreement on TLS", "Check sslmode of the credential, and what the server offers.", False),
    "timeout": ("no answer in time", _CHECK_SERVER, True),
}
_NO_REASON = ("the server or the credential is not right", "Check the credential, and whether the server runs.", False)


class DatabaseError(AdaptorError):
    """The server refused a statement or failed; the details hold the SQLSTATE and no row data."""

    code = "database_error"
    repeatable = False
    """Whether nothing of the transaction was kept, so that it may be done again from its beginning."""


class TableError(AdaptorError):
    """A table's name can't be, or there is no such table."""

    code = "unknown_table"
    fix = "Name a table as 'table' or 'schema.table'."


class ColumnError(AdaptorError):
    """A column or conflict key is not the table's."""

    code = "unknown_column"
    fix = "Use the names of the table's columns as the keys of a record."


class TooManyRowsError(AdaptorError):
    """A statement gives more rows than may be read into memory."""

    code = "too_many_rows"
    fix = "Ask for less, raise max_rows, or read them one by one: rows(…)."


class RecordError(AdaptorError):
    """Records can't be written as they are."""

    code = "bad_record"
    fix = "Give every record the same keys, or missing='null'."


class AmbiguousMatchError(AdaptorError):
    """A lookup of one row found several."""

    code = "ambiguous_match"
    fix = "Name more columns in where=."


class mapped:  # noqa: N801 - a context manager; as a class it costs a fifth, and every statement has one
    """Turn what psycopg raises into our errors, without row data and connection strings.

    Args:
        committing: Whether the statement is a COMMIT: if the connection breaks there, nobody
            knows whether it happened.
    """

    __slots__ = ("_committing",)

    def __init__(self, *, committing: bool = False) -> None:
        self._committing = committing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnicodeEncodeError):  # psycopg lets it through, with the text in it
            refused, cause = _half_a_character(), None
        elif isinstance(error, psycopg.Error):
            refused, cause = _adaptor_error(error, committing=self._committing), _without_rows(error)
        else:
            return
        try:
            raise refused from cause
        finally:
            refused.__context__ = refused.__cause__  # or the original would stay there, with its row


def connection_error(error: Exception, configuration: PostgresqlConfiguration) -> DatabaseError:
    """Describe a connection that could not be opened; psycopg's own text may hold the password."""
    text, place = str(error), configuration.place()
    if place is None:
        return DatabaseError(
            "the dsn of the credential is no connection string",
            fix="Write it as postgresql://user:password@host:port/database, or give host, database, user and password.",
        )
    reason, fix, transient = next((told for part, told in _REASONS.items() if part in text), _NO_REASON)
    return DatabaseError(
        f"no connection to PostgreSQL at {place}: {reason}",
        fix=fix,
        transient=transient,
        sqlstate=getattr(error, "sqlstate", None),
    )


def name_record(error: DatabaseError, record: int) -> None:
    """Name the record that an error is about, unless it does so already."""
    if "records" not in error.details:
        error.message += f"; in the record {record}"
        error.details["records"] = [record]


def _half_a_character() -> AdaptorError:
    return RecordError(
        "a value or a name has half of a surrogate pair, which is no text", fix="Repair the text where it comes from."
    )


def _adaptor_error(error: psycopg.Error, *, committing: bool) -> AdaptorError:
    lost = isinstance(error, psycopg.OperationalError) and not error.sqlstate
    if lost and "number of parameters" in str(error):
        return DatabaseError(
            "one statement takes no more than 65,535 parameters", fix="Pass them as one list: = any(%(ids)s)."
        )
    if lost and committing:
        return UnknownOutcomeError("the connection broke while the work was committed")
    return _database_error(error, lost=lost)


def _database_error(error: psycopg.Error, *, lost: bool) -> DatabaseError:
    state = error.sqlstate or ""
    diagnosis = error.diag
    facts = {
        "sqlstate": error.sqlstate,
        "table": diagnosis.table_name or _table_waited_for(diagnosis.context),
        "column": diagnosis.column_name,
        "constraint": diagnosis.constraint_name,
        "datatype": diagnosis.datatype_name,
    }
    named = ", ".join(f"{name} {value}" for name, value in facts.items() if value and name != "sqlstate")
    text = _text_of(error)
    what = "the connection to the server broke" if lost else _condition(error)
    refused = DatabaseError(
        f"PostgreSQL: {what}{f' ({state})' if state else ''}{f': {text}' if text else ''}{f'; {named}' if named else ''}",
        fix=next(
            (_FIXES[part] for part in (state, state[:3], state[:2]) if part in _FIXES), _CHECK_SERVER if lost else None
        ),
        transient=lost or state in _TRANSIENT or state[:2] == "08",
        **facts,
    )
    line = _COPIED.search(diagnosis.context or "")
    if line is not None:
        refused.message += f"; in the record {int(line[1]) - 1}"
        refused.details["records"] = [int(line[1]) - 1]
    refused.repeatable = lost or state in _REPEATABLE or state[:2] == "08"
    return refused


def _table_waited_for(context: str | None) -> str | None:
    """Give the table of which a row was waited for when a lock was not to be had."""
    waited = _WAITED.search(context or "")
    return None if waited is None else waited[1]


def _text_of(error: psycopg.Error) -> str | None:
    """Give what the server says, where that holds no row data."""
    state, diagnosis = error.sqlstate or "", error.diag
    if not state:  # psycopg's own words on placeholders and parameters, not on values
        return str(error)[:200] if isinstance(error, psycopg.ProgrammingError) else None
    if state == _SYNTAX and diagnosis.statement_position:  # the word at fault may be a value that was written into it
        return f"syntax error at character {diagnosis.statement_position} of the statement"
    return diagnosis.message_primary if state[:2] in _PLAIN_CLASSES else None


def _condition(error: psycopg.Error) -> str:
    """Give the name of an error's condition in words: ``unique violation``."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in type(error).__name__).strip()


def _without_rows(error: psycopg.Error) -> psycopg.Error | None:
    """Drop an original whose text shows a row, or a part of a statement, so that no traceback prints it."""
    state = (error.sqlstate or "")[:2]
    return error if state in _PLAIN_CLASSES and state != "42" else None
