"""HTTP as strangers send it: lengths, deadlines and framing, over raw sockets. IN-12 to IN-19, T1, T4."""

import socket
import threading
import time
from statistics import quantiles

import pytest
from crossdock.server.protocol import Limits
from fix_server import JSON, request

LIMIT = 10_485_760
HEAD = f"POST /inbox/open HTTP/1.1\r\nHost: inbox\r\n{JSON}\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def padded(size):
    """Give JSON of so many bytes."""
    return b'{"text":"' + b"x" * (size - 11) + b'"}'


def test_in_12_a_body_may_have_the_limit_and_no_byte_more(server):
    kept = server.post("/inbox/open", padded(LIMIT))
    before = server.memory()
    refused = server.post("/inbox/open", padded(LIMIT + 1))

    assert kept.status == 200
    assert (refused.status, refused.error, refused.json["limit_bytes"]) == (413, "too_large", LIMIT)
    assert "max_bytes" in refused.json["fix"]
    assert server.memory() - before < 40


def test_in_13_a_length_over_the_limit_is_refused_before_the_body_comes(server):
    with server.connect() as connection:
        started = time.perf_counter()
        connection.send(HEAD + b"Content-Length: 11000000000\r\n\r\n")
        answer = connection.answer()

        assert time.perf_counter() - started < 0.1
        assert (answer.status, answer.error, answer.headers["connection"]) == (413, "too_large", "close")
        assert connection.is_closed()


def test_in_13_who_asks_before_sending_is_refused_without_being_told_to_go_on(server):
    answer = server.raw(HEAD + b"Content-Length: 11000000000\r\nExpect: 100-continue\r\n\r\n")

    assert answer.status == 413


def test_in_15_a_chunked_body_is_counted(server):
    before, chunk = server.memory(), b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    with server.connect() as connection:
        connection.send(CHUNKED)
        sent = 0
        while sent < 100 * LIMIT:  # the server ends this long before
            try:
                connection.socket.sendall(chunk)
            except (BrokenPipeError, ConnectionResetError):
                break
            sent += 65_536
        answer = connection.answer()

    assert (answer.status, answer.error) == (413, "too_large")
    assert sent < LIMIT + 8 * 1024 * 1024  # what the kernel keeps of what nobody reads
    assert server.memory() - before < 40


def test_in_15_a_chunk_that_is_none_is_refused(server):
    with server.connect() as connection:
        connection.send(CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n")
        answer = connection.answer()

        assert (answer.status, answer.error) == (400, "invalid_http")
        assert connection.is_closed()


def test_in_15_a_chunked_body_without_its_end_is_refused(server):
    with server.connect() as connection:
        connection.send(CHUNKED + b"2\r\n{}\r\n")
        connection.socket.shutdown(socket.SHUT_WR)
        answer = connection.answer()

    assert (answer.status, answer.error) == (400, "invalid_http")


def test_chunks_of_one_byte_are_refused_before_they_keep_the_server_busy(server):
    answer = server.raw(CHUNKED + b"1\r\nx\r\n" * 200_000)

    assert (answer.status, answer.error) == (400, "invalid_http")


def test_in_17_half_a_body_is_thrown_away(server):
    before = server.logged().count("before the end of its body")
    with server.connect() as connection:
        connection.send(HEAD + b"Content-Length: 1000\r\n\r\n" + b"x" * 500)

    assert server.post("/inbox/open").status == 200  # the other end was seen by then
    assert server.logged().count("before the end of its body") == before + 1


@pytest.mark.parametrize(
    ("data", "status", "code"),
    [
        (HEAD + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431, "headers_too_large"),
        (HEAD + b"X: " + b"a" * 100_000, 431, "headers_too_large"),
        (HEAD + b"X: a\r\n" * 1000 + b"\r\n", 431, "headers_too_large"),
        (b"POST /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: inbox\r\n\r\n", 414, "uri_too_long"),
        (b"POST /" + b"a" * 100_000, 414, "uri_too_long"),
    ],
)
def test_in_19_what_is_too_long_is_refused(server, data, status, code):
    with server.connect() as connection:
        connection.send(data)
        answer = connection.answer()

        assert (answer.status, answer.error) == (status, code)
        assert connection.is_closed()


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\nContent-Length: 2\r\n",
        b"Content-Length: 2\r\nContent-Length: 40\r\n",
        b"Content-Length: 2, 2\r\n",
        b"Content-Length: 2\r\n Content-Length: 40\r\n",
        b"Content-Length: +2\r\n",
        b"Content-Length: 0x2\r\n",
        b"Content-Length : 2\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: xchunked\r\n",
        b"Transfer-Encoding : chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_t4_a_request_with_two_ends_is_refused_and_what_follows_is_not_read(server, headers):
    smuggled = request("/inbox/open", b'{"smuggled":1}')

    with server.connect() as connection:
        connection.send(HEAD + headers + b"\r\n2\r\n{}\r\n0\r\n\r\n" + smuggled)
        answer = connection.answer()

        assert (answer.status, answer.error, answer.headers["connection"]) == (400, "invalid_http", "close")
        assert connection.is_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"POST /inbox/open\r\n\r\n",
        b"POST /inbox/open HTTP/2.0\r\n\r\n",
        b"\r\n\r\n",
        HEAD + b"no header\r\n\r\n",
        HEAD + b"X: \x00s3cret-value\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_not_repeated(server, data):
    answer = server.raw(data)

    assert (answer.status, answer.error) == (400, "invalid_http")
    assert b"s3cret" not in answer.body
    assert answer.json["fix"]


def test_requests_on_one_connection_are_answered_in_their_order(server):
    with server.connect() as connection:
        connection.send(request("/inbox/open") * 3 + request("/inbox/nowhere") + request("/inbox/open"))
        answers = [connection.answer() for _ in range(5)]

    assert [answer.status for answer in answers] == [200, 200, 200, 404, 200]


def test_a_whole_request_is_answered_though_its_sender_sends_no_more(server):
    with server.connect() as connection:
        connection.send(request("/inbox/open"))
        connection.socket.shutdown(socket.SHUT_WR)

        assert connection.answer().status == 200
        assert connection.is_closed()


def test_a_sender_that_goes_on_gets_the_answer_before_the_end(server):
    body = b"x" * 3_000_000

    for _ in range(20):
        with server.connect() as connection:
            connection.send(request("/inbox/nowhere", body))
            answer = connection.answer()

        assert (answer.status, answer.headers["connection"]) == (404, "close")


def test_a_sender_that_is_refused_is_not_cut_off_at_once(server):
    with server.connect() as connection:
        connection.send(HEAD.replace(b"open", b"nowhere") + b"Content-Length: 3000000\r\n\r\n")
        assert connection.answer().status == 404
        assert connection.is_closed()

        for _ in range(20):
            connection.socket.sendall(b"x" * 1000)  # a socket that is closed both ways would answer with a reset


def test_the_deadlines_are_those_that_are_documented():
    assert Limits()[:6] == (10, 30, 1024, 8192, 16384, 100)


def drip(connections, data, stop):
    """Send a byte a second on each of some connections, until they are told to stop."""
    for byte in data:
        for connection in connections:
            connection.send(bytes([byte]))
        if stop.wait(1):
            return


def test_in_18_slow_senders_are_turned_away_and_the_others_are_served(start_server):
    server = start_server(limits="header_seconds=2, body_seconds=4")
    assert server.post("/inbox/open").status == 200  # what is opened with the first message is open
    before, stop = server.descriptors(), threading.Event()
    in_header, in_body = ([server.connect() for _ in range(200)] for _ in range(2))
    for connection in in_body:
        connection.send(HEAD + b"Content-Length: 1000\r\n\r\n")
    started = time.perf_counter()
    drips = [threading.Thread(target=drip, args=(slow, HEAD, stop)) for slow in (in_header, in_body)]
    for thread in drips:
        thread.start()

    times, statuses = [], set()
    for _ in range(50):
        at = time.perf_counter()
        statuses.add(server.post("/inbox/open").status)
        times.append(time.perf_counter() - at)
    refused = {connection.answer().status for connection in in_header}
    after_header = time.perf_counter() - started
    refused |= {connection.answer().status for connection in in_body}
    after_body = time.perf_counter() - started
    stop.set()
    for thread in drips:
        thread.join()
    for connection in in_header + in_body:
        connection.close()

    assert statuses == {200}
    assert quantiles(times, n=100)[98] < 0.25
    assert refused == {408}
    assert 1.5 < after_header < 4 < after_body + 0.5 < 7
    assert server.post("/inbox/open").status == 200
    assert server.descriptors() <= before + 1


def test_a_body_that_comes_at_a_fair_rate_may_take_longer_than_the_deadline(start_server):
    server = start_server(limits="body_seconds=0.5, body_rate=1000")
    body = padded(4000)

    with server.connect() as connection:
        connection.send(HEAD + b"Content-Length: 4000\r\n\r\n")
        for at in range(0, 4000, 500):
            connection.send(body[at : at + 500])
            time.sleep(0.15)  # 3,300 bytes a second, for 1.2 s
        assert connection.answer().status == 200


def test_the_header_of_a_second_request_has_a_deadline_too(start_server):
    server = start_server(limits="header_seconds=0.5")

    with server.connect() as connection:
        connection.send(request("/inbox/open"))
        assert connection.answer().status == 200
        connection.send(b"POST /inb")
        assert connection.answer().status == 408
        assert connection.is_closed()


def test_there_may_be_so_many_connections_and_no_more(start_server):
    server = start_server(limits="connections=5")
    kept = [server.connect() for _ in range(5)]
    kept[0].send(request("/inbox/open"))
    assert kept[0].answer().status == 200

    refused = server.raw(b"")

    assert (refused.status, refused.error, refused.headers["retry-after"]) == (503, "too_many_connections", "1")
    for connection in kept:
        connection.close()
