"""What is repeated and what is not, how long a request may take, and how much it may bring."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from crossdock import UnknownOutcomeError
from crossdock.adaptors import http
from crossdock.testing import Close, Drip
from crossdock_http import HttpConnectionError, HttpError, NoAnswerError
from crossdock_http.patience import retry_after
from werkzeug import Response


def answers(httpserver, *replies):
    """Answer one request after another, the last for good; give the times at which they came."""
    times: list[float] = []

    def handle(request):
        times.append(time.monotonic())
        status, headers = replies[min(len(times), len(replies)) - 1]
        return Response("{}", status=status, headers=headers, content_type="application/json")

    httpserver.expect_request("/x").respond_with_handler(handle)
    return times


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("status", [429, 503])
def test_ht_10_and_h47_a_refusal_that_asks_to_come_again_is_obeyed(httpserver, run_http, method, status, caplog):
    times = answers(httpserver, (status, {"Retry-After": "1"}), (200, {}))

    with caplog.at_level("INFO", "crossdock"):
        run = run_http(getattr(http, method)("/x"))

    assert run.outcome == "success"
    assert len(times) == 2
    assert times[1] - times[0] >= 1
    assert "tried again in 1 s" in caplog.text


@pytest.mark.parametrize("value", [None, "99999999", "soon"])
def test_ht_10_a_refusal_without_a_time_or_with_too_long_a_one_is_an_error(httpserver, run_http, value):
    times = answers(httpserver, (429, {"Retry-After": value} if value else {}))

    run = run_http(http.get("/x"))

    assert (len(times), run.error.details["status"], run.error.transient) == (1, 429, True)


def test_ht_10_a_system_that_goes_on_refusing_is_an_error(httpserver, run_http):
    times = answers(httpserver, (503, {"Retry-After": "0"}))

    assert run_http(http.post("/x", {})).error.details["status"] == 503
    assert len(times) == 3


NOW = datetime(2024, 5, 2, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2),
        ("-5", 0),
        ("abc", None),
        ("1.5", None),
        (None, None),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30),
        ("Wed, 01 May 2024 10:00:00 GMT", 0),
    ],
)
def test_ht_10_retry_after_is_read_in_both_forms(value, seconds):
    assert retry_after(value, NOW) == seconds


@pytest.mark.parametrize("status", [408, 425, 500, 502, 503, 504])
@pytest.mark.parametrize(("method", "requests"), [("get", 3), ("put", 3), ("delete", 3), ("post", 1), ("patch", 1)])
def test_ht_11_with_retry_what_may_pass_is_repeated_where_that_does_no_harm(
    httpserver, run_http, monkeypatch, status, method, requests
):
    monkeypatch.setattr("time.sleep", lambda _: None)  # how long it waits is proven above
    times = answers(httpserver, (status, {}), (status, {}), (200, {}))

    run = run_http(getattr(http, method)("/x", retry=2))

    assert len(times) == requests
    assert run.outcome == ("success" if requests == 3 else "failed")


def test_ht_11_an_idempotent_write_is_repeated_too(httpserver, run_http, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)
    times = answers(httpserver, (502, {}), (200, {}))

    assert run_http(http.post("/x", {}, idempotent=True), retry=1).outcome == "success"
    assert len(times) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_ht_12_what_will_not_pass_is_never_repeated(httpserver, run_http, status):
    times = answers(httpserver, (status, {}))

    assert run_http(http.get("/x", retry=3)).outcome == "failed"
    assert len(times) == 1


def test_without_retry_an_error_is_one_request(httpserver, run_http):
    times = answers(httpserver, (500, {}))

    assert run_http(http.get("/x")).outcome == "failed"
    assert len(times) == 1


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    ("operation", "error"),
    [(http.get("/x", timeout=0.5), HttpConnectionError), (http.post("/x", timeout=0.5), UnknownOutcomeError)],
)
def test_ht_03_and_h37_an_answer_that_drips_ends_at_the_deadline(faulty_server, run_job, operation, error):
    server = faulty_server([HEAD, Drip(b"x" * 40)])

    started = time.monotonic()
    run = run_job(operation, credentials={"api": {"adaptor": "http", "base_url": server.url}})

    assert isinstance(run.error, error)
    assert "0.5 s" in run.error.message
    assert 0.5 <= time.monotonic() - started < 2


@pytest.mark.parametrize(
    "reply",
    [
        HEAD + b"short",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n",
        b"HTTP/9.9 xyz\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_ht_01_and_02_a_broken_answer_is_no_answer(faulty_server, run_job, reply):
    server = faulty_server([reply, Close()])
    credentials = {"api": {"adaptor": "http", "base_url": server.url}}

    read = run_job(http.get("/x"), credentials=credentials)
    wrote = run_job(http.post("/x", {}), credentials=credentials)

    assert (read.outcome, isinstance(read.error, NoAnswerError)) == ("failed", True)
    assert (wrote.outcome, type(wrote.error)) == ("unknown", UnknownOutcomeError)
    assert (len(server.requests), server.connections) == (2, 2)


def test_ht_28_cut_at_every_byte_an_answer_is_never_a_wrong_success(faulty_server, run_job):
    reply = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"done":true}'
    server = faulty_server(*([reply[:cut], Close()] for cut in range(len(reply) + 1)))
    credentials = {"api": {"adaptor": "http", "base_url": server.url}}

    outcomes = [run_job(http.post("/x", {}), credentials=credentials).outcome for _ in range(len(reply) + 1)]

    assert outcomes == ["unknown"] * len(reply) + ["success"]


def test_ht_04_an_answer_over_the_limit_is_an_error(httpserver, run_http):
    httpserver.expect_request("/x").respond_with_data(b"x" * 2000)

    run = run_http(http.get("/x"), max_response_bytes=1000)

    assert isinstance(run.error, HttpError)
    assert "more than 1000 bytes" in run.error.message
    assert run_http(http.get("/x"), max_response_bytes=2000).outcome == "success"


def test_ht_04_and_h40_a_compressed_answer_counts_by_what_it_becomes(httpserver, run_http):
    import gzip

    httpserver.expect_request("/x").respond_with_data(
        gzip.compress(b"x" * 1_000_000), headers={"Content-Encoding": "gzip"}
    )

    assert "more than 1000 bytes" in run_http(http.get("/x"), max_response_bytes=1000).error.message


def test_a_refused_connection_is_tried_three_times(closed_port, run_job, caplog):
    with caplog.at_level("INFO", "crossdock"):
        run = run_job(http.post("/x", {}), credentials={"api": {"adaptor": "http", "base_url": closed_port.url}})

    assert (run.outcome, type(run.error)) == ("failed", HttpConnectionError)
    assert caplog.text.count("is tried again") == 2
    assert "(ConnectionRefusedError)" in run.error.message  # also that of the last try says why


@pytest.mark.parametrize(
    "reply",
    [
        {"data": "{", "content_type": "application/json", "status": 201},
        {"data": b"a\xff", "content_type": "text/plain; charset=utf-8"},
        {"data": "x" * 2000},
        {"data": "not gzip", "headers": {"Content-Encoding": "gzip"}},
    ],
)
def test_a_write_whose_answer_can_not_be_read_is_unknown_and_not_sent_again(httpserver, run_http, reply):
    httpserver.expect_request("/x").respond_with_data(reply.pop("data"), **reply)

    wrote = run_http(http.post("/x", {}).retry(2, wait=0.001), max_response_bytes=1000)
    requests = len(httpserver.log)
    read = run_http(http.get("/x"), max_response_bytes=1000)

    assert (wrote.outcome, requests) == ("unknown", 1)
    assert (read.outcome, isinstance(read.error, HttpError)) == ("failed", True)


@pytest.mark.parametrize(("status", "transient"), [(502, False), (504, False), (503, True), (429, True)])
def test_an_error_after_which_a_write_may_have_happened_is_not_transient(httpserver, run_http, status, transient):
    answers(httpserver, (status, {}))

    assert run_http(http.post("/x", {})).error.transient is transient
