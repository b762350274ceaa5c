"""What DHIS2 reports of a write: one form for all the shapes that its versions and endpoints have.

- The tracker: ``stats``, ``validationReport``, ``bundleReport`` (2.36 and later).
- Data value sets, and one event or the like before that: ``importCount``, ``conflicts``.
- Several of those: ``importSummaries``.
- Metadata: ``stats``, ``typeReports``.
- One object: an ``ObjectReport``, which counts nothing.

Each may stand in a web message, under ``response``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from crossdock_dhis2.uids import is_uid

Status = Literal["OK", "WARNING", "ERROR"]

_WORST: tuple[Status, ...] = ("OK", "WARNING", "ERROR")
_STATUSES: dict[Any, Status] = {"WARNING": "WARNING", "ERROR": "ERROR"}
_CODE = re.compile(r"[A-Z]?\d{3,5}")
_NAME = re.compile(r"[A-Za-z][A-Za-z_.]{0,60}")
_PLACE = re.compile(r"(?:dataElement|attribute)\W{1,3}([A-Za-z][A-Za-z0-9]{10})\b", re.IGNORECASE)


@dataclass(frozen=True)
class Conflict:
    """What DHIS2 says of one record."""

    index: int | None = None
    """Where the record stands in what was sent."""
    uid: str | None = None
    place: str | None = None
    """The property or data element that it is about."""
    code: str | None = None
    message: str | None = None
    """DHIS2's own words; they may hold values of the record."""

    @property
    def shown(self) -> str:
        """Its code and property, without any value."""
        return " ".join(part for part in (self.code or "no code", self.place) if part)

    def facts(self) -> dict[str, Any]:
        """Give what an error may hold of it."""
        return {"index": self.index, "uid": self.uid, "property": self.place, "code": self.code}


class Counts(NamedTuple):
    """How many records became what."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    ignored: int = 0

    @property
    def accepted(self) -> int:
        """How many were taken."""
        return self.created + self.updated + self.deleted

    @property
    def stats(self) -> dict[str, int]:
        """The counts under DHIS2's names."""
        return {**self._asdict(), "total": self.accepted + self.ignored}

    def plus(self, other: "Counts") -> "Counts":
        """Add two."""
        return Counts(*map(sum, zip(self, other, strict=True)))

    def __str__(self) -> str:
        return ", ".join(f"{number} {name}" for name, number in self._asdict().items())


class Report(NamedTuple):
    """What DHIS2 reports of one request."""

    status: Status
    counts: Counts
    conflicts: list[Conflict]
    warnings: list[Conflict]


def read_report(body: Any) -> Report | None:
    """Read a report of any shape; None if the body is none, or counts nothing.

    >>> read_report({"status": "OK", "stats": {"created": 2, "ignored": 0}}).counts
    Counts(created=2, updated=0, deleted=0, ignored=0)
    """
    if not isinstance(body, Mapping):
        return None
    inner = body["response"] if isinstance(body.get("response"), Mapping) else body
    counts = _counts(inner)
    if counts is None:
        return None
    status = max((_STATUSES.get(part.get("status"), "OK") for part in (body, inner)), key=_WORST.index)
    return Report(status, counts, list(_conflicts(inner)), list(_of_tracker(inner, "warningReports")))


def as_if_written(report: Report, records: int, *, whole: bool) -> Report:
    """Give the report of a validation as that of the import: DHIS2 counts as ignored what it only validates.

    Args:
        report: What DHIS2 said.
        records: How many records it is about.
        whole: Whether one that is refused refuses all of them.
    """
    if report.counts.accepted:
        return report
    named = {conflict.uid or conflict.index for conflict in report.conflicts}
    refused = min(records, len(named)) if report.status == "ERROR" or named else 0
    refused = records if refused and whole else refused
    return report._replace(counts=Counts(created=records - refused, ignored=refused))


def is_message(body: Any) -> bool:
    """Tell whether a body is a web message that says that all is well."""
    return isinstance(body, Mapping) and isinstance(body.get("httpStatusCode"), int) and body.get("status") == "OK"


def _counts(inner: Mapping[str, Any]) -> Counts | None:
    for counted in (inner.get("stats"), inner.get("importCount"), _of_summaries(inner)):
        if isinstance(counted, Mapping) and any(_is_count(counted.get(name)) for name in _COUNTED):
            created = _number(counted, "created") + _number(counted, "imported")
            return Counts(created, *(_number(counted, name) for name in ("updated", "deleted", "ignored")))
    if _is_object(inner):
        return Counts(ignored=1) if inner.get("errorReports") else Counts(updated=1)
    return None


_COUNTED = ("created", "imported", "updated", "deleted", "ignored")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(counted: Mapping[str, Any], name: str) -> int:
    value = counted.get(name)
    return value if isinstance(value, int) else 0


def _of_summaries(inner: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return inner if isinstance(inner.get("importSummaries"), list) else None


def _is_object(inner: Mapping[str, Any]) -> bool:
    return str(inner.get("responseType", "")).startswith("ObjectReport") or ("klass" in inner and "uid" in inner)


def _conflicts(inner: Mapping[str, Any]) -> Iterator[Conflict]:
    yield from _of_tracker(inner, "errorReports")
    for report in _object_reports(inner):
        for error in _list(report, "errorReports"):
            yield _conflict(error, index=_index(report), uid=report.get("uid"))
    yield from _of_import(inner)
    for number, summary in enumerate(_list(inner, "importSummaries")):
        yield from _of_summary(summary, number)


def _of_tracker(inner: Mapping[str, Any], name: str) -> Iterator[Conflict]:
    validation = inner.get("validationReport")
    for error in _list(validation if isinstance(validation, Mapping) else {}, name):
        yield _conflict(error, uid=error.get("uid"))


def _object_reports(inner: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Give the reports of single objects, wherever they stand."""
    bundle = inner.get("bundleReport")
    by_type = bundle.get("typeReportMap") if isinstance(bundle, Mapping) else None
    reports = [*(by_type.values() if isinstance(by_type, Mapping) else ()), *_list(inner, "typeReports")]
    for report in reports:
        yield from _list(report, "objectReports")
    if _is_object(inner):
        yield inner


def _of_import(inner: Mapping[str, Any]) -> Iterator[Conflict]:
    """Give the conflicts of an import of data values; one may stand for several records."""
    named: set[int] = set()
    for conflict in _list(inner, "conflicts"):
        indexes: list[int | None] = [index for index in conflict.get("indexes") or () if isinstance(index, int)]
        named.update(index for index in indexes if index is not None)
        for index in indexes or (None,):
            yield _conflict(conflict, index=index)
    for index in inner.get("rejectedIndexes") or ():
        if isinstance(index, int) and index not in named:
            yield Conflict(index)


def _of_summary(summary: Mapping[str, Any], number: int) -> Iterator[Conflict]:
    """Give the conflicts of one record among several."""
    reference = summary.get("reference")
    conflicts = _list(summary, "conflicts")
    for conflict in conflicts:
        yield _conflict(conflict, index=number, uid=reference)
    if not conflicts and summary.get("status") == "ERROR":
        yield Conflict(number, reference, message=summary.get("description"))


def _conflict(error: Mapping[str, Any], *, index: int | None = None, uid: Any = None) -> Conflict:
    code = str(error.get("errorCode") or "")
    message = error.get("message") or error.get("value")
    return Conflict(
        index,
        uid if is_uid(uid) else None,
        _place(error, str(message or "")),
        code if _CODE.fullmatch(code) else None,
        None if message is None else str(message),
    )


def _place(error: Mapping[str, Any], message: str) -> str | None:
    """Name what is wrong with a record; never a value of it."""
    for given in (error.get("property"), error.get("errorProperty")):
        if isinstance(given, str) and (_NAME.fullmatch(given) or is_uid(given)):
            return given
    if named := _PLACE.search(message):
        return named[1]
    what = error.get("object")  # an identifier, or a value: those are words more often than not
    return what if isinstance(what, str) and is_uid(what) and any(c.isdigit() for c in what) else None


def _index(report: Mapping[str, Any]) -> int | None:
    index = report.get("index")
    return index if isinstance(index, int) else None


def _list(inner: Mapping[str, Any], name: str) -> list[Any]:
    found = inner.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
