"""The fixtures of crossdock, which pytest finds by the entry point ``crossdock`` of the group ``pytest11``."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from crossdock.testing import places
from crossdock.testing.faulty_server import FaultyServer, StartFaultyServer
from crossdock.testing.places import Address
from crossdock.testing.steps import Reply
from crossdock.testing.tcp_proxy import StartTcpProxy, TcpProxy


@pytest.fixture
def faulty_server() -> Iterator[StartFaultyServer]:
    """Start HTTP servers that follow a script; they end with the test.

    Example:
        >>> def test_a_write_without_an_answer_is_unknown(faulty_server, run_job):
        ...     server = faulty_server(Close())
        ...     assert run_job(register({"name": "Amina"}), server.url) == "unknown"
        ...     assert len(server.requests) == 1
    """
    with ExitStack() as started:

        def start(reply: Reply, *more: Reply, **options: Any) -> FaultyServer:
            return started.enter_context(FaultyServer(reply, *more, **options))

        yield start


@pytest.fixture
def tcp_proxy() -> Iterator[StartTcpProxy]:
    """Start proxies in front of real servers; they end with the test.

    Example:
        >>> def test_no_answer_is_ever_cut_into_a_success(tcp_proxy, httpserver, run_job):
        ...     proxy = tcp_proxy(httpserver.host, httpserver.port)
        ...     for proxy.cut_response_at in range(200):
        ...         assert run_job(register({"name": "Amina"}), proxy.url) == "unknown"
    """
    with ExitStack() as started:

        def start(host: str, port: int, **options: Any) -> TcpProxy:
            return started.enter_context(TcpProxy(host, port, **options))

        yield start


@pytest.fixture
def closed_port() -> Iterator[Address]:
    """Give an address where a connection is refused."""
    with places.closed_port() as address:
        yield address


@pytest.fixture
def deaf_port() -> Iterator[Address]:
    """Give an address where a connection times out, since nobody accepts it."""
    with places.deaf_port() as address:
        yield address
