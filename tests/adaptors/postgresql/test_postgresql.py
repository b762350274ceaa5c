"""The postgresql adaptor on a real server."""

from datetime import date
from decimal import Decimal

import psycopg
import pytest
from crossdock import JobError, each, state
from crossdock.adaptors import postgresql
from crossdock_postgresql import (
    AmbiguousMatchError,
    ColumnError,
    DatabaseError,
    PostgresqlConfiguration,
    RecordError,
    TableError,
)

CLINICS = """create table clinics (id int generated always as identity, code text constraint clinics_code unique not null,
    name text, beds int, price numeric(10, 2), tags jsonb, opened date, "odd ""name" text)"""


@pytest.fixture
def clinics(postgres):
    postgres.execute(CLINICS)
    return postgres


@pytest.fixture
def run_sql(clinics, run_job):
    return lambda *operations, **options: run_job(*operations, credentials={"warehouse": clinics.credential}, **options)


def rows(postgres, columns="code, name, beds"):
    return [tuple(row.values()) for row in postgres.execute(f"select {columns} from clinics order by id")]


def failure(run):
    assert run.outcome != "success"
    return run.error


@pytest.mark.parametrize(
    "value", ["O'Brien", "'); drop table clinics;--", "%s", "%(x)s", "50%", "\\", "$1", "{}", "«é»", 'a"b', "undefined"]
)
def test_pg_01_values_are_stored_as_they_are(clinics, run_sql, value):
    run = run_sql(
        postgresql.insert("clinics", {"code": value, 'odd "name': value}),
        postgresql.sql(
            "insert into clinics (code, name) values (%(code)s, %(name)s)", {"code": value + "2", "name": value}
        ),
        postgresql.find_value("clinics", "name", where={"code": value + "2"}),
    )

    assert run.state.data == value
    assert rows(clinics, 'code, "odd ""name"') == [(value, value), (value + "2", None)]


@pytest.mark.parametrize("key", ["code) values (1); drop table clinics;--", '"', "nmae", "", "a\0b"])
def test_pg_02_an_unknown_column_is_refused_before_any_sql(clinics, run_sql, key):
    run = run_sql(postgresql.insert("clinics", {"code": "a", key: 1}))

    error = failure(run)
    assert isinstance(error, ColumnError)
    assert "beds" in error.message
    assert key != "nmae" or "'name'" in error.fix
    assert rows(clinics) == []


@pytest.mark.parametrize(
    "table",
    [
        "clinics; drop table clinics",
        "pg_catalog.pg_authid",
        "a.b.c",
        "",
        "x" * 64,
        "information_schema.tables",
        "a\0",
        "clinic",
    ],
)
def test_pg_06_a_table_that_can_not_be_is_refused(run_sql, table):
    assert isinstance(failure(run_sql(postgresql.insert(table, {"code": "a"}))), TableError)


def test_a_table_may_be_named_with_its_schema(clinics, run_sql):
    clinics.execute("create schema other; create table other.clinics (code text)")

    assert run_sql(postgresql.insert("other.clinics", {"code": "a"})).outcome == "success"
    assert clinics.execute("select code from other.clinics") == [{"code": "a"}]
    assert rows(clinics) == []


def test_pg_07_more_values_than_one_statement_takes_are_written_in_one_transaction(clinics, run_sql):
    records = [{"code": f"c{n}", "name": "x", "beds": n} for n in range(25_000)]

    run = run_sql(postgresql.insert_many("clinics", records), lambda s: s.result(s.data))

    assert run.state.data == 25_000
    assert clinics.execute("select count(distinct xmin::text) as n, count(*) as c from clinics") == [
        {"n": 1, "c": 25_000}
    ]


def test_pg_09_columns_are_matched_by_name_and_missing_keys_are_an_error(clinics, run_sql):
    swapped = [{"code": "a", "name": "A"}, {"name": "B", "code": "b"}]
    ragged = [{"code": "c", "name": "C"}, {"code": "d"}, {"name": "E", "code": "e"}, {"code": "f"}]

    run_sql(postgresql.insert_many("clinics", swapped))
    error = failure(run_sql(postgresql.insert_many("clinics", ragged)))
    run_sql(postgresql.insert_many("clinics", ragged, missing="null"))

    assert (type(error), error.details["records"]) == (RecordError, [1, 3])
    assert [row[:2] for row in rows(clinics)] == [
        ("a", "A"),
        ("b", "B"),
        ("c", "C"),
        ("d", None),
        ("e", "E"),
        ("f", None),
    ]


def test_pg_10_and_11_a_violation_names_the_constraint_and_no_value(clinics, run_sql):
    run = run_sql(
        postgresql.insert("clinics", {"code": "CANARY-1"}), postgresql.insert("clinics", {"code": "CANARY-1"})
    )

    error = failure(run)
    assert (error.details["sqlstate"], error.details["constraint"], error.details["table"]) == (
        "23505",
        "clinics_code",
        "clinics",
    )
    assert error.details["system"] == "warehouse"
    assert "CANARY" not in str(run.state)
    assert "CANARY" not in f"{error} {error.__cause__!r}"
    assert rows(clinics) == []


@pytest.mark.parametrize(
    ("column", "value", "sqlstate"),
    [("beds", "CANARY", "22P02"), ("beds", 2**40, "22003"), ("opened", "31/02/2024", "22008"), ("code", None, "23502")],
)
def test_pg_15_a_value_that_does_not_fit_is_named_by_its_condition(clinics, run_sql, column, value, sqlstate):
    error = failure(run_sql(postgresql.insert("clinics", {"code": "a", column: value})))

    assert (type(error), error.details["sqlstate"]) == (DatabaseError if value is None else RecordError, sqlstate)
    assert error.details["column"] == column
    assert "CANARY" not in str(error)
    assert "31/02" not in str(error)


def test_pg_15_dicts_and_lists_are_json_where_the_column_is(clinics, run_sql):
    tags = {"a": [1, None], "b": "O'Brien"}

    run_sql(
        postgresql.insert("clinics", {"code": "a", "tags": tags}),
        postgresql.insert("clinics", {"code": "b", "tags": ["x"]}),
    )
    error = failure(run_sql(postgresql.insert("clinics", {"code": "c", "name": {"a": 1}})))

    assert [row["tags"] for row in clinics.execute("select tags from clinics order by id")] == [tags, ["x"]]
    assert isinstance(error, RecordError)


def test_pg_20_sql_takes_one_statement(clinics, run_sql):
    for parameters in (None, [], {}):
        error = failure(run_sql(postgresql.sql("insert into clinics (code) values ('a'); select 1", parameters)))
        assert error.details["sqlstate"] == "42601"
    assert rows(clinics) == []


def test_sql_gives_rows_or_how_many_it_changed(run_sql):
    run = run_sql(
        postgresql.sql("insert into clinics (code) values (%s), (%s)", ["a", "b"]).into("changed"),
        postgresql.sql("select code, price from clinics where code like 'a%%'", []).into("rows"),
        postgresql.sql("select '50%' as x").into("percent"),
    )

    assert run.state == {"data": None, "changed": 2, "rows": [{"code": "a", "price": None}], "percent": [{"x": "50%"}]}


def test_what_is_read_can_cross_the_step(clinics, run_sql):
    clinics.execute("insert into clinics (code, price, opened) values ('a', 1.50, '2024-05-02')")

    assert run_sql(postgresql.sql("select price, opened from clinics")).state.data == [
        {"price": Decimal("1.50"), "opened": date(2024, 5, 2)}
    ]


def test_upsert_updates_the_row_that_has_the_key(clinics, run_sql):
    run_sql(
        postgresql.upsert("clinics", {"code": "a", "name": "A", "beds": 1}, key="code"),
        postgresql.upsert("clinics", {"code": "a", "name": "B", "beds": 2}, key="code", update=["name"]),
        postgresql.upsert("clinics", {"code": "a", "name": "C"}, key="clinics_code", update=[]),
        postgresql.upsert_many("clinics", [{"code": "b", "beds": 5}, {"code": "a", "beds": 6}], key=["code"]),
    )

    assert rows(clinics) == [("a", "B", 6), ("b", None, 5)]


def test_a_key_that_stands_twice_in_a_batch_says_what_to_do(run_sql):
    error = failure(
        run_sql(postgresql.upsert_many("clinics", [{"code": "a", "beds": 1}, {"code": "a", "beds": 2}], key="code"))
    )

    assert (error.details["records"], error.fix) == (
        [0, 1],
        "Give each key only once in one batch, or say duplicates='last'.",
    )


def test_a_key_that_is_not_the_tables_is_refused(run_sql):
    assert isinstance(failure(run_sql(postgresql.upsert("clinics", {"code": "a"}, key="cod"))), ColumnError)


def test_returning_gives_a_value_or_dicts(run_sql):
    run = run_sql(
        postgresql.insert("clinics", {"code": "a"}, returning="id").into("one"),
        postgresql.insert("clinics", {"code": "b"}, returning=["id", "code"]).into("pair"),
        postgresql.insert_many("clinics", [{"code": "c"}, {"code": "d"}], returning="id").into("many"),
        postgresql.upsert("clinics", {"code": "a", "beds": 1}, key="code", returning="id").into("same"),
        postgresql.upsert("clinics", {"code": "a"}, key="code", update=[], returning="id").into("nothing"),
    )

    assert run.state.only("one", "pair", "many", "same", "nothing") == {
        "one": 1,
        "pair": {"id": 2, "code": "b"},
        "many": [3, 4],
        "same": 1,
        "nothing": None,
    }


def test_null_is_a_rule_on_whole_values(clinics, run_sql):
    record = {"code": "NaN-1", "name": "NaN", "beds": "", "price": "undefined"}

    run_sql(postgresql.insert("clinics", record, null=("", "NaN", "undefined")))

    assert rows(clinics, "code, name, beds, price") == [("NaN-1", None, None, None)]


def test_find_value_gives_none_the_value_or_an_error(clinics, run_sql):
    clinics.execute("insert into clinics (code, name, beds) values ('a', 'A', 1), ('b', 'B', 1), ('c', null, 2)")

    run = run_sql(
        postgresql.find_value("clinics", "name", where={"code": "a"}).into("a"),
        postgresql.find_value("clinics", "name", where={"code": "z"}).into("z"),
        postgresql.find_value("clinics", "code", where={"name": None, "beds": 2}).into("c"),
    )

    assert run.state == {"data": None, "a": "A", "z": None, "c": "c"}
    assert isinstance(
        failure(run_sql(postgresql.find_value("clinics", "code", where={"beds": 1}))), AmbiguousMatchError
    )


@pytest.mark.parametrize("records", [{"code": "a"}, "a", None, 5, ["a"], [[1]]])
def test_records_of_another_shape_are_refused(run_sql, records):
    assert isinstance(failure(run_sql(postgresql.insert_many("clinics", records))), RecordError)


def test_no_records_are_no_error(run_sql):
    assert run_sql(postgresql.insert_many("clinics", [])).state.data == 0


def test_records_may_come_from_a_generator(clinics, run_sql):
    run_sql(
        postgresql.insert_many("clinics", lambda s: ({"code": code} for code in s.data)), state={"data": ["a", "b"]}
    )

    assert [row[0] for row in rows(clinics)] == ["a", "b"]


def test_pg_21_a_step_is_one_transaction_and_its_connection_is_closed(clinics, run_sql):
    failing = run_sql(postgresql.insert("clinics", {"code": "a"}), lambda s: 1 / 0)
    open_connections = clinics.execute(
        "select count(*) as n from pg_stat_activity where application_name = 'crossdock' and datname = current_database()"
    )

    assert failing.outcome == "failed"
    assert rows(clinics) == []
    assert open_connections == [{"n": 0}]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_bad_items_are_rolled_back_one_by_one(clinics, run_sql, concurrency):
    def work(s):
        postgresql.insert("clinics", {"code": f"{s.data}"})(s)
        if s.data % 5 == 0:
            return postgresql.sql("select 1 / 0")
        return postgresql.insert("clinics", {"code": f"{s.data}b"})

    run = run_sql(each(range(40), work, on_error="collect", concurrency=concurrency))

    assert len(run.state.failed) == 8
    assert len(rows(clinics)) == 64


def test_a_failure_that_a_function_catches_leaves_the_transaction_usable(clinics, run_sql):
    def careful(s):
        postgresql.insert("clinics", {"code": "a"})(s)
        try:
            postgresql.insert("clinics", {"code": "a"})(s)
        except DatabaseError:
            postgresql.insert("clinics", {"code": "b"})(s)
        return s

    run = run_sql(careful)

    assert run.outcome == "success"
    assert [row[0] for row in rows(clinics)] == ["a", "b"]


def test_a_deferred_constraint_fails_the_step_at_its_end(clinics, run_sql):
    clinics.execute(
        "alter table clinics drop constraint clinics_code; alter table clinics add constraint late unique (code) deferrable initially deferred"
    )

    run = run_sql(postgresql.insert_many("clinics", [{"code": "a"}, {"code": "a"}]))

    assert (run.outcome, run.error.details["constraint"]) == ("failed", "late")
    assert rows(clinics) == []


def test_pg_12_a_connection_that_is_cut_is_a_transient_failure(clinics, run_sql):
    def cut(s):
        clinics.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'crossdock' and datname = current_database()"
        )
        return s

    run = run_sql(postgresql.insert("clinics", {"code": "a"}), cut, postgresql.insert("clinics", {"code": "b"}))

    assert (run.outcome, run.error.transient) == ("failed", True)
    assert rows(clinics) == []


def test_pg_12_a_connection_that_is_cut_before_the_commit_is_a_failure(clinics, run_sql):
    def cut(s):
        clinics.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'crossdock' and datname = current_database()"
        )
        return s

    run = run_sql(postgresql.insert("clinics", {"code": "a"}), cut)

    assert (run.outcome, run.error.details["sqlstate"]) == ("failed", "57P01")
    assert rows(clinics) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"dsn": "postgres//u:S3CRETpw@h/db"}, "connection string"),
        ({"host": "127.0.0.1", "port": 1, "database": "d", "user": "u", "password": "S3CRETpw"}, "nothing listens"),
    ],
)
def test_pg_23_a_connection_that_can_not_be_opened_shows_no_password(run_job, fields, reason):
    run = run_job(postgresql.sql("select 1"), credentials={"w": {"adaptor": "postgresql", **fields}})

    error = failure(run)
    assert reason in error.message
    assert "S3CRET" not in f"{error} {error.__cause__!r} {run.state}"


def test_pg_23_an_unknown_database_is_named_as_that(postgres, run_job):
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, dbname="nowhere")

    error = failure(run_job(postgresql.sql("select 1"), credentials={"w": {"adaptor": "postgresql", "dsn": dsn}}))

    assert "no such database" in error.message


@pytest.mark.parametrize(
    ("fields", "sslmode"),
    [
        ({"host": "db.example.org", "database": "d"}, "require"),
        ({"host": "localhost", "database": "d"}, None),
        ({"host": "/run/postgresql", "database": "d"}, None),
        ({"host": "db.example.org", "database": "d", "sslmode": "verify-full"}, "verify-full"),
        ({"dsn": "postgresql://u@db.example.org/d"}, "require"),
        ({"dsn": "postgresql://u@db.example.org/d?sslmode=verify-ca"}, "verify-ca"),
    ],
)
def test_pg_22_another_machine_is_reached_with_tls(fields, sslmode):
    assert PostgresqlConfiguration(**fields).parameters().get("sslmode") == sslmode


def test_a_function_that_gives_rows_is_an_argument(clinics, run_sql):
    run_sql(
        postgresql.upsert_many("clinics", lambda s: [{"code": code} for code in s.data], key="code"),
        state={"data": ["a"]},
    )

    assert [row[0] for row in rows(clinics)] == ["a"]


def test_effects_say_what_reads_and_what_writes():
    assert postgresql.sql("select 1").effect == "read"
    assert postgresql.sql("with x as (delete from a) select 1").effect == "write"
    assert postgresql.find_value("a", "b", where={}).effect == "read"
    assert postgresql.upsert("a", {}, key="b").effect == "write"


def test_a_business_error_in_the_job_rolls_back_too(clinics, run_sql):
    def refuse(s):
        raise JobError("NO", "no")

    run = run_sql(
        each(state.data, postgresql.insert("clinics", {"code": state.data})), refuse, state={"data": ["a", "b"]}
    )

    assert (run.outcome, rows(clinics)) == ("failed", [])


END_MYSELF = "select pg_terminate_backend(pg_backend_pid())"


def test_a_connection_that_is_lost_and_caught_is_no_success(clinics, run_sql):
    run = run_sql(postgresql.insert("clinics", {"code": "a"}), postgresql.sql(END_MYSELF).catch(lambda error, s: s))

    assert run.outcome == "failed"
    assert "broke" in run.error.message
    assert rows(clinics) == []


def test_a_failed_statement_whose_error_was_dropped_is_no_success(clinics, run_sql):
    def drop_the_error(s):
        try:
            postgresql.adaptor.connection.connection.execute("select 1 / 0")
        except psycopg.Error:
            return s

    run = run_sql(postgresql.insert("clinics", {"code": "a"}), drop_the_error)

    assert run.outcome == "failed"
    assert "dropped" in run.error.message
    assert rows(clinics) == []


@pytest.mark.parametrize("on_error", ["raise", "collect"])
def test_commit_item_keeps_items_whole_in_a_concurrent_loop(clinics, run_sql, on_error):
    def work(s):
        postgresql.insert("clinics", {"code": f"{s.data}a"})(s)
        if s.data % 5 == 4:
            raise JobError("NO", "no")
        return postgresql.insert("clinics", {"code": f"{s.data}b"})

    run = run_sql(each(range(30), work, commit="item", concurrency=6, on_error=on_error))

    codes = {row[0] for row in rows(clinics)}
    assert run.outcome == ("failed" if on_error == "raise" else "partial")
    assert {code[:-1] for code in codes if code.endswith("a")} == {code[:-1] for code in codes if code.endswith("b")}
    assert on_error == "raise" or len(codes) == 48


def test_threads_of_ones_own_use_the_connection_one_at_a_time(clinics, run_sql):
    import threading

    from crossdock import in_run

    def threaded(s):
        def write(number):
            postgresql.insert("clinics", {"code": f"{number}a"})(s)
            postgresql.insert("clinics", {"code": f"{number}b"})(s)

        threads = [threading.Thread(target=in_run(write), args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return s

    assert run_sql(threaded).outcome == "success"
    assert len(rows(clinics)) == 40


def test_update_from_a_key_that_the_records_lack_is_refused(clinics, run_sql):
    clinics.execute("insert into clinics (code, name) values ('a', 'kept')")

    error = failure(run_sql(postgresql.upsert("clinics", {"code": "a"}, key="code", update=["name"])))

    assert isinstance(error, RecordError)
    assert rows(clinics, "name") == [("kept",)]


def test_a_column_that_the_server_computes_is_read_and_not_written(clinics, run_sql):
    clinics.execute("alter table clinics add column twice int generated always as (beds * 2) stored")

    run = run_sql(postgresql.insert("clinics", {"code": "a", "beds": 2}, returning="twice"))

    assert run.state.data == 4
    assert isinstance(failure(run_sql(postgresql.insert("clinics", {"code": "b", "twice": 2}))), ColumnError)


def test_a_key_that_stands_twice_is_refused_also_over_several_statements(clinics, run_sql):
    records = [{"code": f"c{n}", "beds": n} for n in range(1500)] + [{"code": "c0", "beds": -1}]

    assert failure(run_sql(postgresql.upsert_many("clinics", records, key="code"))).details["records"] == [0, 1500]
    assert rows(clinics) == []


def test_json_columns_take_what_a_state_takes_and_nothing_else(clinics, run_sql):
    tags = {"on": date(2024, 5, 2), "price": Decimal("1.50")}

    assert run_sql(postgresql.insert("clinics", {"code": "a", "tags": tags})).outcome == "success"
    assert rows(clinics, "tags") == [({"on": "2024-05-02", "price": "1.50"},)]
    error = failure(run_sql(postgresql.insert("clinics", {"code": "b", "tags": {"n": float("nan")}})))
    assert isinstance(error, RecordError)
    assert "$.n" in error.message
