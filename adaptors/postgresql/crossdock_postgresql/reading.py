"""How values of PostgreSQL become values of a state.

===================================== ==========================================
PostgreSQL                            Python, and in a stored state
===================================== ==========================================
smallint, integer, bigint             int
numeric                               Decimal; text in a stored state
real, double precision                float; NaN and infinity can't be stored
boolean, text, varchar                bool, str
date, timestamp, timestamptz          date, datetime (UTC); ISO 8601 text; ``infinity`` is text
time, interval                        text, ISO 8601
uuid                                  UUID; text
json, jsonb                           what they hold
bytea                                 text, Base64
arrays                                list of these
ranges, addresses, enums, all others  text, as the server writes it
===================================== ==========================================
"""

from base64 import b64encode
from functools import cache
from typing import Any

import psycopg
from psycopg.abc import AdaptContext
from psycopg.adapt import Loader
from psycopg.types.string import TextLoader

_AS_TEXT = (
    *("time", "timetz", "interval", "inet", "cidr", "record"),
    *(f"{of}{kind}" for of in ("int4", "int8", "num", "ts", "tstz", "date") for kind in ("range", "multirange")),
)
_WITH_INFINITY = ("date", "timestamp", "timestamptz")


def register(connection: psycopg.Connection[Any]) -> None:
    """Teach a connection these forms."""
    adapters = connection.adapters
    for name in _AS_TEXT:
        adapters.register_loader(name, TextLoader)
    for name in _WITH_INFINITY:
        adapters.register_loader(name, _or_text(name))
    adapters.register_loader("bytea", Base64Loader)


class Base64Loader(Loader):
    """Reads bytea as Base64 text."""

    def load(self, data: Any) -> str:
        """Take the server's form: hexadecimal digits after two characters."""
        return b64encode(bytes.fromhex(bytes(data[2:]).decode())).decode()


@cache
def _or_text(name: str) -> type[Loader]:
    """Make a loader of moments that gives what Python can't hold, infinity or a year BC, as text."""
    known: Any = psycopg.adapters.get_loader(psycopg.adapters.types[name].oid, psycopg.pq.Format.TEXT)

    class MomentLoader(Loader):
        def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
            super().__init__(oid, context)
            self._known = known(oid, context)

        def load(self, data: Any) -> Any:
            try:
                return self._known.load(data)
            except psycopg.DataError:
                return bytes(data).decode()

    return MomentLoader
