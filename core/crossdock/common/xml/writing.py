"""XML that is written: build_xml."""

import re
from collections.abc import Iterator, Mapping
from datetime import date
from math import isfinite
from typing import TYPE_CHECKING, Any

from crossdock.errors import ArgumentError

if TYPE_CHECKING:
    from lxml.etree import _Element

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document can hold, not even escaped (section 2.2)."""


def build_xml(document: Mapping[str, Any]) -> str:
    """Write an XML document from a mapping of its one root element.

    None leaves an attribute or element out; the empty text gives an empty one. Numbers, dates
    and booleans are written as XML does it: ``true``, ``2024-05-02``.

    Args:
        document: One key, the root's name, and its element.

    Returns:
        The document without a declaration, so that it is UTF-8 wherever it is sent.

    Raises:
        ArgumentError: It names the path of what XML can't hold.

    Example:
        >>> build_xml({"data": {"@xmlns:c": "urn:case", "name": "A & B", "c:owner": None, "c:note": ""}})
        '<data xmlns:c="urn:case"><name>A &amp; B</name><c:note/></data>'
    """
    from lxml import etree  # imported late: few jobs write XML, and it takes 30 ms

    if len(document) != 1:
        raise ArgumentError(
            f"an XML document has one root element, and this has {len(document)}: {', '.join(map(str, document))}",
            fix="Put it all in one element.",
        )
    [(name, value)] = document.items()
    return etree.tostring(_element(name, value, {}, name), encoding="unicode")


def text_of(value: Any, where: str) -> str:
    """Give a value as XML writes it.

    Args:
        value: Text, a number, a date or a boolean.
        where: What is to have it, for the error.
    """
    text = _plain(value)
    if text is None:
        raise ArgumentError(
            f"{where} is of type {type(value).__name__}, or infinite, which has no XML form",
            fix="Give text, a finite number, a date, a mapping or a list.",
        )
    if forbidden := _FORBIDDEN.search(text):
        raise ArgumentError(
            f"{where} has the character U+{ord(forbidden[0]):04X} at index {forbidden.start()}, which XML can't hold",
            fix="Remove control characters from it.",
        )
    return text


def _plain(value: Any) -> str | None:
    from decimal import Decimal  # imported late, like lxml

    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value:f}" if value.is_finite() else None
    if isinstance(value, float):
        return repr(value) if isfinite(value) else None
    return str(value) if isinstance(value, str | int) else None


def _element(name: str, value: Any, namespaces: Mapping[str, str], path: str) -> "_Element":
    fields = value if isinstance(value, Mapping) else {"#text": value}
    declared = {
        key[7:]: _namespace(uri, f"{path}.{key}") for key, uri in fields.items() if _declares(key) and uri is not None
    }
    known = {**namespaces, **declared}
    element = _empty(name, declared, known, path)
    for key, content in fields.items():
        if content is None or _declares(key):
            continue
        if key == "#text":
            element.text = text_of(content, path) or None
        elif key.startswith("@"):
            _set_attribute(element, key[1:], content, known, f"{path}.{key}")
        else:
            element.extend(_element(key, item, known, place) for item, place in _items(content, f"{path}.{key}"))
    return element


def _declares(key: str) -> bool:
    return key == "@xmlns" or key.startswith("@xmlns:")


def _namespace(uri: Any, path: str) -> str:
    text = text_of(uri, path)
    if not text and not path.endswith("@xmlns"):
        raise ArgumentError(f"{path} is empty, and only @xmlns can be", fix="Give the namespace of the prefix.")
    return text


def _empty(name: str, declared: Mapping[str, str], known: Mapping[str, str], path: str) -> "_Element":
    from lxml import etree

    try:
        return etree.Element(
            _expanded(name, known, path), nsmap={prefix or None: uri for prefix, uri in declared.items()}
        )
    except ValueError as error:
        raise ArgumentError(f"{path} can't be written as XML: {error}", fix="Correct the name that is named.") from None


def _set_attribute(element: "_Element", name: str, value: Any, known: Mapping[str, str], path: str) -> None:
    text = text_of(value, path)
    try:
        element.set(_expanded(name, {**known, "": ""}, path), text)  # the default namespace is not for attributes
    except ValueError as error:
        raise ArgumentError(f"{path} can't be written as XML: {error}", fix="Correct the name that is named.") from None


def _items(content: Any, path: str) -> Iterator[tuple[Any, str]]:
    if not isinstance(content, list | tuple):
        yield content, path
        return
    for index, item in enumerate(content):
        if item is not None:
            yield item, f"{path}[{index}]"


def _expanded(name: str, namespaces: Mapping[str, str], path: str) -> str:
    if name.startswith("{"):
        return name
    prefix, _, local = name.rpartition(":")
    if prefix == "xml":
        return f"{{http://www.w3.org/XML/1998/namespace}}{local}"
    if prefix not in namespaces and prefix:
        raise ArgumentError(
            f"{path}: the prefix {prefix!r} of {name!r} is not declared",
            fix=f'Add "@xmlns:{prefix}" to this element or one above it.',
        )
    uri = namespaces.get(prefix, "")
    return f"{{{uri}}}{local}" if uri else local
