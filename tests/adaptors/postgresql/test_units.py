"""Units of work: what stands or falls together, and on which connections."""

import threading

import psycopg
import pytest
from crossdock import Job, JobError, State, each, in_run, set_data, state, stop
from crossdock.adaptors import postgresql
from crossdock_postgresql import DatabaseError

pytestmark = pytest.mark.usefixtures("clinics")


def rows(postgres, columns="code, name, beds"):
    return [tuple(row.values()) for row in postgres.execute(f"select {columns} from clinics order by id")]


@pytest.fixture
def two_tables(postgres):
    postgres.execute("create table a (n int primary key); create table b (n int primary key)")
    return lambda: tuple(postgres.execute(f"select n from {name} order by n") for name in ("a", "b"))


def twice(s):
    """Insert into both tables, and fail between them for every fifth item."""
    postgresql.insert("a", {"n": s.data})(s)
    if s.data % 5 == 4:
        raise JobError("NO", "no")
    return postgresql.insert("b", {"n": s.data})


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("commit", ["step", "item"])
def test_p45_forty_items_leave_both_rows_or_none(run_sql, two_tables, open_connections, concurrency, commit):
    used = set()

    def work(s):
        used.add(postgresql.sql("select pg_backend_pid() as pid").result()[0]["pid"])
        return twice(s)

    run = run_sql(each(range(40), work, on_error="collect", concurrency=concurrency, commit=commit))

    good = [{"n": n} for n in range(40) if n % 5 != 4]
    assert two_tables() == (good, good)
    assert (run.outcome, [entry["index"] for entry in run.state.failed]) == ("partial", [4, 9, 14, 19, 24, 29, 34, 39])
    assert len(used) == 1
    assert open_connections() == 0


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_step_that_fails_takes_its_items_along_unless_they_were_committed(run_sql, two_tables, concurrency):
    def fail(s):
        raise JobError("NO", "no")

    run_sql(each(range(4), twice, concurrency=concurrency), fail)
    assert two_tables() == ([], [])

    run_sql(each(range(4), twice, concurrency=concurrency, commit="item"), fail)
    assert two_tables() == ([{"n": n} for n in range(4)],) * 2


def test_what_commits_at_once_stays_and_takes_nothing_along(run_sql, two_tables, postgres, open_connections):
    seen = []

    def fail(s):
        seen.extend(two_tables())
        raise JobError("NO", "no")

    run = run_sql(
        postgresql.insert("a", {"n": 1}),
        postgresql.insert("b", {"n": 2}, commit=True),
        postgresql.insert_many("b", [{"n": 3}, {"n": 4}], commit=True, returning="n").into("returned"),
        postgresql.sql("update b set n = n + 10 where n = 3", commit=True),
        postgresql.delete("b", where={"n": 4}, commit=True),
        postgresql.script("create table c (n int)", commit=True),
        fail,
    )

    assert run.outcome == "failed"
    assert seen == [[], [{"n": 2}, {"n": 13}]]
    assert two_tables() == ([], [{"n": 2}, {"n": 13}])
    assert postgres.execute("select count(*) as n from c") == [{"n": 0}]
    assert open_connections() == 0


def test_what_should_commit_at_once_and_fails_is_undone_alone(run_sql, two_tables):
    def careful(s):
        try:
            postgresql.insert_many("b", [{"n": 1}, {"n": 1}], commit=True).result()
        except DatabaseError as error:
            return s.result(error.details["records"])
        return s

    run = run_sql(postgresql.insert("a", {"n": 1}), careful)

    assert run.state.data == [1]
    assert two_tables() == ([{"n": 1}], [])


def test_p43_a_later_failure_undoes_what_came_before(run_sql, two_tables):
    run = run_sql(postgresql.insert("a", {"n": 1}), postgresql.insert("b", {"n": None}))

    assert run.outcome == "failed"
    assert two_tables() == ([], [])


def test_p43_commit_operation_keeps_what_was_done_before_a_failure(run_sql, two_tables, open_connections):
    run = run_sql(postgresql.insert("a", {"n": 1}), postgresql.insert("b", {"n": None}), fields={"commit": "operation"})

    assert run.outcome == "failed"
    assert two_tables() == ([{"n": 1}], [])
    assert open_connections() == 0


@pytest.mark.parametrize("commit", ["step", "operation"])
def test_a_transaction_in_a_function_that_goes_on_after_its_failure(run_sql, two_tables, commit, open_connections):
    def careful(s):
        postgresql.insert("a", {"n": 1})(s)
        for n in (2, 1):
            block = postgresql.transaction(postgresql.insert("b", {"n": n}), postgresql.insert("a", {"n": n}))
            try:
                block(s)
            except DatabaseError:
                postgresql.insert("a", {"n": 9})(s)
        return s

    run = run_sql(careful, fields={"commit": commit})

    assert run.outcome == "success", run.error
    assert two_tables() == ([{"n": 1}, {"n": 2}, {"n": 9}], [{"n": 2}])
    assert open_connections() == 0


def test_a_transaction_holds_others_and_gives_the_last_state(run_sql, two_tables):
    inner = postgresql.transaction(postgresql.insert("b", {"n": 1}), postgresql.insert("b", {"n": None}))
    run = run_sql(
        postgresql.transaction(
            postgresql.insert("a", {"n": 1}).into("one"),
            inner.catch(lambda error, s: s.replace(caught=error.code)),
            postgresql.insert("a", {"n": 2}).into("two"),
        ),
        fields={"commit": "operation"},
    )

    assert run.state.only("one", "two", "caught") == {"one": 1, "two": 1, "caught": "database_error"}
    assert two_tables() == ([{"n": 1}, {"n": 2}], [])


@pytest.mark.parametrize("commit", ["step", "operation"])
def test_stop_in_a_transaction_is_no_failure_of_it(run_sql, two_tables, commit):
    run = run_sql(
        postgresql.transaction(postgresql.insert("a", {"n": 1}), stop("done")),
        postgresql.insert("b", {"n": 1}),
        fields={"commit": commit},
    )

    assert (run.outcome, run.stopped) == ("success", "done")
    assert two_tables() == ([{"n": 1}], [])


@pytest.mark.parametrize("concurrency", [1, 4])
def test_rows_are_read_beside_writes(run_sql, two_tables, postgres, concurrency, open_connections):
    postgres.execute("insert into a select generate_series(1, 5000)")
    copy = postgresql.insert("b", {"n": state.data["n"]})

    run = run_sql(
        postgresql.rows("select n from a order by n"),
        each(state.data, copy, concurrency=concurrency),
        postgresql.rows("select n from b"),
        lambda s: s.result(len(list(s.data))),
    )

    assert run.outcome == "success", run.error
    assert run.state.data == 0  # what the step wrote is not committed yet
    assert two_tables()[1] == [{"n": n} for n in range(1, 5001)]
    assert open_connections() == 0


def test_rows_may_come_from_two_queries_at_a_time(run_sql, two_tables, postgres):
    postgres.execute("insert into a select generate_series(1, 3)")

    def pairs(s):
        first, second = (postgresql.rows(f"select n from a order by n {way}").result() for way in ("asc", "desc"))
        return s.result([(one["n"], two["n"]) for one, two in zip(first, second, strict=True)])

    assert run_sql(pairs).state.data == [[1, 3], [2, 2], [3, 1]]


def test_p44_a_fresh_state_keeps_the_connection(run_sql, two_tables):
    pid = postgresql.sql("select pg_backend_pid() as pid")

    run = run_sql(pid.into("first"), lambda s: State(data=1, first=s.first), postgresql.insert("a", {"n": 1}), pid)

    assert run.state.data == run.state.first


def test_p46_two_runs_at_a_time_have_connections_of_their_own(run_sql, two_tables):
    met, pids = threading.Barrier(2, timeout=20), {}

    def work(s):
        met.wait()
        pids[s.data] = postgresql.sql("select pg_backend_pid() as pid").result()[0]["pid"]
        met.wait()
        return s

    def run(n):
        outcomes[n] = run_sql(postgresql.insert("a", {"n": n}), set_data(n), work).outcome

    outcomes: dict[int, str] = {}
    threads = [threading.Thread(target=run, args=(n,)) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    assert outcomes == {1: "success", 2: "success"}
    assert pids[1] != pids[2]
    assert two_tables()[0] == [{"n": 1}, {"n": 2}]


def test_pg_21_a_process_that_is_killed_leaves_nothing_half_written(
    postgres, start_crossdock, write_job, write_json, two_tables
):
    job = write_job(
        """import os, signal
from crossdock import Job
from crossdock.adaptors import postgresql

def die(state):
    os.kill(os.getpid(), signal.SIGKILL)

job = Job(postgresql.insert("a", {"n": 1}), die)
"""
    )
    credentials = write_json({"warehouse": postgres.credential}, "credentials.json")

    process = start_crossdock("run", job, "--credentials", credentials)

    process.communicate(timeout=60)
    assert process.returncode == 4
    assert two_tables() == ([], [])


def test_the_connection_itself_joins_the_transaction(run_sql, two_tables):
    def raw(s):
        postgresql.adaptor.connection.connection.execute("insert into a values (1)")
        return s

    assert run_sql(raw).outcome == "success"
    run_sql(Job(raw, postgresql.insert("b", {"n": None})))

    assert two_tables() == ([{"n": 1}], [])


def test_pg_21_a_step_is_one_transaction_and_its_connection_is_closed(clinics, run_sql):
    failing = run_sql(postgresql.insert("clinics", {"code": "a"}), lambda s: 1 / 0)
    open_connections = clinics.execute(
        "select count(*) as n from pg_stat_activity where application_name = 'crossdock' and datname = current_database()"
    )

    assert failing.outcome == "failed"
    assert rows(clinics) == []
    assert open_connections == [{"n": 0}]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_bad_items_are_rolled_back_one_by_one(clinics, run_sql, concurrency):
    def work(s):
        postgresql.insert("clinics", {"code": f"{s.data}"})(s)
        if s.data % 5 == 0:
            return postgresql.sql("select 1 / 0")
        return postgresql.insert("clinics", {"code": f"{s.data}b"})

    run = run_sql(each(range(40), work, on_error="collect", concurrency=concurrency))

    assert len(run.state.failed) == 8
    assert len(rows(clinics)) == 64


def test_a_failure_that_a_function_catches_leaves_the_transaction_usable(clinics, run_sql):
    def careful(s):
        postgresql.insert("clinics", {"code": "a"})(s)
        try:
            postgresql.insert("clinics", {"code": "a"})(s)
        except DatabaseError:
            postgresql.insert("clinics", {"code": "b"})(s)
        return s

    run = run_sql(careful)

    assert run.outcome == "success"
    assert [row[0] for row in rows(clinics)] == ["a", "b"]


def test_a_deferred_constraint_fails_the_step_at_its_end(clinics, run_sql):
    clinics.execute(
        "alter table clinics drop constraint clinics_code; alter table clinics add constraint late unique (code) deferrable initially deferred"
    )

    run = run_sql(postgresql.insert_many("clinics", [{"code": "a"}, {"code": "a"}]))

    assert (run.outcome, run.error.details["constraint"]) == ("failed", "late")
    assert rows(clinics) == []


def test_a_business_error_in_the_job_rolls_back_too(clinics, run_sql):
    def refuse(s):
        raise JobError("NO", "no")

    run = run_sql(
        each(state.data, postgresql.insert("clinics", {"code": state.data})), refuse, state={"data": ["a", "b"]}
    )

    assert (run.outcome, rows(clinics)) == ("failed", [])


END_MYSELF = "select pg_terminate_backend(pg_backend_pid())"


def test_a_connection_that_is_lost_and_caught_is_no_success(clinics, run_sql):
    run = run_sql(postgresql.insert("clinics", {"code": "a"}), postgresql.sql(END_MYSELF).catch(lambda error, s: s))

    assert run.outcome == "failed"
    assert "broke" in run.error.message
    assert rows(clinics) == []


def test_a_failed_statement_whose_error_was_dropped_is_no_success(clinics, run_sql):
    def drop_the_error(s):
        try:
            postgresql.adaptor.connection.connection.execute("select 1 / 0")
        except psycopg.Error:
            return s

    run = run_sql(postgresql.insert("clinics", {"code": "a"}), drop_the_error)

    assert run.outcome == "failed"
    assert "dropped" in run.error.message
    assert rows(clinics) == []


@pytest.mark.parametrize("on_error", ["raise", "collect"])
def test_commit_item_keeps_items_whole_in_a_concurrent_loop(clinics, run_sql, on_error):
    def work(s):
        postgresql.insert("clinics", {"code": f"{s.data}a"})(s)
        if s.data % 5 == 4:
            raise JobError("NO", "no")
        return postgresql.insert("clinics", {"code": f"{s.data}b"})

    run = run_sql(each(range(30), work, commit="item", concurrency=6, on_error=on_error))

    codes = {row[0] for row in rows(clinics)}
    assert run.outcome == ("failed" if on_error == "raise" else "partial")
    assert {code[:-1] for code in codes if code.endswith("a")} == {code[:-1] for code in codes if code.endswith("b")}
    assert on_error == "raise" or len(codes) == 48


def test_threads_of_ones_own_use_the_connection_one_at_a_time(clinics, run_sql):

    def threaded(s):
        def write(number):
            postgresql.insert("clinics", {"code": f"{number}a"})(s)
            postgresql.insert("clinics", {"code": f"{number}b"})(s)

        threads = [threading.Thread(target=in_run(write), args=(number,)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return s

    assert run_sql(threaded).outcome == "success"
    assert len(rows(clinics)) == 40
