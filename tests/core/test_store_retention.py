"""What is stored stays as long as it should, and is gone when it is gone."""

import os
import stat
from datetime import timedelta

import pytest
from crossdock.store.errors import RunStateError, StoreInUseError
from crossdock.store.records import Finish, Line, NewRun, Retention, Search, StepEnd
from crossdock.store.store import Store
from fix_store import claimed, message

DAY = timedelta(days=1)
CANARY = "canary-4711-Asha"
BODY = b'{"name": "%s", "more": "%s"}' % (CANARY.encode(), b"x" * 20_000)


def whole_run(store, outcome="success", body=BODY, **more):
    """Bring a run to its end that leaves the canary wherever a run can."""
    store.accept(
        message(body)
        ._replace(
            headers=[("x-name", CANARY)], request={"query": {"name": CANARY}}, idempotency_key=f"{CANARY} {len(body)}"
        )
        ._replace(runs=[NewRun("visits", "form", "v1", serialize_by=CANARY)])
    )
    run = claimed(store)
    written = {"errors": {"load": {"message": CANARY}}, "failed": [{"item": CANARY}] if outcome == "partial" else []}
    store.step_ended(run, StepEnd("load", "success", BODY, written, received=BODY))
    store.log(run, [Line(store._now(), "info", f"{n} {CANARY}") for n in range(50)])
    store.finish(run, Finish(outcome, BODY, error={"code": "x", "message": CANARY}, **more))
    return run


def payload(store, run):
    details = store.history.run(run.run)
    kept = (details.message.body, details.message.headers, details.message.request, details.error, details.final)
    return repr([*kept, details.steps, list(store.history.lines(run.run))])


def test_payloads_go_after_their_time_and_history_after_its_own(open_store, clock):
    store = open_store(keeping=Retention(payload=7 * DAY, history=30 * DAY))
    run = whole_run(store)

    clock.pass_(6 * 86400)
    assert store.prune() == (0, 0)
    assert CANARY in payload(store, run)

    clock.pass_(2 * 86400)
    assert store.prune() == (1, 0)
    assert CANARY not in payload(store, run)
    details = store.history.run(run.run)
    assert (details.run.outcome, details.message.size, details.message.wiped_at) == ("success", len(BODY), clock.now())
    assert [end.step for end in details.steps] == ["load"]
    assert store.prune() == (0, 0)

    clock.pass_(30 * 86400)
    assert store.prune() == (0, 1)
    assert list(store.history.runs(Search())) == list(store.history.messages(Search())) == []


def test_what_is_open_stays_whatever_its_age(open_store, clock):
    store = open_store(keeping=Retention(payload=DAY, history=DAY, keep_failed=False))
    store.accept(message(b"claimed"))
    claimed(store)
    store.accept(message(b"waits"))
    clock.pass_(10 * 86400)

    assert store.prune() == (0, 0)
    assert len(list(store.history.messages(Search()))) == 2


@pytest.mark.parametrize(("outcome", "more"), [("failed", {}), ("crashed", {"dead": True}), ("partial", {})])
def test_what_did_not_go_well_stays_until_somebody_took_care_of_it(open_store, clock, outcome, more):
    store = open_store(keeping=Retention(payload=DAY))
    run = whole_run(store, outcome, **more)
    clock.pass_(10 * 86400)
    assert store.prune() == (0, 0)

    store.drop(run.run)

    assert store.prune() == (1, 0)


def test_a_failure_that_was_repeated_well_keeps_nothing(open_store, clock):
    store = open_store(keeping=Retention(payload=DAY))
    run = whole_run(store, "failed")
    store.retry(run.run)
    store.finish(claimed(store), Finish("success"))
    clock.pass_(10 * 86400)

    assert store.prune() == (1, 0)


def test_without_keep_failed_age_is_all_that_counts(open_store, clock):
    store = open_store(keeping=Retention(payload=DAY, keep_failed=False))
    whole_run(store, "failed")
    clock.pass_(10 * 86400)

    assert store.prune() == (1, 0)


def test_more_than_a_chunk_is_pruned(open_store, clock):
    store = open_store(keeping=Retention(history=DAY))
    futures = [store.accept_soon(message(b"x")._replace(runs=[])) for n in range(1200)]
    futures[-1].result()
    clock.pass_(2 * 86400)

    assert store.prune() == (0, 1200)


def test_erase_all_keeps_nothing_after_success_and_all_after_failure(open_store):
    store = open_store(keeping=Retention(erase_all=True))
    good, bad = whole_run(store), whole_run(store, "failed", body=BODY + b" ")

    assert CANARY not in payload(store, good)
    assert CANARY in payload(store, bad)

    store.retry(bad.run)
    store.finish(claimed(store), Finish("success", BODY))
    assert CANARY not in payload(store, bad), "all that it started is well now"


def test_erase_all_waits_for_all_runs_of_a_message(open_store):
    store = open_store(keeping=Retention(erase_all=True))
    store.accept(message(BODY, "visits", "report"))
    first, second = claimed(store), claimed(store)

    store.finish(first, Finish("success"))
    assert store.history.message(first.message.id).body == BODY
    store.finish(second, Finish("success"))
    assert store.history.message(first.message.id).body is None


def test_one_message_is_erased_whatever_became_of_it(store):
    run = whole_run(store, "crashed", dead=True)

    store.erase(run.message.id)

    assert CANARY not in payload(store, run)
    assert list(store.history.runs(Search(outcome="dead"))) == []


def test_a_message_whose_run_waits_is_erased_and_the_run_cancelled(store):
    accepted = store.accept(message(BODY))

    store.erase(accepted.message)

    assert store.claim("worker") is None
    assert store.history.run(accepted.runs[0]).run.outcome == "cancelled"


def test_a_message_that_a_worker_is_busy_with_is_not_erased(store):
    store.accept(message(BODY))
    run = claimed(store)

    with pytest.raises(RunStateError, match="busy"):
        store.erase(run.message.id)

    assert store.history.message(run.message.id).body == BODY


def test_all_that_holds_a_text_is_erased(store):
    hit, miss = whole_run(store), store.accept(message(b"other"))
    escaped = store.accept(message(rb'{"name": "J\u00fcrgen"}')._replace(runs=[]))

    assert store.erase_text(CANARY) == ([hit.message.id], {})
    assert store.erase_text("Jürgen") == ([escaped.message], {})

    assert CANARY not in payload(store, hit)
    assert store.history.message(miss.message).body == b"other"


def test_of_all_that_holds_a_text_what_a_worker_is_busy_with_stays(store):
    store.accept(message(BODY, "visits"))
    busy = claimed(store)
    waits = store.accept(message(BODY + b" ", "visits"))

    assert store.erase_text(CANARY) == ([waits.message], {busy.message.id: busy.run})

    assert store.history.message(busy.message.id).body == BODY
    assert store.history.message(waits.message).body is None


@pytest.mark.parametrize("how", ["prune", "prune history", "erase", "erase_text", "erase_all"])
def test_se_12_the_bytes_are_gone_from_the_files(tmp_path, clock, how):
    """In among others that stay, so that pages are shared; the store stays open, with its log."""
    keeping = Retention(
        payload=DAY if how == "prune" else None,
        history=DAY if how == "prune history" else None,
        erase_all=how == "erase_all",
    )
    with Store(f"sqlite:///{tmp_path}/a.db", now=clock.now, keeping=keeping) as store:
        runs = [whole_run(store, body=BODY + b" " * n) for n in range(20)]
        if how != "erase_all":
            assert any(CANARY.encode() in file.read_bytes() for file in tmp_path.iterdir()), "the sweep can find it"
        clock.pass_(2 * 86400)
        for n in range(20):
            store.accept(message(b"stays %d" % n + b"y" * 3000)._replace(runs=[]))

        if how.startswith("prune"):
            assert sum(store.prune()) == 20
        elif how == "erase":
            for run in runs:
                store.erase(run.message.id)
        elif how == "erase_text":
            assert len(store.erase_text(CANARY).messages) == 20
        else:
            store.tidy()

        left = [file.name for file in tmp_path.iterdir() if CANARY.encode() in file.read_bytes()]
        assert left == []
        assert len(list(store.history.messages(Search(text="stays")))) == 20
        assert store.faults() == []


def test_se_07_files_are_their_owners_alone(tmp_path):
    """Whatever the umask says: files 0600, a new folder 0700; a file that others could read is closed to them."""
    before = os.umask(0)
    try:
        with Store(f"sqlite:///{tmp_path}/new/a.db", serving=True) as store:
            store.accept(message())
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
            folder = stat.S_IMODE((tmp_path / "new").stat().st_mode)
        (tmp_path / "new/a.db").chmod(0o644)
        with Store(f"sqlite:///{tmp_path}/new/a.db") as store:
            store.accept(message())
            again = {stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "new").iterdir()}
    finally:
        os.umask(before)

    assert (set(modes), folder) == ({"a.db", "a.db-wal", "a.db-shm", "a.db.lock"}, 0o700)
    assert set(modes.values()) == again == {0o600}


def test_rt_28_a_file_has_one_server_and_others_beside_it(tmp_path):
    url = f"sqlite:///{tmp_path}/a.db"
    with Store(url, serving=True) as server, Store(url) as command:
        with pytest.raises(StoreInUseError, match=rf"process id {os.getpid()}\n"):
            Store(url, serving=True)
        accepted = server.accept(message())
        assert command.cancel(accepted.runs[0]) == "ended"

    Store(url, serving=True).close()
