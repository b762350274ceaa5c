"""The operations that read."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from crossdock import Answer, State
from crossdock.errors import ArgumentError
from crossdock_http import Limits, Parse

from crossdock_dhis2 import objects
from crossdock_dhis2.adaptor import adaptor
from crossdock_dhis2.exporting import Dhis2Pages, ordered, rows_of, without_twins
from crossdock_dhis2.jobs import named_job, wait_for
from crossdock_dhis2.judging import Verdict
from crossdock_dhis2.kinds import TRACKER
from crossdock_dhis2.options import Options, WriteOptions, policy_of, sent

_CODES = 50
"""How many codes go into one request."""


@adaptor.operation(effect="read")
def get(
    state: State,
    path: str,
    query: Mapping[str, Any] | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    parse: Parse | None = None,
    **options: Unpack[Options],
) -> State:
    """Get a resource.

    Args:
        path: What follows ``/api/``, such as ``organisationUnits`` or ``tracker/events/{uid}``.
        query: Query parameters; a list repeats its key, as ``filter`` needs it, None leaves it out.
        params: Values for ``{name}`` in the path; each becomes one segment.
        parse: How the answer is read: ``json`` by default, or as in ``http.request``.
        headers: Headers for this request; None leaves one out.
        ok: Statuses from 300 up that count as success.
        errors: Status → whether it is an error, as in ``http.request``.
        timeout: Seconds for the whole operation: repeats, waits and answer included.
        retry: How often it is repeated after an error that may pass; 2 by default.
        api_version: The version of the API, instead of the credential's.
        credential: The credential to use.

    Raises:
        LoginPageError: A page for people came instead of JSON.
        AuthFailedError: The user or token is not accepted.
        ApiVersionError: The instance has no such version.
        Dhis2RequestError: DHIS2 refused the request with a code of its own.

    Example:
        >>> get("organisationUnits", {"filter": ["level:eq:3", "name:like:Kisumu"]})
        dhis2.get(<str 17>, <dict 1>)
    """
    client = adaptor.connection
    query = objects.checked_query(path, query)
    return state.result(client.read(path, query=query, params=params, parse=parse or "json", **sent(options)))


@adaptor.operation(effect="read")
def get_all(
    state: State,
    path: str,
    query: Mapping[str, Any] | None = None,
    *,
    size: int = 200,
    items: str | None = None,
    max_pages: int = 10_000,
    **options: Unpack[Options],
) -> State:
    """Get the objects of all pages as one list, each once.

    Pages come in an order in which nothing moves while they are read, unless the query has an
    ``order``. An object that stands on two pages is given once, and a warning counts those.

    Args:
        path: What follows ``/api/``, such as ``organisationUnits`` or ``tracker/events``.
        query: Query parameters, as those of ``get``; the other options are those of ``get``, too.
        size: How many objects a page has.
        items: The key of a page's list, where it can't be guessed; ``rows`` for a table.
        max_pages: Where reading ends in any case. What is left unread is a warning of the run.

    Returns:
        The state with the list of all objects in ``data``.

    Example:
        >>> get_all("tracker/events", {"program": "IpHINAT79UW", "orgUnitMode": "ACCESSIBLE"})
        dhis2.get_all(<str 14>, <dict 2>)
    """
    client, given = adaptor.connection, sent(options)
    place = client.place(path, given.pop("api_version", None))
    asked = ordered(path, query)
    pages = client.pages(place, Dhis2Pages(size), items, limits=Limits(max_pages=max_pages), query=asked, **given)
    return state.result(list(without_twins(pages, path)))


@adaptor.operation(effect="read")
def find_one(state: State, resource: str, query: Mapping[str, Any] | None = None, **options: Unpack[Options]) -> State:
    """Get the only object that a query finds: None if there is none.

    Args:
        resource: ``events`` and other types of the tracker, which are looked for below
            ``/api/tracker``, or a resource such as ``organisationUnits``.
        query: Query parameters; the other options are those of ``get``.

    Returns:
        The state with the object or None in ``data``.

    Raises:
        AmbiguousMatchError: There are several; it lists their identifiers.

    Example:
        >>> find_one("events", {"program": "IpHINAT79UW", "filter": "IsrhSrEFAX8:EQ:chw-0001"})
        dhis2.find_one(<str 6>, <dict 2>)
    """
    return state.result(objects.find_one(adaptor.connection, resource, query or {}, **sent(options)))


@adaptor.operation(effect="read")
def tracker_export(
    state: State, resource: str, query: Mapping[str, Any] | None = None, **options: Unpack[Options]
) -> State:
    """Get tracker objects as DHIS2 answers with them: one page, unless ``paging`` is False.

    Args:
        resource: ``trackedEntities``, ``enrollments``, ``events`` or ``relationships``, perhaps
            with an identifier: ``events/EV1abcdefgh``.
        query: Query parameters; the other options are those of ``get``. ``get_all`` reads all pages.

    Example:
        >>> tracker_export("enrollments", {"orgUnit": "DiszpKrYNg8", "totalPages": True})
        dhis2.tracker_export(<str 11>, <dict 2>)
    """
    client = adaptor.connection
    if resource.partition("/")[0] not in TRACKER:
        raise ArgumentError(f"tracker_export got {resource!r:.80}", fix=f"Use one of {', '.join(TRACKER)}.")
    return state.result(client.read(f"tracker/{resource}", query=query, **sent(options)))


@adaptor.operation(effect="read")
def analytics(state: State, query: Mapping[str, Any], *, path: str = "analytics", **options: Unpack[Options]) -> State:
    """Get the rows of an analytics table, each as an object.

    Args:
        query: ``dimension`` and ``filter``, each a text or a list of them, and the like.
        path: The table: ``analytics``, ``analytics/events/query/<program>`` …; the other options
            are those of ``get``.

    Returns:
        The state with a list of rows in ``data``; the names of the columns are the keys.

    Raises:
        Dhis2RequestError: DHIS2 refused the query; the code in its details says why.

    Example:
        >>> analytics({"dimension": ["dx:fbfJHSPpUQD", "pe:LAST_3_MONTHS"], "filter": "ou:ImspTQPwCqd"})
        dhis2.analytics(<dict 2>)
    """
    answer = adaptor.connection.read(path, query=query, **sent(options))
    return state.result(Answer(rows_of(answer.data), response=answer.response, status=answer.status))


@adaptor.operation(effect="read")
def discover(state: State, resource: str | None = None, **options: Unpack[Options]) -> State:
    """Get what this instance offers: its resources, and the fields of those that have a schema.

    Args:
        resource: Only this one, such as ``organisationUnits``; the other options are those of ``get``.

    Returns:
        The state with ``{resource: {path, fields}}`` in ``data``; ``fields`` is
        ``{name: {type, required, writable}}``.

    Example:
        >>> discover("organisationUnits")
        dhis2.discover(<str 17>)
    """
    client, given = adaptor.connection, sent(options)
    listed = client.read("resources.json", **given).data.get("resources") or ()
    asked = "plural,relativeApiEndpoint,properties[name,fieldName,collectionName,propertyType,required,writable]"
    schemas = client.read("schemas.json", query={"fields": asked}, **given).data.get("schemas") or ()
    found = {str(entry["plural"]): {"path": entry["plural"], "fields": {}} for entry in listed if entry.get("plural")}
    for schema in schemas:
        if schema.get("relativeApiEndpoint"):
            found[schema["plural"]] = _described(schema)
    if resource is not None:
        found = {name: entry for name, entry in found.items() if name == resource}
    return state.result(found)


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    fields = {
        part.get("collectionName") or part.get("fieldName") or part.get("name"): {
            "type": part.get("propertyType"),
            "required": bool(part.get("required")),
            "writable": bool(part.get("writable", True)),
        }
        for part in schema.get("properties") or ()
    }
    return {"path": schema["relativeApiEndpoint"].strip("/"), "fields": fields}


@adaptor.operation(effect="read")
def org_units(
    state: State, codes: Sequence[str], *, missing: Literal["error", "null"] = "error", **options: Unpack[Options]
) -> State:
    """Look the identifiers of organisation units up by their codes.

    Args:
        codes: The codes.
        missing: What a code is that no unit has: an ``error``, or None (``null``); the other
            options are those of ``get``.

    Returns:
        The state with ``{code: identifier}`` in ``data``.

    Raises:
        ArgumentError: No unit has a code.

    Example:
        >>> org_units(["KSM-01", "KSM-02"])
        dhis2.org_units(<list 2>)
    """
    client, wanted = adaptor.connection, list(dict.fromkeys([codes] if isinstance(codes, str) else codes))
    found: dict[str, Any] = dict.fromkeys(wanted)
    for first in range(0, len(wanted), _CODES):
        filters = [f"code:eq:{code}" for code in wanted[first : first + _CODES]]
        query = {"filter": filters, "rootJunction": "OR", "fields": "id,code", "paging": False}
        answer = client.read("organisationUnits", query=query, **sent(options))
        for unit in answer.data.get("organisationUnits") or ():
            if unit.get("code") in found:
                found[unit["code"]] = unit["id"]
    unknown = [str(code) for code, uid in found.items() if uid is None]
    if unknown and missing == "error":
        raise ArgumentError(
            f"{len(unknown)} of {len(wanted)} codes are of no organisation unit: {', '.join(unknown)[:500]}",
            fix="Correct the codes, or give missing='null'.",
        )
    return state.result(found)


@adaptor.operation(effect="read")
def import_job(state: State, job: Any, *, kind: str = "TRACKER_IMPORT_JOB", **options: Unpack[WriteOptions]) -> State:
    """Wait for an import that goes on in the background, and judge its report.

    Args:
        job: What DHIS2 answered to that import, or the identifier of the job.
        kind: The ``jobType`` of a job that is named by its identifier.
        timeout: The most seconds to wait; 600 by default. The other options are those of ``create``.

    Returns:
        The state with the report in ``data``.

    Raises:
        ImportJobError: DHIS2 has forgotten the job, or is not done in time; the run ends as ``unknown``.
        Dhis2Error: All of its records were refused.

    Example:
        >>> import_job("LkXBUdIgbe3", timeout=60)
        dhis2.import_job(<str 11>, timeout=<int>)
    """
    client, given = adaptor.connection, sent(options)
    named = named_job(job, kind)
    answer = wait_for(client, named, given.pop("timeout", None), **given)
    verdict = Verdict(f"job {named.uid}", policy_of(options))
    verdict.add(answer, [])
    verdict.pass_(answer)
    return state.result(answer)
