"""What is repeated, and what is not: deadlocks, serialization, lost connections, locks, busy servers."""

import threading
from contextlib import ExitStack

import psycopg
import pytest
from crossdock.adaptors import postgresql
from crossdock_postgresql.configuration import PostgresqlConfiguration
from crossdock_postgresql.errors import mapped
from crossdock_postgresql.session import Session

MYSELF = "select pg_terminate_backend(pg_backend_pid())"


@pytest.fixture
def accounts(postgres):
    postgres.execute(
        """create table accounts (id int primary key, n int not null default 0); insert into accounts values (1), (2);
        create table died (n int); create sequence tries;
        create function die_once() returns trigger language plpgsql as
            'begin if nextval(''tries'') = 1 then perform pg_terminate_backend(pg_backend_pid()); end if; return new; end'"""
    )
    return lambda: [row["n"] for row in postgres.execute("select n from accounts order by id")]


@pytest.fixture
def terminate(postgres):
    def terminate(s):
        postgres.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name = 'crossdock' and datname = current_database()"
        )
        return s

    return terminate


def added(account):
    return postgresql.sql("update accounts set n = n + 1 where id = %s", [account])


def added_to_both(order):
    """Add to both accounts in one operation, long enough for another run to begin with the other one."""
    one, other = (f"update accounts set n = n + 1 where id = {account}" for account in order)
    return postgresql.sql(f"do $$ begin {one}; perform pg_sleep(0.5); {other}; end $$")


def test_pg_13_a_deadlock_of_two_runs_is_resolved_and_each_effect_is_there_once(run_sql, accounts, caplog):
    outcomes = {}
    caplog.set_level("INFO", logger="crossdock.postgresql")

    def run(name, order):
        outcomes[name] = run_sql(added_to_both(order)).outcome

    threads = [threading.Thread(target=run, args=(n, order)) for n, order in enumerate([(1, 2), (2, 1)])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert outcomes == {0: "success", 1: "success"}
    assert accounts() == [2, 2]
    assert caplog.text.count("the transaction is begun again") == 1


def test_pg_13_a_deadlock_after_other_work_of_the_step_is_a_transient_failure(run_sql, postgres, accounts):
    with psycopg.connect(postgres.dsn) as other:
        other.execute("set deadlock_timeout = '1h'")  # so that the server chooses the run
        other.execute("update accounts set n = 10 where id = 2")

        def block(s):
            thread = threading.Thread(target=other.execute, args=("update accounts set n = 10 where id = 1",))
            thread.start()
            blocked.append(thread)
            while not waiting(postgres):
                pass
            return s

        blocked: list[threading.Thread] = []
        run = run_sql(added(1), block, added(2))
        blocked[0].join(timeout=20)
        other.commit()

    assert (run.outcome, run.error.transient, run.error.details["sqlstate"]) == ("failed", True, "40P01")
    assert run.error.details["table"] == "accounts"
    assert accounts() == [10, 10]


def waiting(postgres):
    return postgres.execute(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    )


def test_pg_14_a_serialization_failure_is_repeated_where_the_operation_stood_alone(run_sql, postgres, accounts):
    postgres.execute(
        """create function meddled() returns void language plpgsql as $$ begin
            perform pg_advisory_lock(7); perform pg_advisory_unlock(7);
            update accounts set n = n + 1 where id = 1; end $$"""
    )
    name = postgres.execute("select current_database() as name")[0]["name"]
    postgres.execute(f"alter database {name} set default_transaction_isolation = 'repeatable read'")

    with psycopg.connect(postgres.dsn, autocommit=True) as other:
        other.execute("select pg_advisory_lock(7)")
        runs = []
        thread = threading.Thread(target=lambda: runs.append(run_sql(postgresql.sql("select meddled()"))))
        thread.start()
        while not waiting(postgres):
            pass
        other.execute("update accounts set n = n + 1 where id = 1")
        other.execute("select pg_advisory_unlock(7)")
        thread.join(timeout=30)

    assert runs[0].outcome == "success", runs[0].error
    assert accounts() == [2, 0]


def test_pg_14_what_fails_again_and_again_is_given_up(run_sql, postgres):
    postgres.execute(
        """create sequence tries; create function never() returns int language plpgsql as
            'begin perform nextval(''tries''); raise exception ''no'' using errcode = ''40001''; end'"""
    )

    run = run_sql(postgresql.sql("select never()"))

    assert (run.outcome, run.error.transient, run.error.details["sqlstate"]) == ("failed", True, "40001")
    assert postgres.execute("select last_value from tries") == [{"last_value": 3}]


def test_pg_12_an_operation_that_stands_alone_survives_a_lost_connection(run_sql, postgres, accounts):
    postgres.execute("create trigger die before insert on accounts for each row execute function die_once()")

    run = run_sql(postgresql.insert("accounts", {"id": 3, "n": 3}), added(3))

    assert run.outcome == "success", run.error
    assert accounts() == [0, 0, 4]
    assert postgres.execute("select last_value from tries") == [{"last_value": 2}]


@pytest.mark.parametrize("lazy", [False, True])
def test_pg_12_many_records_survive_it_if_they_can_be_given_again(run_sql, postgres, accounts, lazy):
    postgres.execute("create trigger die before insert on accounts for each row execute function die_once()")
    records = [{"id": n, "n": 1} for n in range(10, 1010)]

    run = run_sql(postgresql.upsert_many("accounts", lambda s: iter(records) if lazy else records, key="id"))

    assert (run.outcome, run.error is not None and run.error.transient) == (
        ("failed", True) if lazy else ("success", False)
    )
    assert sum(accounts()) == (0 if lazy else 1000)


def test_pg_12_an_operation_after_others_does_not_survive_it(run_sql, postgres, accounts):
    postgres.execute("create trigger die before insert on accounts for each row execute function die_once()")

    run = run_sql(added(1), postgresql.insert("accounts", {"id": 3}))

    assert (run.outcome, run.error.transient) == ("failed", True)
    assert accounts() == [0, 0]


def test_pg_12_work_on_the_connection_itself_is_work_of_the_transaction(run_sql, postgres, accounts):
    postgres.execute("create trigger die before insert on accounts for each row execute function die_once()")

    def raw(s):
        postgresql.adaptor.connection.connection.execute("update accounts set n = 5")
        return s

    run = run_sql(raw, postgresql.insert("accounts", {"id": 3}))

    assert (run.outcome, run.error.transient) == ("failed", True)
    assert accounts() == [0, 0]


def test_pg_12_a_connection_that_is_cut_between_operations_is_a_transient_failure(run_sql, accounts, terminate):
    run = run_sql(added(1), terminate, added(2))

    assert (run.outcome, run.error.transient) == ("failed", True)
    assert accounts() == [0, 0]


def test_pg_12_a_connection_that_is_cut_before_the_commit_is_a_failure(run_sql, accounts, terminate):
    run = run_sql(added(1), terminate)

    assert (run.outcome, run.error.details["sqlstate"]) == ("failed", "57P01")
    assert accounts() == [0, 0]


def test_a_lost_connection_does_not_hide_why_the_job_failed(run_sql, accounts, terminate):
    def fail(s):
        terminate(s)
        raise ZeroDivisionError("the reason")

    run = run_sql(added(1), fail)

    assert isinstance(run.error, ZeroDivisionError)


def test_a_lost_connection_that_was_caught_does_not_hurt_the_next_step(run_sql, accounts):
    run = run_sql(postgresql.sql(MYSELF).catch(lambda error, s: s.result(error.transient)))

    assert run.outcome == "failed"
    assert "broke" in run.error.message


@pytest.mark.parametrize("kind", ["insert", "upsert"])
def test_pg_12_a_commit_whose_answer_is_lost_is_unknown(run_job, accounts, proxy_postgres, kind):
    proxy = proxy_postgres(cut_at=b"COMMIT").start()
    options = {"key": "id"} if kind == "upsert" else {}
    write = getattr(postgresql, kind)("accounts", {"id": 7, "n": 7}, **options)

    run = run_job(write, credentials={"w": {"adaptor": "postgresql", "dsn": proxy.dsn}})

    assert (run.outcome, run.error.code) == ("unknown", "unknown_outcome")
    assert accounts() == [0, 0, 7]
    if kind == "upsert":  # may be run again by whoever knows that it is one
        assert run_job(write, credentials={"w": {"adaptor": "postgresql", "dsn": proxy.dsn}}).outcome == "unknown"
        assert accounts() == [0, 0, 7]


@pytest.mark.parametrize("cut_at", [b"UPDATE ACCOUNTS", b"BEGIN"])
def test_pg_12_a_connection_that_breaks_in_its_first_operation_is_made_again(run_job, accounts, proxy_postgres, cut_at):
    proxy = proxy_postgres(cut_at=cut_at).start()

    run = run_job(added(1), credentials={"w": {"adaptor": "postgresql", "dsn": proxy.dsn}})

    # Every connection through this proxy breaks there: it is tried a few times, and nothing is kept.
    assert (run.outcome, run.error.transient) == ("failed", True)
    assert accounts() == [0, 0]


def test_pg_24_a_server_that_is_up_after_a_moment_is_waited_for(run_job, accounts, proxy_postgres, caplog):
    proxy = proxy_postgres()
    caplog.set_level("INFO", logger="crossdock.postgresql")
    starting = threading.Timer(1, proxy.start)
    starting.start()

    run = run_job(added(1), credentials={"w": {"adaptor": "postgresql", "dsn": proxy.dsn}})

    starting.join()
    assert run.outcome == "success", run.error
    assert accounts() == [1, 0]
    assert "connecting is tried again" in caplog.text


def test_pg_24_a_server_that_stays_away_is_given_up_after_connect_timeout(run_job, proxy_postgres):
    fields = {"adaptor": "postgresql", "dsn": proxy_postgres().dsn, "connect_timeout": 1}

    run = run_job(added(1), credentials={"w": fields})

    assert "nothing listens there" in run.error.message
    assert run.error.transient


def test_pg_24_too_many_connections_are_waited_for(postgres, run_sql, accounts):
    role = "full_" + postgres.execute("select current_database() as name")[0]["name"]
    postgres.execute(f"create role {role} login connection limit 2; grant all on accounts to {role}")
    dsn = psycopg.conninfo.make_conninfo(postgres.dsn, user=role)
    with ExitStack() as stack:
        held = [stack.enter_context(psycopg.connect(dsn)) for _ in range(2)]
        failed = run_sql(added(1), fields={"dsn": dsn, "connect_timeout": 0.5})
        freeing = threading.Timer(0.5, held[0].close)
        freeing.start()
        waited = run_sql(added(1), fields={"dsn": dsn})
        freeing.join()
    postgres.execute(f"drop owned by {role}; drop role {role}")

    assert "it has no connection left" in failed.error.message
    assert waited.outcome == "success", waited.error
    assert accounts() == [1, 0]


def test_pg_24_two_hundred_runs_leave_no_connection(run_sql, accounts, open_connections):
    with ExitStack() as stack:
        from concurrent.futures import ThreadPoolExecutor

        pool = stack.enter_context(ThreadPoolExecutor(5))
        outcomes = {done.outcome for done in pool.map(lambda _: run_sql(added(1)), range(200))}

    assert outcomes == {"success"}
    assert accounts() == [200, 0]
    assert open_connections() == 0


def test_pg_14_a_lock_is_waited_for_and_then_given_up(run_sql, postgres, accounts):
    with psycopg.connect(postgres.dsn) as other:
        other.execute("update accounts set n = 10 where id = 1")
        run = run_sql(added(1), fields={"lock_timeout": 0.2})

    assert (run.outcome, run.error.transient, run.error.details["sqlstate"]) == ("failed", True, "55P03")
    assert "lock timeout" in run.error.message
    assert run.error.details["table"] == "accounts"
    assert "raise lock_timeout" in run.error.fix


def test_pg_14_a_lock_is_not_waited_for_without_end_by_default(run_sql):
    assert run_sql(postgresql.sql("show lock_timeout")).state.data == [{"lock_timeout": "30s"}]


def test_pg_14_a_statement_that_takes_too_long_is_ended(run_sql):
    run = run_sql(postgresql.sql("select pg_sleep(20)"), fields={"statement_timeout": 0.2})

    assert (run.outcome, run.error.details["sqlstate"]) == ("failed", "57014")
    assert "raise statement_timeout" in run.error.fix


@pytest.mark.parametrize("read_only", ["role", "server"])
def test_pg_19_who_may_only_read_is_told_so_and_nothing_is_repeated(run_sql, postgres, accounts, read_only):
    role = "reads_" + postgres.execute("select current_database() as name")[0]["name"]
    postgres.execute(f"create role {role} login; grant select on accounts to {role}")
    if read_only == "server":
        postgres.execute(f"grant all on accounts to {role}; alter role {role} set default_transaction_read_only = on")

    run = run_sql(added(1), fields={"dsn": psycopg.conninfo.make_conninfo(postgres.dsn, user=role)})

    postgres.execute(f"drop owned by {role}; drop role {role}")
    state, fix = {"role": ("42501", "Give the role"), "server": ("25006", "Use a role and a server that may")}[
        read_only
    ]
    assert (run.outcome, run.error.details["sqlstate"], run.error.transient) == ("failed", state, False)
    assert run.error.fix.startswith(fix)


def test_what_is_repeated_keeps_the_savepoints_around_it(postgres, accounts):
    """A session repeats an operation that stands alone in a transaction with savepoints."""
    postgres.execute("create trigger die before insert on accounts for each row execute function die_once()")
    session = Session(PostgresqlConfiguration(dsn=postgres.dsn))
    session.open()

    with session.unit(), session.unit(), session.unit():
        session.perform(lambda: session.connection.execute("insert into accounts values (3, 3)"))
    with mapped():
        session.close()

    assert accounts() == [0, 0, 3]
