"""``crossdock cursors``: where the next run of a job starts, in a file beside its output."""

import fcntl
import functools
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import click

from crossdock.cli.ending import replace_file, table
from crossdock.cursors import kept
from crossdock.decoding import decode
from crossdock.errors import ArgumentError, CursorFileError, Outcome
from crossdock.progress import Progress
from crossdock.state import encode


class CursorFile:
    """The cursors of a job, in a JSON object: name → position.

    How far the loops with checkpoints came lies beside it, in ``FILE.progress``.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._progress = os.path.abspath(f"{path}.progress")  # a job may go to another folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from using it: two runs at a time would read and write the same records.

        Raises:
            CursorFileError: Another run uses it, or its folder can't be written to.
        """
        try:
            descriptor = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CursorFileError(f"the cursors in {self._path!r} can't be kept: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise CursorFileError(
                f"another run uses the cursors in {self._path!r}", fix="Wait until it has ended."
            ) from None
        finally:
            os.close(descriptor)

    def read(self) -> dict[str, Any]:
        """Give the cursors; none if there is no file yet."""
        try:
            with open(self._path, "rb") as file:
                raw = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise CursorFileError(f"the cursors in {self._path!r} can't be read: {error.strerror}") from None
        found = decode(raw, what=f"the cursor file {self._path!r}")
        if not isinstance(found, dict):
            raise CursorFileError(
                f"the cursor file {self._path!r} holds a JSON value of type {type(found).__name__}, not an object",
                fix='Write {"name": position}, or name another file.',
            )
        return found

    def write(self, cursors: Mapping[str, Any]) -> None:
        """Put other cursors in place, as a whole."""
        try:
            replace_file(self._path, encode(dict(cursors)).decode() + "\n")
        except OSError as error:
            raise CursorFileError(f"the cursors in {self._path!r} can't be kept: {error.strerror}") from None

    def carry_progress(self, progress: Progress) -> None:
        """Give a run what an interrupted one left, and keep on the disk how far it comes.

        The run's own process writes, so that nothing goes on before that is safe.
        """
        file = CursorFile(self._progress)
        progress.left = file.read()
        progress.on_kept = file.write

    def end_progress(self, outcome: Outcome) -> None:
        """Forget the progress of a run that ended well; a loop that stopped at an item of its own goes on there."""
        file = CursorFile(self._progress)
        if outcome == "partial":
            file.write({name: kept for name, kept in file.read().items() if not kept["complete"]})
        elif outcome == "success":
            self.forget_progress()

    def forget_progress(self) -> None:
        """Let the next run start at the first item of each loop."""
        with suppress(FileNotFoundError):
            os.unlink(self._progress)


@click.group()
def cursors() -> None:
    """Show and set where the next run of a job starts, or that of a workflow which `crossdock run` runs.

    What a server runs has cursors of its own in its store: `list` and `show` look at them with
    --served. Neither moves the other's.
    """


def _of_file(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which cursors it writes; it gets their file, whose folder is made."""

    @functools.wraps(command)
    def with_file(*args: Any, path: str | None, folder: str | None, workflow: str | None, **options: Any) -> Any:
        env = options.pop("env")
        return command(*args, file=_file(path, folder, workflow, env, writes=True), **options)

    return _with_options(with_file)


def _of_file_or_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which cursors it reads; it gets them as ``of``."""

    @functools.wraps(command)
    def with_cursors(*args: Any, path: str | None, folder: str | None, workflow: str | None, **options: Any) -> Any:
        env, served = options.pop("env"), options.pop("served")
        if served and path is not None:
            raise click.UsageError("--cursors names a file, and --served the store of a project: give one of them.")
        of = Stored(folder or ".", workflow, env) if served else _file(path, folder, workflow, env)
        return command(*args, of=of, **options)

    served = click.option("--served", is_flag=True, help="Those that a server keeps, in the store of the project.")
    return _with_options(served(with_cursors))


def _with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_WHICH):
        command = option(command)
    return command


def _file(
    path: str | None, folder: str | None, workflow: str | None, env: str | None, *, writes: bool = False
) -> CursorFile:
    """Give the file of the cursors that the options name."""
    if path is not None and (folder or workflow or env):
        raise click.UsageError("--cursors names a file, the other options a workflow of a project: give one of them.")
    return CursorFile(path or _of_workflow(folder, workflow, env, writes))


_WHICH = (
    click.option("--cursors", "path", metavar="FILE", help="The file that `crossdock run --cursors` keeps."),
    click.option(
        "--project",
        "folder",
        metavar="FOLDER",
        help="The project of the workflow; by default the folder you are in.",
    ),
    click.option("--workflow", metavar="NAME", help="The workflow, if the project has several."),
    click.option("--env", metavar="NAME", help="The environment of the project."),
)


def _of_workflow(folder: str | None, workflow: str | None, environment: str | None, writes: bool) -> str:
    """Give the file of the cursors that ``crossdock run`` keeps of a workflow."""
    from crossdock.cli.order import InProject  # imported late: --help needs none of it
    from crossdock.project import is_project

    if folder is None and not is_project("."):
        raise click.UsageError("Name the file of the cursors: --cursors FILE; or a project: --project FOLDER.")
    chosen = InProject.of(folder or ".", workflow, environment)
    if writes:
        chosen.outputs.make()
    return chosen.cursors


class Stored(NamedTuple):
    """The cursors that a server keeps of a workflow, in the store of its project."""

    folder: str
    workflow: str | None
    environment: str | None

    def read(self) -> dict[str, Any]:
        """Give the cursors."""
        from crossdock.cli.operating import existing_store  # imported late: --help needs none of it
        from crossdock.cli.order import InProject

        chosen = InProject.of(self.folder, self.workflow, self.environment)
        with existing_store(chosen.project) as store:
            return store.history.cursors(chosen.workflow)


@cursors.command("list")
@_of_file_or_store
def list_(of: CursorFile | Stored) -> None:
    """List the cursors and their positions."""
    found = of.read()
    if found:
        click.echo(table([[name, encode(found[name]).decode()] for name in sorted(found)]))


@cursors.command()
@click.argument("name")
@_of_file_or_store
def show(name: str, of: CursorFile | Stored) -> None:
    """Show the position of one cursor, as JSON."""
    click.echo(encode(_known(of.read(), name)[name]).decode())


@cursors.command("set")
@click.argument("name")
@click.argument("position")
@click.option(
    "--type", "type_", type=click.Choice(["text", "number", "instant"]), help="How it is kept; text by default."
)
@_of_file
def set_(name: str, position: str, type_: Any, file: CursorFile) -> None:
    """Set the position of a cursor; the next run starts there."""
    try:
        value = kept(name, position, type_)
    except ArgumentError as error:
        raise click.BadParameter(error.message, param_hint="POSITION") from None
    with file.locked():
        file.write({**file.read(), name: value})


@cursors.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Forget all of them, and the progress of loops.")
@_of_file
def reset(names: tuple[str, ...], file: CursorFile, *, everything: bool) -> None:
    """Forget cursors; the next run starts from their defaults."""
    if bool(names) == everything:
        raise click.UsageError("name the cursors, or say --all")
    with file.locked():
        found = _known(file.read(), *names)
        if everything:
            file.forget_progress()
        file.write({} if everything else {name: found[name] for name in found if name not in names})


def _known(found: dict[str, Any], *names: str) -> dict[str, Any]:
    unknown = [name for name in names if name not in found]
    if unknown:
        raise CursorFileError(
            f"there is no cursor {unknown[0]!r}; there are: {', '.join(sorted(found)) or 'none'}",
            fix="Name one of these.",
        )
    return found
