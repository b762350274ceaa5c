"""What a column takes, what it refuses, and in which form its values are read."""

import traceback
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from crossdock.adaptors import postgresql
from crossdock.decoding import decode
from crossdock.state import encode
from crossdock_postgresql import PostgresqlConfiguration, RecordError
from crossdock_postgresql.errors import mapped
from crossdock_postgresql.records import Rules
from crossdock_postgresql.session import Session
from crossdock_postgresql.writer import FEW, Manner
from crossdock_postgresql.writing import write


@pytest.fixture(scope="module")
def session(postgres_dsn) -> Iterator[Session]:
    """A connection of ours that makes its tables in a temporary schema."""
    session = Session(PostgresqlConfiguration(dsn=postgres_dsn))
    session.open()
    session.connection.execute("set search_path = pg_temp")
    yield session
    session.close()


def written_to(session: Session, kind: str, records: list[dict[str, Any]], **manner: Any) -> list[Any]:
    """Write records into a table of one column, and read them back."""
    with session.unit(), mapped():
        session.connection.execute("drop table if exists typed")
        session.connection.execute(f"create table typed (x {kind})".encode())
        session.begin_afresh()
        write(session, "typed", records, Manner(**manner))
        return [row["x"] for row in session.connection.execute("select x from typed")]


def everything_of(error: BaseException) -> str:
    """Give all that an error and those before it say."""
    parts, ahead = [], list[BaseException | None]([error])
    while ahead:
        one = ahead.pop()
        if one is not None:
            parts.append(f"{one!r} {one} {vars(one)} {''.join(traceback.format_exception(one))}")
            ahead += [one.__cause__, one.__context__]
    return "".join(parts)


REFUSED = [
    ("integer", "CANARY", "22P02"),
    ("integer", 2**40, "22003"),
    ("integer", Decimal("1e999999999"), "22P02"),
    ("integer", "9" * 5000, "22P02"),
    ("integer", Decimal("NaN"), "22P02"),
    ("integer", 1.5, "22P02"),
    ("integer", True, "22P02"),
    ("smallint", 32768, "22003"),
    ("numeric(10,2)", 1.005, "22003"),
    ("numeric(10,2)", 0.1 + 0.2, "22003"),
    ("numeric(10,2)", float("nan"), "22003"),
    ("numeric(10,2)", Decimal("NaN"), "22003"),
    ("numeric(10,2)", Decimal("sNaN"), "22003"),
    ("numeric(10,2)", Decimal("123456789.991234567890123456789"), "22003"),
    ("numeric(10,2)", "1,5", "22P02"),
    ("numeric", "1e999999999", "22003"),
    ("numeric", Decimal("1e-999999999"), "22003"),
    ("double precision", "1e400", "22003"),
    ("boolean", "perhaps", "22P02"),
    ("date", "13/25/2024", "22008"),
    ("date", "CANARY", "22007"),
    ("date", datetime(2024, 5, 2, 10), "22P02"),
    ("timestamp with time zone", "yesterday", "22007"),
    ("timestamp without time zone", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "22008"),
    ("time without time zone", "10:00+03:00", "22P02"),
    ("uuid", "CANARY", "22P02"),
    ("bytea", "CANARY", "22P02"),
    ("text", {"CANARY": 1}, "22P02"),
    ("text", ["CANARY"], "22P02"),
    ("text", "CANARY\0", "22021"),
    ("text", "CANARY\ud800", "22021"),
    ("character varying(3)", "CANARY", "22001"),
    ("jsonb", {"a": "CANARY\0"}, "22P05"),
    ("jsonb", {"a": ["CANARY", float("nan")]}, "22P02"),
    ("integer[]", "CANARY", "22P02"),
    ("integer[]", ["CANARY"], "22P02"),
]


@pytest.mark.parametrize(("kind", "value", "sqlstate"), REFUSED)
@pytest.mark.parametrize("good", [1, FEW + 1], ids=["statements", "copy"])
def test_pg_05_pg_15_pg_16_a_value_that_its_column_does_not_take_is_refused(session, kind, value, sqlstate, good):
    with pytest.raises(RecordError) as caught:
        written_to(session, kind, [*({"x": None} for _ in range(good)), {"x": value}])

    details = caught.value.details
    assert details == {"records": [good], "table": "typed", "column": "x", "expected": kind, "sqlstate": sqlstate}
    assert "CANARY" not in everything_of(caught.value)


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("integer", " 42 ", 42),
        ("integer", 3.0, 3),
        ("integer", Decimal("3.00"), 3),
        ("bigint", "-9223372036854775808", -(2**63)),
        ("numeric(10, 2)", 1.1, Decimal("1.10")),
        ("numeric(10, 2)", " 5 ", Decimal("5.00")),
        ("numeric(10, 2)", Decimal("99999999.99"), Decimal("99999999.99")),
        ("numeric(4, -2)", 123400, Decimal("123400")),
        ("double precision", 7, 7.0),
        ("boolean", "Yes", True),
        ("boolean", "0", False),
        ("text", 7, "7"),
        ("text", True, "true"),
        ("text", date(2024, 5, 2), "2024-05-02"),
        ("varchar(3)", "abc   ", "abc"),
        ("char(3)", "a", "a  "),
        ("date", " 2024-05-02 ", date(2024, 5, 2)),
        ("timestamptz", "2024-05-02T10:00:00+03:00", datetime(2024, 5, 2, 7, tzinfo=UTC)),
        ("timestamptz", datetime(2024, 5, 2, 10), datetime(2024, 5, 2, 10, tzinfo=UTC)),
        ("timestamptz", date(2024, 5, 2), datetime(2024, 5, 2, tzinfo=UTC)),
        ("timestamp", "2024-05-02T10:00:00+03:00", datetime(2024, 5, 2, 7)),
        ("time", "13:45", "13:45:00"),
        ("timetz", time(13, 45, tzinfo=UTC), "13:45:00+00"),
        ("uuid", "12345678123456781234567812345678", UUID("12345678-1234-5678-1234-567812345678")),
        ("bytea", bytearray(b"\0\xff"), "AP8="),
        ("jsonb", [Decimal("1.50"), date(2024, 5, 2)], ["1.50", "2024-05-02"]),
        ("json", {"a": "\\u0000"}, {"a": "\\u0000"}),
        ("integer[]", ("1", None, 2), [1, None, 2]),
        ("integer[]", [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ("jsonb[]", [{"a": 1}, ["b"]], [{"a": 1}, ["b"]]),
        ("inet", "10.0.0.1", "10.0.0.1"),
        ("int4range", "[1,5)", "[1,5)"),
    ],
)
def test_p06_p21_what_has_another_form_is_stored_and_read_in_the_form_of_the_column(session, kind, value, stored):
    for number in (1, FEW + 1):
        assert {repr(found) for found in written_to(session, kind, [{"x": value}] * number)} == {repr(stored)}


@pytest.mark.parametrize(
    ("value", "rounded"), [(1.005, "1.01"), ("-1.005", "-1.01"), (0.1 + 0.2, "0.30"), (Decimal("9.994999999"), "9.99")]
)
def test_pg_16_round_rounds_half_up_as_the_server_does(session, value, rounded):
    rules = Rules(round=True)

    assert written_to(session, "numeric(10, 2)", [{"x": value}], rules=rules) == [Decimal(rounded)]
    with pytest.raises(RecordError):
        written_to(session, "numeric(10, 2)", [{"x": 99999999.995}], rules=rules)


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("select 'infinity'::date as x", "infinity"),
        ("select '-infinity'::timestamptz as x", "-infinity"),
        ("select '0044-03-15 BC'::date as x", "0044-03-15 BC"),
        ("select interval '1 day 2 hours' as x", "P1DT2H"),
        ("select '\\x00ff'::bytea as x", "AP8="),
        ("select null::int as x", None),
        ("select 9007199254740993::bigint as x", 9007199254740993),
        ("select 1.50::numeric as x", "1.50"),
        ("select array[1.5, null]::numeric[] as x", ["1.5", None]),
        ("select row(1, 'a') as x", "(1,a)"),
        ("select '12:30:00.5'::time as x", "12:30:00.5"),
        ("""select '{"a": 1.5}'::jsonb as x""", {"a": 1.5}),
        ("select '10.0.0.0/8'::cidr as x", "10.0.0.0/8"),
        ("select timestamptz '2024-05-02 10:00+03' as x", "2024-05-02T07:00:00+00:00"),
    ],
)
def test_p06_pg_18_what_is_read_can_be_stored_in_a_state(run_sql, statement, value):
    run = run_sql(postgresql.sql(statement))

    assert decode(encode(run.state))["data"] == [{"x": value}]


@pytest.mark.parametrize(
    "setting",
    ["bytea_output = escape", "extra_float_digits = -5", "DateStyle = 'SQL, DMY'", "client_encoding = latin1"],
)
def test_reading_does_not_depend_on_how_the_server_is_set(postgres, run_sql, setting):
    name = postgres.execute("select quote_ident(current_database()) as name")[0]["name"]
    postgres.execute(f"alter database {name} set {setting}")

    run = run_sql(
        postgresql.sql("select '\\x00ff'::bytea as a, 0.1::float8 + 0.2 as b, '2024-05-02'::date as c, 'ក' as d")
    )

    assert run.state.data == [{"a": "AP8=", "b": 0.1 + 0.2, "c": "2024-05-02", "d": "ក"}]


def test_pg_15_json_columns_take_what_a_state_takes_and_nothing_else(clinics, run_sql):
    tags = {"on": date(2024, 5, 2), "price": Decimal("1.50"), "b": "O'Brien", "a": [1, None]}

    run_sql(
        postgresql.insert("clinics", {"code": "a", "tags": tags}),
        postgresql.insert("clinics", {"code": "b", "tags": ["x"]}),
    )
    error = run_sql(postgresql.insert("clinics", {"code": "c", "tags": {"n": float("nan")}})).error

    assert [row["tags"] for row in clinics.execute("select tags from clinics order by id")] == [
        {"on": "2024-05-02", "price": "1.50", "b": "O'Brien", "a": [1, None]},
        ["x"],
    ]
    assert "$.n" in error.message


def test_a_column_of_the_servers_own_is_read_and_not_written(clinics, run_sql):
    clinics.execute("alter table clinics add column twice int generated always as (beds * 2) stored")

    run = run_sql(postgresql.insert("clinics", {"code": "a", "beds": 2}, returning="twice"))
    error = run_sql(postgresql.insert("clinics", {"code": "b", "twice": 2})).error

    assert run.state.data == 4
    assert error.fix == "Leave it out of the records."
