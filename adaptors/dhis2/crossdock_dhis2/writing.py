"""The operations that write."""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from crossdock import State
from crossdock.errors import ArgumentError

from crossdock_dhis2 import importing, objects
from crossdock_dhis2.adaptor import adaptor
from crossdock_dhis2.client import Dhis2Client
from crossdock_dhis2.kinds import Record, checked_record, uid_key, with_uid
from crossdock_dhis2.options import WriteOptions, policy_of, sent
from crossdock_dhis2.uids import checked_uid

Strategy = Literal["CREATE", "UPDATE", "CREATE_AND_UPDATE", "DELETE"]


@adaptor.operation(effect="write")
def create(
    state: State,
    resource: str,
    record: Any,
    *,
    query: Mapping[str, Any] | None = None,
    size: int = 500,
    **options: Unpack[WriteOptions],
) -> State:
    """Create one record, or a list of them where the resource takes one.

    Types of the tracker (enrollments, events, relationships, trackedEntities) are imported with
    ``importStrategy=CREATE``, and the report is waited for; ``dataValueSets`` and ``metadata`` are
    imports, too.

    Args:
        resource: The resource, such as ``events`` or ``dataElements``.
        record: The record as the DHIS2 documentation describes it.
        query: More query parameters; what stands here wins.
        size: How many records of the tracker one request holds.
        allow_ignored: Whether it is a success if DHIS2 ignores records.
        on_warning: What a warning of the report is: recorded on the run (``warn``, the default),
            an ``error``, or nothing (``ignore``).
        headers: Headers for this request; the options below are those of ``get``.
        ok: See ``get``.
        errors: See ``get``.
        timeout: See ``get``.
        retry: See ``get``; a POST is not repeated.
        api_version: See ``get``.
        credential: The credential to use.

    Returns:
        The state with DHIS2's report in ``data``. Records that were refused while others were taken
        are in ``state.failed``, and the run ends as ``partial``.

    Raises:
        Dhis2Error: Nothing was taken; ``details["errors"]`` has the codes.
        UnexpectedResponseError: The answer is no report; the run ends as ``unknown``.
        UidError: An identifier in a record is none; nothing was sent.

    Example:
        >>> create("events", {"program": "IpHINAT79UW", "orgUnit": "DiszpKrYNg8"})
        dhis2.create(<str 6>, <dict 2>)
    """
    client = adaptor.connection
    if resource == "tracker":
        raise ArgumentError("create('tracker', …) does not say what to do", fix="Use tracker_import(payload).")
    how = {"options": sent(options)}
    if client.is_tracker(resource):
        return state.result(_import(client, resource, record, "CREATE", query, size=size, **options))
    if resource == "dataValueSets":
        answer = importing.values_import(client, record, query or {}, policy_of(options), size=size, **how)
    elif resource == "metadata":
        answer = importing.metadata_import(client, record, query or {}, policy_of(options), **how)
    else:
        answer = _post(client, resource, record, query, options)
    return state.result(answer)


@adaptor.operation(effect="write")
def update(
    state: State,
    resource: str,
    uid: str,
    record: Mapping[str, Any],
    *,
    query: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> State:
    """Replace a record; one of the tracker is imported with ``importStrategy=UPDATE``.

    Args:
        resource: The resource, such as ``events`` or ``dataElements``.
        uid: Its identifier; the record need not hold it.
        record: The whole record.
        query: More query parameters; the other options are those of ``create``.

    Example:
        >>> update("dataElements", "FTRrcoaog83", {"name": "Visits", "shortName": "Visits"})
        dhis2.update(<str 12>, <str 11>, <dict 2>)
    """
    return state.result(_update(adaptor.connection, resource, uid, record, query, options))


@adaptor.operation(effect="write")
def upsert(
    state: State, resource: str, query: Mapping[str, Any], record: Any, **options: Unpack[WriteOptions]
) -> State:
    """Update the one record that a query finds, or create it.

    A record of the tracker is imported with ``importStrategy=CREATE_AND_UPDATE``; without a query
    DHIS2 itself goes by the identifier in it, and it may be a list.

    Args:
        resource: The resource, such as ``events`` or ``dataElements``.
        query: Query parameters that find at most one record.
        record: The whole record; the other options are those of ``create``.

    Raises:
        AmbiguousMatchError: Several are found; nothing was written.

    Example:
        >>> upsert("dataElements", {"filter": "code:eq:VISITS"}, {"name": "Visits", "code": "VISITS"})
        dhis2.upsert(<str 12>, <dict 1>, <dict 2>)
    """
    client = adaptor.connection
    reads = {name: value for name, value in sent(options).items() if name in ("headers", "timeout", "api_version")}
    hit = objects.find_one(client, resource, query, **reads) if query or not client.is_tracker(resource) else None
    if client.is_tracker(resource):
        given = record if hit is None else with_uid(record, resource, hit[uid_key(resource)])
        return state.result(_import(client, resource, given, "CREATE_AND_UPDATE", None, **options))
    if hit is None:
        return state.result(_post(client, resource, record, None, options))
    return state.result(_put(client, resource, str(hit[uid_key(resource)]), record, None, options))


@adaptor.operation(effect="write")
def save(
    state: State,
    resource: str,
    record: Mapping[str, Any],
    *,
    found: Mapping[str, Any] | str | None = None,
    query: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> State:
    """Update what ``find_one`` found, or create the record if it found nothing.

    Args:
        resource: The resource, such as ``events`` or ``dataElements``.
        record: The whole record.
        found: What ``find_one`` gave, or an identifier; None creates.
        query: More query parameters; the other options are those of ``create``.

    Example:
        >>> from crossdock import state
        >>> save("events", {"orgUnit": "DiszpKrYNg8"}, found=state.hit)
        dhis2.save(<str 6>, <dict 1>, found=state.hit)
    """
    client = adaptor.connection
    if found is not None:
        uid = found[uid_key(resource)] if isinstance(found, Mapping) else found
        return state.result(_update(client, resource, uid, record, query, options))
    if client.is_tracker(resource):
        return state.result(_import(client, resource, record, "CREATE", query, **options))
    return state.result(_post(client, resource, record, query, options))


@adaptor.operation(effect="write")
def patch(
    state: State,
    resource: str,
    uid: str,
    changes: Any,
    *,
    query: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> State:
    """Change some fields of a metadata object.

    Args:
        resource: The resource, such as ``dataElements``.
        uid: Its identifier.
        changes: The new values by field, or a JSON Patch (RFC 6902) as a list.
        query: More query parameters; the other options are those of ``create``.

    Example:
        >>> patch("dataElements", "FTRrcoaog83", {"name": "Visits"})
        dhis2.patch(<str 12>, <str 11>, <dict 1>)
    """
    client = adaptor.connection
    if client.is_tracker(resource):
        raise ArgumentError(f"DHIS2 can't patch {resource}", fix="Use update with the whole record.")
    path = f"{resource}/{checked_uid(uid, resource)}"
    given = {"json": objects.json_patch(changes), "content_type": "application/json-patch+json", **sent(options)}
    return state.result(objects.send(client, "PATCH", path, policy_of(options), [changes], query=query, **given))


@adaptor.operation(effect="write")
def delete(
    state: State,
    resource: str,
    uid: str | list[str],
    *,
    query: Mapping[str, Any] | None = None,
    **options: Unpack[WriteOptions],
) -> State:
    """Delete a record; those of the tracker also several at a time.

    Args:
        resource: The resource, such as ``events`` or ``dataElements``.
        uid: Its identifier, or a list of them for a type of the tracker.
        query: More query parameters; the other options are those of ``create``.

    Example:
        >>> delete("trackedEntities", "LcRd6Nyaq7T")
        dhis2.delete(<str 15>, <str 11>)
    """
    client = adaptor.connection
    if client.is_tracker(resource):
        records = [{uid_key(resource): checked_uid(one, resource)} for one in (uid if isinstance(uid, list) else [uid])]
        return state.result(_import(client, resource, records, "DELETE", query, **options))
    if isinstance(uid, list):
        raise ArgumentError(f"delete takes one of {resource} at a time", fix="Use each(uids, dhis2.delete(…)).")
    path = f"{resource}/{checked_uid(uid, resource)}"
    return state.result(
        objects.send(client, "DELETE", path, policy_of(options), [{"id": uid}], query=query, **sent(options))
    )


@adaptor.operation(effect="write")
def tracker_import(
    state: State,
    payload: Mapping[str, Any],
    strategy: Strategy | None = None,
    *,
    query: Mapping[str, Any] | None = None,
    size: int = 500,
    start: int = 0,
    asynchronous: bool = False,
    **options: Unpack[WriteOptions],
) -> State:
    """Import tracker objects, flat or nested, in as many requests as they need.

    Objects without an identifier get one where several are sent and may be created, or nobody could
    tell which ones the report means. In a dry run DHIS2 only validates them (``importMode=VALIDATE``).

    Args:
        payload: ``{"events": […]}`` and the like; each may be any iterable, also one that is read
            while it is sent. Records are counted in the order trackedEntities, enrollments, events,
            relationships.
        strategy: CREATE, UPDATE, CREATE_AND_UPDATE (DHIS2's default) or DELETE.
        query: More query parameters, such as ``{"atomicMode": "OBJECT"}``, without which one bad
            record refuses all of its request; what stands here wins. With ``{"async": True}``
            nothing is waited for: ``data`` is what ``import_job`` takes.
        size: How many records one request holds.
        start: Where to begin: ``details["resume_at"]`` of the error that an earlier import ended with.
        asynchronous: Import in the background and wait for the report; ``timeout`` is the time that
            each request may take, by default 600 s.
        options: Those of ``create``.

    Returns:
        The state with DHIS2's report in ``data``; of several requests their sum, ``{status, stats,
        conflicts, chunks}``. Refused records are in ``state.failed`` if others were taken.

    Raises:
        Dhis2Error: Nothing was taken; ``details["errors"]`` has the codes.
        ImportJobError: Nobody knows how the job ended.

    Example:
        >>> tracker_import({"events": [{"event": "ZwwuwNp6gVd"}]}, "DELETE", query={"atomicMode": "OBJECT"})
        dhis2.tracker_import(<dict 1>, <str 6>, query=<dict 1>)
    """
    asked = {"async": asynchronous, **({"importStrategy": strategy} if strategy else {}), **(query or {})}
    how = {"size": size, "start": start, "waits": asynchronous or "async" not in (query or {})}
    answer = importing.tracker_import(
        adaptor.connection, payload, asked, policy_of(options), options=sent(options), **how
    )
    return state.result(answer)


@adaptor.operation(effect="write")
def data_values(
    state: State,
    payload: Mapping[str, Any],
    *,
    query: Mapping[str, Any] | None = None,
    size: int = 500,
    start: int = 0,
    asynchronous: bool = False,
    **options: Unpack[WriteOptions],
) -> State:
    """Import aggregate data values, in as many requests as they need; in a dry run with ``dryRun=true``.

    Args:
        payload: ``{"dataValues": […]}``, any iterable, with ``dataSet``, ``period``, ``orgUnit`` and
            ``completeDate`` beside it, or each in the values. Periods are checked.
        query: More query parameters, such as ``{"importStrategy": "DELETE"}``.
        size: How many values one request holds.
        start: Where to begin, as in ``tracker_import``.
        asynchronous: Import in the background and wait for the report, as in ``tracker_import``; the
            other options are those of ``create``.

    Returns:
        The state with DHIS2's summary in ``data``, or the sum of several as in ``tracker_import``.

    Example:
        >>> value = {"dataElement": "f7n9E0hX8qk", "period": "202401", "orgUnit": "DiszpKrYNg8", "value": 12}
        >>> data_values({"dataValues": [value]})
        dhis2.data_values(<dict 1>)
    """
    asked = {**({"async": True} if asynchronous else {}), **(query or {})}
    how = {"size": size, "start": start, "waits": asynchronous or "async" not in (query or {})}
    answer = importing.values_import(
        adaptor.connection, payload, asked, policy_of(options), options=sent(options), **how
    )
    return state.result(answer)


@adaptor.operation(effect="write")
def metadata_import(
    state: State,
    payload: Mapping[str, Any],
    strategy: Strategy | None = None,
    *,
    query: Mapping[str, Any] | None = None,
    asynchronous: bool = False,
    **options: Unpack[WriteOptions],
) -> State:
    """Import metadata of any types in one request; in a dry run with ``importMode=VALIDATE``.

    Args:
        payload: ``{"dataElements": […], "dataSets": […], …}``.
        strategy: CREATE, UPDATE, CREATE_AND_UPDATE (DHIS2's default) or DELETE.
        query: More query parameters, such as ``{"atomicMode": "NONE"}``.
        asynchronous: Import in the background and wait for the report, as in ``tracker_import``; the
            other options are those of ``create``.

    Example:
        >>> metadata_import({"dataElements": [{"id": "FTRrcoaog83", "name": "Visits"}]})
        dhis2.metadata_import(<dict 1>)
    """
    asked = {"importStrategy": strategy, **({"async": True} if asynchronous else {}), **(query or {})}
    how = {"waits": asynchronous or "async" not in (query or {})}
    answer = importing.metadata_import(
        adaptor.connection, payload, asked, policy_of(options), options=sent(options), **how
    )
    return state.result(answer)


def _import(
    client: Dhis2Client,
    resource: str,
    record: Any,
    strategy: Strategy,
    query: Mapping[str, Any] | None,
    size: int = 500,
    **options: Any,
) -> Any:
    """Import one record of a tracker type, or several."""
    records = [record] if isinstance(record, Mapping) else record
    asked = {"async": False, "importStrategy": strategy, **(query or {})}
    how = {"size": size, "waits": "async" not in (query or {})}
    policy = policy_of(options)
    return importing.tracker_import(client, {resource: records}, asked, policy, options=sent(options), **how)


def _update(
    client: Dhis2Client, resource: str, uid: str, record: Record, query: Mapping[str, Any] | None, options: Any
) -> Any:
    checked_uid(uid, resource)
    if client.is_tracker(resource):
        return _import(client, resource, with_uid(record, resource, uid), "UPDATE", query, **options)
    return _put(client, resource, uid, record, query, options)


def _put(
    client: Dhis2Client, resource: str, uid: str, record: Record, query: Mapping[str, Any] | None, options: Any
) -> Any:
    """Replace an object; its identifier is checked, or came from DHIS2 itself."""
    given = {"params": {"uid": uid}, "json": record, "query": query, **sent(options)}
    return objects.send(client, "PUT", f"{resource}/{{uid}}", policy_of(options), [record], **given)


def _post(client: Dhis2Client, resource: str, record: Any, query: Mapping[str, Any] | None, options: Any) -> Any:
    records = record if isinstance(record, list) else [record]
    for one in records:
        checked_record(one, resource)
    given = {"json": objects.body_of(resource, record), "query": query, **sent(options)}
    return objects.send(client, "POST", resource, policy_of(options), records, **given)
