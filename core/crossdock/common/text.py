"""Text in and out of a job: CSV."""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from io import StringIO
from itertools import chain
from typing import Any, Literal

from crossdock.errors import ArgumentError, CrossdockError, StateEncodingError
from crossdock.state import SIZE_LIMIT, encode

_MARK = "\ufeff"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet program takes for the beginning of a formula: OWASP, CSV injection."""


class CsvError(CrossdockError):
    """A text is no CSV table that crossdock reads, or rows make none."""

    code = "csv_invalid"
    fix = "Look at what the system sent in that line."


def parse_csv(
    text: str, *, columns: Sequence[str] | None = None, delimiter: str = ",", quote: str = '"', trim: bool = True
) -> list[dict[str, str]]:
    r"""Read a CSV table into a list of rows; the first line names the columns (RFC 4180).

    Args:
        text: The table; a byte order mark and empty lines are left out.
        columns: The names of the columns, if the first line is a row already.
        delimiter: What stands between two fields.
        quote: What stands around a field that holds a delimiter or a line break.
        trim: Leave out blanks around fields, within quotes, too; around the names of columns they always are.

    Raises:
        CsvError: A row has more or fewer fields than there are columns, or can't be read; the line
            is named.

    Example:
        >>> parse_csv("id,name\n7,Amina\n")
        [{'id': '7', 'name': 'Amina'}]
    """
    if not isinstance(text, str):
        raise ArgumentError(
            f"parse_csv() got a value of type {type(text).__name__}", fix="Give it text: raw.decode('utf-8')."
        )
    lines = StringIO(text, newline="")
    return list(stream_csv(lines, columns=columns, delimiter=delimiter, quote=quote, trim=trim))


def stream_csv(
    lines: Iterable[str],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str = ",",
    quote: str = '"',
    trim: bool = True,
) -> Iterator[dict[str, str]]:
    r"""Give the rows of a CSV table one by one, in the memory of one row.

    Args:
        lines: The table's lines with their line breaks, such as a text file opened with
            ``newline=""``; the rest is as in ``parse_csv``.
        columns: The names of the columns, if the first line is a row already.
        delimiter: What stands between two fields.
        quote: What stands around a field that holds a delimiter or a line break.
        trim: Leave out blanks around fields, within quotes, too.

    Raises:
        CsvError: As in ``parse_csv``, when the walk comes to that line.

    Example:
        >>> next(stream_csv(["id;name\n", "7;Amina\n"], delimiter=";"))
        {'id': '7', 'name': 'Amina'}
    """
    # Python's limit is 128 kB a field, for the whole process; a state may hold more.
    csv.field_size_limit(max(csv.field_size_limit(), SIZE_LIMIT))
    try:
        reader = csv.reader(
            _without_mark(lines), delimiter=delimiter, quotechar=quote, skipinitialspace=trim, strict=True
        )
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"a CSV can't have delimiter={delimiter!r:.20} and quote={quote!r:.20}: {error}",
            fix="Give two different signs, such as delimiter=';'.",
        ) from None
    return _rows(reader, columns, trim)


def _rows(reader: Any, columns: Sequence[str] | None, trim: bool) -> Iterator[dict[str, str]]:
    rows = _read(reader, trim)
    names = list(columns) if columns is not None else _stripped(next(rows, []))
    if names or columns is not None:
        _check_columns(names)
    for row in rows:
        if len(row) != len(names):
            raise CsvError(
                f"line {reader.line_num} of the CSV has {len(row)} fields, and there are {len(names)} columns",
                line=reader.line_num,
            )
        yield dict(zip(names, row, strict=True))


def _read(reader: Any, trim: bool) -> Iterator[list[str]]:
    try:
        for row in reader:
            if row:
                yield _stripped(row) if trim else row
    except csv.Error as error:
        raise CsvError(f"line {reader.line_num} of the CSV can't be read: {error}", line=reader.line_num) from None


def _stripped(row: list[str]) -> list[str]:
    return [field.strip() for field in row]


def _check_columns(columns: list[str]) -> None:
    if len(set(columns)) < len(columns) or "" in columns or not columns:
        twice = next((name for name in columns if name and columns.count(name) > 1), None)
        what = "a column without a name" if twice is None else f"the column {twice!r:.80} twice"
        raise CsvError(f"the CSV has {what}", fix="Ask for a table whose first line names each column once.", line=1)


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        if not isinstance(line, str):
            raise ArgumentError(
                f"stream_csv() got lines of type {type(line).__name__}", fix="Open the file as text, not 'rb'."
            )
        yield line if number else line.removeprefix(_MARK)


def build_csv(
    rows: Iterable[Mapping[str, Any]],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str = ",",
    missing: Literal["error", "null"] = "error",
    for_spreadsheet: bool = False,
) -> str:
    r"""Write rows as a CSV table, with the names of the columns in the first line (RFC 4180).

    Texts are written as they are, for programs: what ``parse_csv`` reads (with ``trim=False``) is what was
    written. A table that people open in a spreadsheet program needs ``for_spreadsheet=True``: there a
    text such as ``=HYPERLINK(…)`` that came in through a form would be a formula.

    Args:
        rows: Dicts, also a stream of them.
        columns: The columns in their order; those of the first row by default.
        delimiter: What stands between two fields.
        missing: What becomes of a row without one of the columns: ``error``, or ``null``, an empty
            field.
        for_spreadsheet: Put ``'`` before texts that would be formulas (those that begin with ``=``, ``+``,
            ``-``, ``@``, a tab or a carriage return), and a byte order mark before the table.

    Raises:
        CsvError: A row has another column, lacks one, or holds a list or an object; the row is
            named.

    Example:
        >>> build_csv([{"id": 7, "name": "Amina"}, {"id": 8, "name": None}])
        'id,name\r\n7,Amina\r\n8,\r\n'
    """
    lines = csv_lines(rows, columns=columns, delimiter=delimiter, missing=missing, for_spreadsheet=for_spreadsheet)
    return "".join(lines)


def csv_lines(
    rows: Iterable[Mapping[str, Any]],
    *,
    columns: Sequence[str] | None = None,
    delimiter: str = ",",
    missing: Literal["error", "null"] = "error",
    for_spreadsheet: bool = False,
) -> Iterator[str]:
    r"""Give the lines of a CSV table one by one, each with its line break, in the memory of one row.

    Args:
        rows: Dicts, also a stream of them; the rest is as in ``build_csv``.
        columns: The columns in their order; those of the first row by default.
        delimiter: What stands between two fields.
        missing: What becomes of a row without one of the columns.
        for_spreadsheet: Make it safe to open in a spreadsheet program.

    Raises:
        CsvError: As in ``build_csv``, when the walk comes to that row.

    Example:
        >>> list(csv_lines([{"id": 7}], columns=["id", "name"], missing="null"))
        ['id,name\r\n', '7,\r\n']
    """
    try:
        writer = csv.writer(_Line(), delimiter=delimiter)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"a CSV can't have delimiter={delimiter!r:.20}: {error}", fix="Give one sign, such as delimiter=';'."
        ) from None
    if missing not in ("error", "null"):
        raise ArgumentError(f"csv_lines() got missing={missing!r:.40}", fix="Use error or null.")
    return _lines(writer.writerow, iter(rows), columns, missing == "null", for_spreadsheet)


class _Line:
    """What a csv.writer writes to: it hands the line back."""

    def write(self, line: str) -> str:
        return line


def _lines(
    line: Any, rows: Iterator[Mapping[str, Any]], columns: Sequence[str] | None, gaps: bool, for_spreadsheet: bool
) -> Iterator[str]:
    first = next(rows, None)
    if first is None and columns is None:
        return
    names = list(columns if columns is not None else first or ())
    _check_columns(names)
    safe = _no_formula if for_spreadsheet else str
    yield (_MARK if for_spreadsheet else "") + line([safe(name) for name in names])
    for number, row in enumerate(() if first is None else chain([first], rows), 1):
        _check_row(row, names, number, gaps)
        yield line([_field(row.get(name), safe, number, name) for name in names])


def _check_row(row: Mapping[str, Any], names: list[str], number: int, gaps: bool) -> None:
    if len(row) == len(names) and all(name in row for name in names):
        return
    other = [name for name in row if name not in names]
    if other:
        fix = f"Name it in columns=, or leave it out of the rows; the columns are {', '.join(names)}."
        raise CsvError(f"row {number} has the column {other[0]!r:.80}, and the table has not", fix=fix, row=number)
    if not gaps:
        lacks = next(name for name in names if name not in row)
        fix = "Give each row all columns, or say missing='null'."
        raise CsvError(f"row {number} lacks the column {lacks!r:.80}", fix=fix, row=number)


def _field(value: Any, safe: Callable[[str], str], number: int, name: str) -> str:
    """Give a value as a field; what is no text as the state has it between two steps."""
    if value is None:
        return ""
    if isinstance(value, str):
        return safe(value)
    try:
        if not isinstance(value, Mapping | list | tuple):
            return encode(value).decode().strip('"')
    except StateEncodingError:
        pass  # the same error as for what holds others
    raise CsvError(
        f"row {number} has a value of type {type(value).__name__} in the column {name!r:.80}",
        fix="Give it texts, numbers, true, false or None.",
        row=number,
    )


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
