"""each(checkpoint=n): an interrupted run goes on at the item where it stopped, and loses none."""

import json
import os
import random
import signal
import threading
from collections import Counter

import pytest
from crossdock import Job, Run, Workflow, each, save_cursor, state
from crossdock.adaptors import postgresql
from crossdock.errors import ArgumentError, CursorFileError, StateEncodingError
from fix_command import Crossdock, StartCrossdock, WriteJob

SINK = """
import os, signal
from crossdock import Job, each, state

fatal = int(os.environ["FATAL"])

def write(state):
    with open("sink", "a") as sink:
        sink.write(f"{state.data['n']}\\n")
    if state.index == fatal:
        os.killpg(os.getppid(), signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)
    return state

job = Job(each(state.data, write, checkpoint=5, concurrency=CONCURRENCY))
"""
MANY = 23


@pytest.fixture
def lines(write_job: WriteJob):
    return write_job("".join(json.dumps({"n": n}) + "\n" for n in range(MANY)), "rows.jsonl")


@pytest.fixture
def killed(start_crossdock: StartCrossdock, tmp_path):
    """Run a job whose item of a number kills both processes; give what is in its sink then."""

    def run(job, lines, fatal, *options):
        (tmp_path / "sink").touch()
        before = (tmp_path / "sink").read_text().split()
        environment = {"FATAL": str(fatal)}
        arguments = ("run", job, "--state", lines, "--cursors", "cursors", *options)
        process = start_crossdock(*arguments, env=environment, start_new_session=True)
        _, told = process.communicate(timeout=60)
        return process.returncode, list(map(int, (tmp_path / "sink").read_text().split()[len(before) :])), told

    return run


@pytest.mark.parametrize("fatal", [0, 4, 5, 9, 10, 22, *random.Random(6).sample(range(MANY), 3)])
def test_after_a_sigkill_at_any_item_each_is_done_and_none_twice_from_before_the_checkpoint(
    killed, write_job, lines, tmp_path, fatal
):
    job, before = write_job(SINK.replace("CONCURRENCY", "1")), fatal // 5 * 5

    code, first, _ = killed(job, lines, fatal)
    again, second, told = killed(job, lines, -1)

    assert (code, first) == (-signal.SIGKILL, list(range(fatal + 1)))
    assert (again, second) == (0, list(range(before, MANY))), told
    assert (f"goes on at item {before}" in told) == (before > 0)
    assert not (tmp_path / "cursors.progress").exists()


@pytest.mark.parametrize("fatal", random.Random(7).sample(range(MANY), 3))
def test_with_concurrency_the_items_up_to_the_checkpoint_are_those_that_are_done(killed, write_job, lines, fatal):
    job, before = write_job(SINK.replace("CONCURRENCY", "3")), fatal // 5 * 5

    code, first, _ = killed(job, lines, fatal)
    again, second, told = killed(job, lines, -1)
    counts = Counter(first + second)

    assert (code, again) == (-signal.SIGKILL, 0), told
    assert set(first) <= set(range(before + 5))  # the loop waited at each checkpoint
    assert sorted(second) == list(range(before, MANY))
    assert all(counts[n] == 1 for n in range(before))


def test_a_checkpoint_waits_for_the_items_in_work(kept):
    done, seen, early = set(), [], threading.Event()

    def work(s):
        if s.index == 0:
            early.wait(0.5)  # for a checkpoint that does not wait
        done.add(s.index)
        return s

    def keep(progress):
        seen.append(set(done))
        early.set()

    kept.keep = keep
    kept.run(each([0, 1, 2], work, checkpoint=2, concurrency=2))

    assert seen == [{0, 1}, {0, 1, 2}]


def test_killed_again_and_again_a_run_still_gets_through(killed, write_job, lines):
    job = write_job(SINK.replace("CONCURRENCY", "1"))

    runs = [killed(job, lines, fatal)[1] for fatal in (6, 7, 13, 21, -1)]

    assert runs == [[*range(7)], [5, 6, 7], [*range(5, 14)], [*range(10, 22)], [20, 21, 22]]


INSERT = """
import os, signal
from crossdock import Job, each, state
from crossdock.adaptors import postgresql

fatal = int(os.environ["FATAL"])

def write(state):
    print("item", os.getpid(), flush=True)
    postgresql.insert("t", {"n": int(state.data["n"])}).result()
    if state.index == fatal:
        os.killpg(os.getppid(), signal.SIGKILL)
        os.killpg(0, signal.SIGKILL)
    return state

job = Job(each(state.data, write, checkpoint=7))
"""
ROWS = 300


@pytest.fixture
def inserting(postgres, start_crossdock, write_job, write_json):
    """Start the job that writes rows to a table, with an item that kills both processes."""
    postgres.execute("create table t (n int)")
    rows = write_job("n\n" + "".join(f"{n}\n" for n in range(ROWS)), "rows.csv")
    arguments = ("run", write_job(INSERT), "--state", rows, "--cursors", "cursors")
    credentials = ("--credentials", write_json({"w": postgres.credential}))

    def start(fatal=-1):
        return start_crossdock(*arguments, *credentials, env={"FATAL": str(fatal)}, start_new_session=True)

    return start


def counts(postgres) -> dict[int, int]:
    """Give how often each row stands in the table, once the server is done with what was killed."""
    postgres.execute(
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity where application_name = 'crossdock'"
    )
    return {row["n"]: row["count"] for row in postgres.execute("select n, count(*) from t group by n order by n")}


@pytest.mark.parametrize("fatal", random.Random(8).sample(range(ROWS), 3))
def test_what_an_interrupted_run_wrote_to_a_database_stands_there_once(postgres, inserting, fatal):
    killed = inserting(fatal)
    killed.communicate()
    after_the_kill = counts(postgres)
    done = inserting()
    _, told = done.communicate(timeout=60)

    assert (killed.returncode, done.returncode) == (-signal.SIGKILL, 0), told
    assert after_the_kill == dict.fromkeys(range(fatal // 7 * 7), 1)
    assert counts(postgres) == dict.fromkeys(range(ROWS), 1)


@pytest.mark.parametrize("after", random.Random(9).sample(range(1, ROWS), 4))
def test_killed_from_outside_at_any_moment_at_most_one_checkpoint_is_repeated(postgres, inserting, after):
    killed = inserting()
    printed = [killed.stderr.readline() for _ in range(after)]
    for group in (killed.pid, int(printed[-1].split()[1])):
        os.killpg(group, signal.SIGKILL)
    killed.communicate()
    kept = len(counts(postgres))
    done = inserting()
    _, told = done.communicate(timeout=60)
    found = counts(postgres)
    twice = [n for n, count in found.items() if count == 2]

    assert (killed.returncode, done.returncode) == (-signal.SIGKILL, 0), told
    assert kept % 7 == 0
    assert (list(found), set(found.values()) <= {1, 2}) == (list(range(ROWS)), True)
    assert twice in ([], list(range(kept - 7, kept)))  # committed, and killed before that was kept


class Kept:
    """Runs on one input, one after the other, that keep their progress as the command does."""

    def __init__(self) -> None:
        self.progress: dict = {}

    def run(self, *operations, state=None, **options) -> Run:
        run = Run(Workflow.of(Job(*operations)), state, **options)
        run.progress.left = self.progress
        run.progress.on_kept = self.keep
        run.execute()
        return run

    def keep(self, progress: dict) -> None:
        self.progress = json.loads(json.dumps(progress))


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def failing_at():
    """Make the function of an item that fails at some of them; its ``seen`` are those that it got."""

    def make(*numbers):
        def work(state):
            work.seen.append(state.data)
            if state.index in numbers:
                raise ValueError("no")
            return state

        work.seen = []
        return work

    return make


def test_a_failed_run_goes_on_at_the_last_checkpoint(kept, failing_at, caplog):
    caplog.set_level("INFO")
    first, second = failing_at(5), failing_at()
    items = list("abcdefgh")

    assert kept.run(each(items, first, checkpoint=2)).outcome == "failed"
    assert kept.run(each(items, second, checkpoint=2)).outcome == "success"

    assert (first.seen, second.seen) == (list("abcdef"), list("efgh"))
    assert "goes on at item 4: an interrupted run did those before it" in caplog.text


def test_a_loop_that_is_done_is_not_done_again_if_what_follows_fails(kept, failing_at):
    first, second = failing_at(), failing_at()

    assert kept.run(each(list("abc"), first, checkpoint=2), lambda s: 1 / 0).outcome == "failed"
    assert kept.run(each(list("abc"), second, checkpoint=2), lambda s: s).outcome == "success"

    assert (first.seen, second.seen) == (list("abc"), [])


def test_another_input_starts_at_the_first_item_and_says_so(kept, failing_at, caplog):
    caplog.set_level("INFO")
    second = failing_at()

    kept.run(each(list("abcd"), failing_at(3), checkpoint=2), state={"data": 1, "cursors": {"v": 1}})
    same = kept.progress["work 1"]["input"]
    kept.run(each(list("abcd"), second, checkpoint=2), state={"data": 2})

    assert second.seen == list("abcd")
    assert "was interrupted on another input, and starts at its first item" in caplog.text
    assert Run(Workflow.of(Job(lambda s: s)), {"data": 1, "cursors": {"v": 2}}).progress.input == same


def test_rows_that_are_piped_in_go_on_where_those_of_the_file_stopped(
    killed, crossdock: Crossdock, write_job, lines, tmp_path
):
    job = write_job(SINK.replace("CONCURRENCY", "1"))
    piped = ("run", job, "--state", "-", "--state-format", "jsonl", "--cursors", "cursors")
    killed(job, lines, 12)
    kept = (tmp_path / "cursors.progress").read_text()

    other = crossdock(*piped, stdin='{"n": -1}\n' * 20, env={"FATAL": "-1"})
    (tmp_path / "cursors.progress").write_text(kept)
    done = crossdock(*piped, stdin=lines.read_text(), env={"FATAL": "-1"})

    assert (other.returncode, done.returncode) == (1, 0)
    assert "the items before item 10 are others now" in other.stderr
    assert "goes on at item 10: an interrupted run did those before it" in done.stderr
    assert list(map(int, (tmp_path / "sink").read_text().split())) == [*range(13), *range(10, MANY)]


def test_rows_that_were_read_to_their_end_before_a_checkpoint_are_known_again(
    crossdock: Crossdock, write_job, lines, tmp_path
):
    failing = "def fail(state):\n    raise ValueError('no')\njob = Job(each(state.data, write, checkpoint=100), fail)\n"
    job = write_job(SINK.replace("job = ", "fine = ").replace("CONCURRENCY", "1") + failing)
    arguments = ("run", job, "--state", lines, "--cursors", "cursors")

    crossdock(*arguments, env={"FATAL": "-1"})
    again = crossdock(*arguments, env={"FATAL": "-1"})

    assert f"goes on at item {MANY}" in again.stderr
    assert (tmp_path / "sink").read_text().count("\n") == MANY


def test_other_items_are_never_taken_for_those_that_are_done(kept, failing_at, caplog):
    caplog.set_level("INFO")
    second, third, fourth = failing_at(), failing_at(), failing_at()

    kept.run(each(list("abcd"), failing_at(3), checkpoint=2))
    before = kept.progress
    kept.run(each(list("xbcd"), second, checkpoint=2))
    kept.progress = before
    lazy = kept.run(each(lambda s: iter("xbcd"), third, checkpoint=2))
    again = kept.run(each(lambda s: iter("xbcd"), fourth, checkpoint=2))

    assert second.seen == list("xbcd")
    assert "those that an interrupted run did are others now" in caplog.text
    assert isinstance(lazy.error, ArgumentError)
    assert "the items before item 2 are others now" in lazy.error.message
    assert (third.seen, again.outcome, fourth.seen) == ([], "success", list("xbcd"))


def test_failed_items_of_the_interrupted_run_are_not_forgotten(kept, failing_at):
    first, second = failing_at(0, 1), failing_at(6)

    def ended(s):
        if s.index == 5:
            raise KeyboardInterrupt
        return first(s)

    visits = [{"id": n, "at": f"2024-05-0{n + 1}"} for n in range(8)]
    options = {"on_error": "collect", "key": "id", "checkpoint": 2}

    ended.__name__ = "work"
    interrupted = kept.run(each(visits, ended, **options))
    run = kept.run(
        each(visits, second, **options),
        save_cursor("v", of=visits, at="at"),
        state={"cursors": {"v": "before"}},
    )

    assert interrupted.outcome == "interrupted"
    assert [item["id"] for item in second.seen] == [4, 5, 6, 7]
    assert (run.outcome, [entry["key"] for entry in run.state.failed]) == ("partial", [0, 1, 6])
    assert run.state.cursors == {"v": "before"}


def test_a_loop_that_stops_goes_on_at_the_item_that_failed(kept, failing_at):
    first, second = failing_at(3), failing_at()
    options = {"on_error": "stop", "checkpoint": 2}

    stopped = kept.run(each(list("abcdef"), first, **options))
    done = kept.run(each(list("abcdef"), second, **options))

    assert (stopped.outcome, done.outcome) == ("partial", "success")
    assert second.seen == list("def")
    assert "failed" not in done.state


PARTIAL = """
from crossdock import Job, each, state

def refuse(state):
    if state.data == state.bad:
        raise ValueError("no")
    return state

def stopping(state):
    print("item", state.data)
    return refuse(state)

job = Job(
    each(state.items, refuse, on_error="collect", checkpoint=2),
    each(state.items, stopping, on_error="stop", checkpoint=2),
)
"""


def test_after_a_partial_run_only_the_loop_that_stopped_goes_on(crossdock: Crossdock, write_job, write_json, tmp_path):
    job, given = write_job(PARTIAL.replace("state.items", 'state["items"]')), {"items": [1, 2, 3, 4], "bad": 3}
    arguments = ("run", job, "--state", write_json(given), "--cursors", "cursors")

    first, second = crossdock(*arguments), crossdock(*arguments)
    progress = json.loads((tmp_path / "cursors.progress").read_text())

    assert (first.returncode, second.returncode) == (6, 6)
    assert [line for line in first.stderr.splitlines() if line.startswith("item")] == ["item 1", "item 2", "item 3"]
    assert [line for line in second.stderr.splitlines() if line.startswith("item")] == ["item 3"]
    assert len(second.json["failed"]) == 2  # the loop that was complete began anew
    assert {name: (kept["done"], kept["complete"]) for name, kept in progress.items()} == {"stopping 1": (2, False)}


def test_loops_are_told_apart_and_a_changed_line_is_no_matter(kept, failing_at):
    first, second = failing_at(), failing_at(3)
    last = failing_at()

    kept.run(each(list("ab"), first, checkpoint=2), each(list("cdef"), second, checkpoint=2))
    kept.run(
        each(list("ab"), last, checkpoint=2),
        each(list("cdef"), last, checkpoint=2),
    )

    assert last.seen == list("ef")


def test_work_that_was_committed_without_its_progress_is_repeated_and_not_lost(postgres, kept):
    postgres.execute("create table t (n int)")
    credentials = {"w": postgres.credential}
    job = each(list(range(6)), lambda s: postgresql.insert("t", {"n": s.data}), checkpoint=2)
    keep, kept.keep = kept.keep, lambda progress: _full(progress, keep)

    failed = kept.run(job, credentials=credentials)
    there = postgres.execute("select n from t order by n")
    kept.keep = keep
    done = kept.run(job, credentials=credentials)

    assert (failed.error.code, [row["n"] for row in there]) == ("cursors_unusable", [0, 1, 2, 3])
    assert done.outcome == "success"
    assert [row["n"] for row in postgres.execute("select n from t order by n")] == [0, 1, 2, 2, 3, 3, 4, 5]


def _full(progress, keep):
    """Keep the first checkpoint, and fail at the second as a full disk does."""
    if next(iter(progress.values()))["done"] > 2:
        raise CursorFileError("the progress can't be kept: No space left on device")
    keep(progress)


@pytest.mark.parametrize(
    "inside",
    [
        lambda loop: each([1], loop),
        lambda loop: each([1], loop, commit="item"),
        lambda loop: each([1], loop, concurrency=2),
        lambda loop: each([1], lambda s: loop(s)),
        lambda loop: loop.catch(lambda error, s: _raised(error)),
        lambda loop: loop.retry(2, wait=0),
    ],
)
def test_checkpoints_inside_an_item_or_catch_are_an_error(run_job, inside):
    run = run_job(inside(each([1, 2], lambda s: s, checkpoint=1)))

    assert isinstance(run.error, ArgumentError)
    assert "checkpoint" in run.error.message
    assert "inside .catch, .retry or an item" in run.error.message


def _raised(error):
    raise error


def test_a_function_may_run_a_loop_with_checkpoints(kept, failing_at):
    second = failing_at()

    kept.run(lambda s: each(list("abcd"), failing_at(3), checkpoint=2)(s))
    kept.run(lambda s: each(list("abcd"), second, checkpoint=2)(s))

    assert second.seen == list("cd")


@pytest.mark.parametrize("loop", [each([1], lambda s: s, checkpoint=1).into("x"), each([1], lambda s: s, checkpoint=0)])
def test_results_that_would_not_be_whole_and_no_items_are_refused(run_job, loop):
    assert isinstance(run_job(loop).error, ArgumentError)


def test_items_that_can_not_be_told_again_are_refused(run_job):
    run = run_job(each([{1}], lambda s: s, checkpoint=1))

    assert isinstance(run.error, ArgumentError)
    assert not isinstance(run.error, StateEncodingError)
    assert "can't tell item 0 again: a value of type set is not JSON" in run.error.message


def test_a_dry_run_neither_skips_items_nor_keeps_progress(kept, failing_at):
    seen = failing_at()
    kept.run(each(list("abcd"), failing_at(3), checkpoint=2))
    before = kept.progress

    kept.run(each(list("abcd"), seen, checkpoint=2), dry_run=True)

    assert (seen.seen, kept.progress) == (list("abcd"), before)


def test_no_secret_of_a_failed_item_is_kept(kept, failing_at):
    run = Run(Workflow.of(Job(each([{"pw": "s3cret-word"}], failing_at(0), on_error="collect", checkpoint=1))))
    run.redactor.add("s3cret-word", what="a credential")
    run.progress.on_kept = kept.keep
    run.execute()

    assert "s3cret" not in json.dumps(kept.progress)
    assert kept.progress["work 1"]["failed"][0]["item"] == {"pw": "***"}


def test_reset_forgets_the_progress_too(killed, crossdock: Crossdock, write_job, lines):
    job = write_job(SINK.replace("CONCURRENCY", "1"))

    killed(job, lines, 12)
    assert crossdock("cursors", "reset", "--all", "--cursors", "cursors").returncode == 0
    _, second, _ = killed(job, lines, -1)

    assert second == list(range(MANY))


def test_without_a_place_for_it_nobody_keeps_the_progress_and_the_log_says_so(run_job, caplog):
    caplog.set_level("INFO")

    assert run_job(each(state.data, lambda s: s, checkpoint=2), state={"data": [1]}).outcome == "success"
    assert "nobody keeps them: give the run --cursors FILE" in caplog.text
