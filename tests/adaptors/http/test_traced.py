"""What a trace shows of the requests of the http adaptor."""

from typing import Any

import pytest
from crossdock.adaptors import http
from crossdock.cli.tree import note_text
from crossdock.redaction import Redactor
from crossdock.trace import Trace


def requests_of(run_job, url: str, *operations: Any, values: bool = False, **fields: Any) -> list[dict[str, Any]]:
    """Run operations, and give the requests that the first one made."""
    told: list[dict[str, Any]] = []
    entry = {"adaptor": "http", "base_url": url, **fields}
    run_job(*operations, credentials={"api": entry}, trace=Trace(Redactor(), values=values, tell=told.append))
    kept: list[dict[str, Any]] = told[0]["notes"]["request"]["kept"]
    return kept


def test_each_request_of_an_operation_is_shown_also_a_redirect(run_job, httpserver):
    httpserver.expect_request("/people").respond_with_data("", status=302, headers={"Location": "/persons?page=1"})
    httpserver.expect_request("/persons").respond_with_data("[1]")

    seen = requests_of(run_job, httpserver.url_for("").rstrip("/"), http.get("/people"))

    assert [(note["method"], note["url"], note["status"], note["bytes"]) for note in seen] == [
        ("GET", httpserver.url_for("/people"), 302, 0),
        ("GET", httpserver.url_for("/persons?page=…"), 200, 3),
    ]


@pytest.mark.parametrize("values", [True, False])
def test_ht_12_what_a_system_said_when_it_refused_is_shown_where_values_are(run_job, httpserver, values):
    httpserver.expect_request("/people").respond_with_data("Wanjiru is refused", status=422)

    (seen,) = requests_of(run_job, httpserver.url_for("").rstrip("/"), http.post("/people", {}), values=values)

    assert seen.get("said") == ("Wanjiru is refused" if values else None)
    assert ("Wanjiru" in note_text("request", seen)) is values


def test_a_request_without_an_answer_is_shown_with_what_happened(run_job, closed_port):
    tries = requests_of(run_job, closed_port.url, http.post("/people", {"id": 7}))

    shown = ("POST", f"{closed_port.url}/people", "HttpConnectionError", True)
    assert [(note["method"], note["url"], note["error"], note["failed"]) for note in tries] == [shown] * 3


def test_pages_that_are_read_in_threads_are_shown_in_the_operation_that_asked(run_job, httpserver):
    httpserver.expect_request("/items").respond_with_handler(page)

    seen = requests_of(
        run_job,
        httpserver.url_for("").rstrip("/"),
        http.get_all("/items", pages="page", items="items", concurrency=3),
    )

    assert len(seen) >= 4


def page(request):
    from werkzeug import Response

    number = int(request.args.get("page", 1))
    return Response(f'{{"items": {[number] if number < 4 else []}}}', content_type="application/json")
