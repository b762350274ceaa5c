"""How long an operation may take, whatever the system does."""

import gzip
import socket
import time
from contextlib import ExitStack, contextmanager

import pytest
from crossdock import UnknownOutcomeError
from crossdock.adaptors import http
from crossdock.testing import Close, Drip, Forever, Reset, Stall, http_reply
from crossdock_http import DeadlineError, HttpConnectionError, HttpError, NoAnswerError

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"

SLOW = {
    "nothing at all": [Stall()],
    "a body that drips": [HEAD, Drip(b"x" * 100)],
    "a body that drips and stalls": [HEAD, Drip(b"xxx"), Stall()],
    "a head that drips": [Drip(HEAD)],
    "a head that stalls": [HEAD[:40], Stall()],
    "headers without end": [b"HTTP/1.1 200 OK\r\n", Drip(b"X-A: 1\r\n" * 100, every=0.02)],
    "chunks that drip": [CHUNKED, Drip(b"1\r\nx\r\n" * 100, every=0.02)],
    "interim answers that drip": [Drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 100, every=0.02)],
}


@contextmanager
def takes(least, most):
    started = time.monotonic()
    yield
    assert least <= time.monotonic() - started <= most


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW)
def test_ht_03_the_deadline_is_for_the_whole_answer(faulty_server, run_job, reply):
    credentials = {"api": {"adaptor": "http", "base_url": faulty_server(reply).url}}

    with takes(0.5, 0.6):
        run = run_job(http.get("/x", timeout=0.5), credentials=credentials)

    assert (run.outcome, type(run.error), run.error.code) == ("failed", DeadlineError, "deadline")
    assert "0.5 s" in run.error.message


def test_ht_03_a_write_that_reaches_the_deadline_may_have_happened(faulty_server, run_job):
    server = faulty_server([HEAD, Drip(b"x" * 100)])

    with takes(0.5, 0.6):
        run = run_job(
            http.post("/x", {}, timeout=0.5), credentials={"api": {"adaptor": "http", "base_url": server.url}}
        )

    assert (run.outcome, run.error.details["reason"]) == ("unknown", "deadline")


def test_ht_03_interim_answers_without_end_or_pause_end_at_the_deadline(faulty_server, run_job):
    server = faulty_server([Forever(b"HTTP/1.1 100 Continue\r\n\r\n")])

    with takes(0, 0.8):
        run = run_job(http.get("/x", timeout=0.5), credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert isinstance(run.error, NoAnswerError)


def test_ht_03_the_deadline_is_for_all_tries_together(faulty_server, run_job):
    server = faulty_server(Stall())

    with takes(0.5, 0.6):
        run = run_job(
            http.get("/x", timeout=0.5, retry=5), credentials={"api": {"adaptor": "http", "base_url": server.url}}
        )

    assert run.error.code == "deadline"


@pytest.mark.parametrize("operation", [http.stream("/x", timeout=0.4), http.download("/x", "f", timeout=0.4)])
@pytest.mark.parametrize("reply", [[Stall()], [Drip(HEAD)]], ids=["silent", "dripping"])
def test_ht_03_the_head_of_a_stream_has_a_deadline(faulty_server, run_job, operation, reply):
    server = faulty_server(reply)

    with takes(0.4, 0.5):
        run = run_job(operation, credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert isinstance(run.error, DeadlineError)


def test_ht_03_a_stream_may_take_longer_than_any_silence_in_it(faulty_server, run_job):
    lines = gzip.compress(b'{"n": 1}\n' * 3)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(lines)
    server = faulty_server([head, Drip(lines, every=0.03)])

    run = run_job(
        http.stream("/x", parse="jsonl", timeout=0.3),
        lambda s: s.result(list(s.data)),
        credentials={"api": {"adaptor": "http", "base_url": server.url}},
    )

    assert run.state.data == [{"n": 1}] * 3


def test_ht_03_a_stream_that_falls_silent_ends(faulty_server, run_job):
    server = faulty_server([HEAD + b"a\nb\n", Stall()])

    with takes(0.3, 0.6):
        run = run_job(
            http.stream("/x", timeout=0.3),
            lambda s: s.result(list(s.data)),
            credentials={"api": {"adaptor": "http", "base_url": server.url}},
        )

    assert isinstance(run.error, DeadlineError)


def test_ht_03_the_time_that_a_job_takes_is_no_silence_of_the_system(faulty_server, run_job):
    records = b"".join(b'%x\r\n{"n": %d}\n\r\n' % (9, n) for n in range(3))
    server = faulty_server([CHUNKED, records, b"0\r\n\r\n"])

    def slowly(state):
        found = []
        for record in state.data:
            time.sleep(0.3)
            found.append(record["n"])
        return state.result(found)

    run = run_job(
        http.stream("/x", timeout=0.25),
        slowly,
        credentials={"api": {"adaptor": "http", "base_url": server.url}},
    )

    assert run.state.data == [0, 1, 2]


def test_ht_03_a_redirect_does_not_begin_anew(faulty_server, run_job):
    def hop(request):
        return [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /x\r\n", Drip(b"X: 1\r\n", every=0.05), b"\r\n"]

    server = faulty_server(hop)

    with takes(0.5, 0.6):
        run = run_job(http.get("/x", timeout=0.5), credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert run.error.code == "deadline"


def test_ht_23_a_system_that_does_not_accept_is_no_connection(deaf_port, run_job):
    credentials = {"api": {"adaptor": "http", "base_url": deaf_port.url}}

    with takes(0.5, 0.6):
        run = run_job(http.post("/x", {}, timeout=0.5), credentials=credentials)

    assert (run.outcome, type(run.error), run.error.transient) == ("failed", HttpConnectionError, True)
    assert f"127.0.0.1:{deaf_port.port}" in run.error.message


def test_ht_23_a_connection_has_a_limit_of_its_own(deaf_port, run_job, monkeypatch):
    monkeypatch.setattr("crossdock_http.transport._CONNECT", 0.2)
    credentials = {"api": {"adaptor": "http", "base_url": deaf_port.url}}

    with takes(0.9, 5):  # some tries, and the pauses between them, before the deadline
        run = run_job(http.post("/x", {}, timeout=5), credentials=credentials)

    assert type(run.error) is HttpConnectionError


@pytest.fixture
def deaf_twin(httpserver):
    """An address at the server's port that accepts nobody."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.2", httpserver.port))
        listener.listen(0)
        for client in [stack.enter_context(socket.socket()) for _ in range(4)]:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield "127.0.0.2"


def test_ht_23_an_address_that_is_deaf_leaves_time_for_the_next(httpserver, run_job, monkeypatch, deaf_twin):
    httpserver.expect_request("/x").respond_with_json("there")
    look_up = socket.getaddrinfo

    def two_addresses(host, port, *args, **options):
        if host != "two.example":
            return look_up(host, port, *args, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in (deaf_twin, "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    url = f"http://two.example:{httpserver.port}"

    with takes(0.3, 0.6):
        run = run_job(http.get("/x", timeout=0.6), credentials={"api": {"adaptor": "http", "base_url": url}})

    assert run.state.data == "there"


def test_ht_23_a_pool_without_a_free_connection_is_no_connection(faulty_server, run_job, monkeypatch):
    reply = [HEAD + b"a\n", Stall()]
    server = faulty_server(reply)

    def all_of_them(state):
        streams = [http.stream("/x").result() for _ in range(100)]
        with pytest.raises(HttpConnectionError) as caught:
            http.post("/x", {}, timeout=0.3).result()
        assert len(streams) == 100
        return state.result(caught.value.message)

    run = run_job(all_of_them, credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert run.outcome == "success"
    assert f"127.0.0.1:{server.address.port}" in run.state.data
    assert server.connections == 100


def test_ht_01_a_reset_after_the_head_is_no_answer(faulty_server, run_job):
    server = faulty_server([HEAD, Reset()])
    credentials = {"api": {"adaptor": "http", "base_url": server.url}}

    read = run_job(http.get("/x", retry=1), credentials=credentials)
    reads = len(server.requests)
    wrote = run_job(http.post("/x", {}, retry=1), credentials=credentials)

    assert (read.error.code, reads) == ("connection_reset", 2)
    assert (wrote.outcome, type(wrote.error), len(server.requests)) == ("unknown", UnknownOutcomeError, reads + 1)


@pytest.mark.parametrize("operation", [http.get("/x"), http.get("/x", retry=1)])
def test_ht_01_a_read_is_repeated_only_if_the_job_says_so(faulty_server, run_job, operation):
    server = faulty_server(Close(), http_reply(b'"there"'))

    run = run_job(operation, credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert run.outcome == ("success" if len(server.requests) == 2 else "failed")
    assert not isinstance(run.error, HttpError)
