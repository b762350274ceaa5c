"""Jobs and what decides which operations run: C01 to C03, C24, C25, C27, C54, C55."""

import pytest
from crossdock import Job, JobError, State, log, require, set_data, state, tap, when


def test_c01_each_operation_runs_once_and_in_order():
    seen = []

    def count(number):
        return lambda s: seen.append(number) or s.replace(counter=number)

    assert Job(count(1), count(2), count(3))(State()) == {"counter": 3}
    assert seen == [1, 2, 3]


def test_c02_a_job_without_operations_leaves_the_state():
    assert Job()(State(data={"id": 7}, note="kept")) == {"data": {"id": 7}, "note": "kept"}


def test_c03_what_stands_after_an_operation_that_failed_never_runs():
    seen = []

    def boom(state):
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        Job(tap(seen.append, "first"), boom, tap(seen.append, "last"))(State())

    assert seen == ["first"]


def test_c24_a_job_may_stand_in_a_job():
    inner = Job(lambda s: s.replace(hello=1), lambda s: s.replace(hello=s.hello + 5))

    assert Job(inner)(State(kept=True)) == {"kept": True, "hello": 6}
    assert Job(Job(), inner, Job())(State()) == {"hello": 6}


@pytest.mark.parametrize(("value", "answer"), [(1, "then"), (0, "before"), ("", "before"), ([0], "then")])
@pytest.mark.parametrize("condition", [state.value, lambda s: s.value])
def test_c25_an_operation_runs_where_the_condition_holds(value, answer, condition):
    assert when(condition, set_data("then"))(State(data="before", value=value)).data == answer


def test_c25_the_operations_get_the_state_that_when_received():
    nested = when(state.a, when(state.b, set_data("both"), set_data(state.a)), set_data(state.c))

    assert [nested(State(a=a, b=b, c="none")).data for a, b in ((1, 1), (1, 0), (0, 1))] == ["both", 1, "none"]


def test_c27_a_result_gets_a_name_and_data_is_what_it_was():
    def comments(state):
        return state.replace(data=["a comment"], responses=[200])

    after = Job(comments)(State(data={})), Job(Job(comments).into("comments"))(State(data={}))

    assert after[0] == {"data": ["a comment"], "responses": [200]}
    assert after[1] == {"data": {}, "responses": [200], "comments": ["a comment"]}


@pytest.mark.parametrize("condition", [False, 0, None, "", state.nothing, lambda s: s.data["n"] > 1])
def test_c54_what_does_not_hold_is_an_error_with_its_message(condition):
    with pytest.raises(JobError, match="the case of 1 is closed") as caught:
        require(condition, lambda s: f"the case of {s.data['n']} is closed")(State(data={"n": 1}))

    assert caught.value.code == "requirement_not_met"


@pytest.mark.parametrize("condition", [True, 1, state.data["n"], lambda s: s.data["n"] == 1])
def test_c54_what_holds_leaves_the_state(condition):
    assert require(condition, "never said")(State(data={"n": 1})) == {"data": {"n": 1}}


def test_c55_what_is_logged_is_resolved_and_the_state_stays(caplog):
    with caplog.at_level("INFO", "crossdock.job"):
        after = tap(log, "visits:", state.data["n"], lambda s: s.data["n"] + 1, state.nothing)(State(data={"n": 1}))

    assert caplog.messages == ["visits: 1 2 None"]
    assert after == {"data": {"n": 1}}
