"""The kinds of things that DHIS2 keeps, and where each has its identifier."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from crossdock.errors import ArgumentError
from crossdock_http import items_of

from crossdock_dhis2.errors import AmbiguousMatchError
from crossdock_dhis2.uids import checked_uid, is_uid

Record = Mapping[str, Any]

TRACKER = {
    "trackedEntities": "trackedEntity",
    "enrollments": "enrollment",
    "events": "event",
    "relationships": "relationship",
}
"""What is written through ``/api/tracker``, and its identifier; what others refer to stands first."""

LEGACY = {
    "trackedEntityInstances": "trackedEntityInstance",
    "enrollments": "enrollment",
    "events": "event",
    "relationships": "relationship",
}
"""The same before DHIS2 2.36, each through an endpoint of its own."""

_NESTED = ("enrollments", "events")
_UIDS = tuple(TRACKER.values())


def uid_key(resource: str) -> str:
    """Give the name of the identifier in records of a resource, or below a path that ends with it.

    >>> uid_key("tracker/events"), uid_key("dataElements")
    ('event', 'id')
    """
    name = resource.rpartition("/")[2]
    return TRACKER.get(name) or LEGACY.get(name) or "id"


def hits_of(data: Any, resource: str) -> list[Any]:
    """Give the objects in a page: under the resource's name, ``instances``, or the one list that there is."""
    for key in (resource.rpartition("/")[2], "instances"):
        if isinstance(data, Mapping) and isinstance(data.get(key), list):
            return list(data[key])
    return items_of(data, None)


def one_of(hits: list[Any], resource: str) -> Any:
    """Give the only hit, or None.

    Raises:
        AmbiguousMatchError: There are several.
    """
    if len(hits) > 1:
        uids = [hit.get(uid_key(resource)) if isinstance(hit, Mapping) else None for hit in hits]
        named = ", ".join(str(uid) for uid in uids[:10])
        raise AmbiguousMatchError(
            f"{len(hits)} {resource} are found where one is meant: {named}{', …' if len(uids) > 10 else ''}",
            count=len(hits),
            uids=uids[:50],
        )
    return hits[0] if hits else None


def with_uid(record: Any, resource: str, uid: str) -> dict[str, Any]:
    """Give a record with its identifier; it must not have another one."""
    key = uid_key(resource)
    own = checked_record(record, resource).get(key)
    if own not in (None, "", uid):
        raise ArgumentError(f"the record of {resource} has another {key} than the one that is to be written")
    return {**record, key: uid}


def checked_record(record: Any, resource: str) -> Record:
    """Give a record back, or refuse it; the identifiers of tracker objects in it are checked."""
    if not isinstance(record, Mapping):
        raise ArgumentError(f"a record of {resource} is a {type(record).__name__}, not an object")
    for key in _UIDS:
        uid = record.get(key)
        if uid and not is_uid(uid) and not isinstance(uid, Mapping):
            checked_uid(uid, f"{key} in a record of {resource}")
    for kind in _NESTED:
        for inner in record.get(kind) or ():
            checked_record(inner, kind)
    return record


def identified(record: Record, kind: str, make: Callable[[Record], str]) -> Record:
    """Give a tracker record in which every object has an identifier.

    DHIS2 makes one for an object that has none, and reports errors under that: then nobody could
    tell which record is meant.
    """
    key = TRACKER[kind]
    given = record if record.get(key) else {**record, key: make(record)}
    for inner in _NESTED:
        if given.get(inner):
            given = {**given, inner: [identified(child, inner, make) for child in given[inner]]}
    return given


def uids_in(record: Record, kind: str) -> Iterator[str]:
    """Give the identifiers of a tracker record and of all objects in it."""
    if uid := record.get(TRACKER[kind]):
        yield str(uid)
    for inner in _NESTED:
        for child in record.get(inner) or ():
            yield from uids_in(child, inner)


def tracker_records(payload: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the records of a tracker payload with their kinds, those first that others refer to."""
    for kind in TRACKER:
        records: Iterable[Any] | None = payload.get(kind)
        for record in records or ():
            yield kind, record
