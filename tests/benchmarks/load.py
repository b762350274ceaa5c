"""Senders: many connections, each of which sends the next request when the one before was answered."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from time import perf_counter
from typing import NamedTuple


class Sent(NamedTuple):
    """What came of it."""

    seconds: float
    latencies: list[float]
    statuses: Counter[bytes]


class _Sender(asyncio.Protocol):
    def __init__(self, requests: Iterator[bytes], sent: Sent, done: "asyncio.Future[None]") -> None:
        self._requests, self._sent, self._done = requests, sent, done
        self._received = b""
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._received.endswith((b"\r\n\r\n{}", b"}")):
            self._sent.latencies.append(perf_counter() - self._started)
            self._sent.statuses[self._received[9:12]] += 1
            self._received = b""
            self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._done.done():
            self._sent.statuses[b"cut"] += 1
            self._done.set_result(None)

    def _next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
        else:
            self._started = perf_counter()
            self._transport.write(request)


def request(body: bytes, *headers: str) -> bytes:
    """Give the bytes of a request."""
    lines = ["POST /inbox/visits HTTP/1.1", "Host: i", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


async def send(port: int, requests: Iterator[bytes], connections: int) -> Sent:
    """Send all requests over so many connections."""
    sent, loop = Sent(0, [], Counter()), asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(connections)]
    started = perf_counter()
    for end in ends:
        await loop.create_connection(lambda end=end: _Sender(requests, sent, end), "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return sent._replace(seconds=perf_counter() - started)
