"""What was undone or not reached leaves no trace that says otherwise."""

import threading

import pytest
from crossdock import Job, JobError, UnknownOutcomeError, each, save_cursor, set_data, state


def boom(s):
    raise JobError("BOOM", "boom")


def test_a_cursor_of_caught_work_stays_where_it_was(run_job):
    run = run_job(
        Job(save_cursor("v", "2024-05-01"), boom).catch(lambda error, s: s), state={"cursors": {"v": "2024-04-01"}}
    )

    assert (run.outcome, run.state.cursors) == ("success", {"v": "2024-04-01"})


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_cursor_of_a_failed_item_stays_where_it_was(run_job, concurrency):
    run = run_job(each([1], Job(save_cursor("v", 7), boom), on_error="collect", concurrency=concurrency))

    assert run.outcome == "partial"
    assert "cursors" not in run.state


def test_a_cursor_sees_what_failed_outside_of_the_function_that_saves_it(run_job):
    items = [{"at": 1}, {"at": 2}]

    def save(s):
        return s.replace(saved=save_cursor("v", of=items, at="at")(s).get("data"))

    run = run_job(each(items, boom, on_error="collect"), save)

    assert "cursors" not in run.state


def test_a_failed_item_that_is_no_dict_holds_the_cursor(run_job):
    visits = [{"id": 1, "at": "2024-05-01"}, {"id": 2, "at": "2024-05-02"}]

    run = run_job(
        each([visit["id"] for visit in visits], boom, on_error="collect"), save_cursor("v", of=visits, at="at")
    )

    assert run.outcome == "partial"
    assert "cursors" not in run.state


def test_failed_items_of_a_try_that_is_repeated_are_not_listed_twice(run_job):
    tries = []

    def flaky(s):
        tries.append(1)
        if len(tries) < 3:
            raise OSError("not yet")
        return s

    run = run_job(Job(each([1], boom, on_error="collect"), flaky).retry(3, wait=0.001))

    assert [failed["item"] for failed in run.state.failed] == [1]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_failed_items_are_kept_if_drawing_the_next_one_fails(run_job, concurrency):
    def source():
        yield 0
        yield 1
        raise OSError("the source broke")

    run = run_job(
        each(source(), boom, on_error="collect", concurrency=concurrency).catch(
            lambda error, s: s.replace(why=str(error))
        )
    )

    assert (run.outcome, run.state.why) == ("partial", "the source broke")
    assert [failed["item"] for failed in run.state.failed] == [0, 1]


def test_that_a_write_may_have_happened_is_not_hidden_by_another_failure(run_job):
    other_failed = threading.Event()

    def work(s):
        if s.data == "write":
            other_failed.wait(10)
            raise UnknownOutcomeError("no answer")
        other_failed.set()
        raise JobError("NO", "no")

    assert run_job(each(["write", "other"], work, concurrency=2)).outcome == "unknown"


def test_a_handler_may_be_an_operation(run_job):
    assert run_job(Job(boom).catch(set_data("handled"))).state.data == "handled"


def test_a_slice_of_the_lazy_state_says_to_pass_a_function():
    from crossdock.errors import LazyError

    with pytest.raises(LazyError, match="slice"):
        state.data[:2]


@pytest.mark.parametrize("details", [{"n": 10**5000}, {"deep": [[[[[[[1]]]]]]]}, {"\ud800": 1}, {"text": "\ud800"}])
def test_details_that_are_no_json_do_not_hide_the_error(run_job, details):
    def refuse(s):
        raise JobError("NO", "no", **details)

    run = run_job(refuse)

    assert (run.outcome, run.state.errors["job"]["code"]) == ("failed", "NO")


def test_an_input_that_can_not_be_is_no_success():
    from crossdock import Run, Workflow
    from crossdock.errors import StateEncodingError

    run = Run(Workflow.of(Job(set_data(1))), {"data": {1, 2}})

    with pytest.raises(StateEncodingError):
        run.execute()
    assert run.outcome == "failed"


def test_an_operation_that_is_built_by_a_function_of_python_is_not_reported(recwarn):
    def build(s):
        built = []
        built.extend(map(set_data, [1, 2]))
        return s

    Job(build)({})

    assert list(recwarn) == []
