"""The small parts that tracker records are made of."""

from collections.abc import Mapping
from typing import Any


def attribute(uid: str, value: Any) -> dict[str, Any]:
    """Give the value of a tracked entity attribute, as a tracked entity or enrollment holds it.

    >>> attribute("w75KJ2mc4zz", "Amina")
    {'attribute': 'w75KJ2mc4zz', 'value': 'Amina'}
    """
    return {"attribute": uid, "value": value}


def data_value(uid: str, value: Any) -> dict[str, Any]:
    """Give the value of a data element, as an event holds it.

    >>> data_value("m5OehFImiIJ", 38.5)
    {'dataElement': 'm5OehFImiIJ', 'value': 38.5}
    """
    return {"dataElement": uid, "value": value}


def find_attribute_value(record: Mapping[str, Any] | None, name: str) -> Any:
    """Give the value of an attribute of a tracked entity; None if it has none.

    Args:
        record: A tracked entity or enrollment with ``attributes``.
        name: The name that the attribute is shown under, in any case, or its identifier.

    Example:
        >>> person = {"attributes": [{"attribute": "Rslz2y06aBf", "displayName": "Surname", "value": "Otieno"}]}
        >>> find_attribute_value(person, "SURNAME"), find_attribute_value(person, "Rslz2y06aBf")
        ('Otieno', 'Otieno')
    """
    for held in (record or {}).get("attributes") or ():
        if name == held.get("attribute") or name.casefold() == str(held.get("displayName") or "").casefold():
            return held.get("value")
    return None
