"""A message that was acknowledged is never lost. IN-01, IN-32 to IN-34, F3."""

import json
import random
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from crossdock.store.records import Finish
from crossdock.store.store import Store

SYNCED = re.compile(r"f(?:data)?sync\(.*= 0|<\.\.\. f(?:data)?sync resumed>.*= 0")


def test_in_01_a_message_is_on_the_disk_before_its_sender_is_told(start_server, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace shows what a process asks of the kernel: install it")
    trace = tmp_path / "trace"
    calls = "trace=fdatasync,fsync,sendto,recvfrom"
    server = start_server(prefix=("strace", "-D", "-f", "-s", "30", "-e", calls, "-e", "signal=none", "-o", str(trace)))

    for number in range(20):
        assert server.post("/inbox/open", {"n": number}).status == 200

    synced = None
    answers = 0
    for line in trace.read_text().splitlines():
        if '"POST ' in line:
            synced = False
        elif SYNCED.search(line):
            synced = True
        elif '"HTTP/1.1 200' in line:
            assert synced, line
            answers += 1
    assert answers == 20


def test_in_32_when_too_much_waits_senders_are_told_to_come_later(start_server):
    server = start_server(most_waiting=100)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda n: server.post("/inbox/open", {"n": n}), range(150)))

    kept, refused = ([answer for answer in answers if answer.status == status] for status in (200, 503))
    assert (len(kept), len(refused)) == (100, 50)
    assert {(answer.error, answer.headers["retry-after"]) for answer in refused} == {("backlog_full", "5")}
    assert len(server.stored()) == 100

    assert process_all(server) == 100
    wait_for(lambda: server.post("/inbox/open").status == 200)  # the server counts anew after a second


def process_all(server):
    """Do a worker's part: take each run and end it."""
    with Store(f"sqlite:///{server.file}") as store:
        done = 0
        while claimed := store.claim("test"):
            store.finish(claimed, Finish("success"))
            done += 1
        return done


def wait_for(condition, seconds=10):
    """Wait until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


FULL_AND_BACK = """
    from sqlalchemy import event
    import crossdock.store.database as database, pathlib
    engine, cap = store._database._writing, pathlib.Path(sys.argv[1] + ".cap")

    @event.listens_for(engine, "begin")
    def limit(connection):
        connection.exec_driver_sql("PRAGMA max_page_count = " + (cap.read_text() if cap.exists() else "1073741823"))
"""


def test_in_33_with_a_full_disk_nothing_is_acknowledged_and_nothing_is_lost(start_server):
    server = start_server(setup=FULL_AND_BACK.strip())
    cap = server.file.with_suffix(".db.cap")
    assert server.post("/inbox/open").status == 200
    kept = server.stored()
    cap.write_text(str(server.rows("PRAGMA page_count")[0]["page_count"]))

    refused = [server.post("/inbox/open", {"text": "x" * 100_000}) for _ in range(3)]

    assert {(answer.status, answer.error, answer.headers["retry-after"]) for answer in refused} == {
        (503, "store_unavailable", "5")
    }
    assert str(server.file) not in refused[0].body.decode()
    assert server.stored() == kept
    assert server.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    cap.unlink()
    assert server.post("/inbox/open", {"text": "x" * 100_000}).status == 200


class Client(threading.Thread):
    """Sends messages with ids, each until it is acknowledged."""

    def __init__(self, server, name, stop):
        super().__init__()
        self.server, self.name_, self.stop, self.acknowledged = server, name, stop, []

    def run(self):
        number = 0
        while not self.stop.is_set():
            number += 1
            self.send(f"{self.name_}-{number}")

    def send(self, name):
        while not self.stop.is_set():
            try:
                answer = self.server.post("/inbox/open", {"id": name}, f"webhook-id: {name}")
            except (OSError, EOFError):
                self.stop.wait(0.02)
                continue
            if answer.status == 200:
                self.acknowledged.append(name)
                return


def test_in_34_what_was_acknowledged_outlives_a_kill(start_server):
    server, stop, source = start_server(), threading.Event(), random.Random(34)
    clients = [Client(server, f"client-{number}", stop) for number in range(8)]
    for client in clients:
        client.start()
    for _ in range(20):
        stop.wait(source.uniform(0.05, 0.3))
        server.stop()
        server.start()
    stop.set()
    for client in clients:
        client.join()

    acknowledged = [name for client in clients for name in client.acknowledged]
    stored = [json.loads(row["body"])["id"] for row in server.stored()]
    assert len(acknowledged) > 100
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))
