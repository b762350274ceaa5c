"""The picture of a workflow as a project file defines it; none of its jobs is loaded for that."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from crossdock.cli.drawing.picture import Box, Picture, Way
from crossdock.cli.tree import time_text

if TYPE_CHECKING:
    from crossdock.project.shape import WorkflowDefinition
    from crossdock.project.steps import EdgeDefinition, StepDefinition
    from crossdock.project.triggers import Trigger

Told = Mapping[str, Mapping[str, Any]]
"""Step → what became of it, as a run reports it: ``outcome``, ``seconds``, ``why``, ``followed``, ``ended``."""


def picture_of(name: str, definition: "WorkflowDefinition", told: Told) -> Picture:
    """Give the picture of a workflow.

    Args:
        name: What it is called.
        definition: What the project says of it.
        told: What became of its steps when it last ran.
    """
    numbers = {step: number for number, step in enumerate(definition.steps)}
    steps = [_step(step, runs, told.get(step, {})) for step, runs in definition.steps.items()]
    ways = [way for step, runs in definition.steps.items() for way in _ways(step, runs, told.get(step, {}), numbers)]
    triggers = [_trigger(trigger, starts_it) for trigger, starts_it in definition.triggers.items()]
    ended = max((str(of_step["ended"]) for of_step in told.values() if "ended" in of_step), default=None)
    note = "" if ended is None else f"last ran {ended[:16].replace('T', ' ')} UTC"
    return Picture.of(name, note, triggers, steps, ways)


def _step(name: str, runs: "StepDefinition", told: Mapping[str, Any]) -> Box:
    lines = [
        *([f"workflow {runs.workflow}"] if runs.workflow else []),
        *([f"per item of {runs.each.items}"] if runs.each else []),
    ]
    time = "kept" if told.get("kept") else time_text(told["seconds"]) if "seconds" in told else ""
    more = f"{time}, handled" if told.get("handled") else time
    return Box(name, "step", tuple(lines), str(told.get("outcome", "")), more, str(told.get("why", "")))


def _ways(name: str, runs: "StepDefinition", told: Mapping[str, Any], numbers: Mapping[str, int]) -> Iterator[Way]:
    followed = [] if told.get("outcome") == "skipped" else told.get("followed")
    for to, edge in runs.next.items():
        when, condition = _conditions(edge)
        yield Way(numbers[name], numbers[to], when, None if followed is None else to in followed, condition)


def _conditions(edge: "EdgeDefinition") -> tuple[str, str]:
    """Say when an edge is followed, in a few words and in full."""
    asked = edge.when.rpartition(":")[2] if edge.when else str(edge.filter) if edge.filters else ""
    if not asked:
        return edge.after, edge.after
    before = "" if edge.after == "on_success" else f"{edge.after}, "
    word = "when " if edge.when else ""
    return f"{before}{word}{asked}", f"{edge.after}, {word}{edge.when or asked}"


def _trigger(name: str, trigger: "Trigger") -> Box:
    """Say what starts a workflow."""
    lines = [f"{kind} {getattr(trigger, key)}" for key, kind in _TRIGGERS.items() if getattr(trigger, key, None)]
    more = [str(getattr(trigger, "filter", "")), "" if trigger.enabled else "not enabled"]
    return Box(name, "trigger", tuple(filter(None, [*lines, *more])))


_TRIGGERS = {
    "path": "webhook",
    "expression": "cron",
    "timezone": "in",
    "success": "after success of",
    "failure": "after failure of",
}
"""The attributes of triggers that say what they wait for, and the words for them."""
