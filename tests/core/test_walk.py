"""A walk through a workflow: which steps run, what they receive, how the whole ends."""

import pytest
from crossdock import (
    Edge,
    Job,
    JobError,
    Run,
    State,
    Step,
    Workflow,
    each,
    save_cursor,
    set_data,
    stop,
    warn,
)
from crossdock.errors import ArgumentError, UnknownOutcomeError
from crossdock.sealed import Sealed
from crossdock.walk import Ended, Walk


def fail(s):
    raise JobError("NO", "no", place="here")


def unknown(s):
    raise UnknownOutcomeError("nobody knows")


def crash(s):
    return None


def note(name):
    """Give a job that adds its name to what it receives."""
    return Job(lambda s: s.result([*(s.data or []), name]))


def run(*steps, given=None, **options):
    run = Run(Workflow("test", *steps), given, **options)
    run.execute()
    return run


def outcomes(run):
    return {name: ended.outcome for name, ended in run.walk.ended.items()}


def follows(edge):
    """Give a filter that holds for half of the states, as a project file would have it."""

    class Filter:
        def __call__(self, s):
            return s.data == ["a"]

        def __str__(self):
            return "include {form: visit}"

    return Edge(edge, "on_success", Filter())


DIAMOND = (
    Step("a", note("a"), next=["b", "c"]),
    Step("b", note("b"), next="d"),
    Step("c", note("c"), next="d"),
    Step("d", Job(lambda s: s.result({name: state["data"] for name, state in s.inputs.items()}))),
)


def test_w_08_each_branch_goes_on_with_a_state_of_its_own():
    def wreck(s):
        s.data["rows"].clear()
        s.failed[0]["item"].clear()
        s.cursors.update(visits=0)
        return s

    def look(s):
        return s.result([s.data["rows"], [entry["item"] for entry in s.failed], s.cursors])

    items = {"rows": [1, 2], "bad": [{"id": 1}]}
    first = Job(set_data(items), each(lambda s: s.data["bad"], fail, on_error="collect"), save_cursor("visits", 5))
    ended = run(Step("a", first, next=["b", "c"]), Step("b", Job(wreck)), Step("c", Job(look)))

    assert ended.state.inputs["c"].get("data") == [[1, 2], [{"id": 1}], {"visits": 5}]
    assert [entry["item"] for entry in ended.state.failed] == [{"id": 1}]
    assert items == {"rows": [1, 2], "bad": [{"id": 1}]}, "a later step can't change a constant of an earlier one"


def test_w_09_where_edges_meet_a_step_runs_once_after_all_of_them_and_gets_each_state():
    ended = run(*DIAMOND)

    assert ended.state.data == {"b": ["a", "b"], "c": ["a", "c"]}
    assert list(ended.walk.ended) == ["a", "b", "c", "d"]
    assert "inputs" not in ended.state


def test_w_09_a_step_waits_for_the_longer_way_too():
    ended = run(
        Step("a", note("a"), next=["d", "b"]),
        Step("d", Job(lambda s: s.result(sorted(s.inputs)))),
        Step("b", note("b"), next="c"),
        Step("c", note("c"), next="d"),
    )

    assert ended.state.data == ["a", "c"]


def test_w_09_where_one_of_the_edges_is_followed_its_state_comes_as_it_is():
    ended = run(
        Step("a", Job(fail), next={"b": "on_success", "c": "on_failure"}),
        Step("b", note("b"), next="d"),
        Step("c", note("c"), next="d"),
        Step("d", note("d")),
    )

    assert (ended.outcome, ended.state.data) == ("success", ["c", "d"])
    assert ended.walk.skipped() == {"b": "a: failed, and the edge is on_success"}


def test_s_11_one_last_step_leaves_its_state_and_several_leave_theirs_by_name():
    one, several = run(Step("a", note("a"), next="b"), Step("b", note("b"))), run(*DIAMOND[:3], DIAMOND[3])
    leaves = run(
        Step("a", note("a"), next=["b", "c"]), Step("b", note("b")), Step("c", Job(set_data(0))), Step("e", Job(fail))
    )

    assert (one.state.data, several.state.data) == (["a", "b"], {"b": ["a", "b"], "c": ["a", "c"]})
    assert leaves.state.data is None
    assert {name: state["data"] for name, state in leaves.state.inputs.items()} == {"b": ["a", "b"], "c": 0, "e": None}
    assert (leaves.outcome, list(leaves.state.errors)) == ("failed", ["e"])


def test_s_11_and_s_09_what_the_run_wrote_down_stands_once_also_after_diamonds():
    def wary(s):
        warn("odd")
        return s

    first = Job(wary, each([1], fail, on_error="collect"), save_cursor("visits", 5))
    steps = [Step("a", first, next=["b", "c", "e"]), *DIAMOND[1:], Step("e", Job(fail), next={"d": "on_failure"})]
    ended = run(*steps, given={"cursors": {"old": 1}})

    assert (len(ended.state.warnings), len(ended.state.failed), list(ended.state.errors)) == (1, 1, ["e"])
    assert ended.state.cursors == {"old": 1, "visits": 5}
    assert ended.outcome == "partial"


@pytest.mark.parametrize(("job", "outcome"), [(fail, "failed"), (unknown, "unknown")])
def test_w_06_a_failure_that_an_edge_handles_is_handled_and_gets_the_input_and_the_error(job, outcome):
    def wreck(s):
        s.data.append("changed in place")
        return s

    seen = []
    handler = Job(lambda s: seen.append(s) or s.result("handled"))
    ended = run(
        Step("a", note("a"), next="b"),
        Step("b", Job(wreck, lambda s: s.replace(more=1), job), next={"c": "on_success", "d": "on_failure"}),
        Step("c", note("c")),
        Step("d", handler),
    )

    assert (ended.outcome, ended.state.data) == ("success", "handled")
    assert outcomes(ended) == {"a": "success", "b": outcome, "d": "success"}
    assert (seen[0].data, "more" in seen[0], seen[0].errors["b"]["code"]) == (
        ["a"],
        False,
        ended.state.errors["b"]["code"],
    )


def test_w_06_only_the_step_before_counts_so_after_a_recovery_it_goes_well_on():
    ended = run(
        Step("a", Job(fail), next={"b": "on_failure"}),
        Step("b", note("b"), next={"c": "on_success", "d": "on_failure"}),
        Step("c", note("c")),
        Step("d", note("d")),
    )

    assert (ended.outcome, ended.state.data, list(ended.state.errors)) == ("success", ["b", "c"], ["a"])
    assert ended.walk.skipped() == {"d": "b: success, and the edge is on_failure"}


def test_w_06_always_goes_on_and_does_not_handle():
    ended = run(Step("a", Job(fail), next="b"), Step("b", note("b")))

    assert (ended.outcome, ended.state.data, ended.error.code) == ("failed", ["b"], "NO")


def test_w_06_a_partial_success_is_one_and_a_broken_job_stays_broken():
    some = run(Step("a", Job(each([1], fail, on_error="collect")), next={"b": "on_success"}), Step("b", note("b")))
    broken = run(Step("a", Job(crash), next={"b": "on_failure"}), Step("b", note("b")))

    assert (some.outcome, outcomes(some)) == ("partial", {"a": "partial", "b": "success"})
    assert (broken.outcome, outcomes(broken)) == ("crashed", {"a": "crashed", "b": "success"})


@pytest.mark.parametrize("holds", [True, False, 1, [], "x"])
def test_w_07_a_condition_is_asked_of_what_the_step_hands_on(holds):
    asked = []
    ended = run(Step("a", note("a"), next={"b": lambda s: asked.append(s.data) or holds}), Step("b", note("b")))

    assert (asked, "b" in ended.walk.ended) == ([["a"]], bool(holds))
    assert ended.outcome == "success"
    assert list(ended.walk.skipped()) == ([] if holds else ["b"])


def test_w_07_a_condition_is_not_asked_where_its_edge_does_not_lead_on():
    ended = run(Step("a", Job(fail), next={"b": lambda s: 1 / 0}), Step("b", note("b")))

    assert (ended.outcome, list(ended.state.errors)) == ("failed", ["a"])


def leave(s):
    raise SystemExit(0)


def end_early(s):
    return stop("no")(s)


@pytest.mark.parametrize("condition", [lambda s: 1 / 0, leave, end_early])
@pytest.mark.parametrize("parallel", [1, 2])
def test_w_07_a_condition_that_fails_is_named_and_the_other_branches_go_on(condition, parallel):
    ended = run(
        Step("a", note("a"), next={"b": condition, "c": "always"}),
        Step("b", note("b")),
        Step("c", note("c")),
        parallel=parallel,
    )

    assert (ended.outcome, ended.error.code, ended.state.data) == ("crashed", "edge_failed", ["a", "c"])
    assert ended.state.errors["a → b"]["message"].startswith("the condition ")
    assert ended.walk.skipped()["b"].endswith(" failed")


def test_w_07_a_secret_in_what_a_condition_raises_is_masked():
    def tell(s):
        raise ValueError("s3cret-value")

    secrets = {"crm": {"adaptor": "http", "password": "s3cret-value"}}
    ended = run(Step("a", note("a"), next={"b": tell}), Step("b", note("b")), credentials=secrets)

    assert "***" in ended.state.errors["a → b"]["message"]
    assert "s3cret" not in str(ended.state)


def test_w_07_a_condition_can_not_change_what_the_next_step_gets():
    ended = run(Step("a", note("a"), next={"b": lambda s: s.data.append("x") or True}), Step("b", note("b")))

    assert ended.state.data == ["a", "b"]


def test_w_04_an_edge_of_a_filter_is_followed_if_it_holds():
    ended = run(
        Step("a", note("a"), next=[follows("b")]), Step("b", note("b"), next=[follows("c")]), Step("c", note("c"))
    )

    assert ended.state.data == ["a", "b"]
    assert ended.walk.skipped() == {"c": "b: include {form: visit} gave false"}


def test_w_13_after_a_failure_that_nobody_handles_the_other_branches_go_on():
    ended = run(
        Step("a", note("a"), next=["b", "c"]),
        Step("b", Job(crash), next={"d": "on_success"}),
        Step("c", note("c"), next="e"),
        Step("d", note("d")),
        Step("e", note("e")),
    )

    assert (ended.outcome, outcomes(ended)) == (
        "crashed",
        {"a": "success", "b": "crashed", "c": "success", "e": "success"},
    )
    assert ended.state.inputs["e"]["data"] == ["a", "c", "e"]
    assert list(ended.state.errors) == ["b"]


@pytest.mark.parametrize(
    ("only", "data"), [({"b", "c"}, ["b", "c"]), ({"a", "b"}, ["a", "b"]), ({"c"}, ["c"]), ({"b"}, ["b"])]
)
def test_w_01_and_w_02_a_run_may_start_and_end_at_any_step(only, data):
    ended = run(Step("a", note("a"), next="b"), Step("b", note("b"), next="c"), Step("c", note("c")), only=only)

    assert (ended.outcome, ended.state.data, set(ended.walk.ended)) == ("success", data, only)
    assert ended.walk.skipped() == {}


def test_w_01_without_a_start_it_starts_at_every_step_that_no_edge_leads_to():
    ended = run(Step("a", note("a")), Step("b", note("b"), next="c"), Step("c", note("c")))

    assert {name: state["data"] for name, state in ended.state.inputs.items()} == {"a": ["a"], "c": ["b", "c"]}


def test_a_failure_is_not_handled_by_a_step_that_is_left_out():
    ended = run(Step("a", Job(fail), next={"b": "on_failure"}), Step("b", note("b")), only={"a"})

    assert (ended.outcome, ended.error.code) == ("failed", "NO")


def test_what_an_earlier_run_left_out_because_of_an_edge_stays_out():
    steps = Step("a", note("a"), next={"b": "on_failure"}), Step("b", note("b"), next="c"), Step("c", note("c"))
    first = run(*steps, only={"a", "b"})
    second = run(*steps, only={"c"}, kept=first.walk.ended.values())

    assert (second.outcome, second.state.data) == ("success", ["a"])
    assert second.walk.skipped() == {"c": "no step that leads to it ran"}


def test_what_is_kept_of_steps_that_come_later_or_stand_beside_does_not_count():
    steps = (
        Step("a", note("a"), next="b"),
        Step("b", note("b"), next="c"),
        Step("c", Job(fail)),
        Step("beside", Job(fail)),
    )
    earlier = [run(*steps, only={name}).walk.ended[name] for name in ("a", "c", "beside")]
    ended = run(*steps, only={"b"}, kept=earlier)

    assert (ended.outcome, ended.state, list(ended.walk.ended)) == ("success", {"data": ["a", "b"]}, ["a", "b"])


def test_a_kept_step_must_have_kept_what_it_handed_on():
    gone = run(Step("a", note("a"), next="b"), Step("b", note("b"))).walk.ended["a"]

    with pytest.raises(ArgumentError, match="what the step 'a' handed on was not kept"):
        run(Step("a", note("a"), next="b"), Step("b", note("b")), only={"b"}, kept=[gone])
    assert gone.state is None, "what all have received is dropped: it may be large"


def test_credentials_are_needed_only_by_the_steps_that_may_run():
    from crossdock.adaptors import http

    steps = Step("a", Job(http.get("https://x.invalid/", credential="crm")), next="b"), Step("b", note("b"))

    assert run(*steps, only={"b"}).outcome == "success"


def test_a_walk_runs_nothing_and_tells_what_is_next():
    walk = Walk(Workflow("test", *DIAMOND), State(data=[]))
    order = []
    while ready := walk.ready():
        order.append([step.name for step in ready])
        for step in ready:
            received, written = walk.begin(step)
            assert (walk.ready(), written) == ([other for other in ready if other.name not in walk._begun], {})
            walk.end(Ended(step.name, "success", received, Sealed.of({})))

    assert order == [["a"], ["b", "c"], ["d"]]
