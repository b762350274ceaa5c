"""Message: what a trigger received; one message may start several runs.

Here it is what ``crossdock run`` is given: a state file, standard input, or nothing.
"""

import os
import stat
import sys
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any, BinaryIO, Literal, get_args

from crossdock.common.text import CsvError, stream_csv
from crossdock.decoding import decode
from crossdock.errors import InputError
from crossdock.rows import Rows
from crossdock.state import SIZE_LIMIT, State

Form = Literal["json", "jsonl", "csv"]
FORMS: tuple[Form, ...] = get_args(Form)
"""What an input may be: the whole state, or rows in one of two forms."""

_ENDINGS: dict[str, Form] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}
_CHUNK = 1 << 20


class Message:
    """What started a run: its input, and the secrets that came along with it.

    Args:
        state: The input as the first step gets it.
        configuration: The secrets of an input in OpenFn's form, taken out of the state.
        rows: What the first step gets as ``data``, if that is too large for a state.
    """

    __slots__ = ("configuration", "rows", "state")

    def __init__(self, state: State, configuration: Any = None, rows: Rows | None = None) -> None:
        self.state = state
        self.configuration = configuration
        self.rows = rows

    @property
    def input(self) -> State:
        """The state that a run of it starts with; its rows can be walked in one run."""
        return self.state if self.rows is None else self.state | {"data": self.rows}

    @classmethod
    def from_json(cls, raw: bytes, *, what: str) -> "Message":
        """Read a message from the JSON text of a state.

        Args:
            raw: A JSON object; ``configuration`` in it is used as the credential.
            what: Where it comes from, for the error.

        Raises:
            InputError: It is no strict JSON, or no object.
        """
        value = decode(raw, what=what)
        if not isinstance(value, dict):
            raise InputError(
                f"{what} holds a JSON value of type {type(value).__name__}, not an object", fix='Write {"data": …}.'
            )
        configuration = value.pop("configuration", None)
        if not isinstance(value.get("cursors") or {}, dict):
            raise InputError(
                f"{what} holds 'cursors' of type {type(value['cursors']).__name__}, not an object",
                fix='Write {"cursors": {"name": …}}, or leave it out.',
            )
        return cls(State({"data": None, "cursors": {}} | value), configuration)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], form: Form | None = None) -> "Message":
        """Read a message from a state file, or from standard input if it is ``-``.

        Args:
            path: A JSON file with the whole state, or a file of rows, which become ``data`` and
                are read as they are walked.
            form: What it holds; by default JSON lines in ``.jsonl`` and ``.ndjson``, CSV in
                ``.csv``, else JSON.

        Raises:
            InputError: It can't be read, or is no strict JSON. What is wrong with a row is found
                by the walk that comes to it.
        """
        what = "standard input" if str(path) == "-" else f"the state file {str(path)!r}"
        form = form or _ENDINGS.get(os.path.splitext(path)[1].lower(), "json")
        try:
            file = _opened(path)
            if form != "json":
                return cls(State(data=None, cursors={}), rows=rows_of(file, form, what=what))
            with file:
                raw = file.read()
        except OSError as error:
            raise InputError(
                f"{what} can't be read: {error.strerror}", fix="Name an existing file, or - for standard input."
            ) from None
        return cls.from_json(raw, what=what)


def _opened(path: str | os.PathLike[str]) -> BinaryIO:
    if str(path) != "-":
        return open(path, "rb")
    if sys.stdin is None:
        raise InputError("standard input is closed", fix="Name a state file, or pipe the state in.")
    return os.fdopen(os.dup(sys.stdin.fileno()), "rb")  # the job's process has another standard input


def rows_of(file: BinaryIO, form: Literal["jsonl", "csv"], *, what: str) -> Rows:
    r"""Give the rows of a file, which are read as they are walked.

    Args:
        file: A file of UTF-8 text, opened for reading bytes; a byte order mark and empty lines are left out.
        form: JSON lines, of which each is a row, or CSV whose first line names the columns.
        what: What it is, for errors.

    Raises:
        InputError: A row can't be read; the line is named, and nothing that stands there.

    Example:
        >>> from io import BytesIO
        >>> list(rows_of(BytesIO(b'{"id": 7}\n\n{"id": 8}\n'), "jsonl", what="the sample"))
        [{'id': 7}, {'id': 8}]
    """
    rows = _json_rows(file, what) if form == "jsonl" else _csv_rows(file, what)
    return Rows(rows, what, lambda: _digest(file))


def _lines(file: BinaryIO, what: str) -> Iterator[tuple[int, str]]:
    """Give the lines of a file and their numbers, each no longer than a state may be."""
    number = 0
    while line := file.readline(SIZE_LIMIT + 1):
        number += 1
        place = f"line {number} of {what}"
        if len(line) > SIZE_LIMIT:
            limit = SIZE_LIMIT // 1024 // 1024
            raise InputError(f"{place} is longer than {limit} MB", fix="Write one row on each line.", line=number)
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            fix = "Save the file as UTF-8."
            raise InputError(f"{place} is not UTF-8: byte {error.start}", fix=fix, line=number) from None
        yield number, text.removeprefix("\ufeff") if number == 1 else text
    file.close()


def _json_rows(file: BinaryIO, what: str) -> Iterator[Any]:
    for number, line in _lines(file, what):
        if line.strip():
            try:
                yield decode(line, what=f"line {number} of {what}")
            except InputError as error:
                told = error.message.replace(" in line 1, column ", " in column ")  # a row has no other line
                raise InputError(told, fix="Write one JSON value on each line.", line=number) from None


def _csv_rows(file: BinaryIO, what: str) -> Iterator[dict[str, str]]:
    try:
        yield from stream_csv(_with_header(_lines(file, what), what))
    except CsvError as error:
        raise InputError(f"{what}: {error.message}", fix=error.fix, **error.details) from None


def _with_header(lines: Iterator[tuple[int, str]], what: str) -> Iterator[str]:
    """Refuse a table without the names of its columns: an export that broke off leaves an empty file."""
    is_blank = True
    for _, line in lines:
        is_blank = is_blank and not line.strip()
        yield line
    if is_blank:
        raise InputError(
            f"{what} is empty, and a CSV begins with the names of its columns",
            fix="See why whatever wrote it wrote nothing; a table without rows has its header.",
        )


def _digest(file: BinaryIO) -> str | None:
    """Tell the content of a file from others, without moving in it; what is piped in can't be read ahead."""
    if file.closed or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return None
    digest, at = blake2b(digest_size=16), 0
    while chunk := os.pread(file.fileno(), _CHUNK, at):
        digest.update(chunk)
        at += len(chunk)
    return digest.hexdigest()
