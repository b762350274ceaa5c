"""XML as mappings, in the form that CommCare and xmltodict use.

An element is a mapping: ``@name`` is an attribute, ``#text`` its text, any other key a child
element, and a list repeats a child. An element with neither attributes nor children is just its
text; an empty one is the empty text. Namespaces are declared as attributes: ``@xmlns``,
``@xmlns:prefix``; a job may choose its own prefixes for reading, whatever the document writes.

What the form does not keep: comments, processing instructions, where in mixed text the children
stand, how children of different names alternate, and white space alone beside attributes or
children. All else comes back: ``parse_xml(build_xml(document)) == document`` if no list has less
than two items, no value is None, no mapping holds ``#text`` alone and no namespace has two
prefixes at once, of which one would be written.
"""

from crossdock.common.xml.errors import XmlDtdError, XmlError, XmlLimitError, XmlNodesError
from crossdock.common.xml.reading import find_xml, parse_xml
from crossdock.common.xml.streaming import stream_xml
from crossdock.common.xml.writing import build_xml

__all__ = [
    "XmlDtdError",
    "XmlError",
    "XmlLimitError",
    "XmlNodesError",
    "build_xml",
    "find_xml",
    "parse_xml",
    "stream_xml",
]
