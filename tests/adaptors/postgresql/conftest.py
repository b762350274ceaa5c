"""What the tests of the postgresql adaptor share."""

from collections.abc import Callable
from typing import Any

import pytest
from crossdock import Run
from crossdock.testing import Postgres, RunJob

CLINICS = """create table clinics (id int generated always as identity, code text constraint clinics_code unique not null,
    name text, beds int, price numeric(10, 2), tags jsonb, opened date, "odd ""name" text)"""

RunSql = Callable[..., Run]


@pytest.fixture
def run_sql(postgres: Postgres, run_job: RunJob) -> RunSql:
    """Run operations as a job whose one credential is an empty database; its fields may be added."""

    def run(*operations: Any, fields: dict[str, Any] | None = None, **options: Any) -> Run:
        return run_job(*operations, credentials={"warehouse": {**postgres.credential, **(fields or {})}}, **options)

    return run


@pytest.fixture
def clinics(postgres: Postgres) -> Postgres:
    """A database with a table of clinics."""
    postgres.execute(CLINICS)
    return postgres


@pytest.fixture
def open_connections(postgres: Postgres) -> Callable[[], int]:
    """Count the connections of ours that are open to the database; one that is ending is waited for."""

    def count() -> int:
        found = postgres.execute(
            "select pid from pg_stat_activity where application_name = 'crossdock' and datname = current_database()"
        )
        return len(found)

    return count
