"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Make the tables of messages and workflows, and of what runs left."""
    _messages()
    _runs()
    _steps()
    _attempts()
    _logs()
    _cursors()


def _messages() -> None:
    op.create_table(
        "message",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("content_type", sa.Text),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("idempotency", sa.LargeBinary),
        sa.Column("edited_from", sa.Text),
        sa.Column("wiped_at", sa.BigInteger),
        sa.Column("first_runs", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.LargeBinary),
        sa.Column("request", sa.LargeBinary),
        sa.Column("body", sa.LargeBinary),
        sa.UniqueConstraint("idempotency", "source", name="message_idempotency"),
        sqlite_autoincrement=True,
    )
    op.create_index("message_received_at", "message", ["received_at"])
    op.create_table("workflow", sa.Column("name", sa.Text, primary_key=True, nullable=False))


def _runs() -> None:
    op.create_table(
        "run",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("message", sa.Text, sa.ForeignKey("message.id", name="run_message_fkey"), nullable=False),
        sa.Column("workflow", sa.Text, nullable=False),
        sa.Column("trigger", sa.Text, nullable=False),
        sa.Column("project_version", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("most_attempts", sa.Integer, nullable=False),
        sa.Column("queued_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("first_started_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
        sa.Column("lease", sa.Float, nullable=False),
        sa.Column("worker", sa.Text),
        sa.Column("place", sa.Text),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("serialize_by", sa.LargeBinary),
        sa.Column("retry_of", sa.Text),
        sa.Column("only_failed", sa.Boolean, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("failed_items", sa.Integer, nullable=False),
        sa.Column("log_bytes", sa.BigInteger, nullable=False),
        sa.Column("log_dropped", sa.BigInteger, nullable=False),
        sa.Column("error", sa.LargeBinary),
        sa.Column("final", sa.LargeBinary),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_run_message", "run", ["message"])
    op.create_index("ix_run_retry_of", "run", ["retry_of"])
    op.create_index("run_queue", "run", ["state", "workflow", "number"])
    op.create_index("run_serialize_by", "run", ["workflow", "serialize_by", "state"])


def _steps() -> None:
    op.create_table(
        "step",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("run", NUMBER, sa.ForeignKey("run.number", name="step_run_fkey"), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("error_code", sa.Text),
        sa.Column("kept", sa.Boolean, nullable=False),
        sa.Column("ended_at", sa.BigInteger, nullable=False),
        sa.Column("seconds", sa.Float, nullable=False),
        sa.Column("written", sa.LargeBinary),
        sa.Column("failed", sa.LargeBinary),
        sa.Column("received", sa.LargeBinary),
        sa.Column("output", sa.LargeBinary),
        sa.UniqueConstraint("run", "fence", "name", name="step_of_attempt"),
        sqlite_autoincrement=True,
    )


def _attempts() -> None:
    op.create_table(
        "attempt",
        sa.Column(
            "run", NUMBER, sa.ForeignKey("run.number", name="attempt_run_fkey"), nullable=False, primary_key=True
        ),
        sa.Column("fence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("outcome", sa.Text),
        sa.Column("error_code", sa.Text),
    )


def _logs() -> None:
    op.create_table(
        "log",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("run", NUMBER, sa.ForeignKey("run.number", name="log_run_fkey"), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("step", sa.Text),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("level", sa.Text, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("log_run", "log", ["run"])


def _cursors() -> None:
    op.create_table(
        "cursor",
        sa.Column("workflow", sa.Text, nullable=False, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, primary_key=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
    )
