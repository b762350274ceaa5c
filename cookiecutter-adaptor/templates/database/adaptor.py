"""What a credential holds, how to connect, and the operations.

It works with SQLite as it is: put the driver of {{ cookiecutter.system_name }} in its place.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from crossdock import Adaptor, AdaptorError, State
from pydantic import BaseModel, ConfigDict, Field


class Configuration(BaseModel):
    """What a credential for {{ cookiecutter.system_name }} holds."""

    model_config = ConfigDict(hide_input_in_errors=True)  # an input may hold secrets

    database: str = Field(description="The file of the database.")
    timeout: float = Field(10.0, gt=0, description="Seconds to wait for others who write.")


class RefusedError(AdaptorError):
    """{{ cookiecutter.system_name }} refused a statement, or can't be reached."""

    code = "{{ cookiecutter.__module }}_error"
    fix = "Check the names of the table and its columns, and the database of the credential."


class Session:
    """One connection. What a unit of work did stands or falls together: a transaction, inside it savepoints."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._depth = 0

    def __enter__(self) -> Self:
        known = self._configuration
        with _mapped():  # no transaction but those of units; threads use the session one after another
            self._connection = sqlite3.connect(
                known.database, timeout=known.timeout, isolation_level=None, check_same_thread=False
            )
        self._connection.row_factory = sqlite3.Row
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def verify(self) -> str:
        """Read from the database, and say which one it is."""
        self.rows("SELECT count(*) FROM sqlite_master")
        return self._configuration.database

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Do one unit of work: keep all that it did, or nothing if it fails."""
        name, self._depth = f"unit_{self._depth}", self._depth + 1
        try:
            self.rows(f"SAVEPOINT {name}")
            try:
                yield
            except BaseException:
                self.rows(f"ROLLBACK TO {name}")
                raise
            finally:
                self.rows(f"RELEASE {name}")
        finally:
            self._depth -= 1

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run a statement, and give its rows."""
        with _mapped():
            return [dict(row) for row in self._connection.execute(statement, values or {})]


@contextmanager
def _mapped() -> Iterator[None]:
    """Raise errors of the driver as errors of this adaptor; SQLite puts no values into its messages."""
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise RefusedError(f"{{ cookiecutter.system_name }} refused: {error}") from error


adaptor = Adaptor(
    "{{ cookiecutter.__module }}",
    configuration=Configuration,
    connect=Session,
    unit=Session.unit,
    verify=Session.verify,
)


@adaptor.operation(effect="read")
def find(state: State, table: str, where: Mapping[str, Any] | None = None, *, credential: str | None = None) -> State:
    """Find the rows of a table.

    Args:
        table: Its name.
        where: The columns that must have these values, such as ``{"village": "Kisiwa"}``; all rows without it.
        credential: Which credential, where a job has several for {{ cookiecutter.system_name }}.

    Returns:
        The state with a list of rows in ``data``, each a dict by column.

    Raises:
        RefusedError: There is no such table or column, or no connection.

    Example:
        >>> find("people", {"village": "Kisiwa"})
        {{ cookiecutter.__module }}.find(<str 6>, <dict 1>)
    """
    terms = [f"{_quoted(column)} IS :{_place(place)}" for place, column in enumerate(where or {})]
    condition = f" WHERE {' AND '.join(terms)}" if terms else ""
    statement = f"SELECT * FROM {_quoted(table)}{condition}"  # noqa: S608 (names are quoted, values are bound)
    return state.result(adaptor.connection.rows(statement, _bound(where or {})))


@adaptor.operation(effect="write")
def insert(state: State, table: str, record: Mapping[str, Any], *, credential: str | None = None) -> State:
    """Insert one row.

    Args:
        table: The name of the table.
        record: The values of the row by column.
        credential: Which credential, where a job has several for {{ cookiecutter.system_name }}.

    Returns:
        The state with the row as it is stored in ``data``.

    Raises:
        RefusedError: There is no such table or column, the row is refused, or there is no connection.

    Example:
        >>> insert("people", {"name": "Amina"})
        {{ cookiecutter.__module }}.insert(<str 6>, <dict 1>)
    """
    columns = ", ".join(map(_quoted, record))
    places = ", ".join(f":{_place(place)}" for place in range(len(record)))
    statement = f"INSERT INTO {_quoted(table)} ({columns}) VALUES ({places}) RETURNING *"  # noqa: S608
    return state.result(adaptor.connection.rows(statement, _bound(record))[0])


def _quoted(name: str) -> str:
    """Give a name as SQL takes it, whatever characters it has."""
    if not name or "\0" in name:
        raise RefusedError(
            "the name of a table or column is empty or holds a NUL", fix="Check where the name comes from."
        )
    return '"' + name.replace('"', '""') + '"'


def _place(place: int) -> str:
    return f"v{place}"


def _bound(values: Mapping[str, Any]) -> dict[str, Any]:
    return {_place(place): value for place, value in enumerate(values.values())}