"""Units of work, and the order in which a step ends, on an adaptor that writes down what happens to it."""

import threading
from contextlib import contextmanager

import pytest
from crossdock import Adaptor, Job, JobError, UnknownOutcomeError, each, in_run, save_cursor, set_data, state
from crossdock.scope import open_unit


class Ledger:
    """A system with units: what was written in one that failed is struck out."""

    def __init__(self):
        self.entries = []
        self.log = []
        self.open = []
        self.commit_fails = False

    @contextmanager
    def unit(self):
        begun = len(self.entries)
        unit = object()
        self.log.append("savepoint" if self.open else "begin")
        self.open.append(unit)
        try:
            yield
        except BaseException:
            self.end(unit)
            del self.entries[begun:]
            self.log.append("undo")
            raise
        self.end(unit)
        self.log.append("done")
        if not self.open and self.commit_fails:
            raise UnknownOutcomeError("the connection broke while the work was committed")

    def end(self, unit):
        """A unit ends before those around it, as in a database; here the test fails if it does not."""
        if self.open.pop() is not unit:
            self.log.append("out of order")

    def __enter__(self):
        self.log.append("open")
        return self

    def __exit__(self, *_):
        self.log.append("close")


@pytest.fixture
def ledger():
    return Ledger()


@pytest.fixture
def write(ledger):
    adaptor = Adaptor("ledger", connect=lambda _: ledger, unit=Ledger.unit)

    @adaptor.operation(effect="write")
    def write(state, value):
        adaptor.connection.entries.append(value)
        if value == "bad":
            raise JobError("BAD", "bad")
        return state

    return write


def test_a_step_is_one_unit_and_the_connection_is_closed(run_job, ledger, write):
    run_job(write(1), write(2))

    assert ledger.log == ["open", "begin", "done", "close"]
    assert ledger.entries == [1, 2]


def test_a_failed_step_leaves_nothing(run_job, ledger, write):
    run = run_job(write(1), lambda s: 1 / 0)

    assert (run.outcome, ledger.entries, ledger.log) == ("failed", [], ["open", "begin", "undo", "close"])


def test_a_step_whose_state_is_no_json_commits_nothing(run_job, ledger, write):
    run = run_job(write(1), set_data({1, 2}))

    assert (run.outcome, ledger.entries) == ("crashed", [])


def test_a_commit_that_nobody_knows_of_is_unknown(run_job, ledger, write):
    ledger.commit_fails = True

    run = run_job(write(1))

    assert (run.outcome, run.state.errors["job"]["code"]) == ("unknown", "unknown_outcome")


def test_a_connection_that_is_not_used_is_not_opened(run_job, ledger, write):
    def choose(state):
        return state if state.data is None else write(1)

    run_job(choose)

    assert ledger.log == []


def test_catch_undoes_what_the_caught_operation_wrote(run_job, ledger, write):
    run_job(write(1), Job(write(2), write("bad")).catch(lambda error, s: write(3)))

    assert ledger.entries == [1, 3]
    assert ledger.log == ["open", "begin", "savepoint", "undo", "done", "close"]


def test_an_operation_called_in_a_function_may_fail_alone(run_job, ledger, write):
    def careful(state):
        write(1)(state)
        try:
            write("bad").result()
        except JobError:
            write(2)(state)
        return state

    run_job(careful)

    assert ledger.entries == [1, 2]


def test_a_retried_operation_starts_clean(run_job, ledger, write):
    tries = []

    def flaky(state):
        tries.append(1)
        return write("bad" if len(tries) < 3 else "good")

    run_job(Job(write("first"), flaky).retry(2, wait=0.001))

    assert ledger.entries == ["first", "good"]


@pytest.mark.parametrize("concurrency", [1, 8])
def test_bad_items_of_a_loop_are_undone_one_by_one(run_job, ledger, write, concurrency):
    def work(s):
        write(f"{s.data} a")(s)
        return write("bad" if s.data % 5 == 0 else f"{s.data} b")

    run = run_job(each(range(40), work, on_error="collect", concurrency=concurrency))

    assert len(run.state.failed) == 8
    assert sorted(ledger.entries) == sorted(f"{n} {part}" for n in range(40) if n % 5 for part in "ab")


def test_in_a_concurrent_loop_one_item_at_a_time_uses_an_adaptor_with_units(run_job, ledger, write):
    inside, most, meeting = [0], [0], threading.Barrier(4, timeout=10)

    def work(s):
        meeting.wait()  # all four items are in work at once
        write("first")(s)
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        write("second")(s)
        inside[0] -= 1
        return s

    run_job(each(range(4), work, concurrency=4))

    assert most == [1]
    assert ledger.entries == ["first", "second"] * 4


def test_nested_concurrent_loops_do_not_lock_each_other_out(run_job, ledger, write):
    inner = each(range(3), lambda s: write(s.data), concurrency=3, on_error="collect")

    run = run_job(each(range(3), lambda s: inner, concurrency=3, on_error="collect"))

    assert run.outcome == "success"
    assert len(ledger.entries) == 9


def test_items_that_may_not_fail_need_no_savepoint(run_job, ledger, write):
    run_job(each([1, 2], write(state.data)))

    assert ledger.log == ["open", "begin", "done", "close"]


@pytest.mark.parametrize("concurrency", [1, 4])
def test_commit_item_keeps_what_was_done_before_a_failure(run_job, ledger, write, concurrency):
    def work(s):
        write(s.data)(s)
        if s.data == 3:
            raise JobError("NO", "no")
        return s

    run = run_job(write("before"), each([1, 2, 3], work, commit="item", concurrency=concurrency), write("after"))

    assert run.outcome == "failed"
    assert "before" in ledger.entries
    assert 3 not in ledger.entries
    assert concurrency > 1 or ledger.entries == ["before", 1, 2]


def test_commit_item_does_not_commit_what_another_item_has_open(run_job, ledger, write):
    third_started = threading.Event()

    def work(s):
        if s.data == "writes":
            write("half")(s)
            third_started.wait(10)  # by then the second item has ended, and committed what was its own
            raise JobError("NO", "no")
        if s.data == "third":
            third_started.set()
        return s

    run = run_job(each(["writes", "second", "third"], work, commit="item", concurrency=2, on_error="collect"))

    assert (run.outcome, ledger.entries) == ("partial", [])
    assert "out of order" not in ledger.log


def test_commit_item_does_not_commit_half_of_an_item_that_failed(run_job, ledger, write):
    both_started, wrote = threading.Barrier(2, timeout=10), threading.Event()

    def work(s):
        both_started.wait()
        if s.data == "fails":
            write("half")(s)
            wrote.set()
            raise JobError("NO", "no")
        wrote.wait(10)
        return write("whole")

    run = run_job(each(["fails", "works"], work, commit="item", concurrency=2))

    assert run.outcome == "failed"
    assert ledger.entries == ["whole"]


def test_commit_item_in_a_concurrent_loop_ends_each_item_by_itself(run_job, ledger, write):
    def work(s):
        write(f"{s.data} a")(s)
        return write("bad" if s.data % 7 == 0 else f"{s.data} b")

    run = run_job(each(range(70), work, commit="item", concurrency=6, on_error="collect"))

    assert len(run.state.failed) == 10
    assert sorted(ledger.entries) == sorted(f"{n} {part}" for n in range(70) if n % 7 for part in "ab")
    assert "out of order" not in ledger.log


def test_commit_item_inside_catch_is_an_error(run_job, write):
    run = run_job(Job(each([1], write(1), commit="item")).catch(lambda error, s: s.replace(code=error.code)))

    assert run.state.code == "bad_argument"


def test_a_checkpoint_commits_the_open_work_first(run_job, ledger, write):
    run = run_job(write(1), save_cursor("v", 7, checkpoint=True), write(2), lambda s: 1 / 0)

    assert (run.outcome, ledger.entries, run.state.cursors) == ("failed", [1], {"v": 7})


def test_stop_commits(run_job, ledger, write):
    from crossdock import stop

    run_job(write(1), stop("done"), write(2))

    assert ledger.entries == [1]


def test_stop_inside_an_item_and_a_function_keeps_what_was_written(run_job, ledger, write):
    from crossdock import stop

    def inside(s):
        return Job(write("called"), stop("enough"))(s)

    run_job(each([1, 2], Job(write("item"), stop("enough")), on_error="collect"))
    run_job(inside)
    run_job(Job(write("caught"), stop("enough")).catch(lambda error, s: s))

    assert ledger.entries == ["item", "called", "caught"]


def test_in_run_carries_the_run_to_a_thread(run_job, ledger, write):
    def threaded(s):
        thread = threading.Thread(target=in_run(lambda: write("threaded")(s)))
        thread.start()
        thread.join()
        return s

    run_job(threaded)

    assert ledger.entries == ["threaded"]


def test_what_drawing_an_item_wrote_is_not_undone_with_the_item(run_job, ledger, write):
    def source(s):
        for n in range(3):
            write(f"drawn {n}")(s)
            yield n

    def work(s):
        return write("bad" if s.data == 1 else f"item {s.data}")

    run_job(each(source, work, on_error="collect"))

    assert ledger.entries == ["drawn 0", "item 0", "drawn 1", "drawn 2", "item 2"]


def test_what_an_item_gave_to_a_thread_is_no_part_of_the_next_item(run_job):
    units, carried = [], []

    def work(s):
        units.append(open_unit.get())
        if s.index == 0:
            carried.append(in_run(lambda: open_unit.get().parent))
        return s

    run_job(each([0, 1, 2], work))

    assert carried[0]() is units[0]
    assert units[1] is units[2] is not units[0]


def test_an_item_whose_unit_can_not_end_well_has_failed_and_has_no_result(run_job, ledger, write):
    @contextmanager
    def unit(resource):
        with Ledger.unit(resource):
            yield
        if resource.entries == ["a"] and resource.open:
            raise ValueError("the savepoint could not be released")

    adaptor = Adaptor("fragile", connect=lambda _: ledger, unit=unit)

    @adaptor.operation(effect="write")
    def add(state, value):
        adaptor.connection.entries.append(value)
        return state.result(value.upper())

    run = run_job(each(["a", "b"], lambda s: add(s.data), on_error="collect").into("written"))

    assert (run.outcome, run.state.written) == ("partial", ["B"])
    assert [entry["index"] for entry in run.state.failed] == [0]


def test_a_cursor_of_a_unit_that_could_not_end_well_stays_where_it_was(run_job, ledger, write):
    def end_badly():
        raise UnknownOutcomeError("the savepoint could not be released")

    @contextmanager
    def unit(resource):
        nested = bool(resource.open)
        with Ledger.unit(resource):
            yield
        if nested:
            end_badly()

    adaptor = Adaptor("brittle", connect=lambda _: ledger, unit=unit)

    @adaptor.operation(effect="write")
    def touch(state):
        adaptor.connection.entries.append("touched")
        return state

    def careful(s):
        try:
            return Job(touch(), save_cursor("v", 7))(s)
        except UnknownOutcomeError:
            return s

    run = run_job(touch(), careful)

    assert run.outcome == "success"
    assert "cursors" not in run.state
