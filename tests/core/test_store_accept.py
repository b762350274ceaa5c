"""Messages come into the store once, together, and before anybody is told."""

import json
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from shutil import which

import pytest
from crossdock.store.errors import BacklogError, IdReusedError, NoRecordError, StoreUnavailableError
from crossdock.store.records import NewMessage, NewRun, Search
from crossdock.store.store import Store
from fix_store import claimed, message


def test_a_message_is_kept_byte_for_byte_with_all_that_came_along(store):
    body = b'\xff\x00{"a": 1.10}'
    new = NewMessage(
        "visits",
        body,
        [NewRun("visits", "form", "v7")],
        content_type="application/json",
        headers=[("x-form", "é"), ("x-form", "2")],
        request={"method": "POST", "path": "/inbox/visits", "query": {"q": "\u0000"}},
    )

    kept = store.history.message(store.accept(new).message)

    assert (kept.body, kept.size, kept.source, kept.kind) == (body, len(body), "visits", "webhook")
    assert (kept.content_type, kept.headers, kept.request) == (new.content_type, tuple(new.headers), new.request)


def test_a_message_starts_all_its_runs_or_none(store):
    accepted = store.accept(message(b"{}", "visits", "report"))

    runs = list(store.history.runs(Search()))

    assert {run.id for run in runs} == set(accepted.runs)
    assert {run.workflow for run in runs} == {"visits", "report"}
    assert {(run.message, run.state, run.project_version) for run in runs} == {(accepted.message, "available", "v1")}
    assert store.accept(NewMessage("visits", b"{}")).runs == ()


def test_in_30_the_same_id_and_body_get_the_first_answer_again(store):
    first = store.accept(message(key="id-1"))

    with ThreadPoolExecutor(20) as pool:
        again = list(pool.map(lambda _: store.accept(message(key="id-1")), range(20)))

    assert set(again) == {first._replace(duplicate=True)}
    assert len(list(store.history.messages(Search()))) == len(list(store.history.runs(Search()))) == 1


def test_in_30_many_at_once_with_one_id_are_one_message(open_store):
    """Also when they come through two processes that share a database, here two stores."""
    stores = [open_store(), open_store()]
    together = threading.Barrier(20)

    def send(number):
        together.wait()
        return stores[number % 2].accept(message(key="id-1"))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))

    assert len({(answer.message, answer.runs) for answer in answers}) == 1
    assert [answer.duplicate for answer in answers].count(False) == 1
    assert len(list(stores[0].history.messages(Search()))) == 1


def test_in_30_two_processes_that_get_one_id_at_the_same_moment_tell_the_same(open_store):
    """Each alone in its transaction: in PostgreSQL the second one finds out when it inserts."""
    stores = [open_store(), open_store()]
    together = threading.Barrier(2, timeout=10)

    def send(number):
        answers = []
        for n in range(40):
            together.wait()
            answers.append(stores[number].accept(message(key=f"id-{n}")))
        return answers

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(send, range(2))

    assert [answer[:2] for answer in first] == [answer[:2] for answer in second]
    assert all(a.duplicate != b.duplicate for a, b in zip(first, second, strict=True))


def test_in_31_the_same_id_with_another_body_is_refused(store):
    first = store.accept(message(b'{"id": 7}', key="id-1"))

    with pytest.raises(IdReusedError):
        store.accept(message(b'{"id": 8}', key="id-1"))

    assert store.history.message(first.message).body == b'{"id": 7}'
    assert store.accept(message(b'{"id": 8}', key="id-1")._replace(source="other")).duplicate is False


def test_in_32_a_full_queue_refuses_and_takes_again_once_there_is_room(open_store, clock):
    store = open_store(most_waiting=100)
    futures = [store.accept_soon(message(str(n).encode())) for n in range(150)]

    refused = [future for future in futures if isinstance(future.exception(), BacklogError)]

    assert (len(futures) - len(refused), len(refused)) == (100, 50)
    store.cancel(futures[0].result().runs[0])
    assert store.accept(message(b"new")).runs
    with pytest.raises(BacklogError):
        store.accept(message(b"newer"))


def test_one_message_that_can_not_be_kept_does_not_hurt_its_batch(store):
    """A fault that only the database finds: the whole transaction fails, and each is tried by itself."""
    bad = message(b"bad")._replace(runs=[NewRun("visits", None, "v1")])  # the trigger may not be NULL
    with store._database.write():  # so that all wait for one turn
        futures = [store.accept_soon(bad if n == 3 else message(str(n).encode())) for n in range(8)]

    failed = [n for n, future in enumerate(futures) if future.exception() is not None]

    assert failed == [3]
    assert {run.message for run in store.history.runs(Search())} == {
        future.result().message for n, future in enumerate(futures) if n != 3
    }


def test_messages_that_wait_share_one_turn_of_the_disk(tmp_path):
    """Counted by the system calls of a process: fewer syncs than messages."""
    if which("strace") is None:
        pytest.skip("there is no strace to count syncs with: apt-get install strace")
    source = """
import sys
from concurrent.futures import ThreadPoolExecutor
from crossdock.store.records import NewMessage
from crossdock.store.store import Store
with Store(sys.argv[1]) as store, ThreadPoolExecutor(50) as pool:
    print(len({answer.message for answer in pool.map(lambda n: store.accept(NewMessage("in", b"x")), range(500))}))
"""
    trace = tmp_path / "trace"
    command = ["strace", "-f", "-e", "trace=fsync,fdatasync", "-o", trace, sys.executable, "-c", source]
    done = subprocess.run([*command, f"sqlite:///{tmp_path}/a.db"], capture_output=True, text=True, check=True)

    synced = len(re.findall(r"sync\(\d+\) += 0|sync resumed>\) += 0", trace.read_text()))

    assert done.stdout == "500\n"
    assert 10 <= synced < 250


def test_every_connection_syncs_each_commit(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        for transaction in (store._database.write, store._database.read):
            with transaction() as connection:
                pragmas = [
                    connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("synchronous", "journal_mode")
                ]
            assert pragmas == [2, "wal"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # it alone has the setting
def test_a_server_that_was_told_not_to_sync_is_told_otherwise(postgres, open_store, store_url):
    postgres.execute(
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$"
    )
    store = open_store()

    with store._database.write() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_closed_store_refuses_and_has_written_what_waited(open_store):
    store = open_store()
    futures = [store.accept_soon(message(str(n).encode())) for n in range(50)]

    store.close()

    assert all(future.done() for future in futures)
    with pytest.raises(StoreUnavailableError):
        store.accept(message())
    assert len(list(open_store().history.messages(Search()))) == 50


def test_ids_that_do_not_exist_are_refused(store):
    with pytest.raises(NoRecordError):
        store.history.message("nothing")
    with pytest.raises(NoRecordError):
        store.history.run("nothing")
    with pytest.raises(NoRecordError):
        store.retry("nothing")


def test_errors_quote_no_payload(store):
    bad = message(b"canary-1")._replace(runs=[NewRun("visits", None, "canary-2")])

    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever it is
        store.accept(bad)

    shown = json.dumps([str(caught.value), repr(caught.value), str(caught.value.__cause__), *caught.value.__notes__])
    assert "canary" not in shown


def test_a_key_that_may_be_a_persons_is_kept_as_its_digest(store):
    store.accept(message(key="canary-key", serialize_by="canary-patient"))

    run = claimed(store)

    assert "canary" not in repr(run)
    with store._database.read() as connection:
        for table in ("message", "run"):
            assert "canary" not in repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all())
