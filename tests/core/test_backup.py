"""``crossdock backup``: all that was accepted before it is in it, and a server goes on from there."""

import os
import shutil
import stat
import threading
from pathlib import Path

import pytest
from crossdock.store.store import Store
from crossdock.testing import Postgres
from fix_command import Crossdock
from fix_serve import Served, until
from fix_store import as_url

PROJECT = """
    workflows:
      visits:
        concurrency: 2
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
LOAD = """
    import os, time
    from crossdock import Job

    def load(state):
        while not os.path.exists("go"):
            time.sleep(0.01)
        with open("load.txt", "a") as file:
            print(state.data["id"], file=file)
        return state

    job = Job(load)
"""


@pytest.fixture
def visits(served: Served) -> Served:
    """A project whose runs wait until a test lets them go on."""
    served.write(PROJECT, load=LOAD)
    return served


class Sender(threading.Thread):
    """Sends messages, as many as it can until it is told to end, and keeps what was acknowledged."""

    def __init__(self, served: Served, first: int) -> None:
        super().__init__()
        self._served = served
        self._next = first
        self._ended = threading.Event()
        self.acknowledged: dict[str, int] = {}

    def run(self) -> None:
        while not self._ended.is_set():
            [run] = self._served.post("visits", {"id": self._next})
            self.acknowledged[run] = self._next
            self._next += 10

    def end(self) -> None:
        self._ended.set()
        self.join()


def test_what_was_accepted_before_a_backup_is_processed_after_it_is_restored(
    visits: Served, crossdock: Crossdock, tmp_path_factory: pytest.TempPathFactory
):
    visits.start()
    senders = [Sender(visits, first) for first in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        until(lambda sender=sender: sender.acknowledged, "a first message")
    before = {run: id_ for sender in senders for run, id_ in [*sender.acknowledged.items()]}

    done = crossdock("backup", "backup.db", cwd=visits.folder)
    for sender in senders:
        sender.end()
    acknowledged = {run: id_ for sender in senders for run, id_ in sender.acknowledged.items()}

    assert (done.returncode, done.stderr) == (0, "")
    file = visits.folder / "backup.db"
    assert done.json == {"file": "backup.db", "bytes": file.stat().st_size}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    restored = Served(tmp_path_factory.mktemp("restored"))
    restored.write(PROJECT, load=LOAD)
    (restored.folder / ".crossdock").mkdir(mode=0o700)
    shutil.copy(file, restored.folder / ".crossdock/crossdock.db")
    (restored.folder / "go").touch()
    visits.servers[0].close()
    server = restored.start()
    try:
        runs = {run.id for run in restored.runs()}
        assert {restored.run(run).run.outcome for run in runs} == {"success"}
    finally:
        server.close()
    assert before.keys() <= runs <= acknowledged.keys()
    assert {*map(int, restored.file("load.txt"))} == {acknowledged[run] for run in runs}


def test_a_backup_replaces_nothing(visits: Served, crossdock: Crossdock):
    Store(visits.store_url, folder=visits.folder).close()
    (visits.folder / "notes.txt").write_text("mine")

    done = crossdock("backup", "notes.txt", cwd=visits.folder)

    assert done.returncode == 3
    assert "there is something called 'notes.txt' already" in done.stderr
    assert (visits.folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("place", ["nowhere/backup.db", "/dev/backup.db/x"])
def test_a_backup_that_can_not_be_written_leaves_nothing(visits: Served, crossdock: Crossdock, place: str):
    Store(visits.store_url, folder=visits.folder).close()

    done = crossdock("backup", place, cwd=visits.folder)

    assert done.returncode == 3
    assert "no backup can be made at" in done.stderr


def test_a_backup_named_after_its_store_is_not_taken_for_what_a_killed_process_left(process, tmp_path):
    """It stands still before it gets its name, and somebody opens the store."""
    url, go_on = f"sqlite:///{tmp_path}/store.db", tmp_path / "go on"
    os.mkfifo(go_on)
    source = """
import json, sys
from pathlib import Path
from crossdock.store import backup
from crossdock.store.store import Store
check = backup._check
def stand_still(copy):
    check(copy)
    print("[]", flush=True)
    open(sys.argv[2]).read()
backup._check = stand_still
with Store(sys.argv[1]) as store:
    print(json.dumps(store.back_up(Path(sys.argv[3]))), flush=True)
"""
    maker = process(source, url, str(go_on), str(tmp_path / "store.db.bak"))
    maker.told()
    Store(url).close()
    go_on.write_text("")

    assert maker.told() == (tmp_path / "store.db.bak").stat().st_size


def test_a_damaged_store_gives_no_backup(visits: Served, crossdock: Crossdock):
    file = visits.folder / ".crossdock/crossdock.db"
    Store(visits.store_url, folder=visits.folder).close()
    raw = bytearray(file.read_bytes())
    raw[8192:12288] = b"\xa5" * 4096
    file.write_bytes(raw)

    done = crossdock("backup", "backup.db", cwd=visits.folder)

    assert done.returncode == 3
    assert "is damaged" in done.stderr
    assert sorted(path.name for path in Path(visits.folder).glob("*backup*")) == []


def test_a_store_in_postgresql_is_left_to_pg_dump(visits: Served, crossdock: Crossdock, postgres: Postgres):
    visits.store_url = as_url(postgres.dsn)
    visits.write(PROJECT, load=LOAD)
    Store(visits.store_url).close()

    done = crossdock("backup", "backup.db", cwd=visits.folder)

    assert done.returncode == 3
    assert "pg_dump --format=custom" in done.stderr
