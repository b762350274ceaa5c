"""From records, dicts of column → value, to rows of values that a table takes.

The function that does it is generated for each set of columns: a value of exactly the right type costs
one comparison, so that checking 100,000 records takes a fraction of sending them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from crossdock_postgresql.errors import ColumnError, RecordError
from crossdock_postgresql.table import Table
from crossdock_postgresql.values import Guard, ValueFault, converter_of, guard_of, is_null

Record = Mapping[str, Any]
Row = tuple[Any, ...]


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
        self._convert = [
            _with_null(converter_of(table.columns[name], round_=rules.round), rules.null) for name in columns
        ]
        self._row = _generated(
            [guard_of(table.columns[name]) for name in columns], self.columns, self._convert, rules.null
        )

    def of(self, records: Iterable[Record], start: int = 0) -> Iterator[Row]:
        """Give the rows of records.

        Args:
            records: The records.
            start: The index of the first one, for errors.

        Raises:
            RecordError: One is no dict, has other keys, or a value that its column does not take;
                the error names the record's index, and no value.
        """
        row, width = self._row, len(self.columns)
        for index, record in enumerate(records, start):
            try:
                if len(record) != width:
                    record = self._completed(record, index)
                yield row(record)
            except (KeyError, TypeError, ValueFault):
                yield self._checked(record, index)

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
    return (
        bool(first) and isinstance(first, dict) and all(type(r) is dict and r.keys() == first.keys() for r in records)
    )


def _check_writable(table: Table, columns: Iterable[str]) -> None:
    computed = [name for name in columns if table.columns[name].generated]
    if computed:
        raise ColumnError(f"{table.name!r} computes {', '.join(computed)} itself", fix="Leave it out of the records.")


def _with_null(convert: Callable[[Any], Any], null: tuple[Any, ...]) -> Callable[[Any], Any]:
    return (lambda value: None if is_null(value, null) else convert(value)) if null else convert


def _generated(
    guards: Sequence[Guard | None],
    columns: Sequence[str],
    convert: Sequence[Callable[[Any], Any]],
    null: tuple[Any, ...],
) -> Callable[[Record], Row]:
    """Compile the function that makes a row of a record with exactly these keys."""
    names: dict[str, Any] = {"null": null}
    lines = ["def row(record):"]
    for i, (guard, column) in enumerate(zip(guards, columns, strict=True)):
        names |= {f"k{i}": column, f"c{i}": convert[i]}
        lines.append(f"    v = record[k{i}]")
        if guard is not None:
            names[f"t{i}"] = guard.type
            test = guard.test
            for name, value in guard.names.items():
                names[f"{name}{i}"], test = value, test.replace(name, f"{name}{i}")
            tests = [f"type(v) is t{i}", test, "v not in null" if null else ""]
            lines.append(f"    if v is not None and not ({' and '.join(filter(None, tests))}): v = c{i}(v)")
        else:
            lines.append(f"    v = c{i}(v)")
        lines.append(f"    v{i} = v")
    lines.append(f"    return ({''.join(f'v{i}, ' for i in range(len(columns)))})")
    exec(compile("\n".join(lines), "<rows of records>", "exec"), names)  # noqa: S102 - made of nothing but numbers
    made: Callable[[Record], Row] = names["row"]
    return made


def _some(indexes: list[int]) -> str:
    return ", ".join(map(str, indexes[:10])) + (f" and {len(indexes) - 10} more" if len(indexes) > 10 else "")
