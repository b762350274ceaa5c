"""Why XML is refused, and how the words of libxml2 become ours."""

from typing import TYPE_CHECKING, Any

from crossdock.errors import CrossdockError

if TYPE_CHECKING:
    from lxml.etree import _LogEntry

MAX_NODES = 500_000
"""The most elements and attributes that are read at once, if a job says nothing else."""


class XmlError(CrossdockError):
    """A text is no XML that crossdock reads."""

    code = "xml_invalid"
    fix = "Look at what the system sent at that place."


class XmlDtdError(XmlError):
    """XML has a document type, which could reach files and the network."""

    code = "dtd_forbidden"
    fix = "Ask the sender for XML without <!DOCTYPE …>."


class XmlLimitError(XmlError):
    """XML goes over a limit of the parser."""

    code = "xml_limit"
    fix = "Ask the sender for XML that keeps to the limit."


class XmlNodesError(XmlError):
    """XML has more elements and attributes than are read at once."""

    code = "too_many_nodes"
    fix = "Read it part by part with stream_xml, or allow more with max_nodes."


_LIMITS = (
    ("ERR_NAME_TOO_LONG", "", "name", "a name has more than 50,000 characters"),
    ("ERR_RESOURCE_LIMIT", "depth", "depth", "elements are nested more than 256 deep"),
    ("ERR_RESOURCE_LIMIT", "Text node", "text", "a text has more than 10,000,000 bytes"),
    ("ERR_RESOURCE_LIMIT", "", "tag", "a tag, with its attributes, has more than 10,000,000 bytes"),
    ("ERR_CDATA_NOT_FINISHED", "too big", "text", "a text has more than 10,000,000 bytes"),
    ("ERR_COMMENT_NOT_FINISHED", "too big", "comment", "a comment has more than 10,000,000 bytes"),
    ("ERR_PI_NOT_FINISHED", "too big", "instruction", "a processing instruction has more than 10,000,000 bytes"),
)
"""libxml2's type of error, words of its message, our name of the limit, and what is over it."""


def error_of(entry: "_LogEntry") -> XmlError:
    """Give the error for what libxml2 found; its own message may quote the document."""
    where: dict[str, Any] = {"line": entry.line, "column": entry.column}
    place = f"in line {entry.line}, column {entry.column}"
    for type_, words, limit, what in _LIMITS:
        if entry.type_name == type_ and words in entry.message:
            return XmlLimitError(f"the XML goes over a limit {place}: {what}", limit=limit, **where)
    reason = entry.type_name.removeprefix("NS_").removeprefix("ERR_").replace("_", " ").lower()
    return XmlError(f"the XML is not well-formed {place}: {reason}", **where)
