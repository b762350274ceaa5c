"""XML as mappings, in the form that CommCare and xmltodict use.

An element is a mapping: ``@name`` is an attribute, ``#text`` its text, any other key a child
element, and a list repeats a child. An element with neither attributes nor children is just its
text. Namespaces are declared as attributes: ``@xmlns``, ``@xmlns:prefix``.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from crossdock.errors import ArgumentError, CrossdockError

if TYPE_CHECKING:
    from lxml.etree import _Element


class XmlError(CrossdockError):
    """A text is no XML that crossdock reads."""

    code = "xml_invalid"
    fix = "Look at what the system sent at that place."


def parse_xml(text: str | bytes) -> dict[str, Any]:
    """Read an XML document into a mapping of its one root element.

    Prefixes stay as the document writes them. An empty element is the empty text. Comments and
    processing instructions are left out; in mixed content the texts are joined under ``#text``.

    Args:
        text: The document; text of the Python type str may have any encoding declaration.

    Raises:
        XmlError: It is no well-formed XML (with line and column), or has a document type, which
            is refused because it can reach files and the network.

    Example:
        >>> parse_xml('<answer><message nature="ok">done</message></answer>')
        {'answer': {'message': {'@nature': 'ok', '#text': 'done'}}}
    """
    from lxml import etree  # imported late: few jobs read XML, and it takes 30 ms

    if not isinstance(text, str | bytes) or not text:
        raise XmlError(f"there is no XML: got {'an empty text' if text == '' or text == b'' else type(text).__name__}")
    encoding = "utf-8" if isinstance(text, str) else None
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True, encoding=encoding
    )
    try:
        root = etree.fromstring(text.encode() if isinstance(text, str) else text, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise XmlError(
            f"the XML is not well-formed in line {line}, column {column}", line=line, column=column
        ) from None
    if root.getroottree().docinfo.doctype:
        raise XmlError(
            "the XML has a document type (DTD), which is refused", fix="Ask the sender for XML without <!DOCTYPE …>."
        )
    return {_name(root): _value(root)}


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
    from lxml import etree

    if len(document) != 1:
        raise ArgumentError(
            f"an XML document has one root element, and this has {len(document)}: {', '.join(document)}",
            fix="Put it all in one element.",
        )
    [(name, value)] = document.items()
    root = _element(name, value, {}, name)
    return etree.tostring(root, encoding="unicode")


def _name(element: "_Element") -> str:
    local = str(element.tag).rpartition("}")[2]
    return f"{element.prefix}:{local}" if element.prefix else local


def _value(element: "_Element") -> Any:
    inherited = getattr(element.getparent(), "nsmap", {})
    value: dict[str, Any] = {
        f"@xmlns:{prefix}" if prefix else "@xmlns": uri
        for prefix, uri in element.nsmap.items()
        if inherited.get(prefix) != uri
    }
    prefixes = {uri: prefix for prefix, uri in element.nsmap.items() if prefix}
    value |= {f"@{_attribute_name(str(name), prefixes)}": str(text) for name, text in element.attrib.items()}
    for child in element:
        _add_child(value, _name(child), _value(child))
    text = "".join([element.text or "", *(child.tail or "" for child in element)])
    if not value:
        return text
    return value | {"#text": text} if text.strip() else value


def _attribute_name(name: str, prefixes: Mapping[str, str]) -> str:
    uri, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
    return f"{prefixes.get(uri, 'xml')}:{local}" if uri else local


def _add_child(value: dict[str, Any], name: str, child: Any) -> None:
    if name not in value:
        value[name] = child
    elif isinstance(value[name], list):
        value[name].append(child)
    else:
        value[name] = [value[name], child]


def _element(name: str, value: Any, namespaces: Mapping[str, str], path: str) -> "_Element":
    from lxml import etree

    fields = value if isinstance(value, Mapping) else {"#text": value}
    declared = {
        key[6:].lstrip(":"): str(uri) for key, uri in fields.items() if key == "@xmlns" or key.startswith("@xmlns:")
    }
    known = {**namespaces, **declared}
    try:
        element = etree.Element(
            _expanded(name, known, path), nsmap={prefix or None: uri for prefix, uri in declared.items()}
        )
        for key, text in _attributes(fields):
            element.set(_expanded(key, {**known, "": ""}, path), _text(text, f"{path}.@{key}"))
        if fields.get("#text") is not None:
            element.text = _text(fields["#text"], path) or None
    except ValueError:
        raise ArgumentError(
            f"{path} holds a name or characters that XML can't have", fix="Remove control characters; check the name."
        ) from None
    for key, child in _children(fields):
        element.append(_element(key, child, known, f"{path}.{key}"))
    return element


def _attributes(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, text in fields.items():
        if key.startswith("@") and not key.startswith("@xmlns") and text is not None:
            yield key[1:], text


def _children(fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in fields.items():
        if not key.startswith(("@", "#")):
            items = value if isinstance(value, list | tuple) else [value]
            yield from ((key, item) for item in items if item is not None)


def _expanded(name: str, namespaces: Mapping[str, str], path: str) -> str:
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


def _text(value: Any, path: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    from decimal import Decimal  # imported late, like lxml

    if isinstance(value, str | int | float | Decimal):
        return str(value)
    raise ArgumentError(
        f"{path} is of type {type(value).__name__}, which has no XML form",
        fix="Give text, a number, a date, a mapping or a list.",
    )
