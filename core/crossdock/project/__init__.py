"""Projects: a file that says which workflows there are, what starts them, and what they need."""

from os import PathLike, fspath
from os.path import isfile, join
from typing import TYPE_CHECKING

from crossdock.errors import ProjectError, closest
from crossdock.site import short

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.project.project import Project

FILE_NAME = "project.yaml"


def read_project(path: "str | PathLike[str]", environment: str | None = None) -> "Project":
    """Read a project file; its jobs are loaded later, by ``project.workflow(name)``.

    Args:
        path: The file, or the folder in which it is called project.yaml.
        environment: The environment whose credentials and settings count.

    Raises:
        ProjectError: It is not right; ``faults`` are all that was found.
        InputError: It has no such environment.
    """
    from crossdock.project.project import Project  # imported late: pydantic takes 100 ms
    from crossdock.project.rules import survey

    file = project_file(path)
    source, shape, faults = survey(file)
    if faults:
        listed = "".join(f"\n  {fault}" for fault in faults)
        message = f"{source.file} has {len(faults)} {'fault' if len(faults) == 1 else 'faults'}:{listed}"
        raise ProjectError(message, faults=faults)
    return Project(file, shape, environment)


def is_project(path: "str | PathLike[str]") -> bool:
    """Tell whether a path is that of a project: a YAML file, or a folder with a project.yaml."""
    name = fspath(path)
    return (isfile(name) and name.endswith((".yaml", ".yml"))) or isfile(join(name, FILE_NAME))


def project_file(path: "str | PathLike[str]") -> "Path":
    """Give the file of a project.

    Args:
        path: The file, or its folder.

    Raises:
        ProjectError: There is none.
    """
    from pathlib import Path

    file = Path(path)
    if file.is_dir():
        file = file / FILE_NAME
    if not file.is_file():
        names = [entry.name for entry in file.parent.glob("*.y*ml")]
        close = closest(file.name, names)
        fix = f"Did you mean {file.parent / close}?" if close else f"Name a folder that has a {FILE_NAME}."
        raise ProjectError(f"there is no {short(str(file))}", fix=fix)
    return file
