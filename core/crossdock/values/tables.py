"""Mapping tables: files beside the job that say what a code means."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from sys import _getframe
from typing import TYPE_CHECKING, Any, Literal, get_args

from crossdock.common.data import warn_counted
from crossdock.common.reading import refused, shown
from crossdock.common.text import CsvError, parse_csv
from crossdock.decoding import decode
from crossdock.documents import parse_document
from crossdock.errors import ArgumentError, InputError, JobError, JobLoadError, closest
from crossdock.site import short
from crossdock.values.blanks import null_if
from crossdock.values.words import text

if TYPE_CHECKING:
    from pathlib import Path

Unknown = Literal["warn", "keep", "null", "error"]


class TableError(JobLoadError):
    """The file of a mapping table can't be used."""

    code = "table_unusable"
    fix = "Correct the file; nothing ran."


class Table(Mapping[str, Any]):
    """What codes mean, with a policy for those that are unknown; see ``table``.

    It is looked up like a dict, ``table[code]``, or called, ``table(code)``. ``get`` and ``in`` leave
    the policy aside.
    """

    __slots__ = ("_entries", "_unknown", "_warning", "name")

    def __init__(self, name: str, entries: dict[str, Any], unknown: Unknown, warning: str) -> None:
        self.name = name
        self._entries = entries
        self._unknown = unknown
        self._warning = warning

    def __getitem__(self, code: Any) -> Any:
        written = text(code, name=self.name)
        if written is None:
            return None
        if written in self._entries:
            return self._entries[written]
        if self._unknown == "error":
            close = closest(written, self._entries)
            fix = f"Did you mean {close!r}? Else add it to {self.name}." if close else f"Add it to {self.name}."
            raise refused("UNKNOWN_CODE", written, "is an unknown code", name=self.name, fix=fix)
        if self._unknown != "null":
            warn_counted(self._warning, shown(written), table=self.name)
        return code if self._unknown == "keep" else None

    __call__ = __getitem__

    def get(self, code: Any, default: Any = None) -> Any:
        """Give what a code means, or a default if it is unknown."""
        return self._entries.get(text(code, name=self.name) or "", default)

    def __contains__(self, code: object) -> bool:
        return text(code, name=self.name) in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<table {self.name!r} of {len(self)} codes, unknown={self._unknown!r}>"


def table(
    source: str | os.PathLike[str] | Mapping[Any, Any],
    *,
    key: str | None = None,
    value: str | None = None,
    unknown: Unknown = "warn",
    warning: str = "unknown_code",
    delimiter: str = ",",
    name: str | None = None,
) -> Table:
    """Read a table that says what codes mean: CSV, JSON or YAML, beside the file that calls this.

    A table has rows with a ``key`` and a ``value`` column, or (JSON, YAML) is an object of codes.
    Codes are compared as text, so 125080001 and "125080001" are one. It is read at once: a job
    whose table is missing or broken is refused before it runs.

    Args:
        source: The file, relative to the folder of the file that calls this; or the codes
            themselves, as a dict.
        key: The column of the codes; the first one by default.
        value: The column of what they mean; with two columns the other one, else the whole row.
        unknown: What an unknown code gives. ``warn``: None, counted in the run's warnings; ``keep``:
            the code itself, counted; ``null``: None, not counted; ``error``: a JobError.
        warning: The code of that warning.
        delimiter: What stands between two fields of a CSV.
        name: What warnings and errors call the table; the file's name by default.

    Returns:
        The table, for ``table[code]`` or ``table(code)``; None and blanks give None.

    Raises:
        TableError: The file is missing, can't be read, or says two things of one code.
        JobError: On looking up, ``UNKNOWN_CODE`` with ``unknown="error"``, ``BAD_TEXT`` for what is
            no code.

    Example:
        >>> sexes = table({"125080000": "female", "125080001": "male"}, unknown="null")
        >>> sexes[125080001], sexes("125080009"), sexes(None)
        ('male', None, None)
    """
    if unknown not in get_args(Unknown):
        raise ArgumentError(f"table() got unknown={unknown!r:.40}", fix=f"Use one of {', '.join(get_args(Unknown))}.")
    if isinstance(source, Mapping):
        entries = _entries(_pairs(source, "the table", key, value), "the table")
        return Table(name or "table", entries, unknown, warning)
    from pathlib import Path  # imported late: it takes as long as a quarter of core

    file = Path(_getframe(1).f_code.co_filename).absolute().parent / source
    what = f"the table {short(str(file))}"
    pairs = _pairs(_content(file, what, delimiter), what, key, value)
    return Table(name or file.name, _entries(pairs, what), unknown, warning)


def _content(file: "Path", what: str, delimiter: str) -> Any:
    """Give what a file holds: its rows, or an object."""
    readers: dict[str, Callable[[str], Any]] = {
        ".csv": lambda written: parse_csv(written, delimiter=delimiter),
        ".json": lambda written: decode(written, what=what),
        ".yaml": lambda written: parse_document(written, what=what, error=TableError).content,
        ".yml": lambda written: parse_document(written, what=what, error=TableError).content,
    }
    read = readers.get(file.suffix.lower())
    if read is None:
        raise TableError(f"{what} is of no known kind", fix="Name a .csv, .json or .yaml file.")
    try:
        return read(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise TableError(f"{what} can't be read: {error.strerror}", fix=_nearest(file)) from None
    except UnicodeDecodeError as error:
        raise TableError(f"{what} is not UTF-8: byte {error.start}", fix="Save it as UTF-8.") from None
    except CsvError as error:
        raise TableError(f"{what}: {error.message}", fix=error.fix) from None
    except InputError as error:
        raise TableError(error.message, fix=error.fix) from None


def _nearest(file: "Path") -> str:
    names = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
    close = closest(file.name, names)
    return f"Did you mean {close!r}?" if close else f"Put it into {short(str(file.parent))}."


def _pairs(content: Any, what: str, key: str | None, value: str | None) -> Iterator[tuple[Any, Any]]:
    """Give the codes with what they mean."""
    if isinstance(content, Mapping):
        if key is not None:
            raise TableError(f"{what} is an object of codes, and has no column {key!r:.60}", fix="Leave key= away.")
        yield from (
            (code, meaning if value is None else _cell(meaning, value, what)) for code, meaning in content.items()
        )
        return
    if not isinstance(content, list) or not content or not all(isinstance(row, dict) and row for row in content):
        raise TableError(f"{what} has no rows with a code", fix="Write a line with the names of the columns, and rows.")
    columns = list(content[0])
    if len(columns) == 1:
        raise TableError(
            f"{what} has only the column {columns[0]!r:.60}", fix="Say what separates fields: delimiter=';'."
        )
    code = columns[0] if key is None else key
    others = [column for column in columns if column != code]
    meaning = others[0] if value is None and len(others) == 1 else value
    for row in content:
        yield _cell(row, code, what), row if meaning is None else _cell(row, meaning, what)


def _cell(row: Any, column: str, what: str) -> Any:
    if isinstance(row, dict) and column in row:
        return row[column]
    columns = list(row) if isinstance(row, dict) else []
    close = closest(column, columns)
    fix = f"Did you mean {close!r}?" if close else f"Use one of {', '.join(columns) or 'its columns'}."
    raise TableError(f"{what} has a row without the column {column!r:.60}", fix=fix)


def _entries(pairs: Iterable[tuple[Any, Any]], what: str) -> dict[str, Any]:
    """Give the table by the text of its codes; blank meanings are None."""
    entries: dict[str, Any] = {}
    for code, meaning in pairs:
        try:
            written = text(code)
        except JobError as error:
            raise TableError(
                f"{what} has a code of which {error.message}", fix="Make each code a text or a number."
            ) from None
        if written is None:
            raise TableError(f"{what} has a row without a code", fix="Give it a code, or remove it.")
        meaning = null_if(meaning)
        if entries.setdefault(written, meaning) != meaning:
            raise TableError(f"{what} says two things of the code {written!r:.60}", fix="Remove one of them.")
    return entries
