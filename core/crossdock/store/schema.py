"""The tables, the same in SQLite and PostgreSQL.

Times are whole microseconds since 1970. Payloads, and whatever may quote one, are bytes: no database
has to understand them, and none refuses a NUL. They stand last in a row, where SQLite need not read
them to find what stands before. What becomes of the tables in time is in ``migrations``.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

NAMING = {"ix": "ix_%(table_name)s_%(column_0_name)s", "fk": "%(table_name)s_%(column_0_name)s_fkey"}
metadata = MetaData(naming_convention=NAMING)

NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite counts up only what is called INTEGER."""


def _number() -> Column[int]:
    """Give the order in which rows came; a number is never used again."""
    return Column("number", NUMBER, primary_key=True, autoincrement=True)


def _of_run(*, primary_key: bool = False) -> Column[int]:
    return Column("run", NUMBER, ForeignKey("run.number"), nullable=False, primary_key=primary_key)


def _text(name: str, **options: Any) -> Column[str]:
    return Column(name, Text, nullable=False, **options)


def _time(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


message = Table(
    "message",
    metadata,
    _number(),
    _text("id", unique=True),
    _text("kind"),
    _text("source"),
    _time("received_at"),
    Column("content_type", Text),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("idempotency", LargeBinary),
    Column("edited_from", Text),
    Column("wiped_at", BigInteger),
    Column("first_runs", LargeBinary, nullable=False),
    Column("headers", LargeBinary),
    Column("request", LargeBinary),
    Column("body", LargeBinary),
    UniqueConstraint("idempotency", "source", name="message_idempotency"),
    Index("message_received_at", "received_at"),
    sqlite_autoincrement=True,
)

workflow = Table("workflow", metadata, _text("name", primary_key=True))
"""The workflows that ever had a run: a few names, where the runs may be many."""

run = Table(
    "run",
    metadata,
    _number(),
    _text("id", unique=True),
    Column("message", Text, ForeignKey("message.id"), nullable=False, index=True),
    _text("workflow"),
    _text("trigger"),
    _text("project_version"),
    _text("state"),
    Column("outcome", Text),
    Column("error_code", Text),
    Column("attempt", Integer, nullable=False),
    Column("most_attempts", Integer, nullable=False),
    _time("queued_at"),
    _time("due_at"),
    Column("first_started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("fence", Integer, nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("lease", Float, nullable=False),
    Column("worker", Text),
    Column("place", Text),
    Column("cancelled", Boolean, nullable=False),
    Column("serialize_by", LargeBinary),
    Column("retry_of", Text, index=True),
    Column("only_failed", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("failed_items", Integer, nullable=False),
    Column("log_bytes", BigInteger, nullable=False),
    Column("log_dropped", BigInteger, nullable=False),
    Column("error", LargeBinary),
    Column("final", LargeBinary),
    Index("run_queue", "state", "workflow", "number"),
    Index("run_serialize_by", "workflow", "serialize_by", "state"),
    sqlite_autoincrement=True,
)

attempt = Table(
    "attempt",
    metadata,
    _of_run(primary_key=True),
    Column("fence", Integer, primary_key=True, autoincrement=False),
    Column("attempt", Integer, nullable=False),
    _text("worker"),
    _time("started_at"),
    Column("ended_at", BigInteger),
    Column("outcome", Text),
    Column("error_code", Text),
)

step = Table(
    "step",
    metadata,
    _number(),
    _of_run(),
    Column("fence", Integer, nullable=False),
    _text("name"),
    _text("outcome"),
    Column("error_code", Text),
    Column("kept", Boolean, nullable=False),
    _time("ended_at"),
    Column("seconds", Float, nullable=False),
    Column("written", LargeBinary),
    Column("failed", LargeBinary),
    Column("received", LargeBinary),
    Column("output", LargeBinary),
    UniqueConstraint("run", "fence", "name", name="step_of_attempt"),
    sqlite_autoincrement=True,
)

log = Table(
    "log",
    metadata,
    _number(),
    _of_run(),
    Column("fence", Integer, nullable=False),
    Column("step", Text),
    _time("at"),
    _text("level"),
    Column("text", LargeBinary, nullable=False),
    Index("log_run", "run"),
    sqlite_autoincrement=True,
)

cursor = Table(
    "cursor",
    metadata,
    _text("workflow", primary_key=True),
    _text("name", primary_key=True),
    _text("run"),
    _time("at"),
    Column("value", LargeBinary, nullable=False),
)
