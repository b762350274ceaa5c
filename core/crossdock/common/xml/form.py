"""The form of an element as a value: a mapping, or its text."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.etree import _Element

_XML = "http://www.w3.org/XML/1998/namespace"
_MANY = 1000


class Form:
    """Gives elements as values.

    Args:
        namespaces: The prefixes that a job chose; None keeps those of the document.
    """

    def __init__(self, namespaces: Mapping[str, str] | None = None) -> None:
        self._prefixes = None if namespaces is None else {uri: prefix for prefix, uri in namespaces.items()}
        self._qualified = lru_cache(self._qualify)
        self.declarations = 0
        """The most declarations of namespaces that the next element may hold."""

    def name(self, element: Any) -> str:
        """Give the name of an element."""
        tag: str = element.tag
        return tag if tag[0] != "{" else self._qualified(tag, element.prefix)

    def value(self, element: Any) -> Any:
        """Give the value of an element that is complete."""
        attributes, children = element.keys(), len(element)
        if not (attributes or children or self.declarations):
            return element.text or ""
        fields = self._attributes(element, attributes) if attributes or self.declarations else {}
        is_mixed = self._add_children(fields, element, children)
        text = element.text or ""
        if not fields:
            return text
        if is_mixed or (text and not text.isspace()):
            fields["#text"] = text + "".join(child.tail or "" for child in element)
        return fields

    def _add_children(self, fields: dict[str, Any], element: Any, count: int) -> bool:
        """Add the children, and tell whether there is text between them."""
        is_mixed = False
        may_declare = self.declarations > 0
        for child in element if count > _MANY else element[:]:  # a slice takes half the time, and holds all at once
            tag = child.tag
            name = tag if tag[0] != "{" else self._qualified(tag, child.prefix)
            value = self.value(child) if len(child) or child.keys() or may_declare else child.text or ""
            if name in fields:
                _repeat(fields, name, value)
            else:
                fields[name] = value
            tail = child.tail
            if tail and not tail.isspace():
                is_mixed = True
        return is_mixed

    def _attributes(self, element: Any, names: list[str]) -> dict[str, Any]:
        fields = self._declared(element) if self.declarations else {}
        for name, text in element.items() if len(names) < _MANY else _many(element, names):
            fields["@" + name if name[0] != "{" else self._attribute(name, element)] = text
        return fields

    def _qualify(self, tag: str, prefix: str | None) -> str:
        uri, _, local = tag[1:].rpartition("}")
        if self._prefixes is not None:
            if uri not in self._prefixes:
                return tag
            prefix = self._prefixes[uri]
        return f"{prefix}:{local}" if prefix else local

    def _declared(self, element: "_Element") -> dict[str, Any]:
        if self._prefixes is not None:
            self.declarations = 0
            return {}
        parent = element.getparent()
        inherited = {} if parent is None else parent.nsmap
        own = {prefix: uri for prefix, uri in element.nsmap.items() if inherited.get(prefix) != uri}
        self.declarations -= len(own)
        return {f"@xmlns:{prefix}" if prefix else "@xmlns": uri for prefix, uri in own.items()}

    def _attribute(self, name: str, element: "_Element") -> str:
        uri, _, local = name[1:].rpartition("}")
        if uri == _XML:
            return f"@xml:{local}"
        written = {uri: prefix for prefix, uri in element.nsmap.items() if prefix}
        prefix = (written if self._prefixes is None else self._prefixes).get(uri)
        return f"@{prefix}:{local}" if prefix else f"@{name}"


def _many(element: Any, attributes: list[str]) -> Iterable[tuple[str, str]]:
    """Give a great many attributes: the time of ``items`` grows with the square of their number."""
    return zip(attributes, element.xpath("@*", smart_strings=False), strict=True)


def _repeat(fields: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]
