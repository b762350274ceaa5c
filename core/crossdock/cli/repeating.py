"""Repeating: what of a run is done again, and which runs of a batch."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crossdock.errors import InputError, closest
from crossdock.store.errors import NoRecordError, RunStateError

if TYPE_CHECKING:
    from crossdock.project.project import Project
    from crossdock.project.shape import WorkflowDefinition
    from crossdock.store.records import Search
    from crossdock.store.store import Store


class Repeating:
    """Repeats runs of a project.

    Args:
        project: The project, as it is now.
        store: Its store.
        start: The first step to run again; by default all are.
        only_failed: Whether to run for the items alone that were put aside.
    """

    def __init__(self, project: "Project", store: "Store", start: str | None, *, only_failed: bool) -> None:
        self._project = project
        self._version = project.version()
        self._store = store
        self._start = start
        self._only_failed = only_failed

    def repeat(self, run: str) -> str:
        """Repeat a run, and give the id of the new one.

        Raises:
            StoreError: It can't be repeated.
            InputError: Its workflow has no such step.
        """
        keep = () if self._start is None else self._kept(run, self._start)
        return self._store.retry(run, keep=keep, only_failed=self._only_failed, project_version=self._version)

    def fitting(self, search: "Search") -> list[str]:
        """Give the runs that fit a search and have ended, the oldest first.

        Left out are those that the end of another one started: when that is repeated, it starts them.
        """
        ended = [run for run in self._store.history.runs(search) if run.state in ("ended", "dead")]
        chosen = {run.id for run in ended}
        return [run.id for run in reversed(ended) if chosen.isdisjoint(self._causes(run.message))]

    def _causes(self, message: str) -> Iterator[str]:
        """Give the run whose end started something, the one whose end started that, and so on."""
        found = self._store.history.message(message)
        while found.kind in ("flow", "catch", "notice") and "run" in (found.request or {}):
            run = str((found.request or {})["run"])
            yield run
            try:
                found = self._store.history.run(run).message
            except NoRecordError:  # it was pruned, and can't be in the batch
                return

    def _kept(self, run: str, start: str) -> set[str]:
        """Give the steps of a run whose end counts if it starts at a step: all but that and those behind it."""
        details = self._store.history.run(run)
        definition = self._project.definition(details.run.workflow)
        again = _behind(definition, _checked(definition, details.run.workflow, start))
        kept = {end.step for end in details.steps} - again
        origins = {name for name, step in definition.steps.items() if start in step.next}
        if origins and not origins & kept:
            raise RunStateError(
                f"the run {run} did not come to the step {start!r}", fix="Choose an earlier step, or retry all of it."
            )
        return kept


def _checked(definition: "WorkflowDefinition", workflow: str, step: str) -> str:
    if step in definition.steps:
        return step
    close = closest(step, definition.steps)
    names = ", ".join(definition.steps)
    fix = f"Did you mean {close}?" if close else "Name one of its steps."
    raise InputError(f"the workflow {workflow!r} has no step {step!r:.60}; it has {names}", fix=fix)


def _behind(definition: "WorkflowDefinition", start: str) -> set[str]:
    """Give a step and all that its ways lead to."""
    found, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting += set(definition.steps[name].next) - found
    return found
