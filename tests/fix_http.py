"""A job that runs against the local HTTP server."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from crossdock import Run
from crossdock.testing import RunJob
from pytest_httpserver import HTTPServer

RunHttp = Callable[..., Run]


@pytest.fixture
def run_http(httpserver: HTTPServer, run_job: RunJob) -> RunHttp:
    """Run operations with one credential of the http adaptor; keywords are more of its fields."""

    def run(*operations: Any, state: dict[str, Any] | None = None, **fields: Any) -> Run:
        entry = {"adaptor": "http", "base_url": httpserver.url_for("").rstrip("/"), **fields}
        return run_job(*operations, state=state, credentials={"api": entry})

    return run


@pytest.fixture(scope="session")
def _started_server() -> Iterator[HTTPServer]:
    with HTTPServer(threaded=True) as server:  # it takes half a second to stop
        yield server


@pytest.fixture
def other_server(_started_server: HTTPServer) -> HTTPServer:
    """Give a second server: the same host, another port, and so another origin; it answers several at a time."""
    _started_server.clear()
    return _started_server
