"""Records into tables: insert, insert_many, upsert, upsert_many, replace_children."""

import logging
import tracemalloc
from time import perf_counter

import pytest
from crossdock import state, when
from crossdock.adaptors import postgresql
from crossdock_postgresql import ColumnError, DatabaseError, RecordError, TableError
from crossdock_postgresql.writer import FEW

pytestmark = pytest.mark.usefixtures("clinics")


def rows(postgres, columns="code, name, beds"):
    return [tuple(row.values()) for row in postgres.execute(f"select {columns} from clinics order by id")]


def failure(run):
    assert run.outcome != "success"
    return run.error


@pytest.fixture
def statements(clinics):
    """Count the statements that write into the table of clinics."""
    clinics.execute(
        """create table statements (n int);
        create function counted() returns trigger language plpgsql as
            'begin insert into statements values (1); return null; end';
        create trigger counted before insert on clinics for each statement execute function counted()"""
    )
    return lambda: clinics.execute("select count(*)::int as n from statements")[0]["n"]


def test_p15_one_row_is_stored_with_its_values(clinics, run_sql):
    run = run_sql(
        postgresql.insert("clinics", lambda s: {"name": s.data["name"], "code": "a", "price": "1.50"}),
        state={"data": {"name": "A"}},
    )

    assert run.state.data == 1
    assert rows(clinics, "code, name, price::text") == [("a", "A", "1.50")]


def test_p16_no_value_is_logged(clinics, run_sql, caplog):
    caplog.set_level(logging.DEBUG)
    many = [{"code": f"CANARY-{n}", "name": "CANARY"} for n in range(FEW + 1)]

    run_sql(
        postgresql.insert("clinics", {"code": "CANARY", "name": "CANARY"}),
        postgresql.insert_many("clinics", many),
        postgresql.sql("update clinics set name = %(name)s", {"name": "CANARY"}),
        postgresql.find_value("clinics", "id", where={"code": "CANARY"}),
    )

    assert len(rows(clinics)) == FEW + 2
    assert "CANARY" not in caplog.text


@pytest.mark.parametrize("many", [1, FEW + 1])
def test_p17_p18_only_whole_values_become_null(clinics, run_sql, many):
    names = ["", "O'Brien", "it''s", "undefined", "not undefined", "NaN", " "]
    records = [{"code": f"{n}", "name": names[n % len(names)]} for n in range(len(names) * many)]

    run_sql(postgresql.insert_many("clinics", records, null=("", "NaN")))

    assert [name for (name,) in rows(clinics, "name")[: len(names)]] == [
        None,
        "O'Brien",
        "it''s",
        "undefined",
        "not undefined",
        None,
        " ",
    ]


def test_p17_null_compares_with_the_type(clinics, run_sql):
    run_sql(postgresql.insert_many("clinics", [{"code": "a", "beds": 0}, {"code": "b", "beds": False}], null=(False,)))

    assert rows(clinics, "code, beds") == [("a", 0), ("b", None)]


@pytest.mark.parametrize("null", [{"a": 1}, "undefined", 5])
def test_p19_null_takes_a_list_of_values(clinics, run_sql, null):
    error = failure(run_sql(postgresql.insert("clinics", {"code": "a"}, null=null)))

    assert error.fix == 'Give the values: null=("", "NaN").'
    assert rows(clinics) == []


def test_p19_set_null_is_told_its_new_name():
    with pytest.raises(TypeError, match="null"):
        postgresql.insert("clinics", {"code": "a"}, setNull=["''"])


def test_p22_few_records_are_one_statement(run_sql, statements):
    run = run_sql(postgresql.insert_many("clinics", [{"code": "a"}, {"code": "b"}]))

    assert (run.state.data, statements()) == (2, 1)


@pytest.mark.parametrize("write", ["insert_many", "upsert_many"])
@pytest.mark.parametrize("size", [2, FEW + 2])
def test_p23_values_land_in_their_own_columns(clinics, run_sql, write, size):
    records = [{"code": f"{n}", "name": "N"} if n % 2 else {"name": "N", "code": f"{n}"} for n in range(size)]
    key = {"key": "code"} if write == "upsert_many" else {}

    run_sql(getattr(postgresql, write)("clinics", records, **key))

    assert {row[1] for row in rows(clinics)} == {"N"}
    assert len(rows(clinics)) == size


@pytest.mark.parametrize("size", [4, FEW + 4])
@pytest.mark.parametrize("lazy", [False, True])
def test_p24_pg_09_a_missing_key_is_an_error_or_null(clinics, run_sql, size, lazy):
    records = [{"code": f"{n}", "name": "N"} for n in range(size)]
    del records[-1]["name"], records[-3]["name"]

    def given(s):
        return iter(records) if lazy else records

    error = failure(run_sql(postgresql.insert_many("clinics", given)))
    assert isinstance(error, RecordError)
    # What comes from a generator is known only as it comes.
    assert error.details["records"] == ([size - 3] if lazy and size > FEW else [size - 3, size - 1])
    assert "name" in error.message
    assert rows(clinics) == []

    run_sql(postgresql.insert_many("clinics", given, missing="null"))
    assert [name for (name,) in rows(clinics, "name")].count(None) == 2


@pytest.mark.parametrize("size", [4, FEW + 4])
def test_p24_a_key_that_only_one_record_has_is_an_error(clinics, run_sql, size):
    records = [{"code": f"{n}"} for n in range(size)]
    records[-1]["name"] = "CANARY"

    error = failure(run_sql(postgresql.insert_many("clinics", records)))

    assert "lacks name" in error.message
    assert "CANARY" not in str(error)
    assert rows(clinics) == []


def test_missing_takes_two_words(clinics, run_sql):
    assert "missing=" in failure(run_sql(postgresql.insert("clinics", {"code": "a"}, missing="ignore"))).message


def test_p25_nothing_to_write_is_logged_and_no_error(run_sql, statements, caplog):
    caplog.set_level(logging.INFO, logger="crossdock.postgresql")

    run = run_sql(
        postgresql.insert_many("clinics", []).into("inserted"),
        postgresql.upsert_many("clinics", iter([]), key="code", returning="id").into("upserted"),
        postgresql.create_table("t", []),
        postgresql.alter_table("clinics", []),
        state={"data": 7},
    )

    assert run.state.only("data", "inserted", "upserted") == {"data": 7, "inserted": 0, "upserted": []}
    assert statements() == 0
    assert caplog.text.count("there are no") == 4


def test_p26_many_values_are_sent_in_several_statements(postgres, run_sql):
    columns = [f"c{n}" for n in range(20)]
    postgres.execute(f"create table wide ({', '.join(f'{name} int' for name in columns)})")
    records = [dict.fromkeys(columns, n) for n in range(5000)]

    run = run_sql(
        postgresql.insert_many("wide", records, returning="c0").into("returned"),
        postgresql.insert_many("wide", records).into("copied"),
    )

    assert run.state.returned == list(range(5000))
    assert run.state.copied == 5000
    assert postgres.execute("select count(*) as n, sum(c19)::int as s from wide") == [{"n": 10_000, "s": 24_995_000}]


def test_p27_upsert_updates_or_inserts(clinics, run_sql):
    run_sql(
        postgresql.upsert("clinics", {"code": "a", "name": "Elo"}, key="code"),
        postgresql.upsert("clinics", {"code": "a", "name": "Elo2"}, key="code"),
        postgresql.upsert("clinics", {"code": "b", "name": "New"}, key="code"),
    )

    assert rows(clinics, "code, name") == [("a", "Elo2"), ("b", "New")]


def test_p28_p29_the_key_is_a_constraint_or_several_columns(clinics, run_sql):
    clinics.execute("create unique index on clinics (name, beds)")

    run_sql(
        postgresql.upsert("clinics", {"code": "a", "name": "A", "beds": 1}, key="clinics_code"),
        postgresql.upsert("clinics", {"code": "a", "name": "B", "beds": 1}, key="clinics_code"),
        postgresql.upsert("clinics", {"code": "c", "name": "B", "beds": 1}, key=["name", "beds"]),
    )

    assert rows(clinics) == [("c", "B", 1)]


@pytest.mark.parametrize("size", [1, FEW + 1])
def test_p30_a_key_without_a_unique_index_says_what_is_missing(clinics, run_sql, size):
    records = [{"code": f"{n}", "name": f"{n}"} for n in range(size)]

    error = failure(run_sql(postgresql.upsert_many("clinics", records, key="name")))

    assert error.details["sqlstate"] == "42P10"
    assert error.fix == "Name a key that a unique constraint or index is on, or create one."


@pytest.mark.parametrize(("condition", "stored"), [(True, 1), (False, 0)])
def test_p31_when_is_the_conditional_upsert(run_sql, statements, condition, stored):
    upsert = postgresql.upsert("clinics", {"code": "a"}, key="code")
    run = run_sql(when(state.data, upsert), state={"data": condition})

    assert statements() == stored
    assert run.outcome == "success"


@pytest.mark.parametrize("size", [2, FEW + 2])
def test_p32_upsert_many_updates_some_and_inserts_others(clinics, run_sql, statements, size):
    clinics.execute("insert into clinics (code, name) values ('0', 'old'), ('kept', 'kept')")
    before = statements()

    run = run_sql(
        postgresql.upsert_many("clinics", [{"code": f"{n}", "name": f"N{n}"} for n in range(size)], key="code")
    )

    assert run.state.data == size
    assert sorted(rows(clinics, "code, name"))[:2] == [("0", "N0"), ("1", "N1")]
    assert len(rows(clinics)) == size + 1
    assert statements() - before == 1


@pytest.mark.parametrize("size", [3, FEW + 3])
@pytest.mark.parametrize("update", [None, []])
def test_p33_a_key_that_stands_twice_is_refused_or_the_last_one_counts(clinics, run_sql, size, update):
    records = [{"code": f"{n}", "beds": n} for n in range(size)]
    records[-1] = {"code": "1", "beds": -1}
    write = postgresql.upsert_many("clinics", records, key="code", update=update)

    error = failure(run_sql(write))
    assert error.details["records"] == [1, size - 1]
    assert rows(clinics) == []

    last = run_sql(postgresql.upsert_many("clinics", records, key="code", update=update, duplicates="last"))
    assert last.state.warnings == [{"code": "duplicate_keys", "table": "clinics", "key": ["code"], "dropped": 1}]
    assert dict(rows(clinics, "code, beds"))["1"] == -1
    assert len(rows(clinics)) == size - 1


@pytest.mark.parametrize("size", [4, FEW + 4])
def test_keys_that_are_null_are_all_different(postgres, run_sql, size):
    postgres.execute("create table t (a text unique, b int)")

    run = run_sql(postgresql.upsert_many("t", [{"a": None, "b": n} for n in range(size)], key="a"))

    assert run.state.data == size


def test_a_key_of_lists_is_told_apart_by_the_server(postgres, run_sql):
    postgres.execute("create table t (a int[] unique, b int)")
    records = [{"a": [1], "b": 1}, {"a": [1], "b": 2}]

    assert failure(run_sql(postgresql.upsert_many("t", records, key="a"))).details["sqlstate"] == "21000"


@pytest.mark.parametrize("size", [2, FEW + 2])
def test_on_conflict_nothing_leaves_what_is_there(clinics, run_sql, size):
    clinics.execute("insert into clinics (code, name) values ('1', 'kept')")
    records = [{"code": f"{n}", "name": "new"} for n in range(size)]

    run = run_sql(postgresql.insert_many("clinics", records, on_conflict="nothing"))

    assert run.state.data == size - 1
    assert ("1", "kept") in rows(clinics, "code, name")


def test_replace_children_leaves_exactly_these(postgres, run_sql):
    postgres.execute("create table m (visit int, name text not null); insert into m values (7, 'old'), (8, 'other')")
    members = [{"name": f"M{n}"} for n in range(FEW + 1)]

    assert run_sql(postgresql.replace_children("m", members, parent={"visit": 7})).state.data == FEW + 1
    assert postgres.execute("select count(*) as n from m where visit = 7 and name <> 'old'") == [{"n": FEW + 1}]

    def careful(s):
        try:
            postgresql.replace_children("m", [{"name": None}], parent={"visit": 8}).result()
        except DatabaseError:
            return s
        return s

    assert run_sql(careful).outcome == "success"
    assert run_sql(postgresql.replace_children("m", [], parent={"visit": 7})).outcome == "success"
    assert postgres.execute("select * from m") == [{"visit": 8, "name": "other"}]


@pytest.mark.parametrize("parent", [{}, {"visit": None}, None])
def test_replace_children_needs_a_parent(postgres, run_sql, parent):
    postgres.execute("create table m (visit int)")

    assert isinstance(failure(run_sql(postgresql.replace_children("m", [], parent=parent))), RecordError)


def test_a_view_and_a_table_with_row_security_are_written_without_copy(postgres, run_sql):
    postgres.execute(
        """create table t (id int primary key); alter table t enable row level security;
        create table u (id int primary key); create view v as select * from u"""
    )
    records = [{"id": n} for n in range(FEW + 1)]

    run = run_sql(postgresql.insert_many("t", records).into("t"), postgresql.insert_many("v", records).into("v"))

    assert run.state.only("t", "v") == {"t": FEW + 1, "v": FEW + 1}


def test_pg_08_a_hundred_thousand_rows_are_written_in_little_time_and_memory(clinics, run_sql):
    def given(s):
        return ({"code": f"c{n}", "name": "x", "beds": n} for n in range(100_000))

    tracemalloc.start()
    started = perf_counter()
    run = run_sql(postgresql.insert_many("clinics", given))
    seconds, peak = perf_counter() - started, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert run.state.data == 100_000
    assert seconds < 20  # 5 without the tracing of memory, on a machine that does nothing else
    assert peak < 10_000_000


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


def test_a_function_that_gives_rows_is_an_argument(clinics, run_sql):
    run_sql(
        postgresql.upsert_many("clinics", lambda s: [{"code": code} for code in s.data], key="code"),
        state={"data": ["a"]},
    )

    assert [row[0] for row in rows(clinics)] == ["a"]


def test_update_from_a_key_that_the_records_lack_is_refused(clinics, run_sql):
    clinics.execute("insert into clinics (code, name) values ('a', 'kept')")

    error = failure(run_sql(postgresql.upsert("clinics", {"code": "a"}, key="code", update=["name"])))

    assert isinstance(error, RecordError)
    assert rows(clinics, "name") == [("kept",)]


def test_a_key_that_stands_twice_is_refused_also_over_several_statements(clinics, run_sql):
    records = [{"code": f"c{n}", "beds": n} for n in range(1500)] + [{"code": "c0", "beds": -1}]

    assert failure(run_sql(postgresql.upsert_many("clinics", records, key="code"))).details["records"] == [0, 1500]
    assert rows(clinics) == []
