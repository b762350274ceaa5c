"""XML that is read as a whole: parse_xml, find_xml."""

import codecs
import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crossdock.common.xml.errors import MAX_NODES, XmlError
from crossdock.common.xml.form import Form
from crossdock.common.xml.writing import text_of
from crossdock.errors import ArgumentError

if TYPE_CHECKING:
    from lxml.etree import _Element

_logger = logging.getLogger("crossdock")

_EXACT = 2**53
_DECLARED = re.compile(r"""\ufeff?<\?xml\s[^>]{0,100}encoding\s*=\s*["']([\w.-]{1,40})["']""", re.ASCII)


def parse_xml(
    text: str | bytes,
    *,
    encoding: str | None = None,
    namespaces: Mapping[str, str] | None = None,
    max_nodes: int = MAX_NODES,
) -> dict[str, Any]:
    """Read an XML document into a mapping of its one root element.

    Prefixes stay as the document writes them, and what it declares is in the mapping. With
    ``namespaces`` the names have the prefixes that are chosen there, whatever the document writes,
    and the declarations are left out.

    Args:
        text: The document; text of the Python type str may have any encoding declaration.
        encoding: What bytes are encoded in, say the charset of an HTTP answer: it counts more than
            what the document declares (RFC 7303, section 3), and a difference is logged.
        namespaces: Namespaces by prefix; the prefix ``""`` gives bare names of elements. Names of
            other namespaces are ``{namespace}name``.
        max_nodes: The most elements and attributes that the document may have.

    Raises:
        XmlError: It is no well-formed XML (with line and column), has a document type, which is
            refused because it can reach files and the network, or is over a limit.

    Example:
        >>> parse_xml('<answer><message nature="ok">done</message></answer>')
        {'answer': {'message': {'@nature': 'ok', '#text': 'done'}}}
        >>> parse_xml('<x:a xmlns:x="urn:case"><x:b/></x:a>', namespaces={"case": "urn:case"})
        {'case:a': {'case:b': ''}}
    """
    form = Form(namespaces)
    root, form.declarations = _read(text, encoding, max_nodes)
    return {form.name(root): form.value(root)}


def find_xml(
    text: str | bytes,
    path: str,
    /,
    *,
    namespaces: Mapping[str, str] | None = None,
    max_nodes: int = MAX_NODES,
    **values: Any,
) -> list[Any]:
    """Find values in an XML document by an XPath 1.0.

    Values never stand in the path itself, where they could change what it means: ``$name`` stands
    for the keyword ``name``.

    Args:
        text: The document, as for ``parse_xml``.
        path: An XPath; one that does not start with ``/`` starts at the root element.
        namespaces: Namespaces by prefix, for the path and the names in the values.
        max_nodes: The most elements and attributes that the document may have.
        values: What the variables of the path stand for: text, numbers, dates, booleans.

    Returns:
        Elements in the form of ``parse_xml``, attributes and ``text()`` as text; a number, boolean
        or text that the path computes as the only item.

    Raises:
        XmlError: As from ``parse_xml``.
        ArgumentError: The path is no XPath, or lacks a value or the namespace of a prefix.

    Example:
        >>> people = '<people><person id="7"><name>Amina</name></person><person id="8"/></people>'
        >>> find_xml(people, "//person[@id = $id]", id="7")
        [{'@id': '7', 'name': 'Amina'}]
        >>> find_xml(people, "person/@id")
        ['7', '8']
    """
    form = Form(namespaces)
    variables = {name: _variable(name, value) for name, value in values.items()}
    root, declarations = _read(text, None, max_nodes)
    return [_found(item, form, declarations) for item in _evaluated(path, root, namespaces or {}, variables)]


def _read(text: str | bytes, encoding: str | None, max_nodes: int) -> "tuple[_Element, int]":
    """Give the root element, and how many namespaces are declared."""
    from crossdock.common.xml.reader import Reader  # imported late: few jobs read XML, and lxml takes 30 ms

    data, encoding = _encoded(text, encoding)
    reader = Reader([data], encoding=encoding, max_nodes=max_nodes)
    declarations = sum(kind == "start-ns" for events in reader for kind, _ in events)
    return reader.root, declarations


def _encoded(text: str | bytes, encoding: str | None) -> tuple[bytes, str | None]:
    """Give the bytes of a document, and their encoding unless the document is to say it."""
    if not isinstance(text, str | bytes) or not text:
        raise XmlError(f"there is no XML: got {'an empty text' if text == '' or text == b'' else type(text).__name__}")
    if isinstance(text, bytes):
        if encoding is None:
            return text, None
        text = _decoded(text, encoding)
    try:
        return text.encode(), "utf-8"
    except UnicodeEncodeError as error:
        raise XmlError(f"the XML has half a character (a lone surrogate) at index {error.start}") from None


def _decoded(data: bytes, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except LookupError:
        raise XmlError(f"the encoding {encoding!r:.40} of the XML is not known") from None
    except UnicodeDecodeError as error:
        raise XmlError(f"the XML is not {encoding!r:.40} from byte {error.start} on") from None
    declared = _DECLARED.match(text)
    if declared and not _same(declared[1], encoding):
        _logger.warning("XML that declares the encoding %s is read as %s, as it was sent", declared[1], encoding)
    return text


def _same(declared: str, encoding: str) -> bool:
    try:
        return codecs.lookup(declared) == codecs.lookup(encoding)
    except LookupError:
        return False


def _variable(name: str, value: Any) -> Any:
    """Give a value for an XPath, whose numbers are exact up to 2^53: larger ones are compared as text."""
    is_number = isinstance(value, int | float) and abs(value) <= _EXACT
    return value if is_number else text_of(value, f"${name}")


def _evaluated(path: str, root: "_Element", namespaces: Mapping[str, str], variables: Mapping[str, Any]) -> list[Any]:
    from lxml import etree

    prefixes = {prefix: uri for prefix, uri in namespaces.items() if prefix}
    try:
        found = etree.XPath(path, namespaces=prefixes, regexp=False, smart_strings=False)(root, **variables)
    except etree.XPathError as error:
        raise ArgumentError(
            f"the XPath {path!r:.200} can't be used: {error}",
            fix="Correct it; give each $name as the keyword of that name, each prefix in namespaces.",
        ) from None
    return found if isinstance(found, list) else [found]


def _found(item: Any, form: Form, declarations: int) -> Any:
    if isinstance(item, str | float | bool):
        return item
    form.declarations = declarations
    return item[1] if isinstance(item, tuple) else form.value(item)  # a tuple is prefix and namespace
