"""How a command ends: exit codes, errors on standard error, the result where it was asked for."""

import os
import stat
import sys
from collections.abc import Iterable
from typing import Any

import click

from crossdock.errors import CrossdockError, InputError, Outcome, OutputError

WIDTH = 80
"""How many columns a terminal has at least."""

EXIT_CODES: dict[Outcome, int] = {
    "success": 0,
    "failed": 1,
    "refused": 3,
    "crashed": 4,
    "killed": 5,
    "partial": 6,
    "unknown": 7,
    "interrupted": 130,
    "cancelled": 143,
}


WRONG_INPUT = 2
"""The exit code for a wrong option, argument or input; no outcome of a run has it."""


def exit_code(error: CrossdockError) -> int:
    """Give the exit code of a command that an error ended; wrong input is 2, as a wrong option is."""
    return WRONG_INPUT if isinstance(error, InputError) else EXIT_CODES[error.outcome]


def show_error(error: CrossdockError) -> None:
    """Print what is wrong, and what to do."""
    say(f"crossdock: {error}\n  fix: {error.fix}")


def say(text: str, *, end: str = "\n") -> None:
    """Print something for people; what can't be printed is not worth failing for."""
    try:
        click.echo(text + end, err=True, nl=False)
    except OSError:
        _forget(sys.stderr, 2)


def check_output(path: str | None, option: str = "--output", *, inputs: Iterable[str | None] = ()) -> None:
    """Refuse an output file that could not be written, or is what something is read from, before anything runs.

    Args:
        path: The file; nothing is refused without one.
        option: What named it.
        inputs: The files that must stay.
    """
    if path is None:
        return
    from pathlib import Path

    target = Path(path)
    problem = None
    if any(given is not None and os.path.exists(given) and _is_same(path, given) for given in inputs):
        problem = "is read by the run, and would be overwritten"
    elif target.is_symlink():
        problem = "is a symbolic link"
    elif target.is_dir():
        problem = "is a folder"
    elif not target.parent.is_dir():
        problem = "lies in a folder that does not exist"
    elif not os.access(target.parent, os.W_OK) and (target.is_file() or not target.exists()):
        problem = "lies in a folder that can't be written to"
    if problem:
        error = OutputError(
            f"the output file {path!r} {problem}; nothing ran", fix=f"Name another file: {option} FILE."
        )
        show_error(error)
        raise SystemExit(EXIT_CODES["refused"])


def _is_same(path: str, other: str) -> bool:
    return os.path.exists(path) and os.path.samefile(path, other)


def write_result(text: str, path: str | None, option: str = "--output") -> None:
    """Write the result to a file, or to standard output.

    Args:
        text: The result.
        path: The file; standard output by default.
        option: What named the file.

    Raises:
        OutputError: It can't be written. A reader that went away early is no error.
    """
    try:
        if path is None:
            _to_stdout(text)
        elif os.path.exists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            _write_into(path, text)
        else:
            replace_file(path, text)
    except BrokenPipeError:
        _forget(sys.stdout, 1)
    except (OSError, ValueError, AttributeError) as error:
        _forget(sys.stdout, 1)
        reason = error.strerror if isinstance(error, OSError) else "it is closed"
        raise OutputError(
            f"the result can't be written to {path or 'standard output'}: {reason}",
            fix=f"Make room, or name another file: {option} FILE.",
        ) from error


def _to_stdout(text: str) -> None:
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _forget(stream: object, descriptor: int) -> None:
    """Keep Python from flushing to a reader that is gone, and complaining about it at the end."""
    if stream is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def _write_into(path: str, text: str) -> None:
    """Write to a device or pipe, which stays what it is."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def replace_file(path: str, text: str) -> None:
    """Write a file that only its owner can read, and put it in place whole."""
    from crossdock.drafts import draft  # imported late: --help needs none of it

    with draft(path) as new:
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)


def table(rows: list[list[Any]]) -> str:
    """Lay out rows in columns."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def wrapped(text: str, *, indent: int = 0) -> str:
    """Break a text into lines that stand one below the other in a narrow terminal."""
    blanks = " " * indent
    return click.wrap_text(text, WIDTH, initial_indent=blanks, subsequent_indent=blanks)
