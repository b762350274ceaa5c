"""What the commands of an operator refuse, and leave as it is: old and damaged stores, and no packages to read them."""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from crossdock.store import upgrade
from crossdock.store.store import Store
from crossdock.store.upgrade import VERSIONS
from fix_command import Crossdock
from fix_operate import ON_SQLITE, accept
from fix_serve import Served

pytestmark = ON_SQLITE

READING = [
    ["messages", "list"],
    ["messages", "show", "nobody"],
    ["runs", "list"],
    ["runs", "show", "nobody"],
    ["runs", "logs", "nobody"],
    ["dead", "list"],
    ["dead", "show", "nobody"],
    ["stats"],
    ["export", "--format", "csv"],
]
WRITING = [["prune"], ["trigger", "run", "visits"]]

NEXT = '''"""One more table."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9999", "%s"

def upgrade() -> None:
    op.create_table("later", sa.Column("name", sa.Text, primary_key=True))
'''
BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A crossdock whose stores have one more version, in the environment of a process that uses it."""
    place = tmp_path_factory.mktemp("newer") / "crossdock"
    shutil.copytree(Path(upgrade.__file__).parents[1], place, ignore=shutil.ignore_patterns("__pycache__"))
    changed, known = place / "store" / "upgrade.py", f'"{VERSIONS[-1]}",'
    source = changed.read_text(encoding="utf-8")
    assert source.count(known) == 1
    changed.write_text(source.replace(known, f'{known} "9999",'), encoding="utf-8")
    (place / "store/migrations/versions/v9999_later.py").write_text(NEXT % VERSIONS[-1], encoding="utf-8")
    return {"PYTHONPATH": str(place.parent)}


def state_of(folder: Path) -> dict[str, str]:
    """Tell what there is in the folder of a store, and what is in its file."""
    files = {file.name: file for file in folder.iterdir() if not file.name.endswith(("-shm", "-wal"))}
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def version_of(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


@pytest.fixture
def file(operated: Served) -> Iterator[Path]:
    """The store of a project, with a message, that nobody has open."""
    with Store("sqlite:///.crossdock/crossdock.db", folder=operated.folder) as store:
        accept(store)
    return operated.folder / ".crossdock" / "crossdock.db"


@pytest.mark.parametrize("arguments", [*READING, *WRITING], ids=" ".join)
def test_an_older_store_is_left_as_it_is_by_all_that_stands_beside_a_server(
    operated: Served, file: Path, newer: dict[str, str], crossdock: Crossdock, arguments: list[str]
):
    before = state_of(file.parent)

    refused = crossdock(*arguments, env=newer)

    assert (refused.returncode, refused.stdout) == (3, "")
    assert f"{file.name} has version {VERSIONS[-1]} of the tables, and this crossdock works with 9999" in refused.stderr
    assert "`crossdock store upgrade`" in refused.stderr
    assert state_of(file.parent) == before


def test_an_older_store_is_told_by_doctor(operated: Served, file: Path, newer: dict[str, str], crossdock: Crossdock):
    done = crossdock("doctor", "--json", env=newer)

    [look] = [look for look in done.json if look["part"] == "store"]
    assert (done.returncode, look["is_well"]) == (3, False)
    assert "`crossdock store upgrade`" in look["fix"]
    assert version_of(file) == VERSIONS[-1]


def test_an_older_store_is_brought_up_when_that_is_said(
    operated: Served, file: Path, newer: dict[str, str], crossdock: Crossdock
):
    done = crossdock("store", "upgrade", env=newer)

    assert (done.returncode, version_of(file)) == (0, "9999")
    assert [run["state"] for run in crossdock("runs", "list", "--json", env=newer).json] == ["available"]
    refused = crossdock("runs", "list")
    assert refused.returncode == 3
    assert f"{file.name} has version 9999 of the tables" in refused.stderr
    assert "fix: Install the crossdock that made it" in refused.stderr


@pytest.mark.parametrize("arguments", [["serve", "--port", "0"], ["store", "upgrade"]], ids=" ".join)
def test_a_store_that_an_older_server_uses_is_not_brought_up_under_it(
    operated: Served, newer: dict[str, str], crossdock: Crossdock, arguments: list[str]
):
    server = operated.start()

    refused = crossdock(*arguments, env=newer)

    assert refused.returncode == 3
    assert f"used by the server with the process id {server.process.pid}" in refused.stderr
    assert version_of(operated.folder / ".crossdock" / "crossdock.db") == VERSIONS[-1]
    assert operated.sent("visits", {"id": 7}).run.state == "ended"


def damaged(how: str, raw: bytes) -> bytes:
    """Give what is left of a file."""
    if how == "0 bytes":
        return b""
    if how == "truncated":
        return raw[: len(raw) // 2]
    if how == "a page overwritten":
        return raw[:8192] + b"\xa5" * 4096 + raw[12288:]
    return b"Dear diary, " * 1000


COMMANDS = [["serve", "--port", "0"], ["runs", "list"], ["trigger", "run", "visits"]]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("how", ["0 bytes", "truncated", "a page overwritten", "no database"])
def test_rt_27_a_damaged_store_is_refused_with_what_to_do_and_left_as_it_is(
    file: Path, crossdock: Crossdock, how: str, arguments: list[str]
):
    file.write_bytes(damaged(how, file.read_bytes()))
    before = state_of(file.parent)

    refused = crossdock(*arguments)

    assert refused.returncode == 3
    assert str(file.relative_to(file.parents[1])) in refused.stderr
    assert "Put a backup in its place" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert state_of(file.parent) == before


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_rt_27_a_store_whose_file_is_gone_and_whose_log_is_there_is_not_begun_anew(
    file: Path, crossdock: Crossdock, arguments: list[str]
):
    log = file.with_name(f"{file.name}-wal")
    log.write_bytes(b"what was written last" * 1000)
    file.unlink()

    refused = crossdock(*arguments)

    assert refused.returncode == 3
    assert "Put a backup in its place" in refused.stderr
    assert [one.name for one in file.parent.iterdir()] == [log.name]


def test_rt_27_a_store_of_a_newer_crossdock_is_refused_by_the_server_too(
    operated: Served, file: Path, newer: dict[str, str], crossdock: Crossdock
):
    crossdock("store", "upgrade", env=newer)
    before = state_of(file.parent)

    refused = crossdock("serve", "--port", "0")

    assert refused.returncode == 3
    assert "has version 9999 of the tables" in refused.stderr
    assert "fix: Install the crossdock that made it, or a newer one" in refused.stderr
    assert state_of(file.parent) == before


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        *((missing, "serve --port 0") for missing in ("sqlalchemy", "alembic", "starlette", "uvicorn", "h11")),
        *(
            ("sqlalchemy", arguments)
            for arguments in ("runs list", "trigger run visits", "doctor", "messages erase nobody")
        ),
    ],
)
def test_a_package_of_the_extra_that_is_missing_is_told_with_how_to_install_it(
    operated: Served, crossdock: Crossdock, missing: str, arguments: str
):
    blocks = operated.folder / "blocks"
    blocks.mkdir()
    (blocks / "sitecustomize.py").write_text(BLOCKER.format(blocked=[missing]), encoding="utf-8")

    refused = crossdock(*arguments.split(), env={"PYTHONPATH": str(blocks)})

    assert refused.returncode == 3
    assert f"needs {missing}, which is not installed" in refused.stderr
    assert "fix: Install it: pip install 'crossdock[serve]'." in refused.stderr
    assert "Traceback" not in refused.stderr
