"""put_aside: an item that a destination refused is kept, and the run ends as partial."""

import pytest
from crossdock import JobError, each, put_aside, save_cursor, set_data
from crossdock.errors import NoRunError
from crossdock.testing import RunJob

ITEMS = [{"id": "a", "at": "2024-05-01"}, {"id": "b", "at": "2024-05-02"}, {"id": "c", "at": "2024-05-03"}]


def send(state):
    """Send all items at once to a destination that refuses the second."""
    put_aside(ITEMS[1], JobError("REFUSED", "the destination refused it", property="age"), index=1, key="b")
    return state.result("report")


def test_an_item_that_is_put_aside_makes_the_run_partial_and_is_kept_with_its_error(run_job: RunJob):
    run = run_job(send)

    assert (run.outcome, run.state.data) == ("partial", "report")
    (failed,) = run.state.failed
    assert {key: failed[key] for key in ("index", "key", "item")} == {"index": 1, "key": "b", "item": ITEMS[1]}
    assert failed["error"]["code"] == "REFUSED"
    assert failed["error"]["details"] == {"property": "age"}


def test_a_cursor_stops_short_of_what_was_put_aside(run_job: RunJob):
    run = run_job(send, save_cursor("v", of=ITEMS, at="at"))

    assert run.state.cursors == {"v": "2024-05-01"}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_what_is_put_aside_in_an_item_of_a_loop_is_kept_in_the_order_of_the_items(run_job: RunJob, concurrency):
    def refuse(state):
        put_aside(state.data, JobError("REFUSED", "no"), index=state.index)
        return state

    run = run_job(each(range(9), refuse, concurrency=concurrency))

    assert (run.outcome, [entry["item"] for entry in run.state.failed]) == ("partial", list(range(9)))


def test_what_was_put_aside_before_a_failure_is_kept_too(run_job: RunJob):
    def fail(state):
        raise JobError("BROKEN", "the connection broke")

    run = run_job(send, fail)
    caught = run_job(lambda state: fail(send(state)), set_data(1))

    assert [run.outcome, caught.outcome] == ["failed", "failed"]
    assert [len(run.state.failed), len(caught.state.failed)] == [1, 1]


def test_put_aside_needs_a_run():
    with pytest.raises(NoRunError, match=r"put_aside\(…\) needs a run"):
        put_aside({}, JobError("REFUSED", "no"))
