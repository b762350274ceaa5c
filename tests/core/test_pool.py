"""Workers and their store, in one process with the test: what a store does that can't be written to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from crossdock.project import read_project
from crossdock.store.records import NewMessage, NewRun
from crossdock.store.store import Store
from crossdock.worker.forking import Forks
from crossdock.worker.pool import Pool
from fix_serve import Served, until

PROJECT = """
    workflows:
      visits:
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
LOADS = """
    from crossdock import Job

    def load(state):
        with open(state.data["file"], "a") as file:
            print("loaded", file=file)
        return state.result("x" * state.data["size"])

    job = Job(load)
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    with Store("sqlite:///.crossdock/crossdock.db", folder=tmp_path) as store:
        yield store


@pytest.fixture
def pool(served: Served, store: Store) -> Iterator[Pool]:
    """Two workers."""
    served.write(PROJECT, load=LOADS)
    forks = Forks(read_project(served.folder))
    pool = Pool(read_project(served.folder), lambda: "v1", store, forks, 2)
    pool.start()
    yield pool
    pool.drain(5)
    forks.close()


def test_rt_26_a_step_waits_until_there_is_space_and_is_not_run_again(
    served: Served, store: Store, pool: Pool, caplog: pytest.LogCaptureFixture
):
    body = f'{{"file": "{served.folder}/loaded.txt", "size": 3000000}}'.encode()
    accepted = store.accept(
        NewMessage("visits", body, [NewRun("visits", "form", "v1")], content_type="application/json")
    )
    size = (served.folder / ".crossdock" / "crossdock.db").stat().st_size
    store.limit_size(size + 500_000)
    pool.wake()

    until(lambda: "waits until the store can be written to" in caplog.text, "the full store")
    store.limit_size(1 << 40)

    assert served.run(*accepted.runs).run.outcome == "success"
    assert served.run(*accepted.runs).run.attempt == 1
    assert served.file("loaded.txt") == ["loaded"]
