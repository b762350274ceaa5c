"""What a person reads on standard error when a run has ended."""

import linecache
from typing import Any

from crossdock.cli.ending import WRONG_INPUT
from crossdock.cli.planned import planned
from crossdock.cli.tree import tree_lines
from crossdock.plan import NO_ANSWER

Report = dict[str, Any]
"""What a run reports of itself: its outcome, final state, timings or traced operations."""


def summary(name: str, report: Report, seconds: float, *, dry_run: bool, tree: bool) -> str:
    """Say how a run ended, what its operations did, and what to do about what went wrong.

    Args:
        name: What ran: a job by the name of its file, or a workflow.
        report: What the run reported.
        seconds: How long it took.
        dry_run: Whether its writes were only planned.
        tree: Whether to show the tree of what was traced.
    """
    stopped = f" (stopped: {report['stopped']})" if report.get("stopped") else ""
    outcome = "not run, wrong input" if report.get("exit") == WRONG_INPUT else report["outcome"]
    lines = [f"{name}: {outcome} in {seconds:.2f} s{stopped}"]
    inside = _trees if tree else _timings
    several = len(report.get("steps", [])) > 1
    lines += step_lines(report, inside(report)) if several else inside(report).get(None, [])
    error = error_of(report)
    lines += _error_lines(error) if error else []
    lines += [report["trace"]] if report.get("trace") else []
    state = report.get("state") or {}
    if failed := state.get("failed"):
        what = "1 item failed; it is" if len(failed) == 1 else f"{len(failed)} items failed; they are"
        lines.append(f"  {what} in the state under 'failed'")
    if dry_run and "plan" in state:
        lines += _plan_lines(state["plan"], failed=error is not None)
    return "\n".join(lines)


def error_of(report: Report) -> dict[str, Any] | None:
    """Give the record of the error that ended a run."""
    if report.get("error") or report["outcome"] in ("success", "partial"):
        return report.get("error")
    errors = report["state"]["errors"]
    handled = {step["name"] for step in report.get("steps", []) if step.get("handled")}
    left = [record for name, record in errors.items() if name not in handled]
    return next(iter([*left, *errors.values()]), None)


Inside = dict[str | None, list[str]]
"""The lines on the operations of each step; under None those of all."""


def _timings(report: Report) -> Inside:
    timings = report.get("timings", [])
    steps = dict.fromkeys(timing["step"] for timing in timings)
    return {None: _timing_lines(timings)} | {
        name: _timing_lines([timing for timing in timings if timing["step"] == name]) for name in steps
    }


def _trees(report: Report) -> Inside:
    traced = report["traced"]
    steps = dict.fromkeys(span["step"] for span in traced["spans"])
    alone: dict[str, Any] = {"notes": {}, "running": None}
    return {None: tree_lines(traced)} | {
        name: tree_lines({**alone, "spans": [span for span in traced["spans"] if span["step"] == name]})
        for name in steps
    }


def step_lines(report: Report, inside: Inside) -> list[str]:
    """Tell of each step of a workflow how it ended, or why it did not run."""
    width = max(len(step["name"]) for step in report["steps"])
    lines = []
    for step in report["steps"]:
        lines.append(f"  {step['name']:<{width}}  {step_text(step)}".rstrip())
        lines += [f"      {count:,} × {name}  {how}" for (name, how), count in step.get("inner", [])]
        lines += [f"  {line}" for line in inside.get(step["name"], [])]
    return lines


def step_text(step: dict[str, Any]) -> str:
    """Say in a few words what became of a step."""
    if step["outcome"] == "skipped":
        return f"did not run ({step['why']})"
    notes = [
        *(
            ["kept from an earlier run"]
            if step.get("kept")
            else [f"{step['seconds']:.2f} s"]
            if "seconds" in step
            else []
        ),
        *(["handled"] if step.get("handled") else []),
        *([f"stopped: {step['stopped']}"] if step.get("stopped") else []),
    ]
    return f"{step['outcome']}  {', '.join(notes)}"


def _timing_lines(timings: list[dict[str, Any]]) -> list[str]:
    width = max((len(timing["name"]) for timing in timings), default=0)
    return [_timing_line(number, timing, width) for number, timing in enumerate(timings, 1)]


def _timing_line(number: int, timing: dict[str, Any], width: int) -> str:
    mark = "failed" if timing["failed"] else f"{timing['seconds']:.3f} s"
    return f"  {number:>2}  {mark:>8}  {timing['name']:<{width}}  {timing['line']}  {timing['text'][:60]}".rstrip()


def _plan_lines(plan: list[dict[str, Any]], *, failed: bool) -> list[str]:
    """Show what a dry run would have written: not the data, which stands in the state."""
    lines = [f"  would write  {line}" for line in planned(plan)]
    made = {0: "no write was planned", 1: "1 write was not made"}.get(len(plan), f"{len(plan)} writes were not made")
    return [*lines, f"  dry run: {made}", *([f"  {NO_ANSWER}"] if plan and failed else [])]


def _error_lines(error: dict[str, Any]) -> list[str]:
    lines = [f"  {error['type']} [{error['code']}]{place_of(error)}: {error['message']}"]
    if source := source_of(error.get("line", "")):
        lines.append(f"      {source}")
    return [*lines, f"  fix: {error['fix']}"]


def place_of(error: dict[str, Any]) -> str:
    """Say where an error came from: `` in http.get (job.py:7)``."""
    if "operation" in error:
        return f" in {error['operation']} ({error['line']})"
    return f" at {error['line']}" if "line" in error else ""


def source_of(line: str) -> str:
    """Give the text of a line, which is written ``file:number``."""
    file, _, number = line.rpartition(":")
    return linecache.getline(file, int(number)).strip() if number.isdigit() else ""
