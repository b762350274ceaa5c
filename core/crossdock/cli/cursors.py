"""``crossdock cursors``: where the next run of a job starts, in a file beside its output."""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import click

from crossdock.cli.ending import replace_file, table
from crossdock.cursors import kept
from crossdock.decoding import decode
from crossdock.errors import ArgumentError, CursorFileError, Outcome
from crossdock.progress import Progress
from crossdock.state import encode

F = TypeVar("F", bound=Callable[..., Any])


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
    """Show and set where the next run of a job starts."""


def _of_file(command: F) -> F:
    return click.option(
        "--cursors", "path", metavar="FILE", required=True, help="The file that `crossdock run --cursors` keeps."
    )(command)


@cursors.command("list")
@_of_file
def list_(path: str) -> None:
    """List the cursors and their positions."""
    found = CursorFile(path).read()
    if found:
        click.echo(table([[name, encode(found[name]).decode()] for name in sorted(found)]))


@cursors.command()
@click.argument("name")
@_of_file
def show(name: str, path: str) -> None:
    """Show the position of one cursor, as JSON."""
    click.echo(encode(_known(CursorFile(path).read(), name)[name]).decode())


@cursors.command("set")
@click.argument("name")
@click.argument("position")
@click.option(
    "--type", "type_", type=click.Choice(["text", "number", "instant"]), help="How it is kept; text by default."
)
@_of_file
def set_(name: str, position: str, type_: Any, path: str) -> None:
    """Set the position of a cursor; the next run starts there."""
    try:
        value = kept(name, position, type_)
    except ArgumentError as error:
        raise click.BadParameter(error.message, param_hint="POSITION") from None
    file = CursorFile(path)
    with file.locked():
        file.write({**file.read(), name: value})


@cursors.command()
@click.argument("names", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Forget all of them, and the progress of loops.")
@_of_file
def reset(names: tuple[str, ...], path: str, *, everything: bool) -> None:
    """Forget cursors; the next run starts from their defaults."""
    if bool(names) == everything:
        raise click.UsageError("name the cursors, or say --all")
    file = CursorFile(path)
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
