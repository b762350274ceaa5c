"""each: C16 to C23, C26, and all of design 2."""

import threading

import pytest
from crossdock import Job, JobError, State, each, require, save_cursor, set_data, state, stop, tap, warn
from crossdock.errors import ArgumentError, WrongReturnError
from crossdock.scope import run_in_progress


def books():
    return [{"title": title} for title in "abcd"]


@pytest.mark.parametrize(
    "items",
    [state.data["store"]["book"], books(), lambda s: s.data["store"]["book"], lambda s: iter(s.data["store"]["book"])],
)
def test_c16_and_17_every_item_runs_in_order_with_data_and_index(items):
    seen = []
    job = Job(each(items, lambda s: seen.append((s.data["title"], s.index)) or s))

    after = job(State(data={"store": {"book": books()}}))

    assert seen == [("a", 0), ("b", 1), ("c", 2), ("d", 3)]
    assert after == {"data": {"store": {"book": books()}}}


@pytest.mark.parametrize("concurrency", [1, 3])
def test_c18_and_19_afterwards_the_state_is_what_it_was(concurrency):
    job = Job(each([1, 2], lambda s: s.replace(data=s.data * 10, k=s.data), concurrency=concurrency))

    assert job(State(data="orig", k="kept")) == {"data": "orig", "k": "kept"}


def test_c21_the_items_of_a_list_are_its_members():
    rows = [[1, 2], [3]]

    assert each(state.data["rows"], set_data(state.data)).into("seen")(State(data={"rows": rows})).seen == rows
    assert each([rows], set_data(state.data)).into("seen")(State()).seen == [rows]


@pytest.mark.parametrize("returned", [None, 5])
def test_c22_an_item_that_returns_no_state_is_an_error(returned):
    with pytest.raises(WrongReturnError, match="instead of a state"):
        each([1], lambda s: returned)(State())


@pytest.mark.parametrize("items", [{"a": 1}, "text", 5, b"raw"])
def test_c22_what_is_no_list_of_items_is_an_error_that_names_each(items):
    with pytest.raises(ArgumentError, match=r"each\(.*test_each.py:\d+.* got a value of type"):
        each(items, set_data(1))(State())


def test_c23_lazy_arguments_are_resolved_for_each_item():
    sent = []

    each([{"id": n} for n in (1, 2, 3)], tap(sent.append, {"body": state.data["id"]}))(State())

    assert sent == [{"body": 1}, {"body": 2}, {"body": 3}]


def test_c20_none_is_empty_and_is_logged_with_its_path(caplog):
    with caplog.at_level("INFO", "crossdock"):
        assert each(state.visits, set_data(1)).into("done")(State()) == {"done": []}

    assert "state.visits" in caplog.text


def test_c26_a_function_maps_items_with_their_index_and_the_state():
    def line(s):
        return s.result(f"{s.index} {s.data['title']} {s.shelf}")

    after = each(state.data["book"], line).into("lines")(State(data={"book": books()}, shelf="A1"))

    assert after.lines == ["0 a A1", "1 b A1", "2 c A1", "3 d A1"]
    assert after.without("lines") == {"data": {"book": books()}, "shelf": "A1"}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_result_is_the_final_data_of_each_item_in_order(concurrency):
    doubled = each(range(20), lambda s: s.result(s.data * 2).replace(dropped=1), concurrency=concurrency)

    assert doubled.into("doubled")(State(data="kept")) == {"data": "kept", "doubled": list(range(0, 40, 2))}


def test_the_result_inside_a_function():
    def total(s):
        return s.replace(total=sum(each(s.data, lambda s: s.result(s.data + 1)).result()))

    assert Job(total)(State(data=[1, 2])).total == 5


@pytest.mark.parametrize("concurrency", [1, 4])
def test_collect_keeps_failed_items_and_goes_on(run_job, concurrency):
    def odd(s):
        warn("SEEN", n=s.data["n"])
        if s.data["n"] % 2 == 0:
            raise JobError("EVEN", "even")
        return s

    items = [{"n": n} for n in range(8)]
    run = run_job(each(items, odd, on_error="collect", key="n", concurrency=concurrency))

    assert run.outcome == "partial"
    assert [(f["index"], f["key"], f["item"], f["error"]["code"]) for f in run.state.failed] == [
        (n, n, {"n": n}, "EVEN") for n in (0, 2, 4, 6)
    ]
    assert [w["n"] for w in run.state.warnings] == list(range(8))


def test_stop_keeps_the_failed_item_and_ends_the_loop(run_job):
    seen = []

    def work(s):
        seen.append(s.data)
        if s.data == 2:
            raise JobError("NO", "no")
        return s

    run = run_job(each([1, 2, 3], work, on_error="stop"), lambda s: s.replace(went="on"))

    assert (run.outcome, seen, run.state.went) == ("partial", [1, 2], "on")
    assert [f["item"] for f in run.state.failed] == [2]


@pytest.mark.parametrize(("items", "count"), [([2, 3, 4], 2), (iter([2, 3, 4]), None), ([2], 0)])
def test_stop_tells_how_many_items_were_never_started(run_job, items, count, caplog):
    def work(s):
        raise JobError("NO", "no")

    run = run_job(each(lambda _: items, work, on_error="stop"))

    told = {"code": "items_not_started", "loop": "work", "stopped_at": 0, "count": count}
    assert run.state.get("warnings", []) == ([] if count == 0 else [told])
    assert ("2 more were not started" in caplog.text) is (count == 2)
    assert ("those after it were not started" in caplog.text) is (count is None)


def test_raise_fails_at_the_first_item_and_names_it(run_job):
    seen = []

    def work(s):
        seen.append(s.index)
        return s.result(1 / s.data["n"])

    run = run_job(each([{"n": 1}, {"n": 0}, {"n": 2}], work, key="n"))

    assert (run.outcome, seen) == ("failed", [0, 1])
    assert "in item 1 (n 0) of each" in run.error.__notes__


def test_after_a_failure_no_further_item_is_started():
    started, failed = [], threading.Event()

    def work(s):
        started.append(s.index)
        if s.index == 0:
            failed.set()
            raise JobError("NO", "no")
        failed.wait()
        return s

    with pytest.raises(JobError):
        each(range(1000), work, concurrency=2)(State())
    assert len(started) <= 3  # item 1 may end, and let item 2 start, just before item 0 fails


def test_at_most_twice_as_many_items_are_drawn_ahead():
    drawn, finished, ahead = [], [], []

    def source():
        for n in range(50):
            drawn.append(n)
            ahead.append(len(drawn) - len(finished))
            yield n

    each(source(), lambda s: finished.append(s.data) or s, concurrency=3)(State())

    assert len(finished) == 50
    assert max(ahead) <= 2 * 3 + 1


def test_an_iterable_is_never_turned_into_a_list():
    def endless():
        n = 0
        while True:
            yield n
            n += 1

    def work(s):
        return stop("enough") if s.data == 5 else s

    class StoppedError(Exception):
        pass

    def break_off(s):
        if s.data == 5:
            raise StoppedError
        return s

    with pytest.raises(StoppedError):
        each(endless(), break_off)(State())


def test_concurrent_items_run_in_the_same_run_and_at_the_same_time(run_job):
    meeting, runs = threading.Barrier(4, timeout=10), set()

    def work(s):
        meeting.wait()
        runs.add(run_in_progress("test"))
        return s

    run = run_job(each(range(4), work, concurrency=4))

    assert run.outcome == "success"
    assert runs == {run}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_stop_inside_an_item_ends_the_step_with_the_state_before_the_loop(run_job, concurrency):
    run = run_job(
        each([1, 2, 3], lambda s: stop("found") if s.data == 2 else s, concurrency=concurrency),
        set_data("after"),
        state={"data": "before"},
    )

    assert (run.outcome, run.stopped, run.state) == ("success", "found", {"data": "before"})


def test_nested_loops_give_the_same_state_for_any_concurrency(run_job):
    def work(s):
        if s.data % 5 == 0:
            raise JobError("FIVE", "five")
        return s

    def inner(s):
        return each(range(s.data, s.data + 6), work, on_error="collect", concurrency=s.settings)

    def outer(concurrency):
        return run_job(each([0, 10, 20], inner, concurrency=concurrency), state={"settings": concurrency}).state.failed

    assert outer(1) == outer(3)
    assert [f["item"] for f in outer(3)] == [0, 5, 10, 15, 20, 25]


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"on_error": "ignore"}, {"commit": "never"}, {"on_error": "stop", "concurrency": 2}]
)
def test_wrong_options_are_refused(options):
    with pytest.raises(ArgumentError):
        each([1], set_data(1), **options)(State())


ITEMS = [{"at": "2024-05-01", "n": 1}, {"at": "2024-05-02", "n": 2}, {"at": "2024-05-03", "n": 3}]


def deliver(bad):
    return lambda s: require(lambda s: s.data["n"] != bad, "bad")


def test_a_cursor_stops_short_of_the_oldest_item_that_failed(run_job):
    run = run_job(each(ITEMS, deliver(2), on_error="collect"), save_cursor("v", of=ITEMS, at="at"))

    assert run.state.cursors == {"v": "2024-05-01"}


def test_a_cursor_does_not_pass_what_was_not_reached_after_stop(run_job):
    unordered = [ITEMS[2], ITEMS[1], ITEMS[0]]

    run = run_job(
        each(unordered, deliver(2), on_error="stop"),
        save_cursor("v", of=unordered, at="at"),
        state={"cursors": {"v": "2024-04-01"}},
    )

    assert run.state.cursors == {"v": "2024-04-01"}


def test_a_cursor_stays_where_it_was_if_nothing_was_delivered_or_the_run_failed(run_job):
    before = {"cursors": {"v": "2024-04-01"}}

    nothing = run_job(save_cursor("v", of=[], at="at"), save_cursor("v", None), state=before)
    failed = run_job(save_cursor("v", "2024-06-01"), lambda s: 1 / 0, state=before)
    kept = run_job(save_cursor("v", "2024-06-01", checkpoint=True), lambda s: 1 / 0, state=before)

    assert nothing.state.cursors == failed.state.cursors == before["cursors"]
    assert (kept.outcome, kept.state.cursors) == ("failed", {"v": "2024-06-01"})


def test_a_failed_item_that_has_no_position_holds_the_cursor(run_job):
    items = [{"n": 1}, *ITEMS[1:]]

    run = run_job(each(items, deliver(1), on_error="collect"), save_cursor("v", of=items, at="at"))

    assert "cursors" not in run.state


def test_a_cursor_of_mixed_types_is_an_error(run_job):
    run = run_job(save_cursor("v", of=[{"at": 1}, {"at": "2"}], at="at"))

    assert (run.outcome, run.error.code) == ("failed", "bad_argument")


@pytest.mark.parametrize(
    "inside",
    [
        lambda save: each([1], save),
        lambda save: Job(save).catch(lambda error, s: (_ for _ in ()).throw(error)),
    ],
)
def test_a_checkpoint_inside_an_item_or_catch_is_an_error(run_job, inside):
    run = run_job(inside(save_cursor("v", 1, checkpoint=True)))

    assert (run.outcome, run.error.code) == ("failed", "bad_argument")


@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_broken_job_is_not_collected(run_job, concurrency):
    run = run_job(each([1, 2, 3], lambda s: None, on_error="collect", concurrency=concurrency))

    assert (run.outcome, run.error.code) == ("crashed", "wrong_return")
