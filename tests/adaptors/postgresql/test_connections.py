"""Credentials and connections: what is said when none can be made, and how safe one is."""

import logging
import os
import shutil
import ssl
import subprocess
from pathlib import Path

import psycopg
import pytest
from crossdock.adaptors import postgresql
from crossdock_postgresql import PostgresqlConfiguration
from crossdock_postgresql.errors import connection_error
from psycopg.conninfo import conninfo_to_dict

SECRET = "S3CRETpw"


def failure(run_job, **fields):
    return run_job(postgresql.sql("select 1"), credentials={"w": {"adaptor": "postgresql", **fields}}).error


@pytest.fixture
def server(postgres, proxy_postgres):
    """The fields of a way to the server by TCP."""
    proxy = proxy_postgres().start()
    parts = conninfo_to_dict(proxy.dsn)
    return {"host": parts["host"], "port": int(parts["port"]), "database": parts["dbname"], "user": parts["user"]}


def test_p41_pg_23_each_reason_is_told_with_what_to_do_and_no_password(run_job, server, caplog):
    caplog.set_level(logging.DEBUG)
    wrong = [
        {"dsn": f"postgres//u:{SECRET}@h/db"},
        {**server, "port": 1, "password": SECRET, "connect_timeout": 0.3},
        {**server, "database": "nowhere", "password": SECRET},
        {**server, "host": "nowhere.invalid", "password": SECRET},
        {**server, "sslmode": "require", "password": SECRET},
        {**server, "host": "/nowhere", "password": SECRET, "connect_timeout": 0.3},
    ]
    errors = [failure(run_job, **fields) for fields in wrong]

    reasons = ("connection string", "nothing listens", "no such database", "name is unknown", "TLS", "no such socket")
    for error, reason in zip(errors, reasons, strict=True):
        assert reason in error.message
        assert SECRET not in f"{error} {error.fix} {error.details} {error.__cause__!r} {error.__context__!r}"
    assert "127.0.0.1:1/" in errors[1].message
    assert len({error.fix for error in errors}) == 5  # host and port are to be checked in two of them
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('FATAL:  password authentication failed for user "u"', "user or password are wrong"),
        ("fe_sendauth: no password supplied", "it asks for a password"),
        ('FATAL:  no pg_hba.conf entry for host "1.2.3.4"', "lets this user in from elsewhere"),
        ("FATAL:  sorry, too many clients already", "no connection left"),
        ("FATAL:  remaining connection slots are reserved for roles with the SUPERUSER", "no connection left"),
        ("FATAL:  the database system is starting up", "starting"),
        ("FATAL:  the database system is shutting down", "shutting down"),
        ('root certificate file "/ca.pem" does not exist', "certificate"),
        ("SSL error: certificate verify failed", "certificate"),
        ("connection timeout expired", "no answer in time"),
        ("something else", "not right"),
    ],
)
def test_p41_pg_23_what_the_driver_says_becomes_a_reason_and_a_fix(said, reason):
    configuration = PostgresqlConfiguration(host="db.example.org", database="d", password=SECRET)

    error = connection_error(psycopg.OperationalError(f"{said} {SECRET}"), configuration)

    assert reason in error.message
    assert "db.example.org:5432/d" in error.message
    assert SECRET not in f"{error}"


def test_p41_a_connection_is_opened_before_the_first_operation_does_anything(run_job):
    ran = []
    run = run_job(
        postgresql.insert("a", {"n": 1}),
        lambda s: ran.append(s) or s,
        credentials={
            "w": {"adaptor": "postgresql", "host": "127.0.0.1", "port": 1, "database": "d", "connect_timeout": 0.1}
        },
    )

    assert (run.outcome, ran) == ("failed", [])


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "h"},
        {"database": "d"},
        {"dsn": "postgresql://h/d", "host": "h"},
        {"host": "h", "database": "d", "port": 70_000},
        {"host": "h", "database": "d", "sslmode": "sometimes"},
    ],
)
def test_a_credential_that_can_not_be_is_refused_before_anything_runs(run_job, fields):
    with pytest.raises(Exception, match="w") as refused:
        run_job(postgresql.sql("select 1"), credentials={"w": {"adaptor": "postgresql", **fields}})

    assert refused.value.code == "credential_invalid"


def test_the_names_of_openfn_are_taken_too(server, run_job):
    fields = {**server, "dbname": server["database"], "username": server["user"]}
    del fields["database"], fields["user"]

    run = run_job(postgresql.sql("select 1 as x"), credentials={"w": {"adaptor": "postgresql", **fields}})

    assert run.state.data == [{"x": 1}]


def test_a_dsn_may_set_what_we_set_too(postgres, run_job):
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, application_name="reports", connect_timeout="7")

    run = run_job(postgresql.sql("show application_name"), credentials={"w": {"adaptor": "postgresql", "dsn": dsn}})

    assert run.state.data == [{"application_name": "reports"}]


def test_a_schema_of_the_credential_is_looked_in_first(postgres, run_sql):
    postgres.execute('create schema "My ""own"; create table "My ""own".t (n int); create table public.t (n text)')

    run_sql(postgresql.insert("t", {"n": 1}), fields={"schema": 'My "own'})

    assert postgres.execute('select n from "My ""own".t') == [{"n": 1}]


@pytest.mark.parametrize(
    ("fields", "sslmode"),
    [
        ({"host": "db.example.org", "database": "d"}, "require"),
        ({"host": "localhost", "database": "d"}, None),
        ({"host": "127.0.0.1", "database": "d"}, None),
        ({"host": "/run/postgresql", "database": "d"}, None),
        ({"host": "db.example.org", "database": "d", "ca": "/ca.pem"}, "verify-full"),
        ({"host": "localhost", "database": "d", "ca": "/ca.pem"}, "verify-full"),
        ({"host": "db.example.org", "database": "d", "sslmode": "verify-ca"}, "verify-ca"),
        ({"dsn": "postgresql://u@db.example.org/d"}, "require"),
        ({"dsn": "postgresql://u@db.example.org/d?sslmode=verify-ca"}, "verify-ca"),
    ],
)
def test_pg_22_another_machine_is_reached_with_tls(fields, sslmode):
    assert PostgresqlConfiguration(**fields).parameters().get("sslmode") == sslmode


@pytest.mark.parametrize(
    ("fields", "warned"),
    [
        ({"host": "db.invalid", "database": "d", "sslmode": "disable"}, True),
        ({"dsn": "postgresql://db.invalid/d?sslmode=prefer"}, True),
        ({"host": "db.invalid", "database": "d"}, False),
        ({"host": "127.0.0.1", "port": 1, "database": "d", "sslmode": "disable"}, False),
    ],
)
def test_pg_22_without_tls_to_another_machine_there_is_a_warning(run_job, caplog, fields, warned):
    failure(run_job, **fields, connect_timeout=0.1)

    assert ("can be read on its way" in caplog.text) == warned


@pytest.fixture
def certificate(tmp_path):
    """A certificate for localhost that signed itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with: install it")
    command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "ca.pem")]
    subprocess.run(
        [openssl, *command.split(), "-addext", "subjectAltName=DNS:localhost", *files], check=True, capture_output=True
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    return context, str(tmp_path / "ca.pem")


def test_p42_a_certificate_and_its_host_are_verified_with_a_ca_of_ones_own(run_job, proxy_postgres, certificate):
    context, ca = certificate
    parts = conninfo_to_dict(proxy_postgres(tls=context).start().dsn)
    fields = {"port": int(parts["port"]), "database": parts["dbname"], "user": parts["user"]}

    def run(**more):
        return run_job(
            postgresql.query("select 1 as x"), credentials={"w": {"adaptor": "postgresql", **fields, **more}}
        )

    assert run(host="localhost", ca=ca).outcome == "success"
    assert "certificate" in run(host="127.0.0.1", ca=ca).error.message
    assert "certificate" in run(host="localhost", ca="/nowhere.pem").error.message
    assert run(host="127.0.0.1", sslmode="require").outcome == "success"  # what OpenFn calls allowSelfSignedCert


@pytest.fixture
def roles(postgres, server):
    """Two roles that the server asks for a password, one of which may not log in."""
    hba = Path(postgres.execute("show hba_file")[0]["hba_file"])
    if not os.access(hba, os.W_OK):
        pytest.skip("the server's pg_hba.conf can't be written here: unset CROSSDOCK_TEST_DSN")
    asked, silent = (f"{kind}_{server['database']}" for kind in ("asked", "silent"))
    postgres.execute(f"create role {asked} login password '{SECRET}'; create role {silent} nologin")
    before = hba.read_text()
    hba.write_text(f"local all {asked} scram-sha-256\n{before}")
    reload(postgres)
    yield {"asked": asked, "silent": silent}
    hba.write_text(before)
    reload(postgres)
    postgres.execute(f"drop role {asked}; drop role {silent}")


def reload(postgres):
    loaded = postgres.execute("select pg_conf_load_time() as at, pg_reload_conf()")
    while postgres.execute("select pg_conf_load_time() as at")[0]["at"] == loaded[0]["at"]:
        pass


@pytest.mark.parametrize(
    ("role", "password", "reason"),
    [
        ("asked", "wr0ng-S3CRETpw", "user or password are wrong"),
        ("asked", None, "it asks for a password"),
        ("silent", SECRET, "this role may not log in"),
    ],
)
def test_pg_23_a_wrong_password_is_told_and_not_shown(run_job, server, roles, caplog, role, password, reason):
    caplog.set_level(logging.DEBUG)

    error = failure(run_job, **{**server, "user": roles[role], "password": password})

    assert reason in error.message
    assert SECRET not in f"{error} {error.__cause__!r} {error.__context__!r} {caplog.text}"


def test_pg_23_the_right_password_lets_in(run_job, server, roles):
    fields = {"adaptor": "postgresql", **server, "user": roles["asked"], "password": SECRET}

    assert run_job(postgresql.sql("select 1 as x"), credentials={"w": fields}).state.data == [{"x": 1}]
