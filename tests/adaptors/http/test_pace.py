"""The rate of a credential: no more requests per second, from all threads together."""

import sys
import threading
import time

import pytest
from crossdock import each
from crossdock.adaptors import http
from crossdock_http import HttpConnectionError
from crossdock_http.pace import Pace
from werkzeug import Response


def arrivals(server):
    """Answer, and note when each request came."""
    times = []

    def answer(request):
        times.append(time.monotonic())
        return Response("")

    server.expect_request("/x").respond_with_handler(answer)
    return times


@pytest.mark.parametrize("concurrency", [1, 6])
def test_all_threads_share_the_rate_of_a_credential(httpserver, run_http, concurrency):
    times = arrivals(httpserver)
    started = time.monotonic()

    run = run_http(each(list(range(12)), http.get("/x"), concurrency=concurrency), rate=40)

    assert run.outcome == "success"
    assert len(times) == 12
    # A busy machine makes requests late and never early, so this holds on any.
    assert all(at - started >= number / 40 for number, at in enumerate(sorted(times)))


def test_repeats_and_logins_count_as_requests(httpserver, run_http):
    replies = iter([503, 503, 200])
    times = []

    def answer(request):
        times.append(time.monotonic())
        return Response("", status=next(replies), headers={"Retry-After": "0"})

    httpserver.expect_request("/x").respond_with_handler(answer)
    started = time.monotonic()

    assert run_http(http.get("/x"), rate=10).outcome == "success"
    assert all(at - started >= number / 10 for number, at in enumerate(times))


def test_a_turn_that_comes_too_late_is_an_error_and_nothing_is_sent(httpserver, run_http):
    times = arrivals(httpserver)
    started = time.monotonic()

    run = run_http(http.get("/x"), http.post("/x", {}, timeout=0.5), rate=0.1)

    assert (run.outcome, type(run.error)) == ("failed", HttpConnectionError)
    assert "0.5 s was over before it was sent" in run.error.message
    assert "rate" in run.error.fix
    assert len(times) == 1
    assert time.monotonic() - started < 8  # it did not wait for the turn in ten seconds


def test_a_turn_that_was_given_up_is_left_to_others():
    pace = Pace(20)
    pace.wait(1)

    assert pace.wait(0.01) <= 0
    assert pace.wait(1) > 0.9


@pytest.fixture
def hasty():
    """Have Python change threads as often as it can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-7)
    yield
    sys.setswitchinterval(interval)


def test_no_turn_is_given_out_twice(hasty, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda _: None)  # that it waits is proven above
    pace, waits = Pace(0.001), []

    def take():
        waits.extend([round((10**9 - pace.wait(10**9)) / 1000) for _ in range(200)])

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(waits) == list(range(1600))
