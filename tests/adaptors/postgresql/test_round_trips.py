"""What a column takes and what is read from it: the same value, whichever way it went in."""

import struct
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.errors import mapped
from crossdock_postgresql.session import Session
from crossdock_postgresql.writer import FEW, Manner
from crossdock_postgresql.writing import write
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
whole = {bits: st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (16, 32, 64)}
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=st.just(UTC))
numbers = st.decimals(-99999999, 99999999, places=2, allow_nan=False, allow_infinity=False)
floats = st.floats(allow_nan=False, allow_infinity=False)
tree = st.recursive(
    st.none() | st.booleans() | whole[64] | st.floats(-1e15, 1e15) | text,  # jsonb has numeric, so 1e16 is whole
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
).filter(lambda value: value is not None)

COLUMNS: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "small": ("smallint", whole[16]),
    "middle": ("integer", whole[32]),
    "big": ("bigint", whole[64]),
    "price": ("numeric(10, 2)", numbers),
    "exact": ("numeric", st.decimals(allow_nan=False, allow_infinity=False, places=20)),
    "half": ("real", st.floats(width=32, allow_nan=False, allow_infinity=False)),
    "double": ("double precision", floats),
    "yes": ("boolean", st.booleans()),
    "words": ("text", text),
    "short": ("varchar(30)", text.map(lambda value: value.rstrip(" "))),
    "day": ("date", st.dates()),
    "moment": ("timestamptz", moments),
    "local": ("timestamp", moments.map(lambda value: value.replace(tzinfo=None))),
    "hour": ("time", st.times()),
    "id": ("uuid", st.uuids()),
    "raw": ("bytea", st.binary(max_size=20)),
    "tree": ("jsonb", tree),
    "source": ("json", tree),
    "span": ("interval", st.timedeltas(timedelta(days=-9999), timedelta(days=9999))),
    "mood": ("mood", st.sampled_from(["glad", "so so", "sad"])),
    "whole_list": ("integer[]", st.lists(st.none() | whole[32], max_size=4)),
    "text_list": ("text[]", st.lists(st.none() | text, max_size=4)),
    "day_list": ("date[]", st.lists(st.dates(), max_size=4)),
    "exact_list": ("numeric(10, 2)[]", st.lists(numbers, max_size=4)),
    "mood_list": ("mood[]", st.lists(st.sampled_from(["glad", "so so", "sad"]), max_size=4)),
    "age": ("age", st.integers(0, 150)),
}
record = st.fixed_dictionaries({name: st.none() | values for name, (_, values) in COLUMNS.items()})


@pytest.fixture(scope="module")
def session(postgres_dsn) -> Iterator[Session]:
    """A connection of ours, with a table of every type in its own temporary schema."""
    session = Session(PostgresqlConfiguration(dsn=postgres_dsn))
    session.open()
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in COLUMNS.items())
    session.connection.execute(
        f"""create type pg_temp.mood as enum ('glad', 'so so', 'sad');
        create domain pg_temp.age as int check (value between 0 and 150);
        set search_path = pg_temp, public;
        create table everything (key int primary key, {columns})""".encode()
    )
    yield session
    session.close()


def as_read(value: Any) -> Any:
    """Give a value as it is read: Base64 for bytes."""
    return b64encode(value).decode() if isinstance(value, bytes) else value


def as_single(value: float) -> float:
    """Give the number of single precision that a text with as few digits as possible stands for."""
    return float(struct.unpack("f", struct.pack("f", value))[0])


def stored(session: Session, records: list[dict[str, Any]], **manner: Any) -> list[dict[str, Any]]:
    """Write records, and read them back."""
    with session.unit(), mapped():
        session.connection.execute("delete from everything")
        write(session, "everything", records, Manner(**manner))
        return session.connection.execute(
            "select *, extract(epoch from span)::numeric as span, mood_list::text[] as mood_list from everything order by key"
        ).fetchall()


WAYS: dict[str, Callable[[Session, dict[str, Any]], list[dict[str, Any]]]] = {
    "one": lambda session, record: stored(session, [record]),
    "few": lambda session, record: stored(session, [record, {**record, "key": 2}]),
    "copied": lambda session, record: stored(session, [{**record, "key": key} for key in range(1, FEW + 3)]),
    "merged": lambda session, record: stored(session, [{**record, "key": key} for key in range(1, FEW + 3)], key="key"),
}


@settings(max_examples=25, deadline=None, report_multiple_bugs=False, phases=[Phase.explicit, Phase.generate])
@given(record=record)
@example(record=dict.fromkeys(COLUMNS))
@example(record={**dict.fromkeys(COLUMNS), "exact": Decimal("1e-300"), "price": Decimal("-0.00"), "double": -0.0})
@pytest.mark.parametrize("way", WAYS)
def test_p21_pg_18_every_type_comes_back_as_it_went_in(session, way, record):
    expected = {name: as_read(value) for name, value in record.items()}
    expected["span"] = None if record["span"] is None else Decimal(record["span"] // timedelta(microseconds=1)) / 10**6

    for row in WAYS[way](session, {"key": 1, **record}):
        assert row.pop("key") > 0
        row["half"] = None if row["half"] is None else as_single(row["half"])
        row["hour"] = None if row["hour"] is None else time.fromisoformat(row["hour"])
        assert row == expected
        for name in COLUMNS.keys() - {"tree", "source"}:  # JSON has one kind of number
            assert type(row[name]) is type(expected[name]), name


def sampled() -> Iterator[str]:
    """Give characters from the whole of U+0001 to U+FFFF, each among others, no surrogates."""
    for first in range(1, 0x10000, 61):
        if not 0xD800 - 61 < first < 0xE000:
            yield f"a{chr(first)}b{chr(first + 30)}"


AWKWARD = [
    *("O'Brien", "it''s", "'); drop table everything;--", "%s", "%(x)s", "50%", "\\", "\\n", "$1", "{}", "{0}", 'a"b'),
    *(
        "undefined",
        "",
        " ",
        "\n\r\t",
        "\\.",
        "\x7f",
        "x" * 1_000_000,
        "😀",
        "e\u0301",
        "\u202e",
        "NULL",
        "\\N",
        "{a,b}",
    ),
]


@pytest.mark.parametrize("way", ["few", "copied", "text"])
def test_pg_01_p20_every_character_is_stored_as_it_is(session, way):
    texts = [*AWKWARD, *sampled()]
    # An interval makes COPY use its text form.
    more = {"span": None} if way == "text" else {}
    records = [{"key": key, "words": words, **more} for key, words in enumerate(texts)]

    for at in range(0, len(records), FEW) if way == "few" else (0,):
        chunk = records[at : at + FEW] if way == "few" else records
        assert [row["words"] for row in stored(session, chunk)] == [row["words"] for row in chunk]


def test_pg_02_every_character_can_stand_in_the_name_of_a_table_and_a_column(session):
    for start in range(0, len(list(sampled())), 100):
        names = list(sampled())[start : start + 100]
        table = names[0].replace(".", "") * 3
        check_names(session, table, names)
    for name in ['a"b', "50%", "%s", "%(x)s", "a b", "select", "Ünï", "a.b", ";", "é" * 31]:
        check_names(session, name.replace(".", ""), ["key", name])


def check_names(session: Session, table: str, names: list[str]) -> None:
    """Create a table of these names, and go all ways into it and out of it."""
    from crossdock_postgresql import schema, statements

    with session.unit(), mapped():
        columns = [{"name": name, "type": "text", "unique": name == names[0]} for name in names]
        session.connection.execute(schema.creation(session, table, columns, None).encode())
        record = {name: name for name in names}
        write(session, table, [record], Manner())
        write(session, table, [record], Manner(key=names[0], returning=(names[-1],)))
        write(session, table, [{**record, names[0]: f"{n}"} for n in range(FEW + 1)], Manner())
        write(session, table, [{**record, names[0]: f"{n}"} for n in range(FEW + 1)], Manner(key=names[0]))
        found = statements.find_value(session, table, names[-1], {names[0]: names[0]}, {names[-1]: "!="}, None)
        assert found == names[-1]
        assert len(statements.lookup(session, table, names[0], names[-1], {names[-1]: names[-1]}, None)) >= FEW
        write(session, table, [record], Manner(), instead_of={names[0]: names[0]})
        session.connection.execute(
            f"drop table {session.table(table).identifier.as_string(session.connection)}".encode()
        )
        session.forget_tables()
