"""Probing: whether the store can be written to, before somebody's message finds out."""

import os
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert

from crossdock.store import schema

_SIZE = 64 * 1024
"""How many bytes are written: those of a large message."""


def probe(connection: Connection, asked: Sequence[None]) -> list[None]:
    """Write a row and take it back: it needs a place and the disk, and nobody ever sees it."""
    table = schema.cursor
    mine = {"workflow": "", "name": f"probe {os.getpid()}"}  # no workflow and no cursor is named so
    connection.execute(insert(table), {**mine, "run": "", "at": 0, "value": bytes(_SIZE)})
    connection.execute(delete(table).where(table.c.workflow == mine["workflow"], table.c.name == mine["name"]))
    return list(asked)
