"""Reading: rows of the store as records."""

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, select

from crossdock.decoding import decode
from crossdock.store import schema
from crossdock.store.errors import NoRecordError
from crossdock.store.records import Claimed, StepEnd, StoredMessage, moment

MESSAGE_FACTS = [column for column in schema.message.c if column.name not in ("headers", "request", "body")]
"""What of a message is no payload."""


_RUN = select(schema.run).where(schema.run.c.number == bindparam("number"))
_MESSAGE = select(schema.message).where(schema.message.c.id == bindparam("id"))
_KEPT = (
    select(schema.step).where(schema.step.c.run == bindparam("run"), schema.step.c.kept).order_by(schema.step.c.number)
)
_CURSORS = select(schema.cursor.c.name, schema.cursor.c.value).where(schema.cursor.c.workflow == bindparam("workflow"))


def claimed_run(connection: Connection, number: int) -> Claimed:
    """Give a run as a worker has it who claimed it."""
    return claimed_of(connection, connection.execute(_RUN, {"number": number}).mappings().one())


def claimed_of(connection: Connection, row: RowMapping) -> Claimed:
    """Give all that a worker needs of a run.

    Args:
        connection: The connection.
        row: Its row, as it is now.
    """
    number, may_have_steps = row["number"], row["fence"] > 1 or row["retry_of"]
    return Claimed(
        run=row["id"],
        number=number,
        fence=row["fence"],
        attempt=row["attempt"],
        most_attempts=row["most_attempts"],
        workflow=row["workflow"],
        trigger=row["trigger"],
        project_version=row["project_version"],
        message=message_of(connection, row["message"]),
        steps=tuple(kept_steps(connection, number)) if may_have_steps else (),
        cursors=cursors_of(connection, row["workflow"]),
        first_started_at=moment(row["first_started_at"]),
        retry_of=row["retry_of"],
        failed=tuple(failed_of(connection, row["retry_of"])) if row["only_failed"] else (),
    )


def message_of(connection: Connection, id_: str) -> StoredMessage:
    """Give a message with its payload.

    Raises:
        NoRecordError: There is none with that id.
    """
    row = connection.execute(_MESSAGE, {"id": id_}).mappings().first()
    if row is None:
        raise NoRecordError(f"there is no message {id_!r:.100}")
    return stored_message(row)


def stored_message(row: RowMapping) -> StoredMessage:
    """Give a message, with what of it was asked for."""
    return StoredMessage(
        id=row["id"],
        number=row["number"],
        kind=row["kind"],
        source=row["source"],
        received_at=moment(row["received_at"]),
        content_type=row["content_type"],
        size=row["size"],
        sha256=row["sha256"].hex(),
        edited_from=row["edited_from"],
        wiped_at=None if row["wiped_at"] is None else moment(row["wiped_at"]),
        headers=tuple((name, value) for name, value in decoded(row.get("headers"), [])),
        request=decoded(row.get("request"), None),
        body=row.get("body"),
    )


def kept_steps(connection: Connection, number: int) -> Iterable[StepEnd]:
    """Give how steps of a run ended whose end counts, the last end of each."""
    rows = connection.execute(_KEPT, {"run": number}).mappings()
    return {row["name"]: step_end(row) for row in rows}.values()


def step_end(row: RowMapping) -> StepEnd:
    """Give how a step ended."""
    failed = decoded(row["failed"], None)
    written: dict[str, Any] = decoded(row["written"], {})
    return StepEnd(
        step=row["name"],
        outcome=row["outcome"],
        output=row["output"],
        written=written | ({"failed": failed} if failed else {}),
        error_code=row["error_code"],
        seconds=row["seconds"],
        received=row["received"],
    )


def failed_of(connection: Connection, run: str) -> list[Mapping[str, Any]]:
    """Give the items that the steps of a run put aside and that nobody brought to success since."""
    run_, step = schema.run, schema.step
    rows = select(step.c.failed).join(run_, run_.c.number == step.c.run)
    open_ones = rows.where(run_.c.id == run, step.c.kept, step.c.failed.is_not(None)).order_by(step.c.number)
    return [item for failed in connection.scalars(open_ones) for item in decode(failed)]


def cursors_of(connection: Connection, workflow: str) -> dict[str, Any]:
    """Give the cursors of a workflow."""
    rows = connection.execute(_CURSORS, {"workflow": workflow})
    return {name: decode(value) for name, value in rows}


def decoded(raw: bytes | None, instead: Any) -> Any:
    """Give the JSON value of a column, or something else where it has none."""
    return instead if raw is None else decode(raw)
