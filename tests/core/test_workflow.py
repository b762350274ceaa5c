"""Workflows as they are built: how steps and edges are written, and what is wrong with them."""

import pytest
from crossdock import Edge, Job, Run, Step, Workflow, set_data, state
from crossdock.errors import ArgumentError, WorkflowError
from crossdock.workflow import AFTER, faults

NOTHING = Job(lambda s: s)


def has_rows(s):
    return bool(s.data)


def messages(edges, names=None):
    ends = {name: [Edge(to) for to in leads] for name, leads in edges.items()}
    return [fault.message for fault in faults(ends, names or list(edges))]


@pytest.mark.parametrize(
    ("given", "edges"),
    [
        ("b", [Edge("b", "always")]),
        (["b", "c"], [Edge("b", "always"), Edge("c", "always")]),
        ({"b": "on_success", "c": "on_failure"}, [Edge("b", "on_success"), Edge("c", "on_failure")]),
        ({"b": has_rows}, [Edge("b", "on_success", has_rows)]),
        ([Edge("b", "always", has_rows)], [Edge("b", "always", has_rows)]),
        ((), []),
    ],
)
def test_w_04_every_form_of_an_edge_is_one_thing_and_without_a_condition_it_is_always(given, edges):
    assert list(Step("a", NOTHING, next=given).next) == edges


@pytest.mark.parametrize("condition", ["on_job_success", "never", True, None, 1, state.data, int, set_data(1)])
def test_w_05_a_condition_that_there_is_not_is_refused_when_it_is_written(condition):
    with pytest.raises(ArgumentError, match=r"the edge to 'b' has .* for its condition") as caught:
        Step("a", NOTHING, next={"b": condition})

    assert all(word in caught.value.fix for word in AFTER)


def test_w_03_two_steps_of_one_name_are_refused():
    with pytest.raises(WorkflowError, match="there are 2 steps 'a'"):
        Workflow("twice", Step("a", NOTHING), Step("a", NOTHING))


@pytest.mark.parametrize(
    ("edges", "ways"),
    [
        ({"a": ["a"]}, ["a → a"]),
        ({"a": ["b"], "b": ["a"]}, ["a → b → a"]),
        ({"start": ["a"], "a": ["b"], "b": ["a", "end"], "end": []}, ["a → b → a"]),
        ({"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]}, ["a → b → a", "c → d → c"]),
    ],
)
def test_w_10_every_circle_is_found_whichever_way_its_edges_are_written(edges, ways):
    assert messages(edges) == [f"the steps lead in a circle: {way}" for way in ways]
    for form in (str, lambda end: {end: "on_success"}, lambda end: [Edge(end)]):
        if all(len(ends) <= 1 for ends in edges.values()):
            steps = [Step(name, NOTHING, next=form(ends[0]) if ends else ()) for name, ends in edges.items()]
            with pytest.raises(WorkflowError, match=f"the steps lead in a circle: {ways[0]}"):
                Workflow("circle", *steps)


def test_every_fault_is_named_at_once_and_the_closest_name_is_told():
    steps = Step("load", NOTHING, next="raport"), Step("report", NOTHING, next="load"), Step("load", NOTHING)

    with pytest.raises(WorkflowError) as caught:
        Workflow("visits", *steps, Step("x", NOTHING, next="y"), Step("y", NOTHING, next="x"))

    said = caught.value.message
    assert "there are 2 steps 'load'" in said
    assert "the steps lead in a circle: x → y → x" in said
    assert [f.fix for f in faults({"load": [Edge("raport")], "report": []}, ["load", "report"])] == [
        "Did you mean report?"
    ]


def test_a_workflow_without_steps_and_a_step_without_a_job_are_refused():
    with pytest.raises(WorkflowError, match="has no steps"):
        Workflow("empty")
    with pytest.raises(ArgumentError, match="type function for its job") as caught:
        Step("a", has_rows)
    assert caught.value.fix == "Give it a Job or a Workflow: Job(…)."


def test_a_step_that_is_not_there_is_told_the_closest_name():
    with pytest.raises(ArgumentError) as caught:
        Workflow("visits", Step("report", NOTHING)).step("raport")

    assert caught.value.fix == "Did you mean report?"


def test_w_11_a_step_without_operations_hands_on_what_it_receives():
    steps = Step("trigger", Job(), next="load"), Step("load", Job(set_data(state.data["n"])))
    run = Run(Workflow("visits", *steps), {"data": {"n": 7}})

    assert (run.execute(), run.state.data) == ("success", 7)
