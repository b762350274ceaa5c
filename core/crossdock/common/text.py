"""Text in and out of a job: CSV."""

import csv
from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Any

from crossdock.errors import CrossdockError


class CsvError(CrossdockError):
    """A text is no CSV table that crossdock reads."""

    code = "csv_invalid"
    fix = "Look at what the system sent in that line."


def parse_csv(text: str, *, delimiter: str = ",", quote: str = '"') -> list[dict[str, str]]:
    r"""Read a CSV table into a list of rows; the first line names the columns (RFC 4180).

    Args:
        text: The table; a byte order mark and empty lines are left out.
        delimiter: What stands between two fields.
        quote: What stands around a field that holds a delimiter or a line break.

    Raises:
        CsvError: A row has more or fewer fields than there are columns, or can't be read; the line
            is named.

    Example:
        >>> parse_csv("id,name\n7,Amina\n")
        [{'id': '7', 'name': 'Amina'}]
    """
    return list(stream_csv(StringIO(text, newline=""), delimiter=delimiter, quote=quote))


def stream_csv(lines: Iterable[str], *, delimiter: str = ",", quote: str = '"') -> Iterator[dict[str, str]]:
    r"""Give the rows of a CSV table one by one, in the memory of one row.

    Args:
        lines: The table's lines, such as an open text file; the rest is as in ``parse_csv``.
        delimiter: What stands between two fields.
        quote: What stands around a field that holds a delimiter or a line break.

    Example:
        >>> next(stream_csv(["id;name\n", "7;Amina\n"], delimiter=";"))
        {'id': '7', 'name': 'Amina'}
    """
    reader = csv.reader(_without_mark(lines), delimiter=delimiter, quotechar=quote, strict=True)
    rows = _read(reader)
    columns = next(rows, None)
    if columns is None:
        return
    _check_columns(columns)
    for row in rows:
        if len(row) != len(columns):
            raise CsvError(
                f"line {reader.line_num} of the CSV has {len(row)} fields, and there are {len(columns)} columns",
                line=reader.line_num,
            )
        yield dict(zip(columns, row, strict=True))


def _read(reader: Any) -> Iterator[list[str]]:
    try:
        yield from (row for row in reader if row)
    except csv.Error as error:
        raise CsvError(f"line {reader.line_num} of the CSV can't be read: {error}", line=reader.line_num) from None


def _check_columns(columns: list[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice or "" in columns:
        what = f"the column {twice[0]!r:.80} twice" if twice and twice[0] else "a column without a name"
        raise CsvError(f"the CSV has {what}", fix="Ask for a table whose first line names each column once.", line=1)


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")
