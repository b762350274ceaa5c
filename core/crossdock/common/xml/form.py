"""The form of an element as a value: a mapping, or its text."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from crossdock.common.xml.errors import XmlLimitError

if TYPE_CHECKING:
    from lxml.etree import _Element

_XML = "http://www.w3.org/XML/1998/namespace"
_MANY = 1000
_MAX_NAMESPACES = 64


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
        # The cost of a stream is this function's: that it is one saves a tenth of it.
        names, count, may_declare = element.keys(), len(element), self.declarations > 0
        if not (names or count or may_declare):
            return element.text or ""
        fields = self._declared(element) if may_declare else {}
        text_of = element.get if len(names) < _MANY else _texts(element, names).__getitem__
        for name in names:
            fields["@" + name if name[0] != "{" else self._attribute(name, element)] = text_of(name)
        is_mixed = False
        for child in element if count > _MANY else element[:]:  # a slice takes half the time, and holds all at once
            tag = child.tag
            name = tag if tag[0] != "{" else self._qualified(tag, child.prefix)
            value = self.value(child) if len(child) or child.keys() or may_declare else child.text or ""
            if name in fields:
                _repeat(fields, name, value)
            else:
                fields[name] = value
            if (tail := child.tail) and not tail.isspace():
                is_mixed = True
        text = element.text or ""
        if is_mixed or (text and fields and not text.isspace()):
            fields["#text"] = text + "".join(child.tail or "" for child in element)
        return fields or text

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
        own = {prefix: uri for prefix, uri in _scope(element).items() if inherited.get(prefix) != uri}
        self.declarations -= len(own)
        return {f"@xmlns:{prefix}" if prefix else "@xmlns": uri for prefix, uri in own.items()}

    def _attribute(self, name: str, element: "_Element") -> str:
        uri, _, local = name[1:].rpartition("}")
        if uri == _XML:
            return f"@xml:{local}"
        prefixes = self._prefixes
        if prefixes is None:
            prefixes = {uri: prefix for prefix, uri in _scope(element).items() if prefix}
        return f"@{prefixes[uri]}:{local}" if prefixes.get(uri) else f"@{name}"


def _scope(element: "_Element") -> dict[str | None, str]:
    """Give the namespaces at an element by prefix; lxml collects them each time, so they are limited."""
    scope = element.nsmap
    if len(scope) > _MAX_NAMESPACES:
        raise XmlLimitError(
            f"the XML goes over a limit in line {element.sourceline}: more than 64 namespaces have a prefix there",
            fix="Choose the prefixes of those that you need: namespaces={…}.",
            limit="namespaces",
            line=element.sourceline,
        )
    return scope


def _texts(element: Any, names: list[str]) -> dict[str, str]:
    """Give a great many attributes at once: lxml looks for each from the first one on."""
    return dict(zip(names, element.xpath("@*", smart_strings=False), strict=True))


def _repeat(fields: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(fields[name], list):
        fields[name].append(value)
    else:
        fields[name] = [fields[name], value]
