"""From records, dicts of column → value, to rows of values that a table takes.

The loop that does it is generated for each set of columns: a value of exactly the right type costs one
comparison and no call, so that checking 100,000 records takes a fraction of sending them.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from crossdock_postgresql.errors import ColumnError, RecordError
from crossdock_postgresql.table import Table
from crossdock_postgresql.values import Guard, ValueFault, converter_of, guard_of, is_null

Record = Mapping[str, Any]
Row = tuple[Any, ...]


_HEAD = """
def rows(records):
    for index, record in enumerate(records):
        try:
            if len(record) != width:
                record = completed(record, index)"""
_TAIL = """
            row = ({start}{values})
        except faults:
            row = ({start}*checked(record, index),)
        yield row"""


class Rules(NamedTuple):
    """How records become rows."""

    missing: str = "error"
    """What a key means that only other records have: ``error`` or ``null``."""
    null: tuple[Any, ...] = ()
    """Values that are written as NULL."""
    round: bool = False
    """Whether numbers are rounded to what their column keeps."""


class Rows:
    """Makes rows of records.

    Args:
        table: The table.
        columns: The columns of each row.
        rules: How records become rows.
    """

    def __init__(self, table: Table, columns: Sequence[str], rules: Rules) -> None:
        table.check(columns)
        _check_writable(table, columns)
        self.table = table
        self.columns = list(columns)
        self._missing_is_null = rules.missing == "null"
        self._null = rules.null
        self._guards = [guard_of(table.columns[name]) for name in columns]
        self._convert = [
            _with_null(converter_of(table.columns[name], round_=rules.round), rules.null) for name in columns
        ]
        self._generated: dict[bool, Callable[[Iterable[Record]], Iterator[Row]]] = {}

    def of(self, records: Iterable[Record], *, numbered: bool = False) -> Iterator[Row]:
        """Give the rows of records.

        Args:
            records: The records.
            numbered: Whether each row begins with the index of its record.

        Raises:
            RecordError: One is no dict, has other keys, or a value that its column does not take;
                the error names the record's index, and no value.
        """
        if numbered not in self._generated:
            self._generated[numbered] = self._compiled(numbered=numbered)
        return self._generated[numbered](records)

    def _compiled(self, *, numbered: bool) -> Callable[[Iterable[Record]], Iterator[Row]]:
        """Compile the function that makes rows of records."""
        names: dict[str, Any] = {
            "width": len(self.columns),
            "null": self._null,
            "faults": (KeyError, TypeError, ValueFault),
            "completed": self._completed,
            "checked": self._checked,
        }
        lines = [_HEAD]
        for i, (name, guard, convert) in enumerate(zip(self.columns, self._guards, self._convert, strict=True)):
            names |= {f"k{i}": name, f"c{i}": convert}
            test = _test(i, guard, names, may_be_null=bool(self._null))
            lines.append(
                f"            v{i} = record[k{i}]\n            {f'if {test}: ' if test else ''}v{i} = c{i}(v{i})"
            )
        start, values = "index, " if numbered else "", "".join(f"v{i}, " for i in range(len(self.columns)))
        lines.append(_TAIL.format(start=start, values=values))
        exec(compile("\n".join(lines), "<rows of records>", "exec"), names)  # noqa: S102 - made of numbers and guards
        made: Callable[[Iterable[Record]], Iterator[Row]] = names["rows"]
        return made

    def _completed(self, record: Any, index: int) -> Record:
        """Give a record that lacks keys with None in their place, if that is what they mean."""
        if not isinstance(record, Mapping):
            raise RecordError(
                f"the record {index} is of type {type(record).__name__}",
                fix="Give a list of dicts: column → value.",
                records=[index],
            )
        unknown = [key for key in record if key not in self.columns]
        lacking = [name for name in self.columns if name not in record]
        if unknown or (lacking and not self._missing_is_null):
            what = (
                f"has the keys {', '.join(map(repr, unknown))}, which"
                if unknown
                else f"lacks {', '.join(lacking)}, which"
            )
            raise RecordError(
                f"the record {index} {what} {'no other has' if unknown else 'others have'}", records=[index]
            )
        return {**dict.fromkeys(self.columns), **record}

    def _checked(self, record: Any, index: int) -> Row:
        """Make a row slowly, and say what is wrong with the record."""
        record = self._completed(record, index)
        values = []
        for name, convert in zip(self.columns, self._convert, strict=True):
            try:
                values.append(convert(record[name]))
            except ValueFault as fault:
                raise self._refused(name, fault, index) from None
        return tuple(values)

    def _refused(self, name: str, fault: ValueFault, index: int) -> RecordError:
        shown = self.table.columns[name].shown
        return RecordError(
            f"the record {index} can't be written: the column {name!r} of {self.table.name!r} is of type {shown}, {fault.what}",
            fix=fault.fix,
            records=[index],
            table=self.table.name,
            column=name,
            expected=shown,
            sqlstate=fault.sqlstate,
        )


def columns_of(records: Sequence[Record], rules: Rules, *, more: bool = False) -> list[str]:
    """Give the columns of records, which all have the same keys unless missing ones are null.

    Args:
        records: The first records.
        rules: What a missing key means.
        more: Whether others follow, whose keys nobody knows yet.

    Raises:
        RecordError: It lists the records that lack keys, or are no mappings.
    """
    if _are_alike(records):
        return list(records[0])
    shapeless = [index for index, record in enumerate(records) if not isinstance(record, Mapping)]
    if shapeless:
        raise RecordError(
            f"the records {_some(shapeless)} are no dicts",
            fix="Give a list of dicts: column → value.",
            records=shapeless[:50],
        )
    columns = list(dict.fromkeys(key for record in records for key in record))
    lacking = [index for index, record in enumerate(records) if len(record) < len(columns)]
    if lacking and rules.missing != "null":
        keys = [column for column in columns if column not in records[lacking[0]]]
        raise RecordError(
            f"the records {_some(lacking)} have fewer keys than others; the first lacks {', '.join(keys)}",
            records=lacking[:50],
        )
    if not columns and (records or more):
        raise RecordError("the records have no keys", fix="Give dicts of column → value.")
    return columns


def _are_alike(records: Sequence[Any]) -> bool:
    """Tell whether all records are dicts of the same keys; most are."""
    first = records[0] if records else None
    if not first or type(first) is not dict:
        return False
    return len(records) == 1 or all(type(record) is dict and record.keys() == first.keys() for record in records)


def _check_writable(table: Table, columns: Iterable[str]) -> None:
    computed = [name for name in columns if table.columns[name].generated]
    if computed:
        raise ColumnError(f"{table.name!r} computes {', '.join(computed)} itself", fix="Leave it out of the records.")


def _with_null(convert: Callable[[Any], Any], null: tuple[Any, ...]) -> Callable[[Any], Any]:
    return (lambda value: None if is_null(value, null) else convert(value)) if null else convert


def _test(i: int, guard: Guard | None, names: dict[str, Any], *, may_be_null: bool) -> str:
    """Write the test that says whether a value needs to be converted, and give its names their values."""
    if guard is None:
        return ""
    names[f"t{i}"], test = guard.type, guard.test
    for name, value in guard.names.items():
        names[f"{name}{i}"], test = value, test.replace(name, f"{name}{i}")
    fits = " and ".join(filter(None, [re.sub(r"\bv\b", f"v{i}", test), f"v{i} not in null" if may_be_null else ""]))
    return f"type(v{i}) is not t{i}{f' or not ({fits})' if fits else ''}"


def _some(indexes: list[int]) -> str:
    return ", ".join(map(str, indexes[:10])) + (f" and {len(indexes) - 10} more" if len(indexes) > 10 else "")
