"""An idempotency key is remembered for its time, and then forgotten; each workflow has its own retention."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from crossdock.cli.operating import retention_of
from crossdock.project import read_project
from crossdock.store.errors import IdReusedError
from crossdock.store.records import Finish, Limit, NewMessage, Retention, Search
from crossdock.store.schema import message as table
from fix_serve import Served
from fix_store import claimed, message
from sqlalchemy import func, select, update

DAY = timedelta(days=1)
WEEK = 7 * DAY


def keyed(body: bytes = b"{}", window: timedelta | None = WEEK) -> NewMessage:
    return message(body, key="id-1")._replace(idempotency_window=window)


def remembered(store) -> int:
    """Count the keys that the store remembers."""
    with store._database.read() as connection:
        return connection.scalar(select(func.count(table.c.idempotency)))


def test_an_id_comes_again_as_something_new_when_its_window_is_over(store, clock):
    first = store.accept(keyed())
    clock.pass_(WEEK.total_seconds())
    assert store.accept(keyed()) == first._replace(duplicate=True)

    clock.pass_(1)
    second = store.accept(keyed())

    assert (second.duplicate, second.message != first.message) == (False, True)
    assert store.accept(keyed()) == second._replace(duplicate=True)
    assert len(list(store.history.runs(Search()))) == 2
    assert store.history.message(first.message).body == b"{}"


def test_with_another_body_an_id_is_refused_within_its_window_alone(store, clock):
    store.accept(keyed())

    with pytest.raises(IdReusedError):
        store.accept(keyed(b"[]"))
    clock.pass_(WEEK.total_seconds() + 1)

    assert not store.accept(keyed(b"[]")).duplicate


def test_an_id_without_a_window_is_remembered_as_long_as_its_message(store, clock):
    first = store.accept(keyed(window=None))
    clock.pass_(3650 * 86400)

    assert store.accept(keyed(window=None)) == first._replace(duplicate=True)


def test_a_clock_that_is_set_back_forgets_nothing(store, clock):
    first = store.accept(keyed())
    clock.day -= 30 * DAY

    assert store.accept(keyed()) == first._replace(duplicate=True)


def test_many_at_once_with_an_id_that_was_forgotten_are_one_message(open_store, clock):
    """Also when they come through two processes that share a database, here two stores."""
    stores = [open_store(), open_store()]
    old = stores[0].accept(keyed())
    clock.pass_(WEEK.total_seconds() + 1)
    together = threading.Barrier(20)

    def send(number: int):
        together.wait()
        return stores[number % 2].accept(keyed())

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))

    assert len({answer.message for answer in answers} - {old.message}) == 1
    assert [answer.duplicate for answer in answers].count(False) == 1


def test_keys_whose_window_is_over_are_forgotten_with_what_is_pruned(open_store, clock):
    store = open_store(keeping=Retention(windows={"visits": WEEK}))
    store.accept(keyed())
    store.accept(keyed()._replace(source="others", idempotency_window=None))
    clock.pass_(WEEK.total_seconds())
    store.accept(message(key="id-2"))
    store.prune()
    assert remembered(store) == 3

    clock.pass_(1)
    store.prune()

    assert remembered(store) == 2
    assert len(list(store.history.messages(Search()))) == 3


def test_more_keys_than_a_chunk_are_forgotten(open_store, clock):
    store = open_store(keeping=Retention(windows={"visits": WEEK}))
    futures = [store.accept_soon(message(key=str(number))._replace(runs=[])) for number in range(1200)]
    futures[-1].result()
    clock.pass_(WEEK.total_seconds() + 1)

    store.prune()

    assert remembered(store) == 0


PROJECT = """
retention: {payloads: 7 days, history: 30 days}
workflows:
  visits:
    triggers:
      form: {webhook: visits, idempotency: {window: 3 days}}
      other: {webhook: others, idempotency: {header: X-Id}}
    steps: {load: {job: jobs/load.py}}
  tests:
    retention: {payloads: 1 days, erase_all: true}
    steps: {load: {job: jobs/load.py}}
"""
JOB = """
from crossdock import Job, set_data
job = Job(set_data(1))
"""


def test_windows_and_retention_are_those_of_the_project(served: Served):
    served.write(PROJECT, load=JOB)

    kept = retention_of(read_project(served.folder))

    assert (kept.payload, kept.history, kept.windows) == (WEEK, 30 * DAY, {"visits": 3 * DAY, "others": WEEK})
    assert kept.workflows == {"tests": Retention(DAY, 30 * DAY, erase_all=True, keep_failed=False)}


def test_a_server_takes_an_id_again_when_the_window_of_its_trigger_is_over(served: Served):
    served.write(PROJECT, load=JOB)
    served.start()
    first = served.post("visits", {"id": 7}, webhook_id="a")

    def days_ago(days: int) -> list[str]:
        with served.store() as store, store._database.write() as connection:
            long_ago = table.c.received_at - days * 86_400_000_000
            connection.execute(update(table).values(received_at=long_ago))
        return served.post("visits", {"id": 7}, webhook_id="a")

    assert days_ago(2) == first
    assert days_ago(2) != first


def ended(store, *workflows: str, outcome="success") -> str:
    """Accept a message that starts runs of workflows, bring them to their end, and give its id."""
    accepted = store.accept(message(b"{}", *workflows))
    for _ in workflows:
        store.finish(claimed(store, limits=dict.fromkeys(workflows, Limit(9))), Finish(outcome))
    return accepted.message


def test_each_workflow_has_a_retention_of_its_own_and_the_longest_counts(open_store, clock):
    own = {"tests": Retention(DAY, 3 * DAY), "archive": Retention(30 * DAY, 30 * DAY)}
    store = open_store(keeping=Retention(WEEK, WEEK, workflows=own))
    kinds = {
        "usual": ended(store, "visits"),
        "short": ended(store, "tests"),
        "long": ended(store, "archive"),
        "both": ended(store, "tests", "visits"),
        "none": store.accept(message(b"{}")._replace(runs=[])).message,
    }
    names = {id_: name for name, id_ in kinds.items()}

    def after(days: float) -> tuple[set[str], set[str]]:
        """Prune, and tell which messages are still known, and which of them still have their payload."""
        clock.pass_(days * 86400 + 1)
        store.prune()
        known = list(store.history.messages(Search()))
        return {names[one.id] for one in known}, {names[one.id] for one in known if one.wiped_at is None}

    every = set(kinds)
    assert after(0.5) == (every, every)
    assert after(1) == (every, every - {"short"})
    assert after(2) == (every - {"short"}, every - {"short"})
    assert after(4) == ({"long"}, {"long"})
    assert after(25) == (set(), set())


def test_what_failed_is_kept_for_workflows_that_say_so(open_store, clock):
    keeping = Retention(DAY, keep_failed=False, workflows={"visits": Retention(DAY, keep_failed=True)})
    other = Retention(DAY, keep_failed=True, workflows={"visits": Retention(DAY, keep_failed=False)})
    store = open_store(keeping=keeping)
    kept, gone = ended(store, "visits", outcome="failed"), ended(store, "tests", outcome="failed")
    clock.pass_(2 * 86400)

    store.prune()
    assert [store.history.message(id_).body for id_ in (kept, gone)] == [b"{}", None]

    open_store(keeping=other).prune()
    assert store.history.message(kept).body is None


def test_all_is_erased_where_every_workflow_of_a_message_says_so(open_store):
    store = open_store(keeping=Retention(workflows={"tests": Retention(erase_all=True)}))

    only, both, usual = (ended(store, *names) for names in (["tests"], ["tests", "visits"], ["visits"]))

    assert [store.history.message(id_).body for id_ in (only, both, usual)] == [None, b"{}", b"{}"]
