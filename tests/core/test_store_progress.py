"""What a run writes down while a worker holds it, what of it an attempt takes up, and what operators do with it."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from crossdock.store.errors import RunStateError, StaleLeaseError, WipedError
from crossdock.store.records import MOST_OF_A_LINE, MOST_OF_A_LOG, Again, Finish, Limit, Line, NewRun, Search, StepEnd
from fix_store import claimed, message

AT = datetime(2024, 5, 2, 10, 0, 1, 5, tzinfo=UTC)
FAILED = [{"index": 3, "key": "v-3", "item": {"name": "Asha"}, "error": {"code": "refused"}}]


def run_once(store, outcome="success", *steps, **more):
    """Accept a message and bring its run to its end."""
    store.accept(message())
    run = claimed(store)
    for step in steps:
        store.step_ended(run, step)
    store.finish(run, Finish(outcome, b'{"data": 1}', **more))
    return run


def cursors(store, workflow="visits"):
    store.accept(message(b"{}", workflow))
    run = claimed(store)
    store.cancel(run.run)
    store.give_back(run)
    return run.cursors


def test_rt_18_steps_whose_end_was_written_down_are_there_for_the_next_attempt(open_store, clock):
    here, there = open_store(), open_store()
    here.accept(message())
    run = claimed(here, lease=30)
    ends = [
        StepEnd("load", "success", b'{"data":[1]}', {"warnings": [{"code": "late"}]}, seconds=1.5),
        StepEnd("send", "partial", b'{"data":2}', {"failed": FAILED, "cursors": {"at": 7}}, received=b'{"data":1}'),
        StepEnd("tell", "failed", b'{"data":2}', {"errors": {"tell": {"code": "x"}}}, error_code="x"),
    ]
    for end in ends:
        here.step_ended(run, end)
    there.tidy()
    clock.pass_(31)

    assert claimed(there).steps == tuple(ends)
    assert there.history.run(run.run).steps == tuple(ends)


def dies(store, run, clock):
    store.tidy()
    clock.pass_(31)
    store.tidy()


def is_cancelled_and_dies(store, run, clock):
    store.cancel(run.run)
    dies(store, run, clock)


def is_cancelled_and_given_back(store, run, clock):
    store.cancel(run.run)
    store.give_back(run)


def waits_and_is_cancelled(store, run, clock):
    store.give_back(run)
    store.cancel(run.run)


@pytest.mark.parametrize("end", [dies, is_cancelled_and_dies, is_cancelled_and_given_back, waits_and_is_cancelled])
def test_failed_items_are_counted_however_a_run_ends(store, clock, end):
    store.accept(message(most_attempts=1))
    run = claimed(store, lease=30)
    store.step_ended(run, StepEnd("send", "partial", b"1", {"failed": FAILED * 2}))

    end(store, run, clock)

    left = store.history.run(run.run).run
    assert (left.state, left.failed_items) == ("dead" if end is dies else "ended", 2)
    again = store.retry(run.run, only_failed=True)
    assert claimed(store).run == again


def test_rt_18_what_the_end_of_an_attempt_brings_is_written_with_it_or_not_at_all(open_store, clock):
    here, there = open_store(), open_store()
    here.accept(message())
    zombie = claimed(here, lease=30)
    brought = {"steps": [StepEnd("load", "success", b"1")], "lines": [Line(AT, "info", "done", "load")]}
    there.tidy()
    clock.pass_(31)
    again = claimed(there)

    with pytest.raises(StaleLeaseError):
        here.finish(zombie, Finish("success", **brought))
    assert (there.history.run(again.run).steps, list(there.history.lines(again.run))) == ((), [])

    there.finish(again, Finish("success", **brought))
    assert [step.step for step in there.history.run(again.run).steps] == ["load"]
    assert [(line.text, line.step) for line in there.history.lines(again.run)] == [("done", "load")]


def test_a_step_that_is_told_twice_ended_once(store):
    store.accept(message())
    run = claimed(store)
    for output in (b"1", b"2"):
        store.step_ended(run, StepEnd("load", "success", output))

    assert [end.output for end in store.history.run(run.run).steps] == [b"2"]


def test_an_attempt_after_a_failure_runs_again_what_failed_and_what_is_to_be_forgotten(store, clock):
    store.accept(message())
    run = claimed(store)
    for name, outcome in (("load", "success"), ("send", "failed"), ("alert", "success")):
        store.step_ended(run, StepEnd(name, outcome, b"{}"))

    state = store.finish(run, Finish("failed", again=Again(5, forget=["alert"])))

    clock.pass_(6)
    assert (state, [end.step for end in claimed(store).steps]) == ("available", ["load"])


def test_a_run_without_attempts_left_is_dead(store, clock):
    store.accept(message(most_attempts=2))
    states = []
    for _ in range(2):
        states.append(store.finish(claimed(store), Finish("failed", error={"code": "down"}, again=Again(1))))
        clock.pass_(2)

    assert states == ["available", "dead"]
    assert store.claim("worker") is None
    assert [run.error_code for run in store.history.runs(Search(outcome="dead"))] == ["down"]


def test_rt_40_a_run_that_can_not_be_tried_is_dead_at_once_and_can_be_replayed(store):
    store.accept(message())
    run = claimed(store)

    assert store.finish(run, Finish("crashed", error={"code": "no_workflow"}, dead=True)) == "dead"

    again = store.retry(run.run)
    assert claimed(store).run == again
    assert store.history.run(run.run).run.state == "ended", "it is off the list of the dead"


@pytest.mark.parametrize(("outcome", "kept"), [("success", 9), ("partial", 9), ("failed", None), ("unknown", None)])
def test_cursors_move_only_if_all_went_well(store, outcome, kept):
    run_once(store, outcome, cursors={"at": 9})

    assert cursors(store).get("at") == kept
    assert cursors(store, "other") == {}


def test_cursors_whose_work_is_committed_stay_however_the_run_ends(store):
    store.accept(message())
    run = claimed(store)
    store.step_ended(run, StepEnd("load", "success", b"{}"), cursors={"of_step": 1})
    store.checkpoint(run, {"on_the_way": {"a": [1]}, "of_step": 2})
    store.finish(run, Finish("crashed", cursors={"of_run": 3}))

    assert cursors(store) == {"of_step": 2, "on_the_way": {"a": [1]}}


def follow(run, end, at):
    """Let each end of a run of visits start one of report, which is told what is known then."""
    told = f"{run.run} {run.message.body.decode()} {end.outcome} {(end.error or {}).get('code')} {at:%H:%M:%S}"
    return [message(told.encode(), "report")._replace(kind="flow")] if run.workflow == "visits" else []


def test_the_end_of_a_run_and_what_follows_from_it_are_one(open_store):
    store = open_store(follow=follow)
    store.accept(message())
    run = claimed(store)

    store.finish(run, Finish("success"))

    follower = claimed(store)
    assert (follower.workflow, follower.message.kind) == ("report", "flow")
    assert follower.message.body == f'{run.run} {{"id": 7}} success None 10:00:00'.encode()


@pytest.mark.parametrize(
    ("end", "state", "follows"),
    [
        (Finish("failed", again=Again(0)), "available", 0),
        (Finish("refused", dead=True), "dead", 1),
        (Finish("unknown"), "ended", 1),
        (Finish("killed"), "ended", 1),
    ],
)
def test_only_from_the_end_of_a_run_something_follows(open_store, end, state, follows):
    store = open_store(follow=follow)
    store.accept(message())

    assert store.finish(claimed(store), end) == state

    assert [run.workflow for run in store.history.runs(Search("report"))] == ["report"] * follows


def test_from_a_run_that_dies_with_its_worker_follows_the_same(open_store, clock):
    """RT-24: nobody is left to say that it ended but the one who finds out."""
    store = open_store(follow=follow)
    (id_,) = store.accept(message()).runs
    for _ in range(3):
        assert claimed(store, lease=30).run == id_
        store.tidy()
        clock.pass_(31)

    assert store.tidy() == 1
    assert store.tidy() == 0

    follower = claimed(store)
    assert follower.message.body == f'{id_} {{"id": 7}} crashed worker_gone 10:01:33'.encode()
    assert store.claim("worker") is None
    details = store.history.run(id_)
    assert (details.run.state, details.run.error_code) == ("dead", "worker_gone")
    assert details.error["message"] == "the worker of attempt 3 was gone before its end"


def test_a_run_that_was_cancelled_and_whose_worker_is_gone_starts_nothing(open_store, clock):
    store = open_store(follow=follow)
    store.accept(message())
    for _ in range(3):
        run = claimed(store, lease=30)
        store.tidy()
        clock.pass_(31)
    store.cancel(run.run)

    assert store.tidy() == 1

    assert [(run.workflow, run.outcome) for run in store.history.runs(Search())] == [("visits", "cancelled")]


def test_a_stale_end_starts_nothing(open_store, clock):
    store = open_store(follow=follow)
    store.accept(message())
    run = claimed(store, lease=30)
    store.tidy()
    clock.pass_(31)
    store.tidy()

    with pytest.raises(Exception, match="lost its lease"):
        store.finish(run, Finish("success"))

    assert [one.workflow for one in store.history.runs(Search())] == ["visits"]


def test_logs_keep_order_time_level_and_step(store):
    store.accept(message())
    run = claimed(store)
    lines = [Line(AT + timedelta(microseconds=n), "info", f"line {n} é", "load" if n % 2 else None) for n in range(500)]
    store.log(run, lines[:250])
    store.log(run, lines[250:])

    assert list(store.history.lines(run.run)) == lines


def test_rt_35_a_line_and_a_log_have_limits(store):
    store.accept(message())
    run = claimed(store)
    store.log(run, [Line(AT, "info", "é" * MOST_OF_A_LINE)])
    longest = next(store.history.lines(run.run)).text
    assert len(longest.encode()) < MOST_OF_A_LINE + 100
    assert longest.endswith(f"… ({2 * MOST_OF_A_LINE} bytes)")

    for _ in range(90):
        store.log(run, [Line(AT, "info", "x" * 60_000)] * 2)
    store.log(run, [Line(AT, "info", "short")])

    lines = list(store.history.lines(run.run))
    assert sum(len(line.text) for line in lines) < MOST_OF_A_LOG + 1000
    dropped = 182 - (len(lines) - 1)
    assert lines[-1].text == f"{dropped} more lines were dropped: the log of a run has a limit"


def test_a_log_may_have_more_bytes_where_somebody_says_so(store):
    store.accept(message())
    run = claimed(store)
    for _ in range(100):
        store.log(run, [Line(AT, "info", "x" * 60_000)] * 2, most=2 * MOST_OF_A_LOG)

    lines = [line.text for line in store.history.lines(run.run)]
    assert len(lines) == 1 + (2 * MOST_OF_A_LOG) // 60_000
    assert lines[-1] == f"{201 - len(lines)} more lines were dropped: the log of a run has a limit"


def test_control_characters_of_a_line_are_escaped(store):
    store.accept(message())
    run = claimed(store)
    store.log(run, [Line(AT, "info", "a\x1b[31m\x00\ud800")])

    assert [line.text for line in store.history.lines(run.run)] == [r"a\x1b[31m\x00\ud800"]


def test_failed_items_stay_until_a_run_for_them_succeeds(store):
    first = run_once(store, "partial", StepEnd("send", "partial", b"{}", {"failed": FAILED * 2}))
    assert store.history.run(first.run).run.failed_items == 2

    store.retry(first.run, only_failed=True)
    second = claimed(store)
    assert (second.retry_of, second.failed, second.message.body) == (first.run, tuple(FAILED * 2), b'{"id": 7}')
    store.finish(second, Finish("failed"))
    assert store.history.run(first.run).run.failed_items == 2, "it failed: they are still open"

    store.retry(first.run, only_failed=True)
    third = claimed(store)
    store.step_ended(third, StepEnd("send", "partial", b"{}", {"failed": FAILED}))
    store.finish(third, Finish("partial"))

    assert [store.history.run(run.run).run.failed_items for run in (first, third)] == [0, 1]
    with pytest.raises(RunStateError):
        store.retry(first.run, only_failed=True)


def test_a_retry_starts_after_the_steps_that_are_kept(store):
    ends = [StepEnd("load", "success", b"1", {"warnings": [{"code": "w"}]}), StepEnd("send", "failed", b"1")]
    first = run_once(store, "failed", *ends)

    again = store.retry(first.run, keep=["load"], project_version="v2")

    run = claimed(store)
    assert (run.run, run.steps, run.project_version) == (again, tuple(ends[:1]), "v2")
    assert store.history.run(again).run.retry_of == first.run


def test_rt_41_a_run_that_is_retried_twice_at_once_is_repeated_once(open_store):
    stores = [open_store(), open_store()]
    first = run_once(stores[0], "failed")

    with ThreadPoolExecutor(8) as pool:
        again = set(pool.map(lambda n: stores[n % 2].retry(first.run), range(8)))

    assert len(again) == 1
    assert len(list(stores[0].history.runs(Search()))) == 2


def test_a_run_that_has_not_ended_is_not_retried_nor_one_that_has_cancelled(store):
    waiting = store.accept(message()).runs[0]
    with pytest.raises(RunStateError):
        store.retry(waiting)
    with pytest.raises(RunStateError):
        store.drop(waiting)

    store.finish(claimed(store), Finish("success"))
    with pytest.raises(RunStateError):
        store.cancel(waiting)


def test_a_message_can_be_replayed_also_one_that_started_nothing(store):
    accepted = store.accept(message()._replace(runs=[]))

    again = store.replay(accepted.message, [NewRun("report", "manual", "v2")])

    run = claimed(store)
    assert (again.message, again.runs, run.message.id) == (accepted.message, (run.run,), accepted.message)


def test_a_message_that_is_edited_is_a_new_one_that_names_the_old(store):
    old = store.accept(message(b'{"id": 7}', key="id-1"))
    store.finish(claimed(store), Finish("crashed", dead=True))

    new = store.edit_and_replay(old.message, b'{"id": 8}', [NewRun("visits", "form", "v1")])

    run = claimed(store)
    assert (run.run, run.message.body, run.message.edited_from) == (new.runs[0], b'{"id": 8}', old.message)
    assert store.history.message(old.message).body == b'{"id": 7}'
    assert list(store.history.runs(Search(outcome="dead"))) == []


def test_what_was_erased_is_not_repeated(store):
    run = run_once(store, "failed")
    store.erase(run.message.id)

    for again in (
        lambda: store.retry(run.run),
        lambda: store.replay(run.message.id, [NewRun("visits", "form", "v1")]),
        lambda: store.edit_and_replay(run.message.id, b"{}", []),
    ):
        with pytest.raises(WipedError, match="erased at 2024-05-02"):
            again()


def test_lists_are_filtered_and_the_newest_stands_first(store, clock):
    started = clock.now()
    for n, (workflow, outcome) in enumerate([("a", "success"), ("b", "failed"), ("a", "failed"), ("a", None)]):
        store.accept(message(json.dumps({"name": f"Nürnberg {n}"}).encode(), workflow))
        if outcome:
            store.finish(claimed(store), Finish(outcome))
        clock.pass_(60)

    def found(**search):
        runs = [store.history.run(run.id).message.body[-3:-2].decode() for run in store.history.runs(Search(**search))]
        messages = [
            store.history.message(one.id).body[-3:-2].decode() for one in store.history.messages(Search(**search))
        ]
        assert runs == messages
        return "".join(runs)

    assert found() == "3210"
    assert (found(workflow="a"), found(outcome="failed"), found(outcome="available")) == ("320", "21", "3")
    assert found(workflow="a", outcome="failed") == "2"
    assert found(since=started + timedelta(seconds=60), until=started + timedelta(seconds=180)) == "21"
    assert (found(text="Nürnberg 2"), found(text="nürnberg"), found(text="urnberg")) == ("2", "", "")
    assert (found(source="visits"), found(source="other")) == ("3210", "")


def test_text_is_found_wherever_a_run_left_it(store):
    run = run_once(store, "partial", StepEnd("s", "partial", b'{"data":"in-output"}', {"failed": [{"item": "in-é"}]}))
    store.accept(message(b"other"))
    second = claimed(store)
    store.log(second, [Line(AT, "info", "in-log")])

    def found(text):
        return [one.id for one in store.history.runs(Search(text=text))]

    assert found("in-output") == found("in-é") == [run.run]
    assert found("in-log") == [second.run]
    assert found("100%") == found("_") == []


def test_a_list_is_longer_than_a_page_and_none_stands_twice(store):
    futures = [store.accept_soon(message(str(n).encode())) for n in range(450)]
    expected = {future.result().message for future in futures}

    listed = [one.id for one in store.history.messages(Search())]

    assert (len(listed), set(listed)) == (450, expected)
    assert all(one.body is None for one in store.history.messages(Search(text="449"))), "a list has no payload"


def test_a_list_that_is_read_slowly_holds_up_nobody(store):
    for n in range(300):
        store.accept_soon(message(str(n).encode())).result() if n == 299 else store.accept_soon(
            message(str(n).encode())
        )
    slowly = store.history.runs(Search())
    next(slowly)

    run = claimed(store)
    store.finish(run, Finish("success"))
    assert store.prune() == (0, 0)

    assert len(list(slowly)) == 299


def test_stats_count_what_waits_runs_died_and_ended(store, clock):
    first = clock.now()
    for _ in range(3):
        store.accept(message(b"{}", "a"))
        clock.pass_(10)
    store.finish(claimed(store), Finish("success"))
    store.finish(claimed(store), Finish("crashed", dead=True))
    store.accept(message(b"{}", "b"))
    limits = {"a": Limit(1)}
    claimed(store, limits=limits)

    a, b = store.history.stats()

    assert a[:6] == ("a", 0, 1, 1, 0, None)
    assert a.ended == {"success": 1}
    assert b[:6] == ("b", 1, 0, 0, 0, first + timedelta(seconds=30))
