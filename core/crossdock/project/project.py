"""Project: what a project file says, ready to run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crossdock.errors import InputError, closest
from crossdock.job import Job, load_function, load_job
from crossdock.project import posting
from crossdock.project.shape import (
    AdaptorChoice,
    Environment,
    Notice,
    ProjectFile,
    Retention,
    Serve,
    WorkflowDefinition,
)
from crossdock.project.steps import EachDefinition, EdgeDefinition, StepDefinition
from crossdock.project.version import Version
from crossdock.site import short
from crossdock.state import State
from crossdock.workflow import Condition, Each, Edge, Step, Workflow


class Project:
    """What a project file says.

    Args:
        file: The file.
        shape: What stands in it.
        environment: The name of the environment that it is for.
    """

    def __init__(self, file: Path, shape: ProjectFile, environment: str | None = None) -> None:
        self.file = file
        self.folder = file.parent
        self.name = shape.name or self.folder.resolve().name
        self.environment = environment
        self.serve: Serve = shape.serve
        self.retention: Retention = shape.retention
        self.adaptors: AdaptorChoice = shape.adaptors
        other = _environment(file, shape, environment)
        self.store: str | None = shape.store_of(environment)
        """Where messages and runs are kept; None if its environment has no store of its own and needs one."""
        self.settings = shape.settings | other.settings
        """What jobs read as ``settings.name``."""
        own = {name: credential.model_dump() for name, credential in shape.credentials.items()}
        self.credentials = {name: fields | other.credentials.get(name, {}) for name, fields in own.items()}
        """Name → fields, with the adaptor's name under ``adaptor``; references stand as they are written."""
        self.definitions: dict[str, WorkflowDefinition] = {name: shape.definition(name) for name in shape.workflows}
        """What is said of each workflow: its triggers, limits, retries; what holds for all is filled in."""
        self.posts: dict[str, Notice] = {
            self.told(name, number, notice): notice
            for name, definition in self.definitions.items()
            for number, notice in enumerate(definition.notify, 1)
            if notice.webhook is not None
        }
        """The notices that are posted, by the name of the workflow that does it, which is in no file."""

    @property
    def workflow_names(self) -> tuple[str, ...]:
        """The names of its workflows, as the file lists them."""
        return tuple(self.definitions)

    def workflow(self, name: str) -> Workflow:
        """Build a workflow, from the files of its jobs.

        Args:
            name: Its name.

        Raises:
            InputError: There is no such workflow.
            JobLoadError: A file of it can't be loaded.
        """
        if name in self.posts:
            return posting.posting(name)
        definition = self.definition(name)
        return Workflow(name, *(self._step(step, runs) for step, runs in definition.steps.items()))

    def files(self) -> Iterator[Path]:
        """Give the files of its jobs and conditions, each as often as it is named."""
        for definition in self.definitions.values():
            for step in definition.steps.values():
                if step.job is not None:
                    yield self.folder / step.job
                for edge in step.next.values():
                    if edge.when is not None:
                        yield self.folder / edge.when.rpartition(":")[0]

    def version(self) -> str:
        """Give what stands for all that is written in its file and those of its jobs, as they are now."""
        return Version(self)()

    def credentials_of(self, name: str) -> dict[str, dict[str, Any]]:
        """Give the credentials that the steps of a workflow may use, as ``Run`` takes them."""
        if name in self.posts:
            return posting.credentials_for(self.posts[name])
        used = set(self._used(name))
        return {credential: fields for credential, fields in self.credentials.items() if credential in used}

    def unlisted(self, name: str) -> dict[str, str]:
        """Give the other credentials of the project, each with its adaptor's name: no step of the workflow may use them."""
        used = set(self._used(name))
        return {other: fields["adaptor"] for other, fields in self.credentials.items() if other not in used}

    def _used(self, name: str) -> Iterator[str]:
        for step in self.definition(name).steps.values():
            if step.credentials is not None:
                yield from step.credentials
            elif step.workflow is not None:
                yield from self._used(step.workflow)
            else:
                yield from self.credentials

    def definition(self, name: str) -> WorkflowDefinition:
        """Give what is said of a workflow; the arguments and errors are those of ``workflow``."""
        if name in self.posts:
            return posting.DEFINITION
        if name not in self.definitions:
            close = closest(name, self.definitions)
            names = ", ".join(self.definitions) or "none"
            fix = f"Did you mean {close}?" if close else "Name one of its workflows."
            raise InputError(f"{short(str(self.file))} has no workflow {name!r:.60}; it has {names}", fix=fix)
        return self.definitions[name]

    def told(self, workflow: str, number: int, notice: Notice) -> str:
        """Give the name of the workflow that is run for a notice.

        Args:
            workflow: What the notice is about.
            number: Its place in the list of that workflow, from 1.
            notice: The notice.
        """
        return notice.workflow or f"notify:{workflow}:{number}"

    def _step(self, name: str, runs: StepDefinition) -> Step:
        return Step(
            name,
            self._work(runs),
            next=[self._edge(to, edge) for to, edge in runs.next.items()],
            credentials=runs.credentials,
            each=None if runs.each is None else _each(runs.each),
            seconds=None if runs.limits is None else runs.limits.seconds,
        )

    def _work(self, runs: StepDefinition) -> Job | Workflow:
        return self.workflow(runs.workflow) if runs.workflow is not None else load_job(self.folder / str(runs.job))

    def _edge(self, to: str, edge: EdgeDefinition) -> Edge:
        return Edge(to, edge.after, self._condition(edge))

    def _condition(self, edge: EdgeDefinition) -> Condition | None:
        if edge.when is not None:
            file, _, name = edge.when.rpartition(":")
            return load_function(self.folder / file, name)
        return _Contains(edge) if edge.filters else None


class _Contains:
    """The condition that ``state.data`` passes a filter."""

    def __init__(self, edge: EdgeDefinition) -> None:
        self._filter = edge.filter

    def __call__(self, state: State) -> bool:
        return self._filter.holds(state.data)

    def __str__(self) -> str:
        return str(self._filter)


def _each(each: EachDefinition) -> Each:
    return Each(each.items, each.key, each.concurrency, each.on_error)


def _environment(file: Path, shape: ProjectFile, name: str | None) -> Environment:
    if name is None:
        return Environment()
    if name not in shape.environments:
        close = closest(name, shape.environments)
        names = ", ".join(shape.environments) or "none"
        fix = f"Did you mean {close}?" if close else "Name one of its environments."
        raise InputError(f"{file} has no environment {name!r:.60}; it has {names}", fix=fix)
    return shape.environments[name]
