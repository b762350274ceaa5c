"""Steps of a workflow on a real PostgreSQL: each commits by itself or leaves nothing."""

import threading
from time import monotonic

import pytest
from crossdock import Each, Job, JobError, Run, Step, Workflow, state
from crossdock.adaptors import postgresql
from crossdock.testing import Postgres


@pytest.fixture
def run_steps(postgres: Postgres):
    postgres.execute("create table log (n int generated always as identity, what text)")

    def run(*steps, **options):
        run = Run(Workflow("test", *steps), credentials={"warehouse": postgres.credential}, **options)
        run.execute()
        return run

    return run


@pytest.fixture
def all_closed(open_connections):
    """Tell whether no connection is left; the server takes a moment to end one that was closed."""

    def closed():
        until = monotonic() + 10
        while (left := open_connections()) and monotonic() < until:
            pass
        return left == 0

    return closed


@pytest.fixture
def written(postgres: Postgres):
    return lambda: [row["what"] for row in postgres.execute("select what from log order by n")]


def note(what):
    return postgresql.insert("log", {"what": what})


def fail(s):
    raise JobError("NO", "no")


def test_w_13_a_step_commits_one_that_fails_is_undone_and_its_edge_gets_its_input_and_error(
    run_steps, written, all_closed
):
    seen = []

    def look(s):
        seen.append((s.note, s.errors["store"]["code"], written()))
        return s

    ended = run_steps(
        Step("load", Job(note("load").into("note")), next="store"),
        Step("store", Job(note("half").into("note"), fail), next={"alert": "on_failure", "report": "on_success"}),
        Step("alert", Job(look, note("alert"))),
        Step("report", Job(note("report"))),
    )

    assert (ended.outcome, written()) == ("success", ["load", "alert"])
    assert seen == [(ended.state.note, "NO", ["load"])]
    assert all_closed()


def test_a_state_that_is_no_json_undoes_its_step_alone(run_steps, written):
    ended = run_steps(
        Step("load", Job(note("load")), next="store"),
        Step("store", Job(note("half"), lambda s: s.result({1}))),
    )

    assert (ended.outcome, written()) == ("crashed", ["load"])


def test_steps_at_the_same_time_have_a_connection_and_a_transaction_each(run_steps, written, all_closed):
    meet, pids = threading.Barrier(2, timeout=20), []

    def together(what, then):
        def work(s):
            pids.append(postgresql.sql("select pg_backend_pid() as pid").result()[0]["pid"])
            note(what)(s)
            meet.wait()
            assert written() == [], "neither sees the work of the other before it ended"
            meet.wait()
            return then(s)

        return Job(work)

    ended = run_steps(
        Step("a", together("a", lambda s: s), next="c"),
        Step("b", together("b", fail), next={"c": "on_failure"}),
        Step("c", Job(note("c"))),
        parallel=2,
    )

    assert (ended.outcome, written(), len(set(pids))) == ("success", ["a", "c"], 2)
    assert all_closed()


def test_after_a_step_that_lost_its_connection_the_next_one_has_a_new_one(run_steps, written, postgres):
    def cut(s):
        pid = postgresql.sql("select pg_backend_pid() as pid").result()[0]["pid"]
        postgres.execute(f"select pg_terminate_backend({pid})")
        return note("lost")

    ended = run_steps(
        Step("load", Job(note("load")), next="store"),
        Step("store", Job(note("half"), cut), next={"alert": "on_failure"}),
        Step("alert", Job(note("alert"))),
    )

    assert (ended.walk.ended["store"].outcome, ended.outcome, written()) == ("failed", "success", ["load", "alert"])


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_workflow_per_item_leaves_all_of_an_item_or_nothing(run_steps, written, concurrency):
    def refuse_two(s):
        return fail(s) if s.data == 2 else s

    def tell(s):
        return note(f"tell {s.data}")(s).result(s.data)

    body = Workflow(
        "item",
        Step("write", Job(lambda s: note(f"write {s.data}")(s).result(s.data)), next="check"),
        Step(
            "check", Job(lambda s: note(f"check {s.data}")(s).result(s.data), refuse_two), next={"tell": "on_success"}
        ),
        Step("tell", Job(tell)),
    )
    ended = run_steps(
        Step("items", body, each=Each(lambda s: [1, 2, 3], concurrency=concurrency), next={"after": "always"}),
        Step("after", Job(fail)),
    )

    assert sorted(written()) == sorted(f"{what} {n}" for what in ("write", "check", "tell") for n in (1, 3))
    assert [entry["item"] for entry in ended.state.failed] == [2]


def test_a_failure_inside_that_is_handled_inside_undoes_only_its_step(run_steps, written):
    body = Workflow(
        "inner",
        Step("x", Job(note("x")), next="y"),
        Step("y", Job(note("y"), fail), next={"z": "on_failure"}),
        Step("z", Job(note("z"))),
    )
    ended = run_steps(Step("a", Job(note("a"), body, note("b"))))

    assert (ended.outcome, written()) == ("success", ["a", "x", "z", "b"])


def test_a_dry_run_of_several_steps_writes_nothing_and_lists_the_writes_of_each(run_steps, written):
    ended = run_steps(
        Step("load", Job(postgresql.insert("log", {"what": state.data})), next=["store", "report"]),
        Step("store", Job(note("store"))),
        Step("report", Job(note("report"))),
        dry_run=True,
        parallel=2,
    )

    assert (ended.outcome, written()) == ("success", [])
    assert [entry["step"] for entry in ended.state.plan] == ["load", "store", "report"]
