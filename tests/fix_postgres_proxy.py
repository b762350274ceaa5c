"""A proxy on TCP before the server of a PostgreSQL database: what can go wrong between us and it."""

import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from crossdock.testing import Postgres
from psycopg.conninfo import conninfo_to_dict, make_conninfo

_SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"


class PostgresProxy:
    """Hands on what client and server say to each other.

    ``cut_at`` cuts the connection once a client has sent these bytes and the server has answered.
    With ``tls`` the proxy speaks TLS to the client.
    """

    def __init__(self, server: str, *, tls: ssl.SSLContext | None = None, cut_at: bytes | None = None) -> None:
        parts = conninfo_to_dict(server)
        self._host, self._port = str(parts.get("host") or "localhost"), int(parts.get("port") or 5432)
        self._tls = tls
        self._cut_at = cut_at
        self._bound = socket.socket()
        self._bound.bind(("127.0.0.1", 0))
        self.dsn = make_conninfo(
            **{**parts, "host": "127.0.0.1", "port": str(self._bound.getsockname()[1]), "sslmode": "prefer"}
        )
        self._threads: list[threading.Thread] = []
        self._closed = False

    def start(self) -> "PostgresProxy":
        """Begin to listen; until then connections are refused."""
        self._bound.listen()
        self._run(self._accept)
        return self

    def close(self) -> None:
        """Stop listening, and wait for what is open."""
        self._closed = True
        with suppress(OSError):
            self._bound.shutdown(socket.SHUT_RDWR)
        self._bound.close()
        for thread in self._threads:
            thread.join(timeout=10)

    def _run(self, function: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=function, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closed:
            with suppress(OSError):
                self._run(self._serve, self._bound.accept()[0])

    def _serve(self, client: socket.socket) -> None:
        with client, self._server() as server, suppress(OSError):
            first = client.recv(65536)
            if first == _SSL_REQUEST:
                client.sendall(b"S" if self._tls else b"N")
                client = self._tls.wrap_socket(client, server_side=True) if self._tls else client
                first = client.recv(65536)
            with client:
                server.sendall(first)
                self._relay(client, server)

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        cut = False
        while True:
            waiting = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if waiting else select.select([client, server], [], [])[0]
            if client in ready:
                said = client.recv(65536)
                cut = cut or (self._cut_at is not None and self._cut_at in said.upper())
                server.sendall(said)
                if not said:
                    return
            if server in ready:
                heard = server.recv(65536)
                if cut or not heard:
                    return
                client.sendall(heard)

    def _server(self) -> socket.socket:
        if not self._host.startswith("/"):
            return socket.create_connection((self._host, self._port))
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(Path(self._host) / f".s.PGSQL.{self._port}"))
        return server


ProxyPostgres = Callable[..., PostgresProxy]


@pytest.fixture
def proxy_postgres(postgres: Postgres) -> Iterator[ProxyPostgres]:
    """Put proxies before the empty database; ``start`` lets each begin to listen."""
    proxies: list[PostgresProxy] = []

    def proxy(**options: object) -> PostgresProxy:
        proxies.append(PostgresProxy(postgres.dsn, **options))  # type: ignore[arg-type]
        return proxies[-1]

    yield proxy
    for proxy_ in proxies:
        proxy_.close()
