"""What looks like SQL, wherever the text of a record may get: it is kept as it is, or refused, and no statement changes by it."""

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import Any

from crossdock import CrossdockError, Operation, State
from crossdock.adaptors import postgresql
from crossdock.testing import Postgres
from crossdock_postgresql import ColumnError, RecordError, TableError
from psycopg import sql as compose

OPENING = ["", "'", '"', "')", '")', "\\'", "$$", "%s", "victims "]
ATTACK = [
    "; drop table victims",
    " or 1=1",
    " union select name from victims",
    "; insert into victims values (0)",
    ") do update set name=1; grant all on victims to public",
]
CLOSING = ["", "--", ";/*", "'", '"']
ALONE = [
    *("'", '"', "''", '""', "\\", "%", "%%", "%(id)s", "{}", "{0}", "$1", ":id", "?", ";", "--", "/*", "\\.", "\\N"),
    *("\u02bc; drop table victims --", "\uff07 or 1=1", "\u201d", "\ud800'", "'\0; drop table victims --"),
    *("E'\\''", 'U&"\\0027"', "id\r\n; drop table victims", "pg_catalog.pg_class", "a.b.c", "'" * 64, '"' * 9000),
]
CORPUS = [*map("".join, product(OPENING, ATTACK, CLOSING)), *ALONE]
PLACES = ("value", "key", "table", "conflict column")

CATALOGUE = """
    select 'relation' as kind, c.oid::regclass::text as name, c.relkind::text || coalesce(c.relacl::text, '') || (
        select coalesce(string_agg(a.attname || format_type(a.atttypid, a.atttypmod), ',' order by a.attnum), '')
        from pg_attribute a where a.attrelid = c.oid) as what
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
    union all select 'constraint', c.conrelid::regclass || '.' || conname, pg_get_constraintdef(c.oid)
        from pg_constraint c
    union all select 'function', p.oid::regprocedure::text, coalesce(p.proacl::text, '') from pg_proc p
    union all select 'trigger', tgname, tgenabled::text from pg_trigger
    union all select 'schema', nspname, coalesce(nspacl::text, '') from pg_namespace where nspname not like 'pg_temp%'
        and nspname not like 'pg_toast_temp%'
    union all select 'role', rolname, concat(rolsuper, rolcreaterole, rolcanlogin) from pg_roles
    order by 1, 2, 3
"""
"""All that a schema dump would tell, and who may do what."""


def tried(operation: Operation) -> CrossdockError | None:
    """Run an operation, and give why it was refused if it was."""
    try:
        operation.result()
    except CrossdockError as refusal:
        return refusal
    return None


def puts(number: int, text: str) -> Iterator[tuple[str, Operation]]:
    """Put a text into each place of a statement."""
    row = {"id": number, "name": text}
    yield "value", postgresql.insert("victims", row)
    yield "key", postgresql.insert("victims", {"id": number, text: "x"})
    yield "table", postgresql.insert(text, {"id": number})
    yield "conflict column", postgresql.upsert("victims", row, key=text)


def test_the_corpus_is_large_and_has_nothing_twice():
    assert len(set(CORPUS)) == len(CORPUS) >= 250


def test_f15_what_looks_like_sql_is_stored_as_it_is_or_refused(
    postgres: Postgres, run_sql: Callable[..., Any], record_property: Callable[[str, object], None]
):
    record_property("n", f"{len(CORPUS)} strings × {len(PLACES)} places")
    postgres.execute("create table victims (id int primary key, name text unique)")
    before, refused = postgres.execute(CATALOGUE), dict[tuple[str, str], CrossdockError | None]()

    def store(state: State) -> State:
        for number, text in enumerate(CORPUS):
            refused.update({(place, text): tried(put) for place, put in puts(number, text)})
        return state

    run = run_sql(store)

    assert run.outcome == "success", run.error

    stored = {text for text in CORPUS if refused["value", text] is None}
    rows = {row["id"]: row["name"] for row in postgres.execute("select id, name from victims")}
    assert rows == {number: text for number, text in enumerate(CORPUS) if text in stored}
    assert set(CORPUS) - stored == {text for text in CORPUS if not is_text(text)}
    assert {type(refused["value", text]) for text in set(CORPUS) - stored} == {RecordError}
    for place, wanted in (("key", ColumnError), ("table", TableError), ("conflict column", ColumnError)):
        assert {type(refused[place, text]) for text in CORPUS} == {wanted}, place
    assert postgres.execute(CATALOGUE) == before


def test_f15_names_that_look_like_sql_are_names_where_they_are_there(postgres: Postgres, run_sql: Callable[..., Any]):
    names = [text for text in CORPUS if is_text(text) and "." not in text and len(text.encode()) <= 63]
    postgres.execute("create table victims (id int primary key, name text); create schema hostile")
    create_tables(postgres, names)
    before = postgres.execute(CATALOGUE)

    def store(state: State) -> State:
        def kept(name: str) -> Any:
            for count in (1, 2):
                postgresql.upsert(name, {name: name, "n": count}, key=name, schema="hostile").result()
            return postgresql.find_value(name, name, where={name: name, "n": 2}, schema="hostile").result()

        return state.result([kept(name) for name in names])

    run = run_sql(store)

    assert run.outcome == "success", run.error
    assert run.state.data == names
    assert len(names) > 240
    assert postgres.execute("select * from victims") == []
    assert postgres.execute(CATALOGUE) == before


def is_text(text: str) -> bool:
    """Tell whether PostgreSQL has a way to keep a text: not with NUL, and not with half a character."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def create_tables(postgres: Postgres, names: Iterable[str]) -> None:
    """Create tables of these names, each with its key of the same name."""
    create = compose.SQL("create table hostile.{0} ({0} text primary key, n int)")
    postgres.execute(";".join(create.format(compose.Identifier(name)).as_string() for name in names))
