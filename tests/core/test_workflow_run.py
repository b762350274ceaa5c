"""What the steps of a run share and what they do not: credentials, cursors, items, state, interruption."""

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import date

import pytest
from crossdock import (
    Adaptor,
    Each,
    Edge,
    Job,
    JobError,
    Run,
    Step,
    Workflow,
    credentials,
    each,
    resolve,
    save_cursor,
    set_data,
    state,
    stop,
    warn,
)
from crossdock.errors import CredentialError
from crossdock.redaction import Redactor
from crossdock.trace import Trace
from pydantic import BaseModel


def fail(s):
    raise JobError("NO", "no")


def run(*steps, given=None, checked=True, **options):
    run = Run(Workflow("test", *steps), given, **options)
    run.execute()
    return run


def inner_of(run):
    """Give how the steps ended that ran inside of the run's own."""
    return [entry for ended in run.walk.ended.values() for entry in ended.inner]


def double(s):
    return s.result(s.data * 2)


def refuse_three(s):
    if s.data == 3:
        raise JobError("THREE", "it is three")
    return s


# --- a workflow inside a job -----------------------------------------------------------------------


def test_a_workflow_is_an_operation_of_a_job():
    inner = Workflow("inner", Step("x", Job(double), next="y"), Step("y", Job(double)))
    ended = run(Step("a", Job(set_data(1), inner, double)))

    assert (ended.outcome, ended.state.data) == ("success", 8)
    assert [(item["step"], item["outcome"]) for item in inner_of(ended)] == [("x", "success"), ("y", "success")]


def test_a_workflow_inside_leaves_what_its_last_steps_leave_by_name():
    inner = Workflow("inner", Step("x", Job(double), next=["y", "z"]), Step("y", Job(double)), Step("z", Job()))
    ended = run(Step("a", Job(set_data(1), inner)))

    assert {name: left["data"] for name, left in ended.state.data.items()} == {"y": 4, "z": 2}
    assert "inputs" not in ended.state


def test_a_workflow_inside_takes_nothing_away_of_the_state_around_it():
    inner = Workflow("inner", Step("x", Job(set_data("in"))))
    meet = Job(lambda s: s.result(sorted(s.inputs)).replace(own=1), inner, lambda s: s.replace(met=sorted(s.inputs)))
    ended = run(Step("a", Job(), next="c"), Step("b", Job(), next="c"), Step("c", meet))

    assert (ended.state.data, ended.state.met, ended.state.own) == ("in", ["a", "b"], 1)


def test_a_failure_inside_may_be_handled_inside_or_caught_around():
    handled = Workflow("inner", Step("x", Job(fail), next={"y": "on_failure"}), Step("y", Job(set_data("handled"))))
    failing = Workflow("inner", Step("x", Job(fail)))
    caught = failing.catch(lambda error, s: s.result(error.code))

    inside, around, nowhere = (run(Step("a", Job(operation))) for operation in (handled, caught, failing))

    assert (inside.outcome, inside.state.data) == ("success", "handled")
    assert [item["code"] for item in inner_of(inside)] == ["NO", None]
    assert (around.outcome, around.state.data) == ("success", "NO")
    assert (nowhere.outcome, nowhere.state.errors["a"]["code"]) == ("failed", "NO")


def test_what_is_written_down_inside_is_the_runs():
    def wary(s):
        warn("odd")
        return s

    inner = Workflow("inner", Step("x", Job(wary, each([1], fail, on_error="collect"), save_cursor("visits", 5))))
    ended = run(Step("a", Job(inner, inner)))

    assert (ended.outcome, len(ended.state.failed), len(ended.state.warnings)) == ("partial", 2, 2)
    assert ended.state.cursors == {"visits": 5}


def test_timings_are_those_of_the_runs_own_operations():
    inner = Workflow("inner", Step("x", Job(double, double)))
    ended = run(Step("b", Job(set_data(1), inner)), Step("a", Job(set_data(1))))

    assert [(timing.step, timing.operation.name) for timing in ended.timings] == [
        ("b", "set_data"),
        ("b", "inner"),
        ("a", "set_data"),
    ]


# --- a step per item -------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_step_runs_once_per_item_and_its_ends_are_recorded_by_key(concurrency):
    patients = [{"id": f"p{n}", "n": n} for n in range(5)]
    job = Job(set_data(state.data["n"]), refuse_three, double)
    ended = run(
        Step("load", Job(set_data({"patients": patients})), next="send"),
        Step("send", job, each=Each("data.patients", key="id", concurrency=concurrency)),
    )

    assert (ended.outcome, ended.state.data) == ("partial", [0, 2, 4, 8])
    assert [(entry["key"], entry["item"], entry["error"]["code"]) for entry in ended.state.failed] == [
        ("p3", {"id": "p3", "n": 3}, "THREE")
    ]
    assert [(item["item"], item["step"], item["outcome"], item["code"]) for item in inner_of(ended)] == [
        (f"p{n}", "send", "failed" if n == 3 else "success", "THREE" if n == 3 else None) for n in range(5)
    ]


MISSING = {
    "data.intervetions": ("intervetions", "interventions"),
    "dta.interventions": ("dta", "data"),
    "data.plan.items": ("plan", None),
    "data.form.items": ("items", None),
    "data.intervetions[*].drugs": ("intervetions", "interventions"),
}


@pytest.mark.parametrize("path", MISSING)
def test_a_path_to_items_that_are_not_there_is_a_warning_with_the_closest_key(path, caplog):
    key, close = MISSING[path]

    ended = run(Step("a", Job(double), each=path), given={"data": {"interventions": [1], "form": "visit"}})

    told = {"code": "each_path_missing", "step": "a", "path": path, "key": key, "closest": close}
    assert (ended.outcome, ended.state.data, ended.state.warnings) == ("success", [], [told])
    assert f"path={path!r}" in caplog.text


@pytest.mark.parametrize("items", [None, []])
def test_items_that_are_null_or_none_are_no_warning(items):
    ended = run(Step("a", Job(double), each="data.visits"), given={"data": {"visits": items}})
    nothing = run(Step("a", Job(double), each="data.visits"), given={"data": None})

    assert "warnings" not in ended.state
    assert "warnings" not in nothing.state


def test_a_workflow_per_item_and_a_stop_inside_ends_only_its_step():
    def even(s):
        return stop("even")(s) if s.data % 2 == 0 else s

    inner = Workflow("inner", Step("x", Job(even, double), next="y"), Step("y", Job(lambda s: s.result(s.data + 100))))
    ended = run(Step("a", inner, each=lambda s: s.data), given={"data": [1, 2, 3]})

    assert (ended.outcome, ended.state.data, ended.stopped) == ("success", [102, 102, 106], None)
    assert [(item["item"], item["step"]) for item in inner_of(ended)] == [
        (i, step) for i in range(3) for step in ("x", "y")
    ]


def test_an_item_that_is_changed_in_place_is_kept_as_it_was():
    def wreck(s):
        s.data.clear()
        raise JobError("NO", "no")

    ended = run(Step("a", Job(wreck), each="data"), given={"data": [{"id": 1}]})

    assert ended.state.failed[0]["item"] == {"id": 1}


def test_per_item_a_failure_may_end_the_step():
    ended = run(Step("a", Job(refuse_three), each=Each("data", on_error="raise")), given={"data": [1, 3, 4]})

    assert (ended.outcome, ended.error.code, ended.state.data) == ("failed", "THREE", [1, 3, 4])
    assert [item["item"] for item in inner_of(ended)] == [0, 1]


# --- credentials -----------------------------------------------------------------------------------


class Fields(BaseModel):
    token: str


@pytest.fixture
def ask():
    @contextmanager
    def connect(configuration):
        yield configuration.token

    adaptor = Adaptor("crm", configuration=Fields, connect=connect)

    @adaptor.operation(effect="read")
    def ask(state):
        return state.result(adaptor.connection)

    return ask


TWO = {"one": {"adaptor": "crm", "token": "token-one"}, "two": {"adaptor": "crm", "token": "token-two"}}


def test_s_04_a_step_has_its_credentials_and_no_others(ask):
    seen = {}

    def look(s):
        seen[s.data] = sorted(resolve(credentials))
        return s

    def peek(s):
        return s.result(resolve(credentials["two"]) is None)

    ended = run(
        Step("a", Job(set_data("a"), look, ask(), lambda s: s.result(s.data == "***" or s.data)), credentials=["one"]),
        Step("b", Job(set_data("b"), look, ask()), credentials=["two"]),
        Step("c", Job(set_data("c"), look)),
        Step("d", Job(set_data("d"), look, peek), credentials=[]),
        credentials=TWO,
    )

    assert ended.outcome == "success"
    assert seen == {"a": ["one"], "b": ["two"], "c": ["one", "two"], "d": []}
    assert ended.state.inputs["d"]["data"] is True


def test_s_04_a_credential_that_is_not_the_steps_is_refused_before_anything_runs(ask):
    began = []
    inner = Workflow("inner", Step("x", Job(ask(credential="two"))))
    steps = [Step("a", Job(began.append)), Step("b", Job(inner), credentials=["one"])]

    with pytest.raises(
        CredentialError, match="step x: the credential 'two' is not one that the step may use"
    ) as caught:
        Run(Workflow("test", *steps), credentials=TWO).execute()
    assert (began, caught.value.fix) == ([], "Add two to the credentials of the step.")


@pytest.mark.parametrize("unlisted", [{}, {"two": "crm"}])
def test_s_04_a_step_that_lists_none_is_told_of_the_one_that_it_may_not_use(ask, unlisted):
    began = []
    known = {name: TWO[name] for name in TWO if name not in unlisted and name == "two"}
    steps = [Step("a", Job(began.append)), Step("b", Job(ask()), credentials=[])]

    with pytest.raises(CredentialError, match="step b: the credential 'two' is not one that the step may") as caught:
        Run(Workflow("test", *steps), credentials=known, unlisted=unlisted).execute()
    assert (began, caught.value.fix) == ([], "Add two to the credentials of the step.")


def test_s_04_a_step_does_not_get_the_connection_of_the_step_before_through_the_name_of_the_adaptor(ask):
    late = Job(lambda s: ask())  # built in a function, where no check before the run sees it

    ended = run(
        Step("a", Job(ask()), next="b"),
        Step("b", late, credentials=[]),
        credentials={"crm": {"adaptor": "crm", "token": "token-one"}},
    )

    assert (ended.outcome, ended.error.code) == ("failed", "credential_invalid")
    assert ended.error.fix == "Add crm to the credentials of the step."


def test_s_04_a_step_inside_may_use_no_more_than_the_step_around_it(ask):
    def choose(s):
        return ask(credential="two")

    inner = Workflow("inner", Step("x", Job(choose), credentials=["two"]))
    ended = run(Step("a", Job(inner), credentials=["one"]), credentials=TWO)

    assert (ended.outcome, ended.error.code) == ("failed", "credential_invalid")
    assert "is not one that the step may use" in ended.error.message


# --- cursors ---------------------------------------------------------------------------------------

SAVES = Step("a", Job(save_cursor("visits", 5), save_cursor("kept", 7, checkpoint=True)), next="b")


def test_s_17_cursors_of_all_steps_are_kept_if_the_run_goes_well_and_else_only_checkpoints():
    later = Job(save_cursor("notes", 1))
    well = run(SAVES, Step("b", later), given={"cursors": {"visits": 1}})
    badly = run(SAVES, Step("b", Job(*later, fail)), given={"cursors": {"visits": 1}})

    assert well.state.cursors == {"visits": 5, "kept": 7, "notes": 1}
    assert badly.state.cursors == {"visits": 1, "kept": 7}


def test_s_17_a_checkpoint_of_a_step_that_failed_is_kept_also_if_an_edge_handles_it():
    seen = []
    ended = run(
        Step(
            "a", Job(save_cursor("visits", 5), save_cursor("kept", 7, checkpoint=True), fail), next={"b": "on_failure"}
        ),
        Step("b", Job(lambda s: seen.append(dict(s.cursors)) or s)),
        given={"cursors": {"visits": 1, "kept": 2}},
    )

    assert (ended.outcome, ended.state.cursors) == ("success", {"visits": 1, "kept": 7})
    assert seen == [{"visits": 1, "kept": 7}]


def test_s_17_a_later_step_moves_a_cursor_on_from_a_checkpoint():
    ended = run(SAVES, Step("b", Job(save_cursor("kept", 9))))

    assert ended.state.cursors == {"visits": 5, "kept": 9}


# --- state -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [0, "", False, None, [], {}, {"a": 1}])
def test_s_02_and_s_03_a_step_starts_from_what_it_is_given_and_nothing_is_put_into_it(data):
    ended = run(Step("a", Job(), next="b"), Step("b", Job(lambda s: s.replace(seen=[s.data]))), given={"data": data})
    nothing = run(Step("a", Job(lambda s: s.replace(seen=dict(s)))))

    assert (type(ended.state.data), ended.state.data, ended.state.seen) == (type(data), data, [data])
    assert nothing.state.seen == {"data": None, "cursors": {}}


def test_s_05_what_belongs_to_one_step_ends_with_it():
    seen = []
    ended = run(
        Step("a", Job(lambda s: s.result(1, response={"status": 200}).replace(own=2)), next="b"),
        Step("b", Job(lambda s: seen.append(sorted(s)) or s)),
    )

    assert (seen, sorted(ended.state)) == ([["cursors", "data", "own"]], ["data", "own"])


def test_s_06_between_steps_there_is_only_json():
    first = Job(lambda s: s.replace(data=date(2024, 5, 2), pair=(1, 2)))
    ended = run(Step("a", first, next="b"), Step("b", Job(lambda s: s.replace(same=s.data))))
    refused = run(Step("a", Job(set_data({"tags": {1}})), next="b"), Step("b", Job()))

    assert (ended.state.same, ended.state.pair) == ("2024-05-02", [1, 2])
    assert (refused.outcome, refused.error.code) == ("crashed", "state_not_json")
    assert "$.data.tags" in refused.error.message


def test_s_08_a_failed_step_leaves_what_it_had_received_and_nothing_half_done():
    def wreck(s):
        s.data["a"] = 1
        return s.replace(kept=1)

    ended = run(Step("a", Job(wreck, fail), next={"b": "on_failure"}), Step("b", Job()), given={"data": {"n": 1}})

    assert (ended.state.data, "kept" in ended.state) == ({"n": 1}, False)


def test_s_10_a_state_over_the_limit_ends_its_step_and_what_follows_gets_its_input():
    seen = []
    ended = run(
        Step("a", Job(set_data("small")), next="b"),
        Step("b", Job(set_data("x" * 1000)), next={"c": "on_failure"}),
        Step("c", Job(lambda s: seen.append(s.data) or s)),
        size_limit=500,
    )

    assert (ended.outcome, ended.error.code, seen) == ("killed", "state_too_large", ["small"])
    assert ended.error.details["limit"] == 500


def test_s_16_the_reply_of_any_step_stands_once_beside_the_inputs():
    reply = {"status": 202, "body": "thanks"}
    ended = run(Step("a", Job(lambda s: s.replace(reply=reply)), next=["b", "c"]), Step("b", Job()), Step("c", Job()))

    assert (ended.state.reply, [sorted(left) for left in ended.state.inputs.values()]) == (reply, [["data"], ["data"]])


# --- dry runs, traces, hooks -----------------------------------------------------------------------


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_dry_run_of_several_steps_plans_by_step_in_their_order(parallel):
    adaptor, turns = Adaptor("book"), [threading.Event(), threading.Event()]

    @adaptor.operation(effect="write")
    def add(state, text):
        raise AssertionError("a dry run writes nothing")

    def after(turn, then=None):
        def wait(s):
            assert parallel == 1 or turn is None or turns[turn].wait(10)
            return s

        def tell(s):
            if then is not None:
                turns[then].set()
            return s

        return lambda operation: Job(wait, operation, tell)

    ended = run(
        Step("a", after(0, 1)(add("a"))),
        Step("b", after(None, 0)(add("b"))),
        Step("c", after(1)(Job(add("c"), add("d")))),
        dry_run=True,
        parallel=parallel,
    )

    assert ended.outcome == "success"
    assert [(entry["step"], entry["operation"]) for entry in ended.state.plan] == [
        (step, "book.add") for step in ("a", "b", "c", "c")
    ]


@pytest.mark.parametrize("parallel", [1, 4])
def test_a_trace_has_each_operation_of_each_step(parallel):
    told = []
    steps = [Step(f"s{n}", Job(set_data(n), double)) for n in range(8)]
    ended = run(*steps, trace=Trace(Redactor(), tell=told.append), parallel=parallel)

    assert ended.outcome == "success"
    assert sorted(span["name"] for span in told) == ["double"] * 8 + ["set_data"] * 8
    assert len(ended.trace.root.spans) == 16
    assert {span["count"] for span in told} == {1}


def test_w_14_plugins_are_told_of_each_step_of_the_run_and_of_none_inside():
    from crossdock import Plugins, hookimpl

    heard = []

    class Listener:
        @hookimpl
        def crossdock_step_started(self, step):
            heard.append(("started", step.name))

        @hookimpl
        def crossdock_step_finished(self, step):
            heard.append(("finished", step.name))

    plugins = Plugins()
    plugins.register("listener", Listener())
    inner = Workflow("inner", Step("x", Job()))
    run(Step("a", Job(inner), next="b"), Step("b", Job()), plugins=plugins)

    assert heard == [("started", "a"), ("finished", "a"), ("started", "b"), ("finished", "b")]


# --- at the same time ------------------------------------------------------------------------------


def test_w_08_branches_run_at_the_same_time_and_no_more_than_asked():
    meet, most, now = threading.Barrier(2, timeout=10), [], []
    lock = threading.Lock()

    def together(s):
        with lock:
            now.append(1)
            most.append(len(now))
        meet.wait()
        with lock:
            now.pop()
        return s

    ended = run(*(Step(f"s{n}", Job(together)) for n in range(4)), parallel=2)

    assert (ended.outcome, max(most)) == ("success", 2)


def test_steps_at_the_same_time_do_not_share_a_connection():
    opened, meet = [], threading.Barrier(2, timeout=10)

    @contextmanager
    def connect(_):
        opened.append(connection := object())
        yield connection

    adaptor = Adaptor("desk", connect=connect)
    used = []

    @adaptor.operation(effect="read")
    def use(state):
        used.append(adaptor.connection)
        meet.wait()
        return state

    ended = run(Step("a", Job(use()), next="c"), Step("b", Job(use())), Step("c", Job()), parallel=2)

    assert (ended.outcome, len(opened), len(set(map(id, used)))) == ("success", 2, 2)


def test_the_connections_of_a_step_are_used_again_unless_it_failed():
    log = []

    @contextmanager
    def connect(_):
        log.append("open")
        yield None
        log.append("close")

    adaptor = Adaptor("desk", connect=connect)

    @adaptor.operation(effect="read")
    def use(state):
        _ = adaptor.connection
        log.append("use")
        return state

    run(
        Step("a", Job(use()), next="b"),
        Step("b", Job(use(), fail), next={"c": "on_failure"}),
        Step("c", Job(use())),
    )

    assert log == ["open", "use", "use", "close", "open", "use", "close"]


# --- interruption ----------------------------------------------------------------------------------


def test_an_interrupt_between_two_steps_ends_the_run_and_leaves_what_was_done():
    def interrupt(s):
        raise KeyboardInterrupt

    ended = run(Step("a", Job(set_data(1)), next=[Edge("b", "always", interrupt)]), Step("b", Job()))

    assert (ended.outcome, ended.state.data, list(ended.state.errors)) == ("interrupted", 1, ["test"])
    assert ended.walk.skipped() == {"b": "the run was interrupted"}


@pytest.mark.parametrize("parallel", [1, 2])
def test_nothing_takes_an_interrupt_inside_a_workflow_for_a_failure(parallel):
    def interrupt(s):
        raise KeyboardInterrupt

    inner = Workflow("inner", Step("x", Job(interrupt), next="y"), Step("y", Job(set_data("y"))))
    caught = Job(inner.catch(lambda error, s: s.result("caught")))
    ended = run(
        Step("a", caught, each=Each("data", on_error="collect"), next="b"),
        Step("b", Job(set_data("b"))),
        given={"data": [1, 2]},
        parallel=parallel,
    )

    assert (ended.outcome, ended.state.data, list(ended.walk.ended)) == ("interrupted", [1, 2], ["a"])
    assert [(item["step"], item["outcome"]) for item in inner_of(ended)] == [
        ("x", "interrupted"),
        ("a", "interrupted"),
    ]


SCRIPT = """
import json, os, signal, threading
from crossdock import Job, Run, Step, Workflow, each, set_data
from crossdock.ending import Cancelled

began, told, done = threading.Barrier(2, timeout=20), threading.Event(), []

def tell(number, _):
    told.set()
    raise KeyboardInterrupt if number == signal.SIGINT else Cancelled

def one(s):
    if s.data == 0:
        began.wait()
        told.wait(20)
    done.append(s.data)
    return s

def closing(s):
    began.wait()
    os.write(1, b"ready\\n")
    told.wait(20)
    return s.result("closed")

signal.signal(signal.SIGINT, tell)
signal.signal(signal.SIGTERM, tell)
steps = [
    Step("first", Job(set_data("first")), next=["many", "closing"]),
    Step("many", Job(set_data(list(range(1_000_000))), each(lambda s: s.data, one)), next={"after": "on_failure"}),
    Step("closing", Job(closing), next="last"),
    Step("last", Job(set_data("last"))),
    Step("after", Job(set_data("after"))),
]
run = Run(Workflow("visits", *steps), parallel=2)
outcome = run.execute()
ended = {name: ended.outcome for name, ended in run.walk.ended.items()}
print(json.dumps([outcome, ended, 0 < len(done) < 1_000_000, run.state, run.walk.skipped()]))
"""


@pytest.mark.parametrize(("number", "outcome"), [(signal.SIGINT, "interrupted"), (signal.SIGTERM, "cancelled")])
def test_a_signal_ends_steps_that_run_at_the_same_time_and_none_of_their_ends_is_lost(number, outcome):
    child = subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"

    os.kill(child.pid, number)
    told, ended, stopped_early, state, skipped = json.loads(child.communicate(timeout=30)[0])

    assert (told, ended) == (outcome, {"first": "success", "many": outcome, "closing": "success"})
    assert stopped_early
    assert {name: left["data"] for name, left in state["inputs"].items()} == {"many": "first", "closing": "closed"}
    assert list(state["errors"]) == ["many"]
    assert skipped == {"after": f"many: {outcome}, and nothing runs after that", "last": f"the run was {outcome}"}
