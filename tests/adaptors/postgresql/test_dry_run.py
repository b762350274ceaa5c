"""Dry runs: everything is checked, nothing is written, and the plan says what would have been."""

import pytest
from crossdock import each, run_file, state
from crossdock.adaptors import postgresql
from crossdock_postgresql import ColumnError, RecordError
from crossdock_postgresql.writer import FEW


@pytest.fixture
def dry_run(clinics, run_sql):
    clinics.execute("insert into clinics (code, name) values ('a', 'A')")

    def run(*operations, **options):
        run = run_sql(*operations, dry_run=True, **options)
        assert clinics.execute("select code, name from clinics") == [{"code": "a", "name": "A"}]
        return run

    return run


def test_p38_nothing_is_written_and_the_plan_lists_all_of_it(dry_run, postgres):
    run = dry_run(
        postgresql.insert("clinics", {"code": "b", "name": state.data}),
        postgresql.upsert_many("clinics", [{"code": f"{n}", "beds": n} for n in range(FEW + 1)], key="code"),
        postgresql.sql("update clinics set name = %(name)s", {"name": "B"}),
        postgresql.script("drop table clinics"),
        postgresql.delete("clinics", where={"code": "a"}),
        postgresql.replace_children("clinics", [{"name": "C"}], parent={"code": "a"}),
        postgresql.create_table("t", [{"name": "id", "type": "int", "primary_key": True}]),
        postgresql.alter_table("clinics", [{"name": "note", "type": "text"}]),
        state={"data": "B"},
    )

    assert run.outcome == "success", run.error
    plan = [{key: entry.get(key) for key in ("statement", "rows", "sample", "parameters")} for entry in run.state.plan]
    insert = 'insert into "clinics" ("code", "{}") values (%s, %s){}'
    update = ' on conflict ("code") do update set "beds" = excluded."beds"'
    assert [tuple(entry.values()) for entry in plan] == [
        (insert.format("name", ""), 1, {"code": "b", "name": "B"}, None),
        (insert.format("beds", update), FEW + 1, {"code": "0", "beds": 0}, None),
        ("update clinics set name = %(name)s", None, None, {"name": "B"}),
        ("drop table clinics", None, None, None),
        ('delete from "clinics" where "code" = %s', None, None, ["a"]),
        ('delete from "clinics" where "code" = %s', None, None, ["a"]),
        ('insert into "clinics" ("name", "code") values (%s, %s)', 1, {"name": "C", "code": "a"}, None),
        ('create table if not exists "t" ("id" int primary key)', None, None, None),
        ('alter table "clinics" add column "note" text', None, None, None),
    ]
    assert {entry["system"] for entry in run.state.plan} == {"warehouse"}
    assert [entry["operation"] for entry in run.state.plan][:2] == ["postgresql.insert", "postgresql.upsert_many"]
    assert postgres.execute("select to_regclass('t') as t") == [{"t": None}]


def test_p38_what_is_read_is_read(dry_run):
    run = dry_run(
        postgresql.find_value("clinics", "name", where={"code": "a"}).into("found"),
        postgresql.query("select name from clinics").into("queried"),
        postgresql.copy_to("clinics", "clinics.csv").into("copied"),
        lambda s: s.replace(text=run_file("clinics.csv").read_text()),
        postgresql.rows("select name from clinics"),
        each(state.data, lambda s: s.result(s.data["name"])).into("listed"),
        lambda s: s.without("data"),
    )

    assert run.state.only("found", "queried", "listed") == {"found": "A", "queried": [{"name": "A"}], "listed": ["A"]}
    assert run.state.copied["rows"] == 1
    assert "plan" not in run.state or run.state.plan == []


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (postgresql.insert("clinics", {"nmae": "x"}), ColumnError),
        (postgresql.insert_many("clinics", [{"code": "b"}, {"code": "c", "beds": "many"}]), RecordError),
        (postgresql.upsert("clinics", {"code": "b"}, key="cod"), ColumnError),
        (postgresql.delete("clinics", where={}), RecordError),
    ],
)
def test_p38_what_would_be_refused_is_refused(dry_run, operation, error):
    assert isinstance(dry_run(operation).error, error)


@pytest.mark.parametrize("commit", ["step", "operation"])
@pytest.mark.parametrize("use", [postgresql.sql, postgresql.query, "rows"])
def test_a_select_that_writes_by_a_function_fails_in_a_dry_run(dry_run, postgres, commit, use):
    postgres.execute(
        """create function sneaky() returns int language plpgsql as
            'begin update clinics set name = ''changed''; return 1; end'"""
    )
    listed = [postgresql.rows("select sneaky()"), each(state.data, lambda s: s)]

    run = dry_run(*(listed if use == "rows" else [use("select sneaky()")]), fields={"commit": commit})

    assert (run.outcome, run.error.details["sqlstate"]) == ("failed", "25006")
    assert "dry run" in run.error.fix


def test_the_plan_shows_no_secret_and_of_bytes_their_type(dry_run, postgres):
    postgres.execute("create table files (name text, body bytea)")
    run = dry_run(
        postgresql.insert("files", {"name": "S3CRETpw!", "body": b"\0"}),
        postgresql.sql("insert into files values (%s, %s)", ["S3CRETpw!", b"\0"]),
        fields={"api_password": "S3CRETpw!"},
    )

    assert run.outcome == "success", run.error
    assert [entry.get("sample") or entry["parameters"] for entry in run.state.plan] == [
        {"name": "***", "body": "<bytes>"},
        ["***", "<bytes>"],
    ]


def test_nothing_to_write_is_no_entry(dry_run):
    assert dry_run(postgresql.insert_many("clinics", []), postgresql.create_table("t", [])).state.get("plan", []) == []
