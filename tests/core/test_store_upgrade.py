"""A store of an earlier version opens, one of a later version or a damaged one is refused and left as it is."""

import hashlib
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from crossdock.store.errors import NewerStoreError, StoreDamagedError, StoreMissingError, StoreUnavailableError
from crossdock.store.records import Finish, Limit, Search
from crossdock.store.schema import metadata
from crossdock.store.store import Store
from crossdock.store.upgrade import VERSIONS
from fix_store import claimed, message

DATA = Path(__file__).parents[1] / "data/store"
"""A store of each version: what test_f19 below finds in it, made by that version."""


SERVED = """
    workflows:
      visits:
        concurrency: 2
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
JOB = """
    from crossdock import Job

    def load(state):
        with open("load.txt", "a") as file:
            print(state.data["name"], state.cursors["at"], file=file)
        return state

    job = Job(load)
"""


def test_the_steps_lead_to_the_tables_that_the_code_uses(store):
    with store._database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_there_are_data_of_every_version():
    stems = [f"{version}.{kind}" for version in VERSIONS for kind in ("postgresql", "sqlite")]

    assert sorted(file.stem for file in DATA.iterdir()) == stems


@pytest.mark.parametrize("version", VERSIONS)
def test_f19_the_data_of_every_version_open_and_drain(version, store_url, request):
    """The files hold: a run that waits, one that a worker held, a dead one, a partial one, and what they left."""
    load(store_url, version, request)

    with Store(store_url, create=False) as store:
        runs = {run.id: run for run in store.history.runs(Search())}
        states = sorted((run.state, run.outcome or "") for run in runs.values())
        assert states == [("available", ""), ("claimed", ""), ("dead", "crashed"), ("ended", "partial")]
        for run in runs.values():
            stored = store.history.run(run.id).message
            assert (stored.body, stored.received_at) == (b'{"name": "Asha"}', datetime(2024, 5, 2, 10, tzinfo=UTC))
        [partial] = [run for run in runs.values() if run.outcome == "partial"]
        assert (partial.failed_items, [line.text for line in store.history.lines(partial.id)]) == (1, ["a line"])
        assert [(end.step, end.output) for end in store.history.run(partial.id).steps] == [("load", b'{"data":1}')]

        drained = [claimed(store, limits={"visits": Limit(9)}) for _ in range(2)]

        assert sorted(run.attempt for run in drained) == [1, 2]
        assert all(run.cursors == {"at": 7} for run in drained)
        assert {store.finish(run, Finish("success")) for run in drained} == {"ended"}


@pytest.mark.parametrize("version", VERSIONS)
def test_f19_a_server_drains_the_data_of_every_version(version, served, store_url, request):
    served.store_url = store_url
    served.write(SERVED, load=JOB)
    load(store_url, version, request)

    served.start()
    ended = [served.run(run.id).run for run in served.runs()]

    outcomes = sorted((run.state, run.outcome) for run in ended)
    assert outcomes == [("dead", "crashed"), ("ended", "partial"), ("ended", "success"), ("ended", "success")]
    assert served.file("load.txt") == ["Asha 7", "Asha 7"]
    assert served.sent("visits", {"name": "Juma"}).run.outcome == "success"


def load(store_url: str, version: str, request: pytest.FixtureRequest) -> None:
    """Put the data of a version where a store is to be."""
    if not store_url.startswith("sqlite"):
        request.getfixturevalue("postgres").execute((DATA / f"{version}.postgresql.sql").read_text())
        return
    file = Path(store_url.removeprefix("sqlite:///"))
    file.parent.mkdir(mode=0o700)
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((DATA / f"{version}.sqlite.sql").read_text())


def test_a_newer_store_is_refused_with_the_reason(open_store, store_url):
    with open_store()._database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(NewerStoreError, match="has version 9999 of the tables"):
        Store(store_url)


def test_a_store_that_is_not_there_is_made_only_if_that_is_wanted(store_url):
    with pytest.raises(StoreMissingError):
        Store(store_url, create=False)

    Store(store_url).close()
    Store(store_url, create=False).close()


def test_two_that_make_a_store_at_once_make_one(process, store_url):
    source = """
import json, sys
from crossdock.store.records import NewMessage
from crossdock.store.store import Store
with Store(sys.argv[1]) as store:
    print(json.dumps([store.accept(NewMessage("in", b"x")).message]), flush=True)
"""
    makers = [process(source, store_url) for _ in range(4)]
    made = {maker.told()[0] for maker in makers}

    with Store(store_url, create=False) as store:
        assert {one.id for one in store.history.messages(Search())} == made


def test_one_that_is_taken_for_left_over_before_it_is_locked_is_made_again(process, tmp_path):
    """A maker stands still where its draft has no lock yet, and where it has one and is filled; others clear away."""
    folder, url, go_on = tmp_path / "private", f"sqlite:///{tmp_path}/private/store.db", tmp_path / "go on"
    os.mkfifo(go_on)
    source = """
import fcntl, json, sys
from crossdock.store import upgrade
from crossdock.store.records import NewMessage
from crossdock.store.store import Store
def stand_still(module, name):
    go_on_with = getattr(module, name)
    def still(*asked):
        setattr(module, name, go_on_with)
        print("[]", flush=True)
        open(sys.argv[2]).read()
        return go_on_with(*asked)
    setattr(module, name, still)
stand_still(fcntl, "flock")
stand_still(upgrade, "_name")
with Store(sys.argv[1]) as store:
    print(json.dumps([store.accept(NewMessage("in", b"x")).message]), flush=True)
"""
    maker = process(source, url, str(go_on))
    maker.told()
    (unlocked,) = folder.glob("*.new")
    Store(url).close()
    assert not unlocked.exists()
    go_on.write_text("")
    maker.told()
    Store(url).close()
    go_on.write_text("")

    (made,) = maker.told()

    with Store(url, create=False) as store:
        assert [one.id for one in store.history.messages(Search())] == [made]
    assert maker.wait() == 0
    assert list(folder.glob("*.new*")) == []


def test_a_store_that_a_process_opens_twice_stays_whole_when_others_come_and_go(process, tmp_path):
    """The last one to close a file of SQLite removes its log: nobody may take himself for the last one."""
    url = f"sqlite:///{tmp_path}/store.db"
    looking = """
import json, sys
from crossdock.store.records import Search
from crossdock.store.store import Store
with Store(sys.argv[1]) as store:
    print(json.dumps([one.id for one in store.history.messages(Search())]), flush=True)
"""
    with Store(url) as store, Store(url) as again:
        first = store.accept(message(b"1", key="1")).message
        assert process(looking, url).told() == [first]
        others = [one.accept(message(b"2", key=key)).message for one, key in [(store, "2"), (again, "3")]]

        assert set(process(looking, url).told()) == {first, *others}


@pytest.mark.parametrize("when", ["half made", "made"])
def test_what_a_killed_process_left_of_a_new_store_is_cleared_away(process, tmp_path, when):
    """It is killed where a test lets it stand still: before the draft gets its name, and after."""
    folder, url = tmp_path / "private", f"sqlite:///{tmp_path}/private/store.db"
    source = f"""
import json, sys, time
from crossdock.store import upgrade
from crossdock.store.store import Store
name = upgrade._name
def stand_still(draft, file):
    if {when == "made"}:
        name(draft, file)
    print("[]", flush=True)
    time.sleep(60)
upgrade._name = stand_still
Store(sys.argv[1])
"""
    maker = process(source, url)
    maker.told()
    (draft,) = folder.glob("*.new")
    Store(url).close()
    assert draft.exists(), "it is in work"
    maker.kill()
    draft.with_name(draft.name + "-wal").touch()

    Store(url).close()

    assert sorted(file.name for file in folder.iterdir()) == ["store.db"]


def damaged(file: Path, how: str) -> None:
    raw = file.read_bytes()
    if how == "empty":
        raw = b""
    elif how == "truncated":
        raw = raw[: len(raw) // 2]
    elif how == "overwritten":
        raw = raw[:8192] + b"\xa5" * 4096 + raw[12288:]
    elif how == "no database":
        raw = b"Dear diary, " * 1000
    elif how == "other header":
        raw = b"X" + raw[1:]
    file.write_bytes(raw)


@pytest.mark.parametrize("how", ["empty", "truncated", "overwritten", "no database", "other header"])
def test_rt_27_a_damaged_store_is_refused_and_left_as_it_is(tmp_path, how):
    file = tmp_path / "a.db"
    with Store(f"sqlite:///{file}") as store:
        for n in range(200):
            store.accept_soon(message(str(n).encode() * 500)).add_done_callback(lambda future: future.result())
    damaged(file, how)
    before = hashlib.sha256(file.read_bytes()).hexdigest()

    with pytest.raises(StoreDamagedError, match=r"a\.db"):
        Store(f"sqlite:///{file}")

    assert hashlib.sha256(file.read_bytes()).hexdigest() == before


def test_a_database_that_is_no_store_is_refused(tmp_path):
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.execute("CREATE TABLE patients (name TEXT)")
    connection.close()

    with pytest.raises(StoreDamagedError, match="no store of crossdock"):
        Store(f"sqlite:///{tmp_path}/a.db")


def test_a_link_is_refused(tmp_path):
    Store(f"sqlite:///{tmp_path}/a.db").close()
    (tmp_path / "b.db").symlink_to(tmp_path / "a.db")
    (tmp_path / "c.db").symlink_to(tmp_path / "nowhere.db")

    for name in ("b.db", "c.db"):
        with pytest.raises(StoreMissingError, match="can't be opened: it is no regular file"):
            Store(f"sqlite:///{tmp_path}/{name}")
    assert not (tmp_path / "nowhere.db").exists()


def test_a_folder_is_refused_and_stays_as_it_is(tmp_path):
    (tmp_path / "a.db").mkdir(mode=0o755)

    with pytest.raises(StoreMissingError, match="can't be opened: it is no regular file"):
        Store(f"sqlite:///{tmp_path}/a.db")

    assert stat.S_IMODE((tmp_path / "a.db").stat().st_mode) == 0o755


def test_a_folder_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreMissingError, match=r"no store can be made at .*file/a\.db"):
        Store(f"sqlite:///{tmp_path}/file/a.db")


@pytest.mark.parametrize("url", ["mysql://x/y", "clinic.db", "sqlite://", "", "postgresql://"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(StoreMissingError, match="neither sqlite:///PATH nor postgresql://"):
        Store(url)


def test_a_server_that_can_not_be_reached_is_named_without_its_password(closed_port):
    with pytest.raises(StoreUnavailableError) as caught:
        Store(f"postgresql://user:canary-secret@127.0.0.1:{closed_port.port}/db")

    assert f"127.0.0.1:{closed_port.port}/db" in str(caught.value)
    assert "canary-secret" not in str(caught.value)
    assert caught.value.transient


def test_a_path_is_relative_to_the_folder_of_the_project(tmp_path):
    Store("sqlite:///.crossdock/clinic.db", folder=tmp_path).close()

    assert (tmp_path / ".crossdock/clinic.db").is_file()


def test_a_store_that_is_up_to_date_opens_without_alembic(tmp_path):
    Store(f"sqlite:///{tmp_path}/a.db").close()
    source = f"from crossdock.store.store import Store; Store('sqlite:///{tmp_path}/a.db').close(); import sys; print('alembic' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_the_command_imports_no_store():
    source = "import sys, crossdock.cli; print(any(name.startswith(('sqlalchemy', 'crossdock.store')) for name in sys.modules))"

    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_store_can_be_moved_and_restored_from_a_backup(tmp_path):
    with Store(f"sqlite:///{tmp_path}/a.db") as store:
        accepted = store.accept(message(key="id-1"))
    (tmp_path / "backup").mkdir()
    shutil.copy(tmp_path / "a.db", tmp_path / "backup/b.db")

    with Store(f"sqlite:///{tmp_path}/backup/b.db") as store:
        assert store.accept(message(key="id-1")) == accepted._replace(duplicate=True)
        assert claimed(store).run == accepted.runs[0]
