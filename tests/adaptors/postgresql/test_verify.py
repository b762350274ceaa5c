"""What a check of a credential asks PostgreSQL, and what it says."""

import psycopg
import pytest
from crossdock.errors import AdaptorError
from crossdock_postgresql import Database, DatabaseError, PostgresqlConfiguration


def verify(**fields):
    with Database(PostgresqlConfiguration.model_validate({"connect_timeout": 1, **fields})) as database:
        return database.verify()


def test_the_place_the_role_and_the_version_are_told(postgres):
    with psycopg.connect(postgres.dsn) as connection:
        info, version = connection.info, connection.info.server_version
        place = f"{info.host}:{info.port}/{info.dbname}"
        said = verify(dsn=postgres.dsn)

        assert said == f"{place} as {info.user}, PostgreSQL {version // 10000}.{version % 10000}"


def test_it_leaves_no_transaction_behind(postgres):
    with Database(PostgresqlConfiguration.model_validate({"dsn": postgres.dsn})) as database:
        database.verify()
        assert database.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


@pytest.mark.parametrize("fields", [{"database": "nowhere_at_all"}, {"user": "nobody_at_all"}])
def test_who_is_kept_out_is_told_why(postgres, fields):
    parts = psycopg.conninfo.conninfo_to_dict(postgres.dsn)
    known = {"host": parts["host"], "port": parts.get("port"), "database": parts["dbname"], "user": parts.get("user")}

    with pytest.raises(DatabaseError, match="no connection to PostgreSQL at ") as caught:
        verify(**{**known, "password": "s3cret-word", **fields})

    assert caught.value.fix
    assert "s3cret" not in caught.value.message


def test_a_statement_that_the_server_ends_is_an_error_of_ours(postgres):
    with Database(PostgresqlConfiguration.model_validate({"dsn": postgres.dsn})) as database:
        pid = database.connection.info.backend_pid
        postgres.execute(f"select pg_terminate_backend({pid}, 5000)")

        with pytest.raises(AdaptorError):
            database.verify()
