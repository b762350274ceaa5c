"""What it costs to keep messages before they are acknowledged, beside a server that keeps nothing.

Fifty connections send one request after another. Ours is ``crossdock serve``, which syncs before each
answer; bare is a Starlette application that reads the body and answers. The rate at which the bare disk
syncs is given too: it is what a store would reach that synced for each message alone.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import repeat
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

from crossdock.store.records import Search
from figure import Figure, part
from fix_serve import Served
from load import Sent, request, send
from served import WAITS, cpu, memory, one_step, project

CONNECTIONS = 50
LEAST = 0.35
"""The part of the bare server's rate that is the goal."""

_TURNS = 3
_BARE = """
import socket
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

async def take(request):
    await request.body()
    return Response(b"{}", media_type="application/json")

app = Starlette(routes=[Route("/inbox/visits", take, methods=["POST"])])
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
Server(Config(app, log_level="warning", access_log=False)).run([listening])
"""


def figures() -> Iterator[Figure]:
    """Measure."""
    with project(one_step(), load=WAITS) as served, bare_server() as bare:
        server = served.start()
        port = _port(served)
        pids = (bare[1], server.process.pid)
        answered = 0
        for name, size, number in (("1 KB", 1_000, 10_000), ("50 KB", 50_000, 6_000)):
            ours, *shown = beside(served, (bare[0], port), pids, name, size, number)
            answered += ours
            yield from shown
        with served.store() as store:
            stored = sum(1 for _ in store.history.messages(Search()))
        yield Figure(
            "F1",
            "messages stored of those that were answered",
            "all",
            f"{stored:,}",
            stored == answered,
            f"{answered:,}",
            "200s that the client counted",
        )
        peak = memory(server.process.pid, "VmHWM")
        yield Figure(
            "F9",
            "memory of the server under F4",
            "< 120 MB",
            f"{peak:.0f} MB",
            peak < 120,
            f"{answered:,}",
            "/proc",
            gates=False,
        )
        yield under_attack(port)
    yield repeats()


def beside(
    served: Served, ports: tuple[int, int], pids: tuple[int, int], name: str, size: int, number: int
) -> tuple[int, Figure, Figure]:
    """Send messages of one size to both servers, in turns."""
    body = message(size)

    def once(to: int, count: int) -> Sent:
        return asyncio.run(send(to, repeat(request(body), count), CONNECTIONS))

    warm = [once(to, 200) for to in ports]
    before = [cpu(pid) for pid in pids]
    turns = [(once(ports[0], number), once(ports[1], number)) for _ in range(_TURNS)]
    spent = [(cpu(pid) - then) / (_TURNS * number) * 1000 for pid, then in zip(pids, before, strict=True)]
    ours = [of_ours for _, of_ours in turns]
    ratio = median(of_bare.seconds / of_ours.seconds for of_bare, of_ours in turns)
    rate, bare_rate = number / median(one.seconds for one in ours), number / median(one.seconds for one, _ in turns)
    late, kept = [latency for one in ours for latency in one.latencies], sum(one.statuses[b"200"] for one in ours)
    wrong, n = _TURNS * number - kept, f"{_TURNS} × {number:,}"
    p50, p99 = (f"{part(late, of) * 1000:.0f}" for of in (0.5, 0.99))
    costs = f"{spent[1]:.2f} of {spent[0]:.2f} ms of a processor each"
    got = f"{ratio:.2f} × ({rate:.0f} of {bare_rate:.0f}/s, {costs}; the disk syncs {syncs(served.folder):.0f}/s)"
    what = f"intake of {name}, 50 connections, synced before the answer, beside the same without a store"
    first = Figure("F4", what, f"≥ {LEAST} ×", got, ratio >= LEAST, n, "the client's clock")
    what = f"the same: rate, median and 99 % of the answers, others than 200 ({name})"
    got = f"{rate:.0f}/s, {p50} ms, {p99} ms, {wrong}"
    met = rate >= 500 and part(late, 0.99) < 0.15 and not wrong
    second = Figure("F4", what, "≥ 500/s, < 150 ms, 0", got, met, n, "the client's clock", gates=bool(wrong))
    return kept + warm[1].statuses[b"200"], first, second


def under_attack(port: int) -> Figure:
    """Send as others do, while slow and oversized requests come too."""

    async def attacked() -> Sent:
        slow = [asyncio.create_task(_slow(port)) for _ in range(400)]
        large = [asyncio.create_task(_large(port)) for _ in range(20)]
        await asyncio.sleep(1)
        sent = await send(port, _paced(), 10)
        for task in (*slow, *large):
            task.cancel()
        return sent

    sent = asyncio.run(attacked())
    got = f"99 % within {part(sent.latencies, 0.99) * 1000:.0f} ms, {dict(sent.statuses)}".replace("b'", "'")
    met = part(sent.latencies, 0.99) < 0.25 and set(sent.statuses) == {b"200"}
    what = "good senders beside 400 slow ones and 20 that send 10 MB + 1"
    n = f"{len(sent.latencies):,}"
    return Figure("F5", what, "99 % < 250 ms", got, met, n, "the client's clock", gates=set(sent.statuses) != {b"200"})


def _paced() -> Iterator[bytes]:
    """Give requests for half a minute."""
    ends = perf_counter() + 30
    while perf_counter() < ends:
        yield request(b'{"id": 1}')


async def _slow(port: int) -> None:
    """Send a header byte by byte, again and again."""
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            for byte in b"POST /inbox/visits HTTP/1.1\r\nHost: slow":
                writer.write(bytes([byte]))
                await asyncio.sleep(0.5)
            writer.close()


async def _large(port: int) -> None:
    """Send a body that is one byte over the limit, again and again."""
    head = b"POST /inbox/visits HTTP/1.1\r\nHost: i\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
    while True:
        with suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            for _ in range(41):
                if not writer.transport.is_closing():  # it was refused
                    writer.write(piece)
                    await writer.drain()
            writer.close()


def repeats() -> Figure:
    """Send messages of which a third came before, and count the runs."""
    number, chance = 10_000, random.Random(1)
    different = number * 7 // 10
    ids = [*range(different), *(chance.randrange(different) for _ in range(number - different))]
    chance.shuffle(ids)
    requests = (request(b'{"id": %d}' % id_, f"webhook-id: message-{id_}") for id_ in ids)
    with project(one_step(), load=WAITS) as served:
        served.start()
        sent = asyncio.run(send(_port(served), requests, CONNECTIONS))
        runs = len(served.runs())
    got = f"{runs:,} runs for {different:,} ids, {sent.statuses[b'200']:,} answers 200"
    met = runs == different and sent.statuses[b"200"] == number
    what = "one run for each webhook-id, 30 % repeated, 50 connections"
    return Figure("F16", what, "1 each", got, met, f"{number:,}", "the ids that were sent")


def message(size: int) -> bytes:
    """Give a message of about so many bytes: a visit with as many observations as fit."""
    seen = {"at": "2024-05-02T10:00:00+03:00", "code": "8480-6", "unit": "mmHg", "by": "Amina Odhiambo", "final": True}
    seen |= {"note": None, "method": "left arm, sitting, after five minutes of rest"}
    rows = [{**seen, "id": number, "value": 117.5} for number in range(size // 205)]
    return json.dumps({"form": "visit", "observations": rows}).encode()


@contextmanager
def bare_server() -> Iterator[tuple[int, int]]:
    """Run the server that keeps nothing in a process of its own, and give its port and its process id."""
    with subprocess.Popen([sys.executable, "-c", _BARE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
        process.kill()


def syncs(folder: Path, seconds: float = 1.0) -> float:
    """Give how often in a second the disk syncs 1 KB."""
    count, started = 0, perf_counter()
    with (folder / "synced").open("wb", buffering=0) as file:
        while perf_counter() - started < seconds:
            file.write(b"x" * 1024)
            os.fdatasync(file.fileno())
            count += 1
    return count / (perf_counter() - started)


def _port(served: Served) -> int:
    return int(urlsplit(served.address).port or 0)
