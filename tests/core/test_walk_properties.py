"""Any workflow: each step runs at most once, when it is due, in series and in parallel alike, and its end is explained."""

import threading
from collections.abc import Mapping
from typing import Any, NamedTuple

from crossdock import (
    Edge,
    Job,
    JobError,
    Plugins,
    Run,
    Step,
    UnknownOutcomeError,
    Workflow,
    hookimpl,
    put_aside,
    save_cursor,
    stop,
    warn,
)
from crossdock.state import State
from crossdock.walk import Ended
from crossdock.workflow import AFTER
from hypothesis import given, settings
from hypothesis import strategies as st

WAYS = {
    "well": "success",
    "stop": "success",
    "partial": "partial",
    "fail": "failed",
    "unknown": "unknown",
    "crash": "crashed",
}
WELL = ("success", "partial")
WORST = ("crashed", "unknown", "failed", "partial", "success")


def holds(s: State) -> bool:
    return True


def holds_not(s: State) -> bool:
    return False


def breaks(s: State) -> bool:
    raise ValueError("broken")


class Plan(NamedTuple):
    """A workflow: edges lead from lower to higher numbers, and its steps are listed in any order."""

    ways: list[str]
    edges: dict[tuple[int, int], tuple[Any, Any]]
    listed: list[int]

    def workflow(self, work: Any) -> Workflow:
        """Build it, of jobs that do their work by name."""
        return Workflow("any", *(self.step(number, work) for number in self.listed))

    def step(self, number: int, work: Any) -> Step:
        ends = [Edge(f"s{to}", after, when) for (origin, to), (after, when) in self.edges.items() if origin == number]
        return Step(f"s{number}", work(number, self.ways[number]), next=ends)

    def before(self, number: int) -> list[int]:
        """Give the steps that lead directly to one."""
        return [origin for origin, to in sorted(self.edges) if to == number]

    def all_before(self, number: int) -> set[int]:
        """Give all from which a way leads to a step."""
        direct = self.before(number)
        return {*direct, *(far for near in direct for far in self.all_before(near))}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    count = draw(st.integers(1, 7))
    edge = st.tuples(st.sampled_from(AFTER), st.sampled_from([None, None, None, holds, holds_not, breaks]))
    pairs = [(origin, to) for to in range(count) for origin in range(to)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=14)) if pairs else []
    return Plan(
        draw(st.lists(st.sampled_from(sorted(WAYS)), min_size=count, max_size=count)),
        {pair: draw(edge) for pair in chosen},
        draw(st.permutations(range(count))),
    )


class Expected:
    """What must become of a plan, by the rules as a person reads them."""

    def __init__(self, plan: Plan) -> None:
        self.outcomes: dict[str, str] = {}
        self.followed: dict[tuple[str, str], bool] = {}
        self.hands_on: dict[int, set[str]] = {}
        for number in range(len(plan.ways)):
            self._step(plan, number)

    def _step(self, plan: Plan, number: int) -> None:
        leading = [origin for origin in plan.before(number) if self.followed.get((f"s{origin}", f"s{number}"))]
        if plan.before(number) and not leading:
            return
        outcome = self.outcomes[f"s{number}"] = WAYS[plan.ways[number]]
        seen = {name for origin in leading for name in self.hands_on[origin]}
        self.hands_on[number] = seen | {f"s{number}"} if outcome in WELL else seen
        for (origin, to), (after, when) in plan.edges.items():
            if origin == number:
                due = {"always": True, "on_success": outcome in WELL, "on_failure": outcome not in WELL}[after]
                self.followed[f"s{origin}", f"s{to}"] = due and when in (None, holds)

    def outcome(self, plan: Plan) -> str:
        left = ["success"]
        for (origin, _), (after, when) in plan.edges.items():
            outcome = self.outcomes.get(f"s{origin}")
            if when is breaks and outcome and (after == "always" or (outcome in WELL) == (after == "on_success")):
                left.append("crashed")
        for name, outcome in self.outcomes.items():
            ends = [edge for edge, followed in self.followed.items() if followed and edge[0] == name]
            told = [plan.edges[int(origin[1:]), int(to[1:])][0] for origin, to in ends]
            handled = outcome in ("failed", "unknown") and "on_failure" in told
            left.append("success" if handled else outcome)
        return min(left, key=WORST.index)


def seen_in(state: Mapping[str, Any]) -> set[str]:
    """Give the names of the steps that a state went through."""
    inside = [seen_in(other) for other in state.get("inputs", {}).values()]
    return set(state.get("data") or []).union(*inside)


class Log:
    """What ran when, in all threads."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.ended: list[Ended] = []
        self._lock = threading.Lock()

    def work(self, number: int, way: str) -> Job:
        name = f"s{number}"

        def begin(s: State) -> State:
            self._add("begin", name)
            warn(name)
            return s

        def work(s: State) -> Any:
            after = s.result(sorted({*seen_in(s), name}))
            if way in ("fail", "unknown"):
                raise JobError("NO", "no") if way == "fail" else UnknownOutcomeError("who knows")
            if way == "partial":
                put_aside(name, JobError("NO", "no"))
            if way == "crash":
                return None
            return stop("enough")(after) if way == "stop" else after

        def end(s: State) -> State:
            self._add("end", name)
            return s

        return Job(begin, save_cursor(name, number), work, end)

    @hookimpl
    def crossdock_step_finished(self, ended: Ended) -> None:
        self.ended.append(ended)

    def _add(self, what: str, name: str) -> None:
        with self._lock:
            self.lines.append((what, name))


def executed(plan: Plan, **options: Any) -> tuple[Run, Log]:
    log = Log()
    plugins = Plugins()
    plugins.register("log", log)
    run = Run(plan.workflow(log.work), {"data": [], "cursors": {"old": 1}}, plugins=plugins, **options)
    run.execute()
    return run, log


def said(run: Run) -> Any:
    """Give all that a run says of itself but times and lines."""
    ended = {name: (ended.outcome, ended.stopped) for name, ended in run.walk.ended.items()}
    decisions = sorted((d.origin, d.edge.to, d.followed, d.why) for d in run.walk.decisions)
    return run.outcome, run.state, ended, decisions, type(run.error)


@settings(max_examples=120, deadline=None)
@given(plans())
def test_w_09_every_step_runs_once_if_an_edge_leads_to_it_and_all_of_them_are_decided(plan: Plan):
    run, log = executed(plan)
    expected = Expected(plan)

    began = [name for what, name in log.lines if what == "begin"]
    assert sorted(began) == sorted(expected.outcomes)
    assert {name: ended.outcome for name, ended in run.walk.ended.items()} == expected.outcomes
    assert {(d.origin, d.edge.to): d.followed for d in run.walk.decisions} == expected.followed
    for name in began:
        before = {f"s{number}" for number in plan.all_before(int(name[1:]))} & set(expected.outcomes)
        assert before <= set(began[: began.index(name)])


@settings(max_examples=120, deadline=None)
@given(plans())
def test_every_outcome_is_explained(plan: Plan):
    run, _ = executed(plan)
    expected = Expected(plan)

    assert run.outcome == expected.outcome(plan)
    assert (run.error is None) == (run.outcome in WELL)
    assert set(run.walk.skipped()) == {f"s{number}" for number in plan.listed} - set(expected.outcomes)
    assert all(run.walk.skipped().values())
    failed = {name for name, outcome in expected.outcomes.items() if outcome not in WELL}
    broken = {what for what in run.state.get("errors", {}) if "→" in what}
    assert set(run.state.get("errors", {})) == failed | broken
    assert sorted(warning["code"] for warning in run.state.warnings) == sorted(expected.outcomes)
    kept = {name: int(name[1:]) for name, outcome in expected.outcomes.items() if outcome in WELL}
    assert run.state.cursors == {"old": 1, **(kept if run.outcome in WELL else {})}
    last = [n for n in expected.hands_on if not any(f and edge[0] == f"s{n}" for edge, f in expected.followed.items())]
    left = run.state.inputs if len(last) > 1 else {f"s{last[0]}": run.state}
    assert {name: seen_in(state) for name, state in left.items()} == {f"s{n}": expected.hands_on[n] for n in last}


@settings(max_examples=80, deadline=None)
@given(plans())
def test_w_08_in_series_and_in_parallel_everything_is_the_same(plan: Plan):
    one_by_one, _ = executed(plan)
    at_once, log = executed(plan, parallel=4)

    assert said(one_by_one) == said(at_once)
    assert one_by_one.walk.skipped() == at_once.walk.skipped()
    began = [name for what, name in log.lines if what == "begin"]
    assert len(began) == len(set(began))
    for name in began:
        at = log.lines.index(("begin", name))
        for origin in plan.all_before(int(name[1:])):
            if ("end", f"s{origin}") in log.lines:
                assert log.lines.index(("end", f"s{origin}")) < at


@settings(max_examples=80, deadline=None)
@given(plans(), st.data())
def test_w_01_and_w_02_up_to_a_step_and_then_from_it_is_the_same_as_the_whole(plan: Plan, data: st.DataObject):
    at = data.draw(st.integers(0, len(plan.ways) - 1))
    first = {f"s{number}" for number in plan.all_before(at)}
    rest = {f"s{number}" for number in plan.listed} - first

    whole, _ = executed(plan)
    up_to, before = executed(plan, only=first)
    from_there, after = executed(plan, only=rest, kept=before.ended, parallel=data.draw(st.integers(1, 3)))

    assert said(from_there) == said(whole)
    assert {**up_to.walk.skipped(), **from_there.walk.skipped()} == whole.walk.skipped()
    ran = [name for what, name in [*before.lines, *after.lines] if what == "begin"]
    assert sorted(ran) == sorted(Expected(plan).outcomes)
    assert set(up_to.walk.ended) <= first
