"""Upgrade: the version of a store's tables, and how an older one is brought up to this one.

A new store is made by the same steps as an old one is brought up. A file of SQLite gets its name when
it is complete: one that has the name and is no store was a store once, and nobody may start afresh over it.
"""

import os
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from crossdock.drafts import clear_away, draft
from crossdock.store.database import Database, make_private
from crossdock.store.errors import NewerStoreError, OlderStoreError, StoreDamagedError, StoreMissingError

VERSIONS = ("0001",)
"""The versions of the tables, the newest last; each is a file in ``migrations/versions``."""

_OURS = 7306152049
"""What a process locks in PostgreSQL while it makes or upgrades the tables."""


_QUICKLY_CHECKED = 20 * 1024 * 1024


def prepare(database: Database, *, create: bool) -> None:
    """See that there is a store that can be opened; its tables may be of an older version.

    Args:
        database: Where it is.
        create: Whether to make it if it is not there.

    Raises:
        StoreMissingError: It is not there.
        NewerStoreError: A newer crossdock made it.
        StoreDamagedError: It is no store.
    """
    if database.file is not None:
        _prepare_file(database.file, create=create)
        _check(database, database.file)
    if version_of(database) is not None:
        return
    if not create or database.file is not None:
        raise _no_store(database)
    upgrade(database)


def version_of(database: Database) -> str | None:
    """Give the version of the tables that are there, if any are.

    Raises:
        NewerStoreError: A newer crossdock made them.
    """
    with database.read() as connection:
        return _version(connection, database.name)


def bring_up(database: Database, *, may_upgrade: bool) -> None:
    """Bring the tables of a store to this version.

    Args:
        database: Where it is.
        may_upgrade: Whether that is wanted; an older crossdock that uses the store would be lost with newer tables.

    Raises:
        OlderStoreError: They are of an older version, and that is not wanted.
    """
    version = version_of(database)
    if version == VERSIONS[-1]:
        return
    if not may_upgrade:
        raise OlderStoreError(
            f"the store {database.name} has version {version} of the tables, and this crossdock works with {VERSIONS[-1]}"
        )
    upgrade(database)


def upgrade(database: Database) -> None:
    """Run the steps that lead from the version that is there to this one, all or none."""
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OURS})
        if _version(connection, database.name) != VERSIONS[-1]:
            _migrate(connection)


def _prepare_file(file: Path, *, create: bool) -> None:
    clear_away(file)
    if not file.exists() and not file.is_symlink():
        if file.with_name(f"{file.name}-wal").exists():
            raise StoreDamagedError(f"the store {file} is gone, and its log is still there")
        if not create:
            raise StoreMissingError(f"there is no store at {file}")
        _make(file)
    make_private(file)
    if file.stat().st_size == 0:
        raise StoreDamagedError(f"the store {file} is an empty file: what it held is gone")


def _check(database: Database, file: Path) -> None:
    """Refuse a damaged file, as far as that can be told quickly; the check of a large one takes long."""
    if file.stat().st_size <= _QUICKLY_CHECKED and database.faults(quick=True):
        raise StoreDamagedError(f"the store {file} is damaged")


def _make(file: Path) -> None:
    """Make a new store beside its place, and give it its name when it is complete."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with draft(file) as new:
            _fill(new)
            _name(new, file)
    except OSError as error:
        raise StoreMissingError(
            f"no store can be made at {file}: {error.strerror}", fix="Name a folder that the server may write to."
        ) from None


def _fill(new: Path) -> None:
    database = Database(f"sqlite:///{new.name}", new.parent)
    try:
        upgrade(database)
    finally:
        database.close()


def _name(new: Path, file: Path) -> None:
    """Put a file in place, unless another process was faster, and sync its folder."""
    try:
        os.link(new, file)
    except FileExistsError:
        return
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(connection: Connection, name: str) -> str | None:
    """Give the version of the tables that are there, if any are."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version = connection.scalar(text("SELECT version_num FROM alembic_version"))
    if version is not None and version not in VERSIONS:
        raise NewerStoreError(
            f"the store {name} has version {version} of the tables, and this crossdock knows those up to {VERSIONS[-1]}"
        )
    return None if version is None else str(version)


def _migrate(connection: Connection) -> None:
    from alembic.config import Config  # imported late: a store that is up to date needs none of it
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with EnvironmentContext(
        config,
        script,
        fn=lambda version, _: script._upgrade_revs("head", version),
    ) as environment:
        environment.configure(connection=connection, transaction_per_migration=False)
        environment.run_migrations()


def _no_store(database: Database) -> StoreMissingError | StoreDamagedError:
    if database.file is not None:
        return StoreDamagedError(f"the file {database.file} is a database, but no store of crossdock")
    return StoreMissingError(f"there is no store in {database.name}")
