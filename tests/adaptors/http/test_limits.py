"""How much an answer may bring, and what that costs."""

import gzip
import json
import zlib

import pytest
from crossdock.adaptors import http
from crossdock.testing import Close, Forever, http_reply
from crossdock_http import HttpError, ResponseTooLargeError, TruncatedAnswerError
from werkzeug import Response

MB = 1_000_000
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
LINES = b"10000\r\n" + b"x" * 65535 + b"\n\r\n"


def zipped_zeros(count):
    """Give gzip of a gzip of zeros: a few KB that unpack to ``count`` bytes."""
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join(packer.compress(bytes(MB)) for _ in range(count // MB)) + packer.flush()
    return gzip.compress(packed)


@pytest.mark.parametrize(
    ("headers", "endless"),
    [
        (b"Transfer-Encoding: chunked\r\n", LINES),
        (b"Content-Length: 5000000000\r\n", LINES),
        (b"", LINES),
    ],
    ids=["chunked", "5 GB", "until it closes"],
)
def test_ht_04_an_endless_answer_ends_at_the_limit(faulty_server, measure_http, headers, endless):
    server = faulty_server([b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n", Forever(endless)])

    run = measure_http("http.get('/x')", base_url=server.url)

    assert (run.outcome, run.error) == ("failed", "response_too_large")
    assert run.grew < 80 * MB
    assert (len(server.requests), server.connections) == (1, 1)


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip"])
def test_ht_04_a_bomb_ends_at_the_limit(faulty_server, measure_http, encoding):
    bomb = zipped_zeros(200 * MB)
    bomb = bomb if encoding == "gzip, gzip" else gzip.decompress(bomb)
    server = faulty_server(http_reply(bomb, content_encoding=encoding))

    run = measure_http("http.get('/x')", base_url=server.url)

    assert (run.outcome, run.error) == ("failed", "response_too_large")
    assert run.grew < 80 * MB


def test_ht_04_the_connection_of_a_too_large_answer_is_closed(faulty_server, run_job):
    server = faulty_server([CHUNKED, Forever(LINES)], http_reply(b'"next"'))

    run = run_job(
        http.get("/x").catch(lambda error, state: state.replace(kind=type(error).__name__)),
        http.get("/x"),
        credentials={"api": {"adaptor": "http", "base_url": server.url, "max_response_bytes": 1000}},
    )

    assert (run.state.kind, run.state.data, server.connections) == (ResponseTooLargeError.__name__, "next", 2)


PACKED = {
    "gzip": gzip.compress(b'{"n": 1}'),
    "x-gzip": gzip.compress(b'{"n"') + gzip.compress(b": 1}") + bytes(512),
    "deflate": zlib.compress(b'{"n": 1}'),
    "Deflate": zlib.compress(b'{"n": 1}')[2:-4],
    "deflate, gzip": gzip.compress(zlib.compress(b'{"n": 1}')),
    "identity": b'{"n": 1}',
}


@pytest.mark.parametrize("encoding", PACKED)
def test_h40_a_packed_answer_is_unpacked_to_its_end(httpserver, run_http, encoding):
    httpserver.expect_request("/x").respond_with_handler(
        lambda _: Response(PACKED[encoding], content_type="application/json", headers={"Content-Encoding": encoding})
    )

    assert run_http(http.get("/x")).state.data == {"n": 1}
    assert httpserver.log[0][0].headers["Accept-Encoding"] == "gzip, deflate"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "deflate, gzip"])
def test_ht_02_a_packed_answer_that_ends_early_is_an_error(httpserver, run_http, encoding):
    body = PACKED[encoding]

    for end in range(1, len(body)):
        httpserver.expect_oneshot_request("/x").respond_with_data(
            body[:end], content_type="text/plain", headers={"Content-Encoding": encoding}
        )
        run = run_http(http.get("/x"))
        assert isinstance(run.error, HttpError), end
        assert "encoding" in run.error.message


@pytest.mark.parametrize(("encoding", "why"), [("br", "not known"), ("gzip", "broken")])
def test_an_encoding_that_can_not_be_undone_is_an_error(httpserver, run_http, encoding, why):
    httpserver.expect_request("/x").respond_with_data(b"what", headers={"Content-Encoding": encoding})

    assert why in run_http(http.get("/x")).error.message


def test_h41_the_answer_to_head_has_no_body_to_unpack(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data(b"", headers={"Content-Encoding": "gzip"})

    assert run_http(http.head("/x")).outcome == "success"


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n12345",
        CHUNKED + b"3e8\r\n12345",
        CHUNKED + b"5\r\n12345\r\n",
    ],
)
def test_ht_02_an_answer_that_breaks_off_is_truncated_and_not_in_the_state(faulty_server, run_job, reply):
    server = faulty_server([reply, Close()])

    run = run_job(http.get("/x"), credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert (type(run.error), run.error.code) == (TruncatedAnswerError, "truncated")
    assert "12345" not in json.dumps(run.state)


def test_ht_12_an_error_has_2_kb_of_the_answer_and_no_secret(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data("s3cret-t0ken and " * 1000, status=422)

    run = run_http(http.get("/x", query={"key": "s3cret-t0ken"}), token="s3cret-t0ken")

    record = json.dumps(run.state["errors"])
    assert 1900 < len(run.error.excerpt) < 2100
    assert "/x" in record
    assert "s3cret" not in record


REPEATED = {
    "text": "the patient Wanjiru is refused",
    "a page": "<html>Wanjiru</html>",
    "the row": {"id": 7, "name": "Wanjiru"},
    "rows": [{"name": "Wanjiru"}],
    "beside the fault": {"message": "no weight", "row": {"name": "Wanjiru"}, "input": "Wanjiru"},
    "inside the fault": {"errors": [{"path": "weight", "message": "no weight", "value": "Wanjiru"}], "detail": {"a": "Wanjiru"}},
    "under the words": {"message": {"name": "Wanjiru"}, "error": [{"given": ["Wanjiru"]}]},
}  # fmt: skip


@pytest.mark.parametrize("answer", REPEATED)
def test_ht_12_what_is_stored_of_a_refusal_is_what_it_says_of_the_fault_and_no_row(httpserver, run_http, answer):
    body = REPEATED[answer]
    of_json = not isinstance(body, str)
    text = json.dumps(body) if of_json else body
    httpserver.expect_request("/x").respond_with_data(
        text, status=422, content_type="application/json" if of_json else "text/html"
    )

    run = run_http(http.post("/x", {"name": "Wanjiru"}))

    stored = json.dumps([run.state["errors"], run.error.details])
    assert "Wanjiru" not in stored
    assert ("no weight" in stored) is ("no weight" in text)
    assert run.error.excerpt == text
    assert not of_json or run.error.answer.data == body


@pytest.mark.parametrize("answer", [[["Wanjiru"]], {"errors": ["x" * 500] * 20, "message": "é" * 500}])
def test_ht_12_what_is_stored_of_a_refusal_is_at_most_2_kb(httpserver, run_http, answer):
    httpserver.expect_request("/x").respond_with_json(answer, status=400)

    assert len(run_http(http.get("/x")).error.details["body"] or "") < 2100


@pytest.mark.parametrize(("body", "status"), [(b"", 200), (b"", 204), (b"null", 200), (b"", 304)])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_ht_15_nothing_is_none(httpserver, run_http, method, body, status):
    httpserver.expect_request("/x").respond_with_data(body, status=status, content_type="application/json")

    assert run_http(http.request(method, "/x", ok={304})).state.data is None
