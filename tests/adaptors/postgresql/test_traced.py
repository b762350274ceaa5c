"""What a trace shows of the statements of the postgresql adaptor."""

from typing import Any

import psycopg
import pytest
from crossdock import Job, Run, Workflow
from crossdock.adaptors import postgresql
from crossdock.redaction import Redactor
from crossdock.trace import Trace
from crossdock_postgresql.noting import NotingCursor


@pytest.fixture
def statements_of(postgres, run_job):
    """Run operations, and give the statements that the last one made."""
    postgres.execute("create table clinics (code text primary key, beds int)")

    def run(*operations: Any) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        run_job(*operations, credentials={"db": postgres.credential}, trace=Trace(Redactor(), tell=told.append))
        kept: list[dict[str, Any]] = told[-1]["notes"]["statement"]["kept"]
        return kept

    return run


def test_statements_are_shown_with_rows_and_without_values(statements_of):
    rows = [{"code": "Kisumu", "beds": 7}, {"code": "Siaya", "beds": 9}]

    seen = statements_of(postgresql.upsert_many("clinics", rows, key="code"))

    insert = next(note for note in seen if note["text"].startswith("insert"))
    assert insert["text"].endswith(
        '("code", "beds") values (%s, %s), (%s, %s) on conflict ("code") do update set "beds" = excluded."beds"'
    )
    assert insert["rows"] == 2
    assert "Kisumu" not in str(seen)


def test_a_statement_that_fails_is_shown_with_what_happened(statements_of):
    seen = statements_of(postgresql.sql("select 1 / %s", [0]))

    assert [(note["text"], note["error"]) for note in seen if note["failed"]] == [("select 1 / %s", "DivisionByZero")]


def test_copying_is_shown_too(postgres):
    postgres.execute("create table clinics (code text primary key, beds int)")
    connection = psycopg.connect(postgres.dsn, cursor_factory=NotingCursor)

    def copy(state):
        with connection, connection.cursor().copy("copy clinics from stdin") as rows:
            rows.write_row(("Kisumu", 7))
        return state

    told: list[dict[str, Any]] = []
    Run(Workflow.of(Job(copy)), trace=Trace(Redactor(), tell=told.append)).execute()

    (seen,) = told[0]["notes"]["statement"]["kept"]
    assert (seen["text"], seen["rows"], seen["failed"]) == ("copy clinics from stdin", 1, False)
