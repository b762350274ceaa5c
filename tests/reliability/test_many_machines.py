"""Machines that share a store in PostgreSQL: each message is processed, whichever of them goes away."""

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from crossdock.store.records import NewMessage, Search
from crossdock.store.store import Store
from crossdock.testing import Postgres
from fix_serve import Served, Worker, until
from fix_store import as_url
from fix_storm import Storm

MESSAGES, KILLS = 200, 20

TWO_STEPS = """
    workflows:
      visits:
        concurrency: 4
        triggers: {form: {webhook: visits}}
        steps:
          load: {job: jobs/load.py, next: report}
          report: {job: jobs/report.py}
    serve: {grace: 5 seconds}
"""
LOAD = """
    from crossdock import Job

    def load(state):
        with open("load.txt", "a") as file:
            print(state.data["id"], file=file)
        return state

    job = Job(load)
"""
REPORT = """
    import os, time
    from crossdock import Job

    def report(state):
        with open("report.txt", "a") as file:
            print(state.data["id"], file=file)
        while not os.path.exists("go"):
            time.sleep(0.01)
        return state

    job = Job(report)
"""
NIGHTLY = """
    workflows:
      nightly:
        triggers: {{clock: {{cron: "0 0 1 1 *", overlap: {overlap}}}}}
        steps: {{load: {{job: jobs/load.py}}}}
"""


class Shared:
    """A project whose store is in PostgreSQL, and the processes that share it."""

    def __init__(self, served: Served, url: str) -> None:
        self.served = served
        served.store_url = url
        served.write(TWO_STEPS, load=LOAD, report=REPORT)

    def serve(self, *arguments: str) -> None:
        """Start a server."""
        self.served.start(*arguments)

    def work(self, *arguments: str) -> Worker:
        """Start a process that only runs."""
        return self.served.launch_worker(*arguments)


@pytest.fixture
def shared(served: Served, postgres: Postgres) -> Shared:
    """A project of two steps, the second of which waits; its store is in PostgreSQL."""
    return Shared(served, as_url(postgres.dsn))


def workers_of(shared: Shared, ids: list[str]) -> set[int]:
    """Give the processes that have the runs in work."""
    with shared.served.store() as store:
        return {int(store.history.run(id_).attempts[-1].worker.split("-")[-2]) for id_ in ids}


def begun(shared: Shared, number: int) -> None:
    """Wait until so many second steps have begun."""
    until(lambda: len(shared.served.file("report.txt")) >= number, f"{number} second steps")


def test_rt_21_nothing_is_lost_when_machines_go_away(storms: Callable[..., Storm], postgres: Postgres):
    result = storms(MESSAGES, KILLS, shared=as_url(postgres.dsn)).rage()

    assert result.acknowledged == set(range(MESSAGES))
    assert result.lost == set()
    assert result.repeated == []
    assert result.kills.total() >= KILLS
    assert result.duplicates <= result.kills.total() + 3 * result.kills["servers"], str(result)
    assert result.outcomes == {"ended success": MESSAGES}


def test_rt_20_a_killed_workers_runs_go_on_elsewhere_where_they_were(shared: Shared):
    shared.serve("--workers", "0")
    first, second = shared.work("--workers", "2"), shared.work("--workers", "2")
    first.ready()
    second.ready()
    ids = [shared.served.post("visits", {"id": n})[0] for n in range(8)]
    begun(shared, 4)
    assert workers_of(shared, ids[:4]) == {first.process.pid, second.process.pid}

    first.end(signal.SIGKILL)
    (shared.served.folder / "go").touch()
    runs = [shared.served.run(id_).run for id_ in ids]

    assert {run.outcome for run in runs} == {"success"}
    assert sorted(run.attempt for run in runs) == [1] * 6 + [2] * 2
    assert sorted(map(int, shared.served.file("load.txt"))) == list(range(8))
    assert len(shared.served.file("report.txt")) == 10


def test_rt_37_sigterm_lets_a_workers_short_runs_end(shared: Shared):
    shared.serve("--workers", "0")
    worker = shared.work("--workers", "1")
    [first], [second] = (shared.served.post("visits", {"id": n}) for n in (1, 2))
    begun(shared, 1)

    worker.process.send_signal(signal.SIGTERM)
    worker.logged("ending")
    (shared.served.folder / "go").touch()

    assert worker.process.wait(40) == 0
    assert shared.served.run(first).run.attempt == 1
    with shared.served.store() as store:
        assert store.history.run(second).run.state == "available"


def test_a_server_without_workers_runs_nothing(shared: Shared):
    shared.serve("--workers", "0")
    ids = shared.served.post("visits", {"id": 1})

    assert shared.served.servers[0].end() == 0

    with shared.served.store() as store:
        assert store.history.run(*ids).run.state == "available"
    assert shared.served.file("load.txt") == []


def test_a_worker_on_a_file_of_sqlite_is_refused(served: Served):
    served.store_url = "sqlite:///own.db"
    served.write(TWO_STEPS, load=LOAD, report=REPORT)

    worker = served.launch_worker()

    assert worker.process.wait(40) == 3
    assert "the store is a file of SQLite" in worker.said
    assert "crossdock serve --workers N" in worker.said
    assert not (served.folder / "own.db").exists()


@pytest.mark.parametrize("overlap", ["skip", "queue"])
def test_rt_31_several_servers_make_up_for_a_missed_time_once(served: Served, postgres: Postgres, overlap: str):
    served.store_url = as_url(postgres.dsn)
    served.write(NIGHTLY.format(overlap=overlap), load="from crossdock import Job\njob = Job(lambda state: state)")
    before = datetime.now(UTC) - timedelta(days=800)
    with Store(served.store_url) as store:
        store.accept(NewMessage("cron:nightly:clock", b"{}", kind="cron", received_at=before))
    servers = [served.launch() for _ in range(2)]
    for server in servers:
        server.ready()

    [missed] = until(served.runs, "the run")

    assert served.run(missed.id).run.outcome == "success"
    assert [server.end() for server in servers] == [0, 0]
    assert len(served.runs()) == 1
    with served.store() as store:
        newest = next(store.history.messages(Search()))
    assert (newest.received_at.month, newest.received_at.day) == (1, 1)
