"""Nothing, one or several: what systems send for "no answer", and for lists."""

from typing import Any

from crossdock.common.reading import is_blank


def null_if(value: Any, *nulls: Any) -> Any:
    """Give None for blanks and for the values that a form writes instead of nothing.

    Args:
        value: Any value.
        nulls: What counts as nothing, compared as a whole.

    Example:
        >>> null_if("NaN", "NaN"), null_if(" "), null_if(0, "NaN"), null_if("07", "NaN")
        (None, None, 0, '07')
    """
    if is_blank(value):
        return None
    return None if any(type(value) is type(null) and value == null for null in nulls) else value


def clean(value: Any, *nulls: Any) -> Any:
    """Give a value in which everything is None, at any depth, that stands for nothing; see ``null_if``.

    A job that cleans what came in once needs no such rule at each field that it reads, or in each
    table that it writes.

    Args:
        value: Any JSON value, such as a whole submission; it stays as it is, and what is given is new.
        nulls: What counts as nothing beside blanks, compared as a whole.

    Example:
        >>> clean({"name": "Amina", "phone": "NaN", "visits": [{"weight": ""}, {"weight": 0}]}, "NaN")
        {'name': 'Amina', 'phone': None, 'visits': [{'weight': None}, {'weight': 0}]}
    """
    if isinstance(value, dict):
        return {key: clean(inner, *nulls) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner, *nulls) for inner in value]
    return null_if(value, *nulls)


def as_list(value: Any) -> list[Any]:
    """Give a list, whatever a system sends for none, one or several.

    Args:
        value: None, blanks, one value, or a list.

    Example:
        >>> as_list(None), as_list(""), as_list({"id": 1}), as_list([1, 2])
        ([], [], [{'id': 1}], [1, 2])
    """
    if is_blank(value):
        return []
    if isinstance(value, tuple):
        return list(value)
    return value if isinstance(value, list) else [value]
