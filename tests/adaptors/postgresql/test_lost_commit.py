"""PG-12: the connection breaks while the work is committed, at a proxy between us and the server."""

from crossdock.adaptors import postgresql
from psycopg.conninfo import conninfo_to_dict, make_conninfo


def test_pg_12_a_commit_whose_answer_is_lost_is_unknown(postgres, tcp_proxy, run_job):
    postgres.execute("create table visits (id int primary key)")
    parts = conninfo_to_dict(postgres.dsn)
    proxy = tcp_proxy(parts["host"], int(parts.get("port", 5432)), cut_response_to=b"COMMIT")
    dsn = make_conninfo(**{**parts, "host": proxy.address.host, "port": proxy.address.port})

    run = run_job(postgresql.insert("visits", {"id": 7}), credentials={"w": {"adaptor": "postgresql", "dsn": dsn}})

    assert (run.outcome, run.error.code) == ("unknown", "unknown_outcome")
    assert postgres.execute("select id from visits") == [{"id": 7}]
    assert proxy.cuts == 1
