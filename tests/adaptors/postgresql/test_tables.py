"""Tables described, created and extended."""

import pytest
from crossdock.adaptors import postgresql
from crossdock_postgresql import ColumnError, TableError

COLUMNS = [
    {"name": "id", "type": "int4", "identity": True, "required": True},
    {"name": "nm", "type": "varchar(20)", "default": "x", "unique": True},
    {"name": "n", "type": "int4", "default": 3},
]


def test_p34_a_table_is_described_in_the_order_of_its_columns(clinics, run_sql):
    described = run_sql(postgresql.describe_table("clinics")).state.data

    assert [column["name"] for column in described[1:]] == [
        "code",
        "name",
        "beds",
        "price",
        "tags",
        "opened",
        'odd "name',
    ]
    assert described[1] == {"name": "code", "type": "text", "required": True, "default": None, "identity": False}
    assert described[4]["type"] == "numeric(10,2)"
    assert run_sql(postgresql.describe_table("nope")).state.data == []


@pytest.mark.parametrize("name", ["o'x", "Mixed Case", "select", '"', "a.b"])
def test_p35_names_are_quoted_and_the_schema_is_respected(postgres, run_sql, name):
    table = {"table": name.replace(".", ""), "schema": "s"}
    postgres.execute('create schema s; create schema other; create table other."Mixed Case" (id text)')
    columns = [{"name": "id", "type": "int", "primary_key": True}, {"name": name, "type": "text"}]

    run = run_sql(
        postgresql.create_table(table["table"], columns, schema="s"),
        postgresql.insert(table["table"], {"id": 1, name: "a"}, schema="s"),
        postgresql.upsert(f"s.{table['table']}", {"id": 1, name: "b"}, key="id"),
        postgresql.find_value(table["table"], name, where={name: "b"}, schema="s").into("found"),
        postgresql.describe_table(table["table"], schema="s"),
    )

    assert run.state.found == "b"
    assert [column["name"] for column in run.state.data] == ["id", name]


def test_p36_a_table_is_created_as_it_is_described(postgres, run_sql):
    run = run_sql(
        postgresql.create_table("t1", COLUMNS),
        postgresql.create_table("t1", COLUMNS),  # it is there
        postgresql.insert("t1", {"n": 1}),
        postgresql.describe_table("t1"),
    )

    assert run.state.data == [
        {"name": "id", "type": "integer", "required": True, "default": None, "identity": True},
        {
            "name": "nm",
            "type": "character varying(20)",
            "required": False,
            "default": "'x'::character varying",
            "identity": False,
        },
        {"name": "n", "type": "integer", "required": False, "default": "3", "identity": False},
    ]
    assert postgres.execute("select * from t1") == [{"id": 1, "nm": "x", "n": 1}]
    assert run_sql(postgresql.insert("t1", {"nm": "x"})).error.details["sqlstate"] == "23505"


def test_p37_columns_are_added(postgres, run_sql):
    postgres.execute("create table t1 (id int); insert into t1 values (1)")

    run = run_sql(
        postgresql.alter_table(
            "t1",
            [
                {"name": "z", "type": "text", "required": True, "default": "q'; drop table t1; --"},
                {"name": "group/field", "type": "numeric(5, 1)", "unique": True},
            ],
        ),
        postgresql.insert("t1", {"group/field": 1}),
    )

    assert run.outcome == "success", run.error
    assert [row["z"] for row in postgres.execute("select z from t1")] == ["q'; drop table t1; --"] * 2
    assert run_sql(postgresql.insert("t1", {"group/field": 1})).error.details["sqlstate"] == "23505"


@pytest.mark.parametrize(
    "column",
    [
        {"name": "a", "type": "text; drop table t1"},
        {"name": "a", "type": "text default 'x'"},
        {"name": "a", "type": "nothing_like_it"},
        {"name": "a", "type": "int)"},
        {"name": "a"},
        {"type": "text"},
        {"name": "a", "type": "text", "primary": True},
        {"name": 5, "type": "text"},
    ],
)
def test_p36_a_column_that_can_not_be_is_refused(postgres, run_sql, column):
    error = run_sql(postgresql.create_table("t2", [column])).error

    assert isinstance(error, TableError), error
    assert postgres.execute("select to_regclass('t2') as t") == [{"t": None}]


@pytest.mark.parametrize("name", ["", "x" * 64, "é" * 32, "a\0"])
def test_p36_a_name_that_the_server_would_cut_is_refused(run_sql, name):
    assert isinstance(run_sql(postgresql.create_table("t", [{"name": name, "type": "int"}])).error, ColumnError)


def test_a_table_that_changes_is_looked_up_again(postgres, run_sql):
    postgres.execute("create table t (id int)")

    run = run_sql(
        postgresql.insert("t", {"id": 1}),
        postgresql.alter_table("t", [{"name": "a", "type": "text"}]),
        postgresql.insert("t", {"id": 2, "a": "x"}),
        postgresql.sql("alter table t rename a to b"),
        postgresql.insert("t", {"id": 3, "b": "y"}),
        postgresql.script("alter table t drop b; alter table t add c int"),
        postgresql.insert("t", {"id": 4, "c": 1}),
    )

    assert run.outcome == "success", run.error


def test_a_table_that_was_undone_is_not_remembered(run_sql):
    def careful(s):
        try:
            postgresql.transaction(
                postgresql.create_table("t", [{"name": "a", "type": "int"}]),
                postgresql.insert("t", {"a": 1}),
                postgresql.sql("select 1 / 0"),
            )(s)
        except postgresql.DatabaseError:
            return postgresql.describe_table("t")(s)
        return s

    assert run_sql(careful, postgresql.insert("t", {"a": 1})).error.code == "unknown_table"
