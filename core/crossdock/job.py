"""Job: an ordered, immutable sequence of operations; itself an operation."""

import os
import sys
from collections.abc import Callable, Iterator
from sys import _getframe
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from crossdock.declaration import Declaration
from crossdock.errors import ArgumentError, CrossdockError, JobLoadError, OptionError, closest, message_of
from crossdock.operation import Operation, OperationLike, as_operation
from crossdock.site import Site, short
from crossdock.state import State

if TYPE_CHECKING:
    from pathlib import Path


class Job(Operation):
    """An ordered, immutable sequence of operations; itself an operation.

    Args:
        operations: Operations, functions of the state, or other jobs, in the order in which
            they run.

    Example:
        >>> from crossdock import Job, set_data
        >>> job = Job(set_data(20), lambda state: state.result(state.data + 1))
        >>> job(State()).data
        21
    """

    __slots__ = ("operations",)

    def __init__(self, *operations: OperationLike) -> None:
        frame = _getframe(1)
        self.operations = tuple([_member(given, number, frame) for number, given in enumerate(operations, 1)])
        super().__init__(_job, (), None, frame)

    def work(self, state: State, keep: bool) -> Any:  # noqa: ARG002 - its result is ``data``
        """Run its operations one after another as part of the unit that is open."""
        for operation in self.operations:
            state = operation.perform(state)
        return state

    def parts(self) -> Iterator[Operation]:
        """Give the operations that it consists of."""
        yield from self.operations

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def __len__(self) -> int:
        return len(self.operations)

    def __repr__(self) -> str:
        return f"Job({', '.join(map(repr, self.operations))})"


def _member(given: Any, number: int, frame: Any) -> Operation:
    try:
        return as_operation(given, frame)
    except ArgumentError as error:
        raise ArgumentError(f"operation {number} of the job: {error.message}", fix=error.fix) from None


def all_parts(operation: Operation) -> Iterator[Operation]:
    """Give an operation and all that it was built from."""
    yield operation
    for part in operation.parts():
        yield from all_parts(part)


def load_job(path: str | os.PathLike[str]) -> Job:
    """Load the job of a Python file: the module's ``job``.

    The file's folder can be imported from while it loads and runs, so that jobs share helpers.

    Args:
        path: A ``.py`` file that has a ``job``.

    Raises:
        JobLoadError: The file is missing or unreadable, does not import, or has no job; with
            the file and line.
    """
    from pathlib import Path  # imported late: it takes as long as a quarter of core

    file = Path(path)
    module = _import(file, _read(file))
    job = getattr(module, "job", None)
    if isinstance(job, Job) and not job.operations:
        raise JobLoadError(f"the job in {short(str(file))} has no operations", fix="List them: job = Job(…).")
    if isinstance(job, Job):
        return job
    raise JobLoadError(f"{_no_job(module, job)} in {short(str(file))}", fix="End the file with: job = Job(…).")


def load_function(path: str | os.PathLike[str], name: str) -> Callable[..., Any]:
    """Load a function of a Python file.

    Args:
        path: A ``.py`` file.
        name: The function.

    Raises:
        JobLoadError: The file can't be loaded, or has no such function.
    """
    from pathlib import Path  # imported late: it takes as long as a quarter of core

    file = Path(path)
    found = getattr(_import(file, _read(file)), name, None)
    if callable(found):
        return cast("Callable[..., Any]", found)
    raise JobLoadError(f"there is no function {name!r} in {short(str(file))}", fix="Define it, or correct its name.")


def _job_of(state: State) -> State:
    """Stand for a job among the declarations."""
    return state


_job = Declaration(_job_of)
_job.name = "Job"


def _read(file: "Path") -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise JobLoadError(f"there is no job file {short(str(file))}", fix=_nearest(file)) from None
    except IsADirectoryError:
        raise JobLoadError(f"{short(str(file))} is a folder, not a job file", fix="Name a .py file in it.") from None
    except UnicodeDecodeError as error:
        raise JobLoadError(
            f"{short(str(file))} is not a Python file: byte {error.start} is no UTF-8",
            fix="Name a .py file that has a job.",
        ) from None
    except OSError as error:
        raise JobLoadError(
            f"{short(str(file))} can't be read: {error.strerror}", fix="Correct its permissions, or name another file."
        ) from None


def _nearest(file: "Path") -> str:
    names = [entry.name for entry in file.parent.glob("*.py")] if file.parent.is_dir() else []
    close = closest(file.name, names)
    return f"Did you mean {file.parent / close}?" if close else "Name a .py file that has a job."


def _import(file: "Path", source: str) -> ModuleType:
    import importlib.util

    place = file.resolve()
    spec = importlib.util.spec_from_file_location(f"crossdock_job_{file.stem}", place)
    if spec is None or "\0" in source:
        raise JobLoadError(f"{short(str(file))} is not a Python file", fix="Name a .py file that has a job.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    _let_import_from(str(place.parent))
    try:
        exec(compile(source, str(place), "exec"), module.__dict__)  # noqa: S102 - a job is trusted code, SECURITY.md
    except SyntaxError as error:
        raise JobLoadError(
            f"{_place(error, file)}: {error.msg}: {(error.text or '').strip()}", fix="Correct the syntax there."
        ) from error
    except SystemExit as error:
        raise JobLoadError(
            f"{_line_in(file, error)}: the file ends Python while it loads",
            fix="Remove the exit; a job stops early with stop(reason).",
        ) from None
    except OptionError as error:
        raise JobLoadError(f"{_line_in(file, error)}: {error.message}", fix=error.fix) from error
    except CrossdockError as error:
        error.add_note(f"while loading {_line_in(file, error)}")
        raise
    except Exception as error:
        raise JobLoadError(
            f"{_line_in(file, error)}: {type(error).__name__}: {message_of(error)}",
            fix="Correct the line; nothing ran.",
        ) from error
    return module


def _let_import_from(folder: str) -> None:
    """Let a job import its neighbours, before what is installed and after Python's own modules.

    First of all, as a script's folder is, a job named ``http.py`` would take the place of Python's.
    """
    ends = ("site-packages", "dist-packages")
    at = next((i for i, path in enumerate(sys.path) if path.endswith(ends)), len(sys.path))
    if folder not in sys.path:
        sys.path.insert(at, folder)


def _place(error: SyntaxError, file: "Path") -> str:
    return f"{short(error.filename or str(file))}:{error.lineno}:{error.offset}"


def _line_in(file: "Path", error: BaseException) -> Site:
    """Give the last line of the job file on the way to an error."""
    return Site(str(file.resolve()), 0).deepest(error)


def _no_job(module: ModuleType, job: Any) -> str:
    if job is not None:
        return f"'job' is of type {type(job).__name__}, not a Job,"
    jobs = [name for name, value in vars(module).items() if isinstance(value, Job)]
    return f"there is no 'job', only the Job {jobs[0]!r}," if jobs else "there is no 'job'"
