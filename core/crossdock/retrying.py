"""Retrying: feeds the failed items of an earlier run back.

Each item goes to the loop that put it aside, and nothing else of the job runs: what succeeded is
not done twice, and no cursor moves past what a list that is fetched again would hold by then.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from typing import Any

from crossdock.common.flow import each
from crossdock.common.loop import OF_STEP, OnError
from crossdock.errors import InputError
from crossdock.job import Job, all_parts
from crossdock.operation import Operation, as_operation
from crossdock.workflow import Step, Workflow

_AGAIN = "Run the job again on its input."


def retried(job: Job, state: Mapping[str, Any], what: str) -> Job:
    """Make the job that runs the loops of a job on the items that they put aside.

    A loop is known by the name of what it runs. It stands alone: without the ``.into``,
    ``.catch``, ``.retry`` or ``when`` that is written around it.

    Args:
        job: The job that put them aside.
        state: The final state that holds them under ``failed``.
        what: Where that comes from, for the errors.

    Raises:
        InputError: Something in it can't be fed back; nothing ran.
    """
    _check_state(state, what)
    items: dict[str, list[Any]] = {}
    for entry in state["failed"]:
        items.setdefault(_loop_of(entry, what), []).append(entry["item"])
    loops = _loops(job)
    return Job(*(_fed(_chosen(loops, name, what), items[name]) for name in sorted(items, key=[*loops, *items].index)))


def retried_steps(workflow: Workflow, failed: Iterable[Mapping[str, Any]], what: str) -> Workflow:
    """Make the workflow whose steps run their loops on the items that they put aside, and nothing else.

    Args:
        workflow: The workflow whose run put them aside.
        failed: The items.
        what: Where they come from, for the errors.

    Raises:
        InputError: Some can't be fed back; nothing ran.
    """
    loops = {step.name: _loops_of(step) for step in workflow.steps}
    of_step: dict[str, list[Mapping[str, Any]]] = {}
    for entry in failed:
        name = _loop_of(entry, what)
        steps = [step for step, known in loops.items() if name in known]
        if len(steps) != 1:
            those = f"the steps {' and '.join(steps)} have" if steps else "no job of a step has"
            raise InputError(f"{what} has failed items of a loop that ran {name!r:.60}, which {those}", fix=_AGAIN)
        of_step.setdefault(steps[0], []).append(entry)
    chosen = [workflow.step(name) for name in workflow.order if name in of_step]
    return Workflow(workflow.name, *(_fed_step(step, of_step[step.name], what) for step in chosen))


def _loops_of(step: Step) -> set[str]:
    """Give the names of the loops of a step that items can be fed back to; one that runs once per item is a loop."""
    if step.each is not None:
        return {f"{OF_STEP}{step.name}"}
    return set(_loops(step.job)) if isinstance(step.job, Job) else set()


def _fed_step(step: Step, failed: list[Mapping[str, Any]], what: str) -> Step:
    if step.each is not None:
        _refuse_stopped(step.each.on_error, f"the step {step.name!r}", what)
        items = [entry["item"] for entry in failed]
        again = step.each._replace(items=lambda _: items)
        return Step(step.name, step.job, credentials=step.credentials, each=again, seconds=step.seconds)
    assert isinstance(step.job, Job)  # noqa: S101 - only such steps were looked at
    job = retried(step.job, {"failed": failed}, what)
    return Step(step.name, job, credentials=step.credentials, seconds=step.seconds)


def _check_state(state: Mapping[str, Any], what: str) -> None:
    """Refuse a state that a run left whose items are not all told by ``failed``."""
    if not isinstance(state.get("failed"), list) or not state["failed"]:
        raise InputError(f"{what} has no failed items", fix="Name the final state of a run that ended as partial.")
    if state.get("errors"):
        raise InputError(f"{what} is of a run that failed, and may have undone what its other items did", fix=_AGAIN)
    masked = [warning for warning in state.get("warnings") or () if _is_of_masked_item(warning)]
    if masked:
        raise InputError(f"{what} has a failed item that held a secret, which is stored as ***", fix=_AGAIN)


def _is_of_masked_item(warning: Any) -> bool:
    is_one = isinstance(warning, dict) and warning.get("code") == "secret_in_state"
    return is_one and str(warning.get("path")).startswith("$.failed[")


def _loop_of(entry: Any, what: str) -> str:
    if not isinstance(entry, dict) or "item" not in entry:
        raise InputError(f"{what} has something else under 'failed' than failed items")
    if not isinstance(entry.get("loop"), str):
        raise InputError(
            f"{what} has a failed item (index {entry.get('index')}, key {entry.get('key')!r:.60}) that no loop of the job put aside: "
            "a function of it did",
            fix=f"{_AGAIN[:-1]}: a cursor stays before what failed.",
        )
    return str(entry["loop"])


def _loops(job: Job) -> dict[str, list[Operation]]:
    """Give the loops of a job by the name of what they run."""
    found: dict[str, list[Operation]] = {}
    for loop in all_loops(job):
        found.setdefault(as_operation(loop.arguments[1]).name, []).append(loop)
    return found


def all_loops(job: Job) -> Iterator[Operation]:
    """Give every ``each`` that a job consists of."""
    return (part for part in all_parts(job) if part.declaration is each.declaration)  # type: ignore[attr-defined]


def _chosen(loops: dict[str, list[Operation]], name: str, what: str) -> Operation:
    """Give the one loop that runs an operation of this name."""
    found = loops.get(name, [])
    if name.startswith(OF_STEP):
        raise InputError(
            f"{what} has failed items of the {name}, which a workflow runs once per item",
            fix="Run the workflow again on its input; of a run that was served: crossdock runs retry RUN --failed.",
        )
    if not found:
        known = ", ".join(map(repr, loops)) or "nothing"
        raise InputError(
            f"{what} has failed items of a loop that ran {name!r:.60}; the loops of the job run {known}",
            fix="Name the job that put them aside, and what its loop runs as it was named then.",
        )
    if len(found) > 1:
        lines = " and ".join(str(loop.site) for loop in found)
        raise InputError(
            f"{what} has failed items of a loop that ran {name!r}, and the loops at {lines} do",
            fix=f"Give what these loops run different names. {_AGAIN}",
        )
    _refuse_stopped(_option(found[0], "on_error"), f"the loop at {found[0].site}", what)
    return found[0]


def _refuse_stopped(on_error: OnError, which: str, what: str) -> None:
    if on_error == "stop":
        raise InputError(f"{what} has an item at which {which} stopped; those after it are not in it", fix=_AGAIN)


def _option(loop: Operation, name: str) -> Any:
    names = [parameter.name for parameter in loop.declaration.parameters]
    return loop.arguments[names.index(name)]


def _fed(loop: Operation, items: list[Any]) -> Operation:
    """Give a loop over other items."""
    fed = copy(loop)
    fed.arguments = (items, *loop.arguments[1:])
    return fed
