"""Stores in SQLite and in PostgreSQL, with clocks that a test turns; and processes that use one."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from crossdock.store.records import Claimed, NewMessage, NewRun
from crossdock.store.store import Store


class Clock:
    """The time of day, which can be set to anything, and a clock that only goes forward."""

    def __init__(self) -> None:
        self.day = datetime(2024, 5, 2, 10, tzinfo=UTC)
        self.seconds = 1000.0

    def now(self) -> datetime:
        return self.day

    def monotonic(self) -> float:
        return self.seconds

    def pass_(self, seconds: float) -> None:
        """Let time go on, as it does where nobody sets a clock."""
        self.day += timedelta(seconds=seconds)
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    """Clocks that stand still until a test turns them."""
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store may be made; each test runs once for each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/private/store.db"
    dsn: str = request.getfixturevalue("postgres").dsn
    return as_url(dsn)


def as_url(dsn: str) -> str:
    """Give a connection string of libpq as a URL."""
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy.engine import URL

    parts: dict[str, Any] = conninfo_to_dict(dsn)
    own = {name: parts.pop(name, None) for name in ("user", "password", "dbname")}
    query = {name: str(value) for name, value in parts.items() if value is not None}
    url = URL.create("postgresql", own["user"], own["password"], database=own["dbname"], query=query)
    return url.render_as_string(hide_password=False)


OpenStore = Callable[..., Store]


@pytest.fixture
def open_store(store_url: str, clock: Clock) -> Iterator[OpenStore]:
    """Open the store of this test, as often as it likes; all are closed at its end."""
    opened: list[Store] = []

    def open_(**options: Any) -> Store:
        opened.append(Store(store_url, **{"now": clock.now, "monotonic": clock.monotonic} | options))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    """A new store."""
    return open_store()


def message(body: bytes = b'{"id": 7}', *workflows: str, key: str | None = None, **run: Any) -> NewMessage:
    """A message for an inbox; it starts a run of each workflow, by default one."""
    runs = [NewRun(workflow, "form", "v1", **run) for workflow in workflows or ("visits",)]
    return NewMessage("visits", body, runs, idempotency_key=key)


def claimed(store: Store, worker: str = "worker", **options: Any) -> Claimed:
    """Claim a run that has to be there."""
    run = store.claim(worker, **options)
    assert run is not None
    return run


class Process:
    """A Python process that uses a store; each line that it prints is JSON."""

    def __init__(self, source: str, *arguments: str) -> None:
        command = [sys.executable, "-c", source, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def told(self) -> Any:
        """Wait for the next line."""
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def wait(self) -> int:
        """Wait for its end, and give its exit code."""
        return self._process.wait(60)

    def kill(self) -> list[Any]:
        """End it by SIGKILL, and give what it printed until then."""
        self._process.kill()
        assert self._process.stdout is not None
        lines = self._process.stdout.read().splitlines()
        self.close()
        return [json.loads(line) for line in lines if line.endswith(("]", "}"))]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@pytest.fixture
def process() -> Iterator[Callable[..., Process]]:
    """Start processes; those that are left are killed at the end."""
    started: list[Process] = []

    def start(source: str, *arguments: str) -> Process:
        started.append(Process(source, *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


def until(holds: Callable[[], Any], seconds: float = 20) -> Any:
    """Ask until the answer is true, and give it."""
    end = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.01)
    return answer
