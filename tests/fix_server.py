"""A real inbox in a process of its own: uvicorn, the application, and a store in a file."""

import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

_SCRIPT = """
import asyncio, logging, socket, sys
from uvicorn import Server
from crossdock.filter import Filter
from crossdock.server.address import Address, Target
from crossdock.server.authentication import ApiKey, Basic, Hmac, StandardWebhooks
from crossdock.server.inbox import inbox
from crossdock.server.protocol import Limits, configuration
from crossdock.store.store import Store

logging.basicConfig(level="DEBUG")

class Announced(Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        print(sockets[0].getsockname()[1], flush=True)

listening = socket.create_server(("127.0.0.1", int(sys.argv[2])))
with Store("sqlite:///" + sys.argv[1], most_waiting={most_waiting}) as store:
    {setup}
    app = inbox({addresses}, store, {options})
    Announced(configuration(app, limits=Limits({limits}))).run([listening])
"""

OPEN = 'Address("open", [Target("visits", "form")])'
JSON = "Content-Type: application/json"


class Answer(NamedTuple):
    """What the server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as a JSON value."""
        return json.loads(self.body)

    @property
    def error(self) -> str | None:
        """The code of the error that it tells."""
        return self.json.get("error")


class Connection:
    """A connection on which a test sends what it likes."""

    def __init__(self, port: int, timeout: float, acknowledged: set[str]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._acknowledged = acknowledged
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has closed gets none."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answer(self, *, without_body: bool = False) -> Answer:
        """Read one answer."""
        while b"\r\n\r\n" not in self._received:
            self._read()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        self._received, length = rest, 0 if without_body else int(headers["content-length"])
        while len(self._received) < length:
            self._read()
        body, self._received = self._received[:length], self._received[length:]
        if "x-message-id" in headers:
            self._acknowledged.add(headers["x-message-id"])
        return Answer(int(line.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Wait for the server to close; nothing else may come."""
        try:
            return self._received == b"" and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        """Close it."""
        self.socket.close()

    def __enter__(self) -> "Connection":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self) -> None:
        data = self.socket.recv(65536)
        if not data:
            raise EOFError(f"the server closed after {self._received!r:.200}")
        self._received += data


def request(
    path: str, body: bytes = b"{}", *headers: str | bytes, method: str = "POST", json_type: bool = True
) -> bytes:
    """Give the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: inbox", f"Content-Length: {len(body)}".encode()]
    lines += [JSON.encode()] if json_type else []
    lines += [header.encode() if isinstance(header, str) else header for header in headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class InboxServer:
    """The server, and what it keeps.

    Args:
        script: What its process runs.
        file: The file of its store.
        prefix: What its process is started with, such as strace.
    """

    def __init__(self, script: str, file: Path, prefix: tuple[str, ...] = ()) -> None:
        self._script = script
        self._prefix = prefix
        self.file = file
        self.port = 0
        self.acknowledged: set[str] = set()
        """The ids of the messages that it said it has kept."""
        self.start()

    def start(self) -> None:
        """Start its process, on the port that it had before if there was one."""
        command = [*self._prefix, sys.executable, "-c", self._script, str(self.file), str(self.port)]
        with self.file.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline() or self._fail())

    def _fail(self) -> str:
        raise AssertionError(self.file.with_suffix(".log").read_text())

    def stop(self) -> None:
        """End its process."""
        self.process.kill()
        self.process.communicate()

    def connect(self, timeout: float = 20) -> Connection:
        """Open a connection."""
        return Connection(self.port, timeout, self.acknowledged)

    def raw(self, data: bytes) -> Answer:
        """Send bytes on a connection of their own, and read one answer."""
        with self.connect() as connection:
            connection.send(data)
            return connection.answer(without_body=data.startswith(b"HEAD"))

    def post(self, path: str, body: Any = b"{}", *headers: str | bytes, **options: Any) -> Answer:
        """Send a request, by default JSON by POST, and read its answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.raw(request(path, data, *headers, **options))

    def stored(self, source: str | None = None) -> list[dict[str, Any]]:
        """Give the messages in its store, as their rows stand there."""
        return self.rows("SELECT * FROM message WHERE source = coalesce(?, source) ORDER BY number", source)

    def runs(self) -> list[dict[str, Any]]:
        """Give the runs in its store."""
        return self.rows("SELECT * FROM run ORDER BY number")

    def rows(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Ask its store."""
        connection = sqlite3.connect(self.file)
        try:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, parameters)]
        finally:
            connection.close()

    def memory(self) -> float:
        """Give the most memory that it took so far, in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024

    def descriptors(self) -> int:
        """Give how many files and sockets it has open."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def pid(self) -> int:
        """Its process."""
        return self.process.pid

    def logged(self) -> str:
        """Give what it wrote to its log."""
        return self.file.with_suffix(".log").read_text()

    def is_well(self) -> bool:
        """Tell whether it lives, and takes the next message."""
        return self.process.poll() is None and self.post("/inbox/open", {"last": True}).status == 200


StartServer = Callable[..., InboxServer]


def script(
    addresses: str, *, limits: str = "", options: str = "", most_waiting: int | None = None, setup: str = "pass"
) -> str:
    """Give the script of a server."""
    return _SCRIPT.format(
        addresses=f"[{OPEN}, {addresses}]", limits=limits, options=options, most_waiting=most_waiting, setup=setup
    )


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start a server with addresses of one's own besides the open one, and see that it takes messages at the end."""
    with ExitStack() as stack:

        def start(addresses: str = "", *, prefix: tuple[str, ...] = (), **options: Any) -> InboxServer:
            server = InboxServer(script(addresses, **options), tmp_path / "store.db", prefix)
            stack.callback(server.stop)
            stack.callback(_assert_well, server)
            return server

        yield start


def _assert_well(server: InboxServer) -> None:
    assert server.is_well(), server.logged()


ADDRESSES = """
    Address("any", accept="any"), Address("last", duplicate_keys="last"), Address("xml", xml=True),
    Address("gzip", gzip=True), Address("off", enabled=False), Address("accepted", ack="accepted"),
    Address("off-key", methods={"key": ApiKey("right-key")}, enabled=False),
    Address("key", methods={"key": ApiKey("right-key"), "old key": ApiKey("older-key")}),
    Address("basic", methods={"basic": Basic("sync", "s3cret:pass")}),
    Address("hmac", methods={"hmac": Hmac("X-Hub-Signature-256", "hmac-secret", prefix="sha256=")}),
    Address("signed", methods={"new": StandardWebhooks("whsec_bmV3LXNlY3JldA=="), "old": StandardWebhooks("whsec_b2xkLXNlY3JldA==")}),
    Address("rotated", methods={"new": StandardWebhooks("whsec_bmV3LXNlY3JldA==")}),
    Address("schema", schema={"type": "object", "required": ["name"], "properties": {"age": {"type": "integer"}}}),
    Address("by-path", id_path="visit.id"), Address("by-header", id_header="X-Form-Id"), Address("small", max_bytes=100),
    Address("filtered", [
        Target("visits", "v7", Filter({"form": "v7"})), Target("visits", "v8", Filter({"form": "v8"})),
        Target("report", "real", Filter({"form": "v7"}, {"test": True})),
    ]),
"""


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InboxServer]:
    """A server with addresses of all kinds."""
    file = tmp_path_factory.mktemp("inbox") / "store.db"
    server = InboxServer(script(ADDRESSES, options="most_failures=10**9"), file)
    yield server
    server.stop()


@pytest.fixture
def server(shared_server: InboxServer) -> Iterator[InboxServer]:
    """A server with addresses of all kinds; after the test it takes messages, and has kept what it said and nothing else."""
    yield shared_server
    _assert_well(shared_server)
    assert {row["id"] for row in shared_server.rows("SELECT id FROM message")} == shared_server.acknowledged
