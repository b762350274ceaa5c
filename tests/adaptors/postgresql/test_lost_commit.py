"""PG-12: the connection breaks while the work is committed, at a proxy between us and the server."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from crossdock.adaptors import postgresql
from psycopg.conninfo import conninfo_to_dict, make_conninfo


class CutAtCommit:
    """A proxy that hands a COMMIT on, waits for the server's answer, and never gives it to the client."""

    def __init__(self, server: str, listening: str) -> None:
        self._server = server
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(listening)
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server)
            while request := client.recv(65536):
                server.sendall(request)
                reply = server.recv(65536)
                if b"COMMIT" in request.upper():
                    return
                client.sendall(reply)

    def close(self) -> None:
        self._listener.close()
        self._thread.join(timeout=10)


@pytest.fixture
def cut_dsn(postgres) -> Iterator[str]:
    """A way to the database through the proxy."""
    parts = conninfo_to_dict(postgres.dsn)
    if not parts["host"].startswith("/"):
        pytest.skip("the proxy speaks to a Unix socket: unset CROSSDOCK_TEST_DSN, or name a socket's folder in it")
    with TemporaryDirectory(prefix="crossdock-proxy-") as folder:
        port = parts.get("port", "5432")
        proxy = CutAtCommit(str(Path(parts["host"]) / f".s.PGSQL.{port}"), f"{folder}/.s.PGSQL.{port}")
        yield make_conninfo(**{**parts, "host": folder})
        proxy.close()


def test_pg_12_a_commit_whose_answer_is_lost_is_unknown(postgres, cut_dsn, run_job):
    postgres.execute("create table visits (id int primary key)")

    run = run_job(postgresql.insert("visits", {"id": 7}), credentials={"w": {"adaptor": "postgresql", "dsn": cut_dsn}})

    assert (run.outcome, run.error.code) == ("unknown", "unknown_outcome")
    assert postgres.execute("select id from visits") == [{"id": 7}]
