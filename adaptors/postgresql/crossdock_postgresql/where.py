"""Conditions on columns: values are bound, operators come from a list, patterns are escaped."""

from collections.abc import Mapping
from typing import Any

from psycopg import sql as compose

from crossdock_postgresql.errors import RecordError
from crossdock_postgresql.table import Table
from crossdock_postgresql.values import ValueFault, converter_of

_COMPARED = {"=": "=", "!=": "<>", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_PATTERNS = {"like": "like", "ilike": "ilike"}
_SEARCHED = {"contains": "%{}%", "starts with": "{}%"}
OPERATORS = (*_COMPARED, *_PATTERNS, *_SEARCHED)
"""What a column may be compared with."""


def condition_of(
    table: Table, where: Mapping[str, Any], operators: Mapping[str, str] | None = None
) -> tuple[compose.Composable, list[Any]]:
    """Give the condition that columns have values, and the values to bind.

    Args:
        table: The table.
        where: Column → value; None finds what is null, a list what is one of its items.
        operators: Column → one of OPERATORS; ``=`` by default.
    """
    table.check([*where, *(operators or ())])
    parts = [_part(table, column, value, (operators or {}).get(column, "=")) for column, value in where.items()]
    condition = compose.SQL(" and ").join([part for part, _ in parts]) if parts else compose.SQL("true")
    return condition, [value for _, values in parts for value in values]


def _part(table: Table, column: str, value: Any, operator: str) -> tuple[compose.Composable, list[Any]]:
    name = compose.Identifier(column)
    if not isinstance(operator, str) or operator.lower() not in OPERATORS:
        raise RecordError(
            f"{operator!r:.40} is no operator that {column} can be compared with", fix=f"Use {', '.join(OPERATORS)}."
        )
    operator = operator.lower()
    if value is None:
        if operator not in ("=", "!=", "<>"):
            raise RecordError(f"{column} is compared with None by {operator!r}", fix="Use = or !=.")
        return compose.SQL("{} is null" if operator == "=" else "{} is not null").format(name), []
    if isinstance(value, list | tuple) and not table.columns[column].element:
        return _one_of(table, column, value, operator)
    if operator in _SEARCHED:
        return compose.SQL("{} like %s").format(name), [_SEARCHED[operator].format(_escaped(str(value)))]
    if operator in _PATTERNS:
        return compose.SQL(f"{{}} {operator} %s").format(name), [str(value)]
    return compose.SQL(f"{{}} {_COMPARED[operator]} %s").format(name), [_fitting(table, column, value)]


def _one_of(table: Table, column: str, values: Any, operator: str) -> tuple[compose.Composable, list[Any]]:
    if operator != "=":
        raise RecordError(f"{column} is compared with a list by {operator!r}", fix="Use = for a list.")
    bound = [_fitting(table, column, value) for value in values if value is not None]
    name, parts = compose.Identifier(column), list[compose.Composable]()
    if bound:
        places = compose.SQL(", ").join([compose.Placeholder()] * len(bound))
        parts.append(compose.SQL("{} in ({})").format(name, places))
    if len(bound) < len(values):
        parts.append(compose.SQL("{} is null").format(name))
    return compose.SQL("({})").format(compose.SQL(" or ").join(parts or [compose.SQL("false")])), bound


def _fitting(table: Table, column: str, value: Any) -> Any:
    try:
        return converter_of(table.columns[column])(value)
    except ValueFault as fault:
        shown = table.columns[column].shown
        raise RecordError(
            f"where: the column {column!r} of {table.name!r} is of type {shown}, {fault.what}",
            fix=fault.fix,
            table=table.name,
            column=column,
            expected=shown,
            sqlstate=fault.sqlstate,
        ) from None


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
