"""HT-28 and F12: an exchange is cut at every byte, and ends truthfully and in time.

One client makes all the exchanges of a test, each after one that broke: its pool is put to the test as well.
"""

import json
import re
import socket
import time
from typing import Any, NamedTuple

import pytest
from crossdock import CrossdockError
from crossdock.adaptors import http
from crossdock.testing import Close, Reset, Stall, TcpProxy, http_reply
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

TIMEOUT = 2.0
PERSON = {"name": "Amina Okello", "born": "1994-03-02", "clinic": "Kisumu East Hospital", "phone": "+254 700000000"}
ANSWER = {"id": 4711, "done": True}
OPERATIONS = {"get": http.get("/people/7"), "post": http.post("/people", PERSON)}


class Exchange(NamedTuple):
    """What came of a request, how often the server handled it, and what passed."""

    outcome: str
    data: Any
    seconds: float
    handled: int
    passed: dict[str, int]


class Exchanges:
    """Makes exchanges of one operation through a proxy, in a run."""

    def __init__(self, server: HTTPServer, proxy: TcpProxy, operation: Any) -> None:
        self.proxy = proxy
        self.bodies: list[bytes] = []
        self._server = server
        self._operation = operation
        server.expect_request(re.compile("/people.*")).respond_with_handler(self._handle)
        server.expect_request("/done").respond_with_data("")

    def make(self) -> Exchange:
        """Make one; it is over when the server, too, is done with it."""
        handled, sent, received = len(self.bodies), self.proxy.sent, self.proxy.received
        started = time.monotonic()
        try:
            outcome, data = "success", self._operation.result()
        except CrossdockError as error:
            outcome, data = error.outcome, None
        seconds = time.monotonic() - started
        self._wait_for_the_server()
        passed = {"request": self.proxy.sent - sent, "response": self.proxy.received - received}
        return Exchange(outcome, data, seconds, len(self.bodies) - handled, passed)

    def _handle(self, request: Request) -> Response:
        self.bodies.append(request.get_data())
        return Response(json.dumps(ANSWER), content_type="application/json")

    def _wait_for_the_server(self) -> None:
        """Ask it something else: it takes one connection after the other."""
        with socket.create_connection((self._server.host, self._server.port), timeout=10) as client:
            client.sendall(b"GET /done HTTP/1.0\r\n\r\n")
            assert b" 200 " in client.recv(100)


@pytest.mark.parametrize("cut", [Close(), Reset()], ids=["fin", "rst"])
@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize("method", OPERATIONS)
def test_ht_28_and_f12_cut_at_every_byte_nothing_untrue_is_said_and_nothing_hangs(
    httpserver, tcp_proxy, run_job, method, direction, cut
):
    proxy = tcp_proxy(httpserver.host, httpserver.port, cut=cut)
    exchanges = Exchanges(httpserver, proxy, OPERATIONS[method])
    made: list[Exchange] = []

    def make_all(state):
        made.append(exchanges.make())
        for offset in range(made[0].passed[direction] + 1):
            setattr(proxy, f"cut_{direction}_at", offset)
            made.append(exchanges.make())
        return state

    run = run_job(make_all, credentials={"api": {"adaptor": "http", "base_url": proxy.url, "timeout": TIMEOUT}})
    whole, *parts, last = made

    assert run.outcome == "success"
    assert (whole.outcome, whole.data, whole.handled) == ("success", ANSWER, 1)
    assert len(exchanges.bodies[0]) == (100 if method == "post" else 0)
    # The cuts were where they were to be, and nothing was sent again.
    assert [exchange.passed[direction] for exchange in (*parts, last)] == list(range(len(parts) + 1))
    assert proxy.cuts == len(parts) + 1
    assert max(exchange.handled for exchange in made) == 1
    assert max(exchange.seconds for exchange in made) < TIMEOUT + 0.6
    assert {exchange.outcome for exchange in parts} <= ({"failed"} if method == "get" else {"failed", "unknown"})
    if method == "post":
        assert [exchange for exchange in made if exchange.outcome == "failed" and exchange.handled] == []
    if direction == "response":
        assert {exchange.handled for exchange in made} == {1}
        assert (last.outcome, last.data) == ("success", ANSWER)
    else:
        assert last.outcome != "success"


@pytest.mark.parametrize("at", [{"cut_request_at": n} for n in (0, 50)] + [{"cut_response_at": n} for n in (0, 8, 70)])
@pytest.mark.parametrize(("method", "outcome"), [("get", "failed"), ("post", "unknown")])
def test_f12_an_exchange_that_stalls_ends_at_its_deadline(faulty_server, tcp_proxy, run_job, method, outcome, at):
    server = faulty_server(http_reply(json.dumps(ANSWER).encode()))
    proxy = tcp_proxy(*server.address, cut=Stall(), **at)

    started = time.monotonic()
    run = run_job(OPERATIONS[method], credentials={"api": {"adaptor": "http", "base_url": proxy.url, "timeout": 0.2}})

    assert (run.outcome, proxy.cuts) == (outcome, 1)
    assert 0.2 <= time.monotonic() - started < 0.8
