"""What an error of the database says: the record, the table, the constraint, what to do; and no row data."""

import logging
import sys
import traceback
from itertools import product

import pytest
from crossdock.adaptors import postgresql
from crossdock_postgresql.writer import FEW

CANARY = "CANARY-4711"
SIZES = pytest.mark.parametrize("size", [1, 101, FEW + 101], ids=["one", "statements", "copy"])
WRITES = ("insert_many", "upsert_many", "returning", "generator")


@pytest.fixture
def people(postgres):
    postgres.execute(
        """create table districts (code text primary key); insert into districts values ('D');
        create table people (id int primary key, name text not null, note text constraint one_note unique,
            age int constraint old_enough check (age >= 0), district text constraint its_district references districts)"""
    )
    return postgres


def person(n, **changes):
    return {"id": n, "name": f"{CANARY} {n}", "note": f"{n}", "age": n, "district": "D", **changes}


FAULTS = {
    "unique": ({"note": "0"}, "23505", "one_note", "upsert"),
    "primary key": ({"id": 0}, "23505", "people_pkey", "upsert"),
    "check": ({"age": -1}, "23514", "old_enough", "Correct the record"),
    "foreign key": ({"district": CANARY}, "23503", "its_district", "Write the row that it refers to"),
    "not null": ({"name": None}, "23502", None, "Give the column a value"),
}


@SIZES
@pytest.mark.parametrize(
    ("write", "fault"), [pair for pair in product(WRITES, FAULTS) if pair != ("upsert_many", "primary key")]
)
def test_pg_10_pg_11_an_error_names_the_record_and_the_constraint_and_no_value(
    people, run_sql, caplog, size, write, fault
):
    changes, sqlstate, constraint, fix = FAULTS[fault]
    bad = size // 2 if size > 1 else 0
    if "unique" in fault or "primary" in fault:
        people.execute("insert into people values (0, 'x', '0')")
    records = [person(n + 1) for n in range(size)]
    records[bad] = person(bad + 1, **changes)
    caplog.set_level(logging.DEBUG)

    run = run_sql(written(write, records))

    error = run.error
    details = error.details
    assert (run.outcome, details["sqlstate"], details["table"], details["constraint"]) == (
        "failed",
        sqlstate,
        "people",
        constraint,
    )
    if not (fault == "foreign key" and write == "generator" and size > FEW):  # checked when all is gone
        assert details["records"] == [bad]
        assert f"in the record {bad}" in error.message
    assert fix in error.fix
    assert CANARY not in everything_of(run, error) + caplog.text
    assert people.execute("select count(*) as n from people where name <> 'x'") == [{"n": 0}]


def written(write, records):
    if write == "upsert_many":
        return postgresql.upsert_many("people", records, key="id")
    if write == "returning":
        return postgresql.insert_many("people", records, returning="id")
    return postgresql.insert_many("people", lambda s: iter(records) if write == "generator" else records)


def everything_of(run, error):
    """Give all that a failed run says, with every exception that hangs on its error."""
    parts, ahead = [repr(run.state)], [error]
    while ahead:
        one = ahead.pop()
        if one is not None:
            parts.append(f"{one!r} {one} {vars(one)} {''.join(traceback.format_exception(one))}")
            ahead += [one.__cause__, one.__context__]
    return "".join(parts)


@SIZES
def test_pg_10_a_value_that_stands_twice_in_the_batch_is_found_there(people, run_sql, size):
    records = [person(n + 1) for n in range(size + 1)]
    records[-1] = person(size + 1, note="1")

    error = run_sql(postgresql.insert_many("people", records)).error

    assert (error.details["constraint"], error.details["records"]) == ("one_note", [size])
    assert people.execute("select count(*) as n from people") == [{"n": 0}]


@SIZES
def test_the_index_of_a_record_counts_the_duplicates_before_it(people, run_sql, size):
    records = [person(1, note="a"), person(1, note="b"), *(person(n) for n in range(2, size + 1)), person(0, age=-1)]

    error = run_sql(postgresql.upsert_many("people", records, key="id", duplicates="last")).error

    assert error.details["records"] == [len(records) - 1]


def test_the_index_of_a_single_record_that_is_left_of_its_duplicates(people, run_sql):
    records = [person(1), person(1, age=-1)]

    error = run_sql(postgresql.upsert_many("people", records, key="id", duplicates="last")).error

    assert error.details["records"] == [1]


@SIZES
@pytest.mark.parametrize("write", ["insert_many", "generator"])
def test_pg_11_what_a_trigger_says_may_be_a_value_and_is_not_told(people, run_sql, caplog, size, write):
    people.execute(
        """create function refuse() returns trigger language plpgsql as
            'begin if new.age = 0 then raise exception ''no % here'', new.name; end if; return new; end';
        create trigger refuse before insert on people for each row execute function refuse()"""
    )
    caplog.set_level(logging.DEBUG)
    records = [person(n + 1) for n in range(size - 1)] + [person(size, age=0)]

    run = run_sql(written(write, records))

    assert (run.error.details["sqlstate"], run.error.details.get("records")) == ("P0001", [size - 1])
    assert CANARY not in everything_of(run, run.error) + caplog.text


def test_pg_11_a_value_in_a_parameter_or_a_condition_is_not_told(people, run_sql, caplog):
    caplog.set_level(logging.DEBUG)
    for operation in (
        postgresql.sql("select %s::text::int", [CANARY]),
        postgresql.sql("insert into people values (1, %(name)s, null, -1)", {"name": CANARY}),
        postgresql.sql("update people set nowhere = %s", [CANARY]),
        postgresql.find_value("people", "id", where={"age": CANARY}),
        postgresql.delete("people", where={"id": CANARY}),
        postgresql.find_value("people", "id", where={"id": CANARY}, operators={"id": "like"}),
        postgresql.replace_children("people", [{"id": CANARY}], parent={"name": CANARY}),
    ):
        run = run_sql(operation)
        assert run.outcome == "failed"
        assert CANARY not in everything_of(run, run.error) + caplog.text, operation


def test_pg_11_the_command_shows_no_value_in_its_traceback(people, crossdock, write_job, write_json):
    job = write_job(
        f"""from crossdock import Job
from crossdock.adaptors import postgresql
job = Job(postgresql.insert("people", {{"id": 1, "name": "{CANARY[:6]}" + "{CANARY[6:]}", "age": -1}}))
"""
    )
    credentials = write_json({"warehouse": people.credential}, "credentials.json")

    done = crossdock("run", job, "--credentials", credentials, "--verbose")

    assert done.returncode == 1
    assert "old_enough" in done.stderr
    assert CANARY not in done.stdout + done.stderr


@pytest.mark.parametrize("size", [2, FEW + 2])
def test_each_fault_has_a_fix_of_its_own(people, run_sql, size):
    people.execute("insert into people values (0, 'x', '0')")
    fixes = set()
    for changes, *_ in FAULTS.values():
        records = [person(n + 1) for n in range(size)]
        records[-1] = person(size, **changes)
        fixes.add(run_sql(postgresql.insert_many("people", records)).error.fix)

    assert len(fixes) == len(FAULTS) - 1  # a primary key is unique


def test_no_error_keeps_the_one_of_the_driver_if_that_shows_a_row(people, run_sql):
    error = run_sql(postgresql.insert("people", {"id": 1, "name": CANARY, "age": -1})).error

    assert (error.__cause__, error.__context__) == (None, None)
    assert "psycopg" in sys.modules
