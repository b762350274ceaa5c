"""Complaint: what of the body that came with a refusal may be kept with its error.

Errors are stored, sent on and shown to people, and a refusal often repeats the record that it refuses. So
only what a JSON body says of the fault itself is kept, by the names that systems use for that (RFC 9457,
OAuth, FHIR, DHIS2 …); whole bodies are for the job and the trace alone.
"""

import json
from collections.abc import Mapping
from typing import Any

from crossdock.errors import cut

_SAID = frozenset(
    {"code", "description", "detail", "diagnostics", "error", "error_description", "errorcode", "error_code", "field"}
    | {"httpstatus", "httpstatuscode", "message", "msg", "path", "pointer", "property", "reason", "severity"}
    | {"status", "statuscode", "title", "type"}
)
"""The names, in small letters, under which systems say what is wrong."""

_HOLDING = frozenset(
    {"detail", "details", "error", "errorreports", "errors", "fault", "issue", "issues", "messages", "objectreports"}
    | {"response", "source", "typereports", "validationreport", "violations"}
)
"""The names under which more of that stands."""

_MOST_TEXT = 200
_MOST_ITEMS = 10
_MOST_DEPTH = 6
_MOST = 2000


def complaint(data: Any) -> str | None:
    """Give what a JSON body says of a fault, as JSON of at most 2 KB; None if it says nothing.

    Args:
        data: The body, parsed.

    Example:
        >>> complaint({"message": "the weight is missing", "patient": {"name": "Amina"}})
        '{"message": "the weight is missing"}'
        >>> complaint({"name": "Amina"}), complaint("Amina has no weight")
        (None, None)
    """
    said = _said(data) if isinstance(data, Mapping | list) else None
    return cut(json.dumps(said, ensure_ascii=False), _MOST) if said else None


def _said(value: Any, depth: int = 0) -> Any:
    if depth > _MOST_DEPTH:
        return None
    if isinstance(value, list):
        return [said for item in value[:_MOST_ITEMS] if (said := _said(item, depth + 1))]
    if isinstance(value, Mapping):
        pairs = ((str(name), _under(str(name).lower(), item, depth)) for name, item in value.items())
        return {name: said for name, said in pairs if said not in (None, [], {})}
    return None


def _under(name: str, value: Any, depth: int) -> Any:
    """Give what stands under a name, if that is one for what is wrong."""
    if isinstance(value, str | int | float):
        said = name in _SAID or name in _HOLDING
        return None if not said else cut(value, _MOST_TEXT) if isinstance(value, str) else value
    if name not in _HOLDING:
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return [cut(item, _MOST_TEXT) for item in value[:_MOST_ITEMS]]
    return _said(value, depth + 1)
