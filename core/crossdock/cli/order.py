"""What ``crossdock run`` was asked to do: a job file, or a workflow of a project, on one input."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from crossdock.cli.outputs import StepOutputs
from crossdock.errors import InputError
from crossdock.message import Form
from crossdock.project import FILE_NAME

if TYPE_CHECKING:
    from crossdock.project.project import Project
    from crossdock.project.shape import Limits


class InProject(NamedTuple):
    """A workflow of a project, and which of its steps to run."""

    project: "Project"
    workflow: str
    outputs: StepOutputs
    """Where what the steps hand on is kept."""
    start: str | None = None
    end: str | None = None
    parallel: int = 1

    @classmethod
    def of(cls, place: str, workflow: str | None, environment: str | None) -> "InProject":
        """Read a project, and find a workflow of it.

        Args:
            place: The folder of the project, or its file.
            workflow: The workflow's name; None where the project has only one.
            environment: The environment whose credentials and settings count.

        Raises:
            ProjectError: The project has faults; nothing ran.
            InputError: There is no such workflow, or several.
        """
        from crossdock.project import read_project  # imported late: a job alone needs none of it

        project = read_project(place, environment)
        name = _workflow_of(project, workflow)
        return cls(project, name, StepOutputs(project.folder, name, project.environment))

    @classmethod
    def named(cls, what: Sequence[str], environment: str | None = None) -> "InProject":
        """Find what the arguments of a command name: nothing, a project, a workflow, or both of these.

        Args:
            what: The arguments; without a project that of the folder that you are in counts.
            environment: The environment whose credentials and settings count.

        Raises:
            ProjectError: The project has faults; nothing ran.
            InputError: There is no such workflow, or several.
        """
        if len(what) == 2:
            return cls.of(what[0], what[1], environment)
        if not what or is_project(what[0]):
            return cls.of(what[0] if what else ".", None, environment)
        return cls.of(".", what[0], environment)

    @property
    def limits(self) -> "Limits":
        """What a run of the workflow may use."""
        return self.project.definition(self.workflow).limits

    @property
    def cursors(self) -> str:
        """The file of the workflow's cursors."""
        return str(self.outputs.cursors)


class Order(NamedTuple):
    """What ``crossdock run`` was asked to do."""

    what: str | InProject
    """The file of a job, or a workflow of a project."""
    state: str | None
    credentials: str | None
    now: datetime
    verbose: bool
    dry_run: bool = False
    files: Path | None = None
    record: Path | None = None
    replay: Path | None = None
    cursors: str | None = None
    shows_trace: bool = False
    values: bool = False
    page: str | None = None
    stepping: bool = False
    retry_failed: str | None = None
    state_format: Form | None = None

    @property
    def input(self) -> str | None:
        """The file that the first state comes from."""
        return self.state if self.retry_failed is None else self.retry_failed

    @property
    def input_form(self) -> Form | None:
        """What that file holds; None if its name tells."""
        return self.state_format if self.retry_failed is None else "json"

    @property
    def traced(self) -> bool:
        """Whether somebody wants to see what the operations did."""
        return self.shows_trace or self.page is not None

    @property
    def timeout(self) -> float | None:
        """The seconds that the project file allows; what it does not say holds for a server alone, and nobody waits there."""
        if self.stepping or not isinstance(self.what, InProject):
            return None
        return self.what.limits.seconds if "seconds" in self.what.limits.model_fields_set else None

    @property
    def memory_mb(self) -> int | None:
        """The memory that the project file allows; for what it does not say, see ``timeout``."""
        if self.stepping or not isinstance(self.what, InProject):
            return None
        return self.what.limits.memory_mb if "memory_mb" in self.what.limits.model_fields_set else None

    @property
    def name(self) -> str:
        """What is run: the name of the workflow, or of the job's one step."""
        return self.what.workflow if isinstance(self.what, InProject) else Path(self.what).stem

    @property
    def file(self) -> str:
        """The file that says what is run."""
        return str(self.what.project.file) if isinstance(self.what, InProject) else self.what

    @property
    def folder(self) -> Path:
        """Where the files of the jobs lie."""
        return Path(self.file).resolve().parent


def is_project(path: str) -> bool:
    """Tell whether a path is that of a project."""
    return path.endswith((".yaml", ".yml")) or (Path(path) / FILE_NAME).is_file()


def _workflow_of(project: "Project", name: str | None) -> str:
    if name is not None:
        project.definition(name)  # it says which there are
        return name
    names = list(project.workflow_names)
    if len(names) > 1:
        known = f"the project {project.name} has {', '.join(names)}"
        raise InputError(f"{known}: say which workflow", fix=f"Name one, such as {names[0]}.")
    return names[0]
