"""What it costs to keep messages before they are acknowledged, beside the same server that keeps nothing.

Fifty connections send one request after another. Ours is the inbox with its store, which syncs before
each answer; bare is a Starlette application that reads the body and answers. The rate at which the bare
disk syncs is printed too: it is what a store would reach that synced for each message alone.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

from case import Case, measure

CONNECTIONS = 50
LEAST = 0.35
"""The part of the bare server's rate that is the goal."""

_SERVER = """
import socket, sys
from uvicorn import Config, Server
{application}
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
Server(configuration).run([listening])
"""

BARE = _SERVER.format(
    application="""
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

async def take(request):
    await request.body()
    return Response(b"{}", media_type="application/json")

app = Starlette(routes=[Route("/inbox/visits", take, methods=["POST"])])
configuration = Config(app, log_level="warning", access_log=False)
"""
)

OURS = _SERVER.format(
    application="""
from crossdock.server.address import Address, Target
from crossdock.server.inbox import inbox
from crossdock.server.protocol import configuration as protocol
from crossdock.store.store import Store

store = Store("sqlite:///" + sys.argv[1])
configuration = protocol(inbox([Address("visits", [Target("visits", "form")])], store))
"""
)


class Sender(asyncio.Protocol):
    """One connection, which sends the next request when the one before was answered."""

    def __init__(self, request: bytes, left: list[int], done: "asyncio.Future[None]") -> None:
        self._request, self._left, self._done = request, left, done
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        """Take an answer, which must be that it was kept."""
        self._received += data
        if self._received.endswith(b"\r\n\r\n{}"):
            assert self._received.startswith(b"HTTP/1.1 200"), self._received
            self._received = b""
            self._next()

    def _next(self) -> None:
        if self._left[0] > 0:
            self._left[0] -= 1
            self._transport.write(self._request)
        else:
            self._transport.close()
            self._done.set_result(None)


def message(size: int) -> bytes:
    """Give a message of about so many bytes: a visit with as many observations as fit."""
    seen = {"at": "2024-05-02T10:00:00+03:00", "code": "8480-6", "unit": "mmHg", "by": "Amina Odhiambo", "final": True}
    seen |= {"note": None, "method": "left arm, sitting, after five minutes of rest"}
    rows = [{**seen, "id": number, "value": 117.5} for number in range(size // 230)]
    return json.dumps({"form": "visit", "observations": rows}).encode()


async def send(port: int, number: int, size: int) -> float:
    """Send messages, and give the seconds that it took."""
    body = message(size)
    head = f"POST /inbox/visits HTTP/1.1\r\nHost: i\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop, left, started = asyncio.get_running_loop(), [number], perf_counter()
    ends = [loop.create_future() for _ in range(CONNECTIONS)]
    for end in ends:
        await loop.create_connection(lambda end=end: Sender(head.encode() + body, left, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return perf_counter() - started


@contextmanager
def server(script: str, folder: str) -> Iterator[int]:
    """Run a server in a process of its own, and give its port."""
    command = [sys.executable, "-c", script, str(Path(folder) / "store.db")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def sending(port: int, number: int, size: int) -> Callable[[], float]:
    """Time one message, as the mean over many."""
    return lambda: asyncio.run(send(port, number, size)) / number


def syncs(folder: str, seconds: float = 1.0) -> float:
    """Give how often in a second the disk syncs 1 KB."""
    count, started = 0, perf_counter()
    with (Path(folder) / "synced").open("wb", buffering=0) as file:
        while perf_counter() - started < seconds:
            file.write(b"x" * 1024)
            os.fdatasync(file.fileno())
            count += 1
    return count / (perf_counter() - started)


def main() -> int:
    """Measure small and large messages; the exit code says whether a limit was passed."""
    over = False
    with tempfile.TemporaryDirectory() as folder, server(BARE, folder) as bare, server(OURS, folder) as ours:
        sleep(1)
        for name, size, number in (("1 KB", 1_000, 4_000), ("50 KB", 50_000, 1_500)):
            for port in (bare, ours):
                sending(port, 200, size)()
            case = Case(
                f"keeping a message of {name}", sending(bare, number, size), sending(ours, number, size), 1 / LEAST, 5
            )
            result = measure(case)
            over |= result.ratio > case.limit
            print(f"{result}; {1 / result.ours:.0f} a second, {1 / result.bare:.0f} bare, {syncs(folder):.0f} syncs")
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
