"""Statements that a job writes itself, and what is read: sql, script, query, rows, find_value, lookup, delete, copy."""

import pytest
from crossdock import each, run_file, set_data, state
from crossdock.adaptors import postgresql
from crossdock_postgresql import AmbiguousMatchError, ColumnError, DatabaseError, RecordError, TooManyRowsError


@pytest.fixture
def users(postgres):
    postgres.execute(
        """create table users (id int primary key, first_name text, age int);
        insert into users values (1, 'Mamadou', 30), (2, 'John', 17), (3, 'John', 20), (4, '50%', null), (5, '500', 5)"""
    )
    return postgres


def test_p01_sql_gives_rows_as_dicts(users, run_sql):
    run = run_sql(
        postgresql.sql(lambda s: f"select id, age from {s.data} where id < 3 order by id"), state={"data": "users"}
    )

    assert run.state.data == [{"id": 1, "age": 30}, {"id": 2, "age": 17}]


def test_p02_a_missing_table_is_named_and_the_connection_is_closed(postgres, run_sql, open_connections):
    error = run_sql(postgresql.sql("select * from foo")).error

    assert error.details["sqlstate"] == "42P01"
    assert 'relation "foo" does not exist' in error.message
    assert error.fix == "Check the table's name and schema, or create it."
    assert open_connections() == 0


def test_p03_parameters_are_bound(users, run_sql):
    run = run_sql(
        postgresql.sql("select %s::int + 1 as x", [4]).into("list"),
        postgresql.sql("select %(n)s::int + 1 as x", {"n": state.data}).into("dict"),
        postgresql.sql("update users set age = age + 1 where first_name = %s", ["John"]).into("changed"),
        postgresql.sql("select '50%' as x").into("none"),
        postgresql.sql("select first_name from users where first_name like '50%%' and id = any(%s)", [[4, 5]]),
        state={"data": 5},
    )

    assert run.state.only("list", "dict", "changed", "none") == {
        "list": [{"x": 5}],
        "dict": [{"x": 6}],
        "changed": 2,
        "none": [{"x": "50%"}],
    }
    assert len(run.state.data) == 2


@pytest.mark.parametrize("parameters", [None, [], {}])
def test_p05_pg_20_sql_takes_one_statement(users, run_sql, parameters):
    error = run_sql(postgresql.sql("delete from users; select 1", parameters)).error

    assert error.details["sqlstate"] == "42601"
    assert "multiple commands" in error.message
    assert users.execute("select count(*) as n from users") == [{"n": 5}]


def test_p05_script_runs_several_statements_and_leaves_the_state(users, run_sql):
    run = run_sql(postgresql.script("delete from users; create table a (id int)"), state={"data": 7})

    assert run.state.data == 7
    assert users.execute("select (select count(*) from users) as n, to_regclass('a') is not null as a") == [
        {"n": 0, "a": True}
    ]


@pytest.mark.parametrize("run", [postgresql.script, postgresql.sql])
def test_a_statement_may_change_the_type_of_a_column_that_was_written_before(users, run_sql, run):
    inserts = [postgresql.insert("users", {"id": number, "age": number}) for number in range(10, 20)]
    change = run("alter table users alter age type text")

    assert run_sql(*inserts, change, postgresql.insert("users", {"id": 20, "age": "old"})).outcome == "success"
    assert users.execute("select age from users where id = 20") == [{"age": "old"}]


def test_a_syntax_error_tells_where_and_not_what_was_written_into_the_statement(run_sql):
    error = run_sql(postgresql.sql("select 1 as a CANARY")).error

    assert "character 15" in error.message
    assert "CANARY" not in f"{error!r} {error.__cause__!r} {error.__context__!r}"


def test_more_parameters_than_a_statement_takes_are_refused_as_that(run_sql):
    error = run_sql(postgresql.sql(f"select array[{', '.join(['%s'] * 70_000)}]", list(range(70_000)))).error

    assert "65,535" in error.message
    assert not error.transient


@pytest.mark.parametrize("statement", [("select %s", ["CANARY\ud800"]), ("select 1 as CANARY\ud800", [])])
def test_half_a_character_is_refused_without_what_it_stands_in(run_sql, statement):
    error = run_sql(postgresql.query(*statement)).error

    assert isinstance(error, RecordError)
    assert "CANARY" not in f"{error!r} {error.__cause__!r} {error.__context__!r}"


def test_query_gives_rows_up_to_a_limit(users, run_sql):
    run = run_sql(postgresql.query("with x as (select 1 as n) select n from x where n = %s", [1], max_rows=1))
    error = run_sql(postgresql.query("select * from users", max_rows=4)).error

    assert run.state.data == [{"n": 1}]
    assert isinstance(error, TooManyRowsError)
    assert "rows(…)" in error.fix


def test_query_refuses_a_statement_that_gives_no_rows(users, run_sql):
    assert "no rows" in run_sql(postgresql.query("delete from users")).error.message
    assert users.execute("select count(*) as n from users") == [{"n": 5}]


def test_pg_25_rows_are_read_one_by_one_over_a_connection_of_their_own(users, run_sql, open_connections):
    seen = []

    def read(s):
        seen.append((s.data["id"], open_connections()))
        return s

    run = run_sql(
        postgresql.rows("select * from users where id > %s order by id", [2]), each(state.data, read), set_data(1)
    )
    assert run.outcome == "success", run.error
    assert seen == [(3, 2), (4, 2), (5, 2)]


def test_rows_that_are_not_read_to_their_end_leave_no_connection(users, run_sql, open_connections):
    def first(s):
        return s.result(next(postgresql.rows("select id from users order by id").result()))

    assert run_sql(first).state.data == {"id": 1}
    assert open_connections() == 0


def test_rows_of_a_wrong_statement_fail_where_they_are_read(run_sql):
    error = run_sql(postgresql.rows("select * from nowhere"), each(state.data, set_data(1))).error

    assert error.details["sqlstate"] == "42P01"


def test_p07_and_p08_find_value_gives_the_value_or_none(users, run_sql):
    run = run_sql(
        postgresql.find_value("users", "id", where={"first_name": "Mamadou"}).into("found"),
        postgresql.find_value("users", "id", where={"first_name": "Nobody"}).into("missing"),
    )

    assert run.state.only("found", "missing") == {"found": 1, "missing": None}


@pytest.mark.parametrize(
    ("operators", "found"),
    [
        ({"age": ">", "first_name": "like"}, 3),
        ({"age": ">="}, 3),
        ({"age": "!=", "first_name": "starts with"}, 3),
        ({"age": "<>", "first_name": "ILIKE"}, 3),
    ],
)
def test_p09_operators_are_those_that_are_named_and_equality_otherwise(users, run_sql, operators, found):
    where = {"age": 20 if operators["age"] == ">=" else 17, "first_name": "John"}

    run = run_sql(postgresql.find_value("users", "id", where=where, operators=operators))

    assert run.state.data == found


def test_p10_conditions_are_lazy_and_several_rows_are_an_error(users, run_sql):
    lazy = postgresql.find_value(state.table, lambda s: "id", where={"first_name": state.data["name"]})
    run = run_sql(lazy, state={"data": {"name": "Mamadou"}, "table": "users"})

    assert run.state.data == 1
    assert isinstance(run_sql(postgresql.find_value("users", "id", where={})).error, AmbiguousMatchError)


def test_p11_a_value_is_never_a_part_of_the_statement(users, run_sql):
    run = run_sql(postgresql.find_value("users", "id", where={"first_name": "john'; DROP TABLE users; --"}))

    assert run.state.data is None
    assert users.execute("select count(*) as n from users") == [{"n": 5}]


@pytest.mark.parametrize("operator", ["= 'x' or 1=1 or first_name =", "", "between", None, 5])
def test_p12_an_operator_that_is_not_on_the_list_is_refused(users, run_sql, operator):
    error = run_sql(
        postgresql.find_value("users", "id", where={"first_name": "x"}, operators={"first_name": operator})
    ).error

    assert isinstance(error, RecordError)
    assert "Use =" in error.fix


def test_p13_none_finds_what_is_null(users, run_sql):
    run = run_sql(
        postgresql.find_value("users", "id", where={"age": None}).into("null"),
        postgresql.find_value("users", "id", where={"age": [None, 5], "first_name": "50%"}).into("one_of"),
        postgresql.find_value("users", "id", where={"age": [5, None], "first_name": "500"}).into("other"),
        postgresql.find_value("users", "id", where={"age": []}).into("nothing"),
        postgresql.find_value("users", "id", where={"age": None, "id": 3}, operators={"age": "!="}).into("not_null"),
    )

    assert run.state.only("null", "one_of", "other", "nothing", "not_null") == {
        "null": 4,
        "one_of": 4,
        "other": 5,
        "nothing": None,
        "not_null": 3,
    }


def test_p14_a_function_gets_the_plain_value(users, run_sql):
    def build(s):
        return s.result({"user": postgresql.find_value("users", "id", where={"first_name": "Mamadou"}).result()})

    assert run_sql(build).state.data == {"user": 1}


def test_pg_27_what_is_searched_for_is_no_pattern(users, run_sql):
    run = run_sql(
        postgresql.find_value("users", "id", where={"first_name": "0%"}, operators={"first_name": "contains"}),
        postgresql.find_value("users", "id", where={"first_name": "50%"}, operators={"first_name": "starts with"}),
    )
    assert run.state.data == 4

    nothing = postgresql.find_value("users", "id", where={"first_name": "_oh"}, operators={"first_name": "starts with"})
    assert run_sql(nothing).state.data is None


@pytest.mark.parametrize("where", [{"age": "old"}, {"age": {"a": 1}}, {"nmae": 1}])
def test_a_condition_that_its_column_does_not_take_is_refused(users, run_sql, where):
    error = run_sql(postgresql.find_value("users", "id", where=where)).error

    assert isinstance(error, RecordError | ColumnError)
    assert "old" not in f"{error} {error.__context__!r} {error.__cause__!r}"


def test_lookup_loads_a_table_into_a_dict(users, run_sql):
    users.execute("create table codes (code text, id int); insert into codes values ('a', 1), ('b', 2), (null, 3)")
    run = run_sql(
        postgresql.lookup("codes", "code", "id").into("one"),
        postgresql.lookup("users", "id", ["first_name"], where={"id": [1, 2]}).into("several"),
        postgresql.lookup("codes", "id").into("all"),
    )

    assert run.state.one == {"a": 1, "b": 2}
    assert run.state.several == {"1": {"first_name": "Mamadou"}, "2": {"first_name": "John"}}
    assert run.state["all"]["3"] == {"code": None, "id": 3}
    assert isinstance(run_sql(postgresql.lookup("users", "first_name")).error, AmbiguousMatchError)


def test_delete_needs_a_condition_and_gives_the_number_of_rows(users, run_sql):
    run = run_sql(postgresql.delete("users", where={"first_name": "John", "age": 18}, operators={"age": "<"}))

    assert run.state.data == 1
    assert isinstance(run_sql(postgresql.delete("users", where={})).error, RecordError)
    assert [row["id"] for row in users.execute("select id from users order by id")] == [1, 3, 4, 5]


def test_copy_to_and_copy_from_go_through_a_file_of_the_run(users, run_sql):
    def look(s):
        return s.replace(text=run_file("u.csv").read_text())

    run = run_sql(
        postgresql.copy_to("select * from users where id in (1, 4)", "u.csv").into("written"),
        look,
        postgresql.sql("delete from users"),
        postgresql.copy_from("users", "u.csv").into("read"),
        postgresql.copy_to("users", "all.csv").into("table"),
    )

    assert run.state.only("written", "read", "table") == {
        "written": {"file": "u.csv", "rows": 2},
        "read": 2,
        "table": {"file": "all.csv", "rows": 2},
    }
    assert run.state.text == "id,first_name,age\n1,Mamadou,30\n4,50%,\n"
    assert users.execute("select * from users order by id") == [
        {"id": 1, "first_name": "Mamadou", "age": 30},
        {"id": 4, "first_name": "50%", "age": None},
    ]


@pytest.mark.parametrize(
    ("statement", "effect"),
    [
        ("select 1", "read"),
        (" (select 1)", "read"),
        ("-- why\n/* and how */ SELECT 1", "read"),
        ("show server_version", "read"),
        ("with x as (delete from a) select 1", "write"),
        ("selected(1)", "write"),
        ("call tidy_up()", "write"),
    ],
)
def test_the_effect_of_sql_is_that_of_its_first_word(statement, effect):
    assert postgresql.sql(statement).effect == effect


def test_effects_say_what_reads_and_what_writes():
    assert postgresql.find_value("a", "b", where={}).effect == "read"
    assert postgresql.upsert("a", {}, key="b").effect == "write"


def test_an_error_of_a_statement_can_be_handled_by_its_condition(users, run_sql):
    def careful(s):
        try:
            postgresql.sql("insert into users (id) values (1)").result()
        except DatabaseError as error:
            return s.result(error.details["sqlstate"])
        return s

    assert run_sql(careful, postgresql.sql("select 1")).outcome == "success"
    assert run_sql(careful).state.data == "23505"
