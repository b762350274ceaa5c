"""Nothing that the store said it had is lost: processes are killed, disks fill up, workers meet."""

import random
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from crossdock.store.errors import StaleLeaseError, StoreFullError, StoreUnavailableError
from crossdock.store.records import Again, Claimed, Finish, Limit, Search, StepEnd
from crossdock.store.store import Store
from fix_store import Clock, as_url, claimed, message, until
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

ACCEPTING = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from crossdock.store.records import NewMessage, NewRun
from crossdock.store.store import Store

round, store = sys.argv[1], Store(sys.argv[2])
def send(n):
    key = f"{round}-{n}"
    answer = store.accept(NewMessage("in", key.encode() * 100, [NewRun("visits", "form", "v1")], idempotency_key=key))
    sys.stdout.write(json.dumps([key, answer.message, *answer.runs]) + "\\n")
    sys.stdout.flush()
print("[]", flush=True)
with ThreadPoolExecutor(16) as pool:
    list(pool.map(send, range(100_000)))
"""


def test_in_34_what_was_answered_before_a_kill_is_stored_once(process, store_url):
    """What the process told is what its senders know; some of what it did not tell may be stored too."""
    Store(store_url).close()
    answered: dict[str, tuple[str, str]] = {}
    rng = random.Random(34)
    for round_ in range(5):
        sender = process(ACCEPTING, str(round_), store_url)
        assert sender.told() == []
        for _ in range(rng.randint(1, 300)):
            key, id_, run = sender.told()
            answered[key] = (id_, run)
        answered |= {key: (id_, run) for key, id_, run in sender.kill()}

    with Store(store_url) as store:
        stored = {one.id: store.history.message(one.id) for one in store.history.messages(Search())}
        runs = {run.message: run.id for run in store.history.runs(Search())}
        assert store.faults() == []
        assert len(answered) > 100
        for key, (id_, run) in answered.items():
            assert (stored[id_].body, runs[id_]) == (key.encode() * 100, run)
            again = store.accept(message(key.encode() * 100, key=key)._replace(source="in"))
            assert (again.message, again.duplicate) == (id_, True)
        assert len({one.body for one in stored.values()}) == len(stored), "none is stored twice"
        assert set(runs) == set(stored), "none is stored without its run"


WORKING = """
import json, sys, threading
from crossdock.store.records import Finish, StepEnd
from crossdock.store.store import Store

store = Store(sys.argv[1])
run = store.claim("victim", lease=1)
store.step_ended(run, StepEnd("load", "success", b'{"data":1}'), cursors={"at": 7})
print(json.dumps([run.run, run.attempt]), flush=True)
threading.Event().wait()
"""


def test_rt_18_a_run_whose_worker_was_killed_goes_on_after_its_committed_steps(process, store_url):
    with Store(store_url) as store:
        accepted = store.accept(message())
        victim = process(WORKING, store_url)
        assert victim.told() == [accepted.runs[0], 1]
        assert store.claim("second") is None
        victim.kill()

        run = until(lambda: store.claim("second"))

        assert (run.run, run.attempt, run.cursors) == (accepted.runs[0], 2, {"at": 7})
        assert [(end.step, end.output) for end in run.steps] == [("load", b'{"data":1}')]
        assert store.finish(run, Finish("success")) == "ended"


def test_in_33_a_full_disk_refuses_and_takes_again_once_there_is_room(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        before = store.accept(message(b"before"))
        store.limit_size(400_000)
        answers: list[Any] = [store.accept_soon(message(b"%d" % n * 20_000)) for n in range(30)]
        kept = [future.result().message for future in answers if future.exception() is None]
        refused = [future.exception() for future in answers if future.exception() is not None]

        assert refused
        assert {type(error) for error in refused} == {StoreFullError}
        assert str(refused[0]).startswith(f"the store {tmp_path}/a.db is full")
        assert [one.id for one in store.history.messages(Search())] == [*reversed(kept), before.message]
        assert store.faults() == []

        store.limit_size(100_000_000)
        assert store.accept(message(b"x" * 200_000)).runs


def test_rt_26_a_full_disk_leaves_a_run_where_it_was(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        store.accept(message())
        run = claimed(store)
        store.limit_size(300_000)

        with pytest.raises(StoreFullError):
            store.step_ended(run, StepEnd("load", "success", b"x" * 500_000), cursors={"at": 1})

        assert store.history.run(run.run).steps == ()
        store.limit_size(100_000_000)
        store.step_ended(run, StepEnd("load", "success", b"x" * 500_000), cursors={"at": 1})
        assert store.finish(run, Finish("success")) == "ended"


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"


def cut_in_the_middle(store, postgres):
    with store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM run")
        postgres.execute(CUT)
        connection.exec_driver_sql("DELETE FROM message")


def test_postgresql_that_was_gone_is_used_again_when_it_is_back(postgres):
    with Store(as_url(postgres.dsn)) as store:
        first = store.accept(message(b"1"))
        with pytest.raises(StoreUnavailableError):
            cut_in_the_middle(store, postgres)

        second = store.accept(message(b"2"))
        postgres.execute(CUT)
        third = store.accept(message(b"3"))

        stored = {one.id for one in store.history.messages(Search())}
        assert stored == {one.message for one in (first, second, third)}


def test_two_processes_that_write_to_one_file_wait_for_each_other(process, tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with Store(url) as store:
        other = process(ACCEPTING, "0", url)
        assert other.told() == []
        mine = {store.accept(message(str(n).encode())).message for n in range(200)}
        told = {other.told()[1], *(id_ for _, id_, _ in other.kill())}

        assert mine | told <= {one.id for one in store.history.messages(Search())}


class Leases(RuleBasedStateMachine):
    """Workers that claim, write, stall, are expired, give back and finish in any order, on two stores."""

    url: str
    prepare: Any

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        options = {"now": self.clock.now, "monotonic": self.clock.monotonic}
        self.prepare()
        self.stores = [Store(self.url, **options) for _ in range(2)]
        self.held: list[Claimed] = []
        """All that anybody ever claimed, stale ones too."""
        self.newest: dict[str, int] = {}
        self.finished: dict[str, bytes] = {}
        self.accepted: set[str] = set()
        self.numbers = 0

    def teardown(self) -> None:
        for store in self.stores:
            store.close()

    @initialize()
    def begin(self) -> None:
        self.accept("a")

    @rule(workflow=st.sampled_from("ab"))
    def accept(self, workflow: str) -> None:
        self.numbers += 1
        answer = self.stores[0].accept(message(str(self.numbers).encode(), workflow, most_attempts=1000))
        self.accepted |= set(answer.runs)

    @rule(who=st.integers(0, 1), concurrency=st.integers(1, 3))
    def claim(self, who: int, concurrency: int) -> None:
        limits = {"a": Limit(concurrency), "b": Limit(concurrency)}
        run = self.stores[who].claim(f"worker {who}", lease=30, limits=limits)
        if run is not None:
            assert run.fence > self.newest.get(run.run, 0)
            assert run.run not in self.finished
            self.newest[run.run] = run.fence
            self.held.append(run)

    @rule(who=st.integers(0, 1), seconds=st.sampled_from([1, 10, 31]))
    def wait(self, who: int, seconds: int) -> None:
        self.clock.pass_(seconds)
        self.stores[who].tidy()

    @rule(jump=st.sampled_from([-3600, 3600, 30 * 86400]))
    def set_clock(self, jump: int) -> None:
        self.clock.day += timedelta(seconds=jump)

    @precondition(lambda self: self.held)
    @rule(data=st.data(), what=st.sampled_from(["beat", "step", "finish", "again", "back"]), who=st.integers(0, 1))
    def write(self, data: st.DataObject, what: str, who: int) -> None:
        run = data.draw(st.sampled_from(self.held))
        mark = f"{run.fence}-{len(self.held)}".encode()
        store = self.stores[who]
        writes = {
            "beat": lambda: store.heartbeat(run),
            "step": lambda: store.step_ended(run, StepEnd("load", "success", mark)),
            "finish": lambda: store.finish(run, Finish("success", mark)),
            "again": lambda: store.finish(run, Finish("failed", mark, again=Again(5))),
            "back": lambda: store.give_back(run),
        }
        try:
            writes[what]()
        except StaleLeaseError:
            return
        assert run.fence == self.newest[run.run], "only the last one that claimed it may write"
        assert run.run not in self.finished, "nobody writes after the end"
        if what == "finish":
            self.finished[run.run] = mark

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "stores"):
            return
        runs = {run.id: run for run in self.stores[0].history.runs(Search())}
        assert set(runs) == self.accepted
        ended = {id_ for id_, run in runs.items() if run.state == "ended"}
        assert ended == set(self.finished)
        for id_, mark in self.finished.items():
            assert self.stores[0].history.run(id_).final == mark


def test_rt_22_whatever_workers_do_only_the_last_one_that_claimed_a_run_writes(tmp_path_factory):
    class InSqlite(Leases):
        def prepare(self) -> None:
            self.url = f"sqlite:///{tmp_path_factory.mktemp('leases')}/a.db"

    limits = settings(
        max_examples=15,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(InSqlite, settings=limits)


def test_rt_20_workers_that_stall_and_lose_their_leases_lose_nothing(open_store):
    """Real clocks, leases of a fraction of a second, workers that stall longer: all runs end, each once."""
    stores = [open_store(now=Clock().now, monotonic=time.monotonic) for _ in range(2)]
    accepted = {stores[0].accept(message(str(n).encode(), most_attempts=1000)).runs[0] for n in range(60)}
    ended: list[str] = []
    stale: list[str] = []

    def work(number: int) -> None:
        rng, store = random.Random(number), stores[number % 2]
        while len(ended) < len(accepted):
            run = store.claim(f"worker {number}", lease=0.15, limits={"visits": Limit(4)})
            if run is None:
                time.sleep(0.01)
                continue
            if rng.random() < 0.2:
                time.sleep(0.5)  # longer than the lease
            try:
                store.step_ended(run, StepEnd("load", "success", b"{}"))
                store.finish(run, Finish("success"))
                ended.append(run.run)
            except StaleLeaseError:
                stale.append(run.run)

    threads = [threading.Thread(target=work, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(ended) == sorted(accepted)
    assert stale, "some did stall"
    assert {(run.state, run.outcome) for run in stores[0].history.runs(Search())} == {("ended", "success")}
