"""What the postgresql adaptor costs beside bare psycopg, on a server of its own."""

import datetime
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from case import Case
from crossdock import Job, Run, Workflow
from crossdock.adaptors import postgresql
from crossdock.testing.postgres import postgres_server

ROWS = 100_000
MANY = 1_000_000
COLUMNS = {
    "id": "int4",
    "code": "text",
    "name": "text",
    "beds": "int4",
    "price": "numeric",
    "ok": "bool",
    "seen": "timestamptz",
    "born": "date",
    "note": "text",
    "score": "float8",
}
DEFINITION = ", ".join(
    f"{name} {kind}" for name, kind in {**COLUMNS, "id": "int primary key", "price": "numeric(10, 2)"}.items()
)
NAMES = ", ".join(COLUMNS)
PLACES = ", ".join(["%s"] * len(COLUMNS))
UPDATE = " on conflict (id) do update set " + ", ".join(f"{name} = excluded.{name}" for name in list(COLUMNS)[1:])


def record(number: int) -> dict[str, Any]:
    """Make the record of a number."""
    return {
        "id": number,
        "code": f"K-{number}",
        "name": "Amina O'Brien",
        "beds": number % 100,
        "price": Decimal(number).scaleb(-2),
        "ok": number % 2 == 0,
        "seen": datetime.datetime(2024, 5, 2, 10, number % 60, tzinfo=datetime.UTC),
        "born": datetime.date(2001, 2, number % 28 + 1),
        "note": "some text of usual length here",
        "score": number / 7,
    }


@cache
def records() -> list[dict[str, Any]]:
    """Make the records that are written; where memory is measured nobody asks for them."""
    return [record(number) for number in range(ROWS)]


MEMORY = {"write": 60, "read": 40}
"""What a process may grow by in megabytes while it writes or reads a million rows."""


class Server:
    """A database with one table, which each measurement begins anew.

    Args:
        dsn: Where it is.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._admin = psycopg.connect(dsn, autocommit=True)

    def timed(self, work: Callable[[], Any], *, half: bool = False) -> Callable[[], float]:
        """Time some work on an empty table, or on one that holds every second row."""

        def measured() -> float:
            self._empty(half=half)
            started = perf_counter()
            work()
            return perf_counter() - started

        return measured

    def run(self, *operations: Any) -> None:
        """Run a job of ours."""
        run = Run(Workflow.of(Job(*operations)), credentials={"w": {"adaptor": "postgresql", "dsn": self._dsn}})
        assert run.execute() == "success", run.error

    def cases(self) -> list[Case]:
        """Give all pairs."""
        insert, upsert = (
            lambda: self.run(postgresql.insert_many("t", records())),
            lambda: self.run(postgresql.upsert_many("t", records(), key="id")),
        )
        copied, merged = self.timed(self._copy), self.timed(self._merge, half=True)
        return [
            Case("insert_many beside COPY, 100,000 rows", copied, self.timed(insert), 1 / 0.75, 9),
            Case("insert_many beside executemany", self.timed(self._insert), self.timed(insert), 1 / 2.3, 3),
            Case("upsert_many beside COPY and a merge", merged, self.timed(upsert, half=True), 1 / 0.75, 9),
            Case(
                "upsert_many beside executemany",
                self.timed(lambda: self._insert(UPDATE), half=True),
                self.timed(upsert, half=True),
                1 / 1.1,
                3,
            ),
            Case(
                "5,000 inserts of one row", self.timed(self._one_by_one), self.timed(self._our_one_by_one), 1 / 0.7, 9
            ),
        ]

    def reading(self) -> Case:
        """Give the pair that reads a million rows."""
        self._empty()
        with self._admin.cursor().copy(f"copy t ({NAMES}) from stdin (format binary)") as copy:
            copy.set_types(list(COLUMNS.values()))
            for number in range(MANY):
                copy.write_row(tuple(record(number).values()))
        return Case("rows of 1,000,000 beside a server-side cursor", self._read, self._our_read, 1 / 0.7, 3)

    def _empty(self, *, half: bool = False) -> None:
        self._admin.execute(f"drop table if exists t; create table t ({DEFINITION})".encode())
        if half:
            with self._admin.cursor().copy(f"copy t ({NAMES}) from stdin (format binary)") as copy:
                copy.set_types(list(COLUMNS.values()))
                for row in records()[::2]:
                    copy.write_row(tuple(row.values()))
        self._admin.execute("checkpoint")

    def _copy(self, table: str = "t", connection: psycopg.Connection[Any] | None = None) -> None:
        if connection is None:
            with psycopg.connect(self._dsn) as connection:
                return self._copy(table, connection)
        with connection.cursor().copy(f"copy {table} ({NAMES}) from stdin (format binary)".encode()) as copy:
            copy.set_types(list(COLUMNS.values()))
            for row in records():
                copy.write_row(tuple(row.values()))
        return None

    def _merge(self) -> None:
        with psycopg.connect(self._dsn) as connection:
            connection.execute("create temp table given (like t) on commit drop")
            self._copy("given", connection)
            connection.execute(f"insert into t ({NAMES}) select {NAMES} from given{UPDATE}".encode())

    def _insert(self, ending: str = "") -> None:
        with psycopg.connect(self._dsn) as connection:
            statement = f"insert into t ({NAMES}) values ({PLACES}){ending}".encode()
            connection.cursor().executemany(statement, [tuple(row.values()) for row in records()])

    def _one_by_one(self) -> None:
        with psycopg.connect(self._dsn) as connection:
            statement = f"insert into t ({NAMES}) values ({PLACES})".encode()
            for row in records()[:5000]:
                connection.execute(statement, list(row.values()))

    def _our_one_by_one(self) -> None:
        self.run(*(postgresql.insert("t", row) for row in records()[:5000]))

    def _read(self) -> float:
        started = perf_counter()
        with (
            psycopg.connect(self._dsn, row_factory=psycopg.rows.dict_row) as connection,
            connection.cursor("c") as cursor,
        ):
            cursor.itersize = 2000
            cursor.execute("select * from t")
            assert sum(1 for _ in cursor) == MANY
        return perf_counter() - started

    def _our_read(self) -> float:
        started = perf_counter()
        self.run(lambda state: state.result(sum(1 for _ in postgresql.rows("select * from t").result())))
        return perf_counter() - started

    def close(self) -> None:
        """Close the connection."""
        self._admin.close()


@contextmanager
def database() -> Iterator[Server]:
    """Run a server for the measurements."""
    with tempfile.TemporaryDirectory(prefix="crossdock-bench-") as folder, postgres_server(Path(folder)) as dsn:
        server = Server(dsn)
        yield server
        server.close()


def memory_of(what: str) -> float:
    """Measure in a process of its own by how many megabytes it grows: ``write`` or ``read`` of a million rows."""
    done = subprocess.run([sys.executable, __file__, what], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def grown(what: str) -> float:
    """Give by how many megabytes this process grows."""
    with database() as server:
        if what == "read":
            work = server.reading().ours
        else:
            work = server.timed(lambda: server.run(postgresql.insert_many("t", lambda _: map(record, range(MANY)))))
        server.run(postgresql.sql("select 1"))  # so that what is loaded once does not count
        before = peak()
        work()
        return peak() - before


def peak() -> float:
    """Give the most megabytes that this process had, as Linux counts them; getrusage would count its parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(grown(sys.argv[1]))
