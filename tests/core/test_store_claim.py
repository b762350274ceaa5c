"""Which run is next, who holds it, and what becomes of one whose worker is gone."""

import subprocess
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from crossdock.store.errors import StaleLeaseError
from crossdock.store.leases import Lease, Watch, is_gone, place
from crossdock.store.records import Again, Attempt, Finish, Limit, Line, Search, StepEnd
from fix_store import claimed, message

MANY = {"visits": Limit(concurrency=100)}


def finish(store, run, outcome="success", **more):
    return store.finish(run, Finish(outcome, **more))


def test_nothing_waits(store):
    assert store.claim("worker") is None


def test_first_in_is_first_out(store):
    accepted = [store.accept(message(str(n).encode())) for n in range(5)]

    order = []
    while run := store.claim("worker"):
        order.append((run.run, run.message.id, run.message.body))
        finish(store, run)

    assert order == [(one.runs[0], one.message, str(n).encode()) for n, one in enumerate(accepted)]


def test_one_run_of_a_workflow_goes_on_at_a_time_and_others_beside_it(store):
    for body in (b"1", b"2"):
        store.accept(message(body, "visits", "report"))

    first, second, third = claimed(store), claimed(store), store.claim("worker")

    assert ({first.workflow, second.workflow}, third) == ({"visits", "report"}, None)
    finish(store, first)
    assert claimed(store).message.body == b"2"


def test_rt_42_a_workflow_with_a_long_queue_does_not_hold_up_another(store):
    queued = [store.accept_soon(message(b"", "slow")) for _ in range(2)]
    queued += [store.accept_soon(message(b"%d" % n, "fast")) for n in range(1000)]
    for accepted in queued:
        accepted.result()
    slow, order = claimed(store), []

    while run := store.claim("worker"):
        order.append((run.workflow, run.message.body))
        finish(store, run)

    assert order == [("fast", b"%d" % n) for n in range(1000)]
    finish(store, slow)
    assert claimed(store).workflow == "slow"


def test_as_many_as_the_limit_says_go_on_at_a_time(store):
    for n in range(5):
        store.accept(message(str(n).encode()))
    limits = {"visits": Limit(concurrency=3)}

    runs = [store.claim("worker", limits=limits) for _ in range(5)]

    assert [run and run.message.body for run in runs] == [b"0", b"1", b"2", None, None]


def test_runs_that_are_serialized_by_a_key_keep_its_order(store):
    for body, key in ((b"1", "a"), (b"2", "a"), (b"3", "b"), (b"4", None), (b"5", None)):
        store.accept(message(body, serialize_by=key))

    started = [store.claim("worker", limits=MANY) for _ in range(5)]

    assert [run and run.message.body for run in started] == [b"1", b"3", b"4", b"5", None]
    finish(store, started[0], "failed", again=Again(60))
    assert store.claim("worker", limits=MANY) is None, "2 must wait for 1 to be tried again"


def test_in_a_strict_order_nothing_overtakes_what_waits_to_be_tried_again(store, clock):
    store.accept(message(b"1"))
    store.accept(message(b"2"))
    assert finish(store, claimed(store), "failed", again=Again(60)) == "available"

    assert store.claim("worker") is None
    assert claimed(store, limits=MANY).message.body == b"2", "without an order it may"
    clock.pass_(61)
    again = claimed(store, limits=MANY)
    assert (again.message.body, again.attempt) == (b"1", 2)


def test_a_clock_that_is_set_back_makes_nobody_wait(store, clock):
    store.accept(message())
    finish(store, claimed(store), "failed", again=Again(60))

    clock.day -= timedelta(hours=1)

    assert claimed(store).attempt == 2


def test_a_lease_whose_heart_stands_still_goes_to_another_worker(open_store, clock):
    here, there = open_store(), open_store()
    here.accept(message())
    stopped = claimed(here, "first", lease=30)
    assert there.claim("second") is None
    clock.pass_(31)

    again = claimed(there, "second", lease=30)

    assert (again.run, again.attempt, again.fence) == (stopped.run, 2, 2)
    assert [attempt[:2] + attempt[4:] for attempt in there.history.run(again.run).attempts] == [
        (1, "first", "crashed", "worker_gone"),
        (2, "second", None, None),
    ]


def test_rt_23_a_worker_that_lost_its_lease_writes_nothing_more(open_store, clock):
    here, there = open_store(), open_store()
    here.accept(message())
    zombie = claimed(here, "first", lease=30)
    there.claim("second")
    clock.pass_(31)
    again = claimed(there, "second")

    writes = [
        lambda: here.heartbeat(zombie),
        lambda: here.step_ended(zombie, StepEnd("load", "success", b"zombie"), cursors={"at": "zombie"}),
        lambda: here.checkpoint(zombie, {"at": "zombie"}),
        lambda: here.log(zombie, [Line(datetime.now(UTC), "info", "zombie")]),
        lambda: here.finish(zombie, Finish("success", b"zombie", cursors={"at": "zombie"})),
        lambda: here.give_back(zombie),
    ]
    for write in writes:
        with pytest.raises(StaleLeaseError):
            write()

    there.step_ended(again, StepEnd("load", "success", b"{}"))
    there.finish(again, Finish("success", b"{}"))
    assert "zombie" not in repr((there.history.run(again.run), list(there.history.lines(again.run))))
    assert there.history.run(again.run).run.outcome == "success"


def test_an_expired_run_is_nobodys_before_it_is_claimed_again(store, clock):
    store.accept(message())
    gone = claimed(store, lease=30)
    store.tidy()
    clock.pass_(31)

    assert store.tidy() == 1

    with pytest.raises(StaleLeaseError):
        finish(store, gone)
    assert claimed(store).attempt == 2


def test_a_heart_that_beats_keeps_the_lease(open_store, clock):
    here, there = open_store(), open_store()
    here.accept(message())
    run = claimed(here, lease=30)
    for _ in range(10):
        there.tidy()
        clock.pass_(20)
        assert here.heartbeat(run) is True

    assert there.claim("second") is None


def test_what_a_worker_writes_is_a_heartbeat_too(open_store, clock):
    here, there = open_store(), open_store()
    here.accept(message())
    run = claimed(here, lease=30)
    for n in range(10):
        there.tidy()
        clock.pass_(20)
        here.step_ended(run, StepEnd(f"step_{n}", "success", b"{}"))

    assert there.tidy() == 0


@pytest.mark.parametrize("jump", [timedelta(hours=-1), timedelta(hours=1), timedelta(days=30), timedelta(days=-30)])
def test_rt_29_a_clock_that_is_set_takes_no_lease_away_and_keeps_none(open_store, clock, jump):
    here, there = open_store(), open_store()
    here.accept(message())
    run = claimed(here, lease=30)
    there.tidy()

    clock.day += jump

    assert there.claim("second") is None
    clock.seconds += 31
    assert claimed(there, "second").run == run.run


def test_after_its_last_attempt_a_run_whose_worker_is_gone_is_dead(store, clock):
    """RT-24: what kills its worker each time must not do so for ever."""
    store.accept(message(b"poison"))
    store.accept(message(b"good"))
    for attempt in (1, 2, 3):
        run = claimed(store, lease=30)
        assert (run.message.body, run.attempt) == (b"poison", attempt)
        store.tidy()
        clock.pass_(31)

    assert claimed(store).message.body == b"good"

    dead = next(store.history.runs(Search(outcome="dead")))
    assert (dead.outcome, dead.error_code, dead.attempt) == ("crashed", "worker_gone", 3)
    assert store.history.message(dead.message).body == b"poison", "it can be replayed"


def test_f7_a_worker_whose_process_is_gone_loses_its_lease_at_once(store, process, store_url):
    source = """
import json, sys, threading
from crossdock.store.store import Store
with Store(sys.argv[1]) as store:
    print(json.dumps([store.claim("child", lease=3600).run]), flush=True)
    threading.Event().wait()
"""
    accepted = store.accept(message())
    child = process(source, store_url)
    assert child.told() == list(accepted.runs)
    assert store.claim("here") is None

    child.kill()

    assert claimed(store, "here").attempt == 2


def test_a_run_that_is_given_back_is_next_and_the_attempt_does_not_count(store):
    store.accept(message(b"1"))
    store.accept(message(b"2"))
    run = claimed(store)
    store.step_ended(run, StepEnd("load", "success", b"{}"))

    store.give_back(run)

    again = claimed(store)
    assert (again.run, again.attempt, [end.step for end in again.steps]) == (run.run, 1, ["load"])
    assert [a.outcome for a in store.history.run(run.run).attempts] == ["interrupted", None]


def test_a_run_that_waits_is_cancelled_at_once(store):
    run = store.accept(message()).runs[0]

    assert store.cancel(run) == "ended"

    assert store.claim("worker") is None
    assert store.history.run(run).run.outcome == "cancelled"


def test_the_worker_of_a_run_that_goes_on_is_told_to_end_it(store):
    store.accept(message())
    run = claimed(store)
    assert store.heartbeat(run) is True

    assert store.cancel(run.run) == "claimed"

    assert store.heartbeat(run) is False
    finish(store, run, "cancelled")
    assert store.history.run(run.run).run.outcome == "cancelled"


@pytest.mark.parametrize("how", ["given back", "expired"])
def test_a_cancelled_run_that_leaves_its_worker_is_not_run_again(store, clock, how):
    store.accept(message())
    run = claimed(store, lease=30)
    store.cancel(run.run)
    store.tidy()

    if how == "given back":
        store.give_back(run)
    clock.pass_(31)

    assert store.claim("worker") is None
    assert store.history.run(run.run).run.outcome == "cancelled"


def test_attempts_tell_who_did_what_and_when(store, clock):
    store.accept(message())
    start = clock.now()
    finish(store, claimed(store, "a"), "failed", error={"code": "adaptor_error"}, again=Again(5))
    clock.pass_(10)
    run = claimed(store, "b")
    clock.pass_(1)
    finish(store, run)

    later = start + timedelta(seconds=10)
    assert store.history.run(run.run).attempts == (
        Attempt(1, "a", start, start, "failed", "adaptor_error"),
        Attempt(2, "b", later, clock.now(), "success", None),
    )
    assert run.first_started_at == start


def test_rt_22_no_two_workers_hold_one_run(open_store):
    """Eight threads on two stores: each run is claimed once, and never more at a time than may be."""
    stores = [open_store(), open_store()]
    for future in [stores[0].accept_soon(message(str(n).encode(), f"w{n % 3}")) for n in range(200)]:
        future.result()
    limits = {f"w{n}": Limit(concurrency=2) for n in range(3)}
    seen, at_once, running = list[str](), list[int](), Counter[str]()
    lock = threading.Lock()

    def work(number):
        store = stores[number % 2]
        while len(seen) < 200:
            if (run := store.claim(f"worker {number}", limits=limits)) is None:
                continue  # the others hold all places
            with lock:
                seen.append(run.run)
                running[run.workflow] += 1
                at_once.append(running[run.workflow])
            with lock:
                running[run.workflow] -= 1
            store.finish(run, Finish("success"))

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(seen), len(set(seen))) == (200, 200)
    assert max(at_once) <= 2


def test_a_process_is_gone_only_if_that_is_certain():
    assert is_gone(place()) is False
    assert is_gone(None) is False
    assert is_gone("another machine 1") is False
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert is_gone(place().rpartition(" ")[0] + f" {ended.pid}") is True


def test_a_watch_counts_anew_whenever_a_heart_moved():
    now = [0.0]
    watch = Watch(lambda: now[0])
    beats = [(0, 0), (29, 0), (29.5, 1), (59, 1), (59.5, 1)]

    expired = []
    for at, beat in beats:
        now[0] = at
        expired.append(bool(watch.expired([Lease(1, 1, beat, 30.0, None)])))

    assert expired == [False, False, False, False, True]
