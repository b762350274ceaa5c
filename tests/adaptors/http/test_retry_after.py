"""How long a system that refuses is waited for."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from math import inf

import pytest
from crossdock.adaptors import http
from crossdock_http.patience import retry_after
from werkzeug import Response


@pytest.fixture
def answers(httpserver):
    """Answer one request after another, the last for good; give the times at which they came."""

    def play(*replies):
        times = []

        def handle(_):
            times.append(time.monotonic())
            status, retry_after = replies[min(len(times), len(replies)) - 1]
            headers = {} if retry_after is None else {"Retry-After": retry_after}
            return Response("{}", status=status, headers=headers, content_type="application/json")

        httpserver.expect_request("/x").respond_with_handler(handle)
        return times

    return play


@pytest.mark.parametrize("value", ["0", "-5", "Wed, 01 May 2024 10:00:00 GMT"])
def test_ht_10_a_time_that_has_passed_is_no_wait(answers, run_http, value):
    times = answers((503, value), (200, None))

    assert run_http(http.post("/x", {})).outcome == "success"
    assert times[1] - times[0] < 0.5


def test_ht_10_a_date_is_waited_for(answers, run_http):
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)  # in whole seconds
    times = answers((429, date), (200, None))

    assert run_http(http.post("/x", {})).outcome == "success"
    assert 0.9 <= times[1] - times[0] <= 2.5


@pytest.mark.parametrize("value", ["99999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "61"])
def test_ht_10_a_time_beyond_the_deadline_is_no_wait_and_no_repeat(answers, run_http, value):
    times = answers((429, value))

    run = run_http(http.get("/x", retry=3))

    assert (len(times), run.error.details["status"], run.error.transient) == (1, 429, True)


@pytest.mark.parametrize("value", [None, "abc", "1.5"])
def test_ht_10_without_a_time_that_can_be_read_it_is_repeated_as_any_other(answers, run_http, value):
    times = answers((429, value), (200, None))

    assert run_http(http.get("/x", retry=1)).outcome == "success"
    assert times[1] - times[0] >= 0.5


@pytest.mark.parametrize(("value", "seconds"), [("9" * 400, inf), ("9" * 5000, None), ("", None), ("\0", None)])
def test_ht_10_no_value_is_too_odd_to_be_read(value, seconds):
    assert retry_after(value) == seconds
