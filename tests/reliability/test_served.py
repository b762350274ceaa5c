"""Promises of served runs that take real workers, many messages, or a moment that a test has to hold on to."""

import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from time import monotonic
from typing import Any

import pytest
from crossdock import Job, Run, State, Workflow, save_cursor, warn
from crossdock.project import read_project
from crossdock.project.shape import Retry
from crossdock.state import encode
from crossdock.store.records import Claimed, Finish, NewMessage, NewRun
from crossdock.store.store import Store
from crossdock.testing import Postgres
from crossdock.worker.forking import Forks
from crossdock.worker.policy import backoff
from crossdock.worker.pool import Pool
from fix_command import StartCrossdock, WriteJob, WriteJson
from fix_serve import Served, until
from fix_store import OpenStore, Process, message
from hypothesis import given
from hypothesis import strategies as st

MESSAGES, WORKERS = 10_000, 4

CLAIMS = """
import json, sys, threading
from crossdock.store.records import Finish, Limit
from crossdock.store.store import Store

limits = {"visits": Limit(concurrency=1000)}
done = []
def work(store):
    while (run := store.claim("worker", limits=limits)) is not None:
        done.append(run.message.body.decode())
        store.finish(run, Finish("success"))
print("[]", flush=True)
with Store(sys.argv[1]) as store:
    threads = [threading.Thread(target=work, args=[store]) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print(json.dumps(done), flush=True)
"""


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_rt_22_ten_thousand_messages_are_processed_once_each_by_four_processes(
    open_store: OpenStore, process: Callable[..., Process], store_url: str
):
    store = open_store()
    for future in [store.accept_soon(message(b"%d" % n)) for n in range(MESSAGES)]:
        future.result()
    workers = [process(CLAIMS, store_url) for _ in range(WORKERS)]
    for worker in workers:
        worker.told()

    shares = [worker.told() for worker in workers]

    assert Counter(int(done) for share in shares for done in share) == dict.fromkeys(range(MESSAGES), 1)
    assert all(shares), "each of them had work"
    (stats,) = store.history.stats()
    assert (stats.waiting, stats.running, stats.dead, stats.ended) == (0, 0, 0, {"success": MESSAGES})


ZOMBIE = """
import json, logging, os, signal, sys
from pathlib import Path
from textwrap import dedent
from crossdock.project import read_project
from crossdock.store.store import Store
from crossdock.worker.forking import Forks
from crossdock.worker.pool import Pool

class Telling(logging.Handler):
    def emit(self, record):
        print(json.dumps([record.getMessage()]), flush=True)

logging.basicConfig(handlers=[Telling()])
os.chdir(sys.argv[1])
project = read_project(".")
with Store(sys.argv[2]) as store:
    pool = Pool(project, project.version, store, Forks(project), 1, lease=1.0)
    pool.start()
    print(json.dumps([os.getpid()]), flush=True)
    signal.pause()
"""
ONE_STEP = """
    workflows:
      visits:
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""


def test_rt_23_a_worker_that_stood_still_for_two_leases_writes_nothing_more(
    served: Served, process: Callable[..., Process], store_url: str
):
    served.write(
        ONE_STEP,
        load="""
        import os, time
        from crossdock import Job, save_cursor

        def wait(state):
            open("begun", "w").close()
            while not os.path.exists("go"):
                time.sleep(0.01)
            return state.result("the zombie was here")

        job = Job(wait, save_cursor("visits", 1, checkpoint=True))
        """,
    )
    with Store(store_url) as other:
        worker = process(ZOMBIE, str(served.folder), store_url)
        (pid,) = worker.told()
        run = other.accept(_message(served, b"{}")).runs[0]
        until(lambda: (served.folder / "begun").exists(), "the step")
        os.kill(pid, signal.SIGSTOP)
        since = monotonic()
        mine = until(lambda: other.claim("other", lease=1.0), "the end of its lease")
        (served.folder / "go").touch()
        until(lambda: other.heartbeat(mine) and monotonic() - since > 2, "two leases")
        os.kill(pid, signal.SIGCONT)

        assert "taken over by another worker" in worker.told()[0]
        assert (mine.attempt, mine.cursors) == (2, {})
        assert other.history.run(run).steps == ()
        other.finish(mine, Finish("success", b'{"data":"mine"}'))
        assert other.history.run(run).final == b'{"data":"mine"}'
        other.accept(_message(served, b"{}"))
        assert until(lambda: other.claim("third", lease=1.0), "another run").cursors == {}


def _message(served: Served, body: bytes) -> NewMessage:
    runs = [NewRun("visits", "form", read_project(served.folder).version())]
    return NewMessage("visits", body, runs, content_type="application/json")


class _StandingStill(Store):
    """A store that stands still before or after it has claimed a run, until a test lets it go on."""

    def __init__(self, url: str, when: str) -> None:
        super().__init__(url)
        self._when = when
        self.reached, self.go = threading.Event(), threading.Event()

    def claim(self, *arguments: Any, **options: Any) -> Claimed | None:
        if self._when == "before it claims":
            self._wait()
        claimed = super().claim(*arguments, **options)
        if self._when == "after it has claimed":
            self._wait()
        return claimed

    def _wait(self) -> None:
        self.reached.set()
        assert self.go.wait(60)


@pytest.fixture(params=["before it claims", "after it has claimed"])
def standing_still(request: pytest.FixtureRequest, store_url: str) -> Iterator[_StandingStill]:
    """A store whose workers stand still at their first claim."""
    with _StandingStill(store_url, request.param) as store:
        yield store


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_rt_38_a_run_that_is_claimed_while_its_server_ends_is_back_at_once(
    served: Served, standing_still: _StandingStill, store_url: str
):
    served.write(
        ONE_STEP,
        load=f"from crossdock import Job\njob = Job(lambda state: open('{served.folder}/begun', 'w').close())\n",
    )
    project, store = read_project(served.folder), standing_still
    forks = Forks(project)
    pool = Pool(project, project.version, store, forks, 1)
    run = store.accept(_message(served, b"{}")).runs[0]
    pool.start()
    assert store.reached.wait(60)

    ending = threading.Thread(target=pool.drain, args=[60])
    ending.start()
    until(pool._draining.is_set, "the order to end")
    store.go.set()
    ending.join()
    forks.close()

    left = store.history.run(run)
    assert (left.run.state, left.run.attempt) == ("available", 0)
    assert [attempt.outcome for attempt in left.attempts] == ["interrupted"]
    with Store(store_url) as next_one:
        again = next_one.claim("the next server")
        assert again is not None
        assert again.run == run
    assert not (served.folder / "begun").exists()


WAITS = """
import os, time
from crossdock import Job
from crossdock.adaptors import postgresql

def wait(state):
    open("begun", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return state

job = Job(postgresql.insert("a", {"n": 1}), wait)
"""


def test_rt_16_a_run_that_is_interrupted_leaves_its_transaction_undone(
    postgres: Postgres, start_crossdock: StartCrossdock, write_job: WriteJob, write_json: WriteJson, tmp_path: Path
):
    postgres.execute("create table a (n int)")
    credentials = write_json({"warehouse": postgres.credential}, "credentials.json")
    process = start_crossdock("run", write_job(WAITS), "--credentials", credentials)
    until(lambda: (tmp_path / "begun").exists(), "the insert")

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "Traceback" not in err
    assert postgres.execute("select * from a") == []


def test_rt_16_a_served_run_that_is_interrupted_is_undone_and_back_in_the_queue(served: Served, postgres: Postgres):
    postgres.execute("create table a (n int)")
    served.write(
        f"credentials: {{warehouse: {json.dumps(postgres.credential)}}}\n"
        + dedent(ONE_STEP)
        + "serve: {grace: 0 seconds}\n",
        load=WAITS,
    )
    server = served.start()
    (run,) = served.post("visits", {"id": 7})
    until(lambda: (served.folder / "begun").exists(), "the insert")

    assert server.end(signal.SIGINT) == 0
    with served.store() as store:
        left = store.history.run(run)
    assert (left.run.state, left.run.attempt) == ("available", 0)
    assert [attempt.outcome for attempt in left.attempts] == ["interrupted"]
    assert postgres.execute("select * from a") == []
    (served.folder / "go").touch()
    served.start()
    assert served.run(run).run.outcome == "success"
    assert postgres.execute("select * from a") == [{"n": 1}]


@given(
    first=st.integers(1, 100_000),
    longest=st.integers(1, 100_000),
    attempt=st.integers(1, 1000),
    chance=st.floats(0, 1),
)
def test_rt_32_waits_grow_up_to_the_longest_and_a_fifth_of_each_is_chance(
    first: int, longest: int, attempt: int, chance: float
):
    retry = Retry(backoff=f"{first} seconds", max_backoff=f"{longest} seconds")

    wait, following = (backoff(retry, number, lambda: chance) for number in (attempt, attempt + 1))
    whole = backoff(retry, attempt, lambda: 0.0)

    assert wait <= following <= longest
    assert 0.8 * whole - 1e-6 <= wait <= whole
    assert whole == min(first * 2 ** (attempt - 1), longest)


RUNS = 5_000


def test_rt_39_a_clock_that_hands_the_state_on_from_run_to_run_hands_on_no_more_each_time():
    def load(state: State) -> State:
        warn("LATE", clinic="Mbale")
        return state.replace(seen=state.cursors.get("visits", 0))

    workflow = Workflow.of(Job(load, save_cursor("visits", lambda state: 1_000_000 + state.seen % 7)))
    state, sizes = State({}), Counter[int]()
    for _ in range(RUNS):
        run = Run(workflow, state)
        assert run.execute() == "success"
        state = run.state
        sizes[len(encode(state))] += 1

    (usual, times), *others = sizes.most_common()
    assert times >= RUNS - 2
    assert all(size < usual for size, _ in others), "the first ones had no cursor yet"


def test_rt_39_a_state_that_comes_near_its_limit_is_warned_of(caplog: pytest.LogCaptureFixture):
    def of_size(size: int) -> Run:
        run = Run(Workflow.of(Job(lambda state: state.result("x" * size)), "load"), size_limit=10_000)
        run.execute()
        return run

    assert of_size(7_900).outcome == "success"
    assert caplog.messages == []
    assert of_size(8_100).outcome == "success"
    assert "the state after load has 8" in caplog.text
    assert "of the 10000 that it may have" in caplog.text
