"""Which steps of a workflow ``--start``, ``--end`` and ``--only`` choose, and what they start from."""

from collections.abc import Collection

from crossdock.cli.outputs import StepOutputs
from crossdock.errors import InputError, closest
from crossdock.walk import Ended
from crossdock.workflow import Workflow


class Selection:
    """The steps of a workflow that are to run.

    Args:
        workflow: The workflow.
        start: Where to begin; by default at the beginning. Part of a name is enough if it is the only one.
        end: Where to end; by default at the end.

    Raises:
        InputError: There is no such step, several, or no way from one to the other.
    """

    def __init__(self, workflow: Workflow, start: str | None, end: str | None) -> None:
        self._workflow = workflow
        self.start = None if start is None else _named(workflow, start)
        self.end = None if end is None else _named(workflow, end)
        behind = workflow.order if self.start is None else (self.start, *_behind(workflow, self.start))
        before = workflow.order if self.end is None else (self.end, *_before(workflow, self.end))
        self.steps = [name for name in workflow.order if name in behind and name in before]
        if not self.steps:
            raise InputError(
                f"no way leads from {self.start!r} to {self.end!r} in the workflow {workflow.name!r}",
                fix="Choose an end that comes after the start.",
            )

    def kept(self, outputs: StepOutputs, *, has_state: bool) -> list[Ended]:
        """Give what the steps handed on in an earlier run that those to be run come after.

        Args:
            outputs: What is kept.
            has_state: Whether the input of the first step is given: then nothing that is kept counts for it.
        """
        if self.start is None:
            return []
        origins = self._workflow.origins[self.start]
        left_out = {*self.steps, *(origins if has_state else ())}
        kept = [found for name in self._workflow.order if name not in left_out and (found := outputs.read(name))]
        if origins and not has_state and not {found.step for found in kept} & set(origins):
            raise InputError(
                f"nothing is kept of {' or '.join(map(repr, origins))}, which leads to {self.start!r}",
                fix="Run the workflow from the beginning, or give the input of the step: --state FILE.",
            )
        return kept


def _named(workflow: Workflow, text: str) -> str:
    """Give the step that has a name, or the only one with a part of it."""
    names = workflow.order
    found = [text] if text in names else [name for name in names if text in name]
    if len(found) == 1:
        return found[0]
    close = closest(text, names)
    several = f"{', '.join(found)} have it in their names" if found else f"it has {', '.join(names)}"
    raise InputError(
        f"the workflow {workflow.name!r} has no step {text!r:.60}; {several}",
        fix=f"Did you mean {close}?" if close and not found else "Name one of its steps.",
    )


def _before(workflow: Workflow, name: str) -> Collection[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        origins = set(workflow.origins[waiting.pop()]) - found
        found |= origins
        waiting += origins
    return found


def _behind(workflow: Workflow, name: str) -> Collection[str]:
    return [other for other in workflow.order if name in _before(workflow, other)]
