"""Requests with faults of all kinds end in an answer of the contract, and leave nothing behind. IN-38, F11."""

import hashlib
import hmac
import random
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fix_server import request

ALLOWED = {200, 202, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 422, 429, 431, 503}
MUTATIONS = 20_000
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
KEPT = re.compile(rb"x-message-id: (\w+)")


def bases():
    """Give ten requests that are right, each for another reason."""
    body = '{"form": "v7", "name": "Amina Odhiambo", "tags": ["é", {"n": 12.5e3}], "visit": {"id": 7}}'.encode()
    chunked = (
        b"POST /inbox/open HTTP/1.1\r\nHost: i\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    signature = hmac.new(b"hmac-secret", body, hashlib.sha256).hexdigest()
    return [
        request("/inbox/open", body),
        request("/inbox/filtered/extra/path?since=7&tag=a", body, "X-Form: visit"),
        request("/inbox/key", body, "X-API-Key: right-key"),
        request("/inbox/basic", body, "Authorization: Basic c3luYzpzM2NyZXQ6cGFzcw=="),
        request("/inbox/hmac", body, f"X-Hub-Signature-256: sha256={signature}"),
        request("/inbox/by-path", body, "Idempotency-Key: 7"),
        request("/inbox/xml", b"<visit id='7'><name>Amina</name></visit>", "Content-Type: text/xml", json_type=False),
        chunked + b"10\r\n" + body[:16] + b"\r\n" + b"%x\r\n" % len(body[16:]) + body[16:] + b"\r\n0\r\n\r\n",
        request("/inbox/schema", body) + request("/inbox/any", b"[1]"),
        request("/health", b"", method="GET"),
    ]


def flip(source, data, _):
    at = source.randrange(len(data))
    return data[:at] + bytes([source.randrange(256)]) + data[at + 1 :]


def cut(source, data, _):
    start, end = sorted(source.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def double(source, data, _):
    start, end = sorted(source.randrange(len(data) + 1) for _ in range(2))
    return data[:end] + data[start:end] * source.randrange(1, 4) + data[end:]


def splice(source, data, other):
    return data[: source.randrange(len(data))] + other[source.randrange(len(other)) :]


def mutations():
    """Give requests with faults, the same ones in each run."""
    source, right = random.Random(38), bases()
    for _ in range(MUTATIONS):
        data = source.choice(right)
        for _ in range(source.choice((1, 1, 2, 4))):
            data = source.choice((flip, cut, double, splice))(source, data or b" ", source.choice(right))
        yield data


def statuses(server, data):
    """Send bytes and no more, and give the status of each answer until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except OSError:  # it has closed: its answer is here
            pass
        try:
            while piece := connection.recv(65536):
                received += piece
        except ConnectionResetError:
            pass
    server.acknowledged.update(id_.decode() for id_ in KEPT.findall(received))
    return [int(status) for status in STATUS.findall(received)]


def resident(server):
    """Give the memory that the server takes now, in kB."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1])


def test_in_38_faults_of_all_kinds_end_in_an_answer_of_the_contract(server):
    if not Path("/proc/self/status").exists():
        pytest.skip("the memory of a process is read from /proc: run this on Linux")
    seen, requests = set(), list(mutations())
    with ThreadPoolExecutor(8) as pool:
        warm, rest = requests[: MUTATIONS // 4], requests[MUTATIONS // 4 :]
        seen.update(*pool.map(lambda data: statuses(server, data), warm))
        memory, descriptors = resident(server), server.descriptors()
        seen.update(*pool.map(lambda data: statuses(server, data), rest))

    assert {200, 400, 401, 404, 405, 415} <= seen <= ALLOWED
    assert resident(server) < memory * 1.05 + 2000
    assert server.descriptors() <= descriptors + 2
    assert "Traceback" not in server.logged()
    kept = {row["id"] for row in server.rows("SELECT id FROM message")}
    assert server.acknowledged <= kept
    server.acknowledged = kept  # a sender that is still sending when it is refused may miss an answer
