"""Writes of one object, and what DHIS2 answers to them."""

from collections.abc import Mapping
from typing import Any

from crossdock import Answer
from crossdock.errors import ArgumentError

from crossdock_dhis2.client import Dhis2Client
from crossdock_dhis2.errors import UnexpectedResponseError
from crossdock_dhis2.judging import Verdict
from crossdock_dhis2.kinds import LEGACY, hits_of, one_of
from crossdock_dhis2.options import Policy
from crossdock_dhis2.periods import period
from crossdock_dhis2.report import is_message, read_report


def send(client: Dhis2Client, method: str, path: str, policy: Policy, records: list[Any], **options: Any) -> Answer:
    """Send a write, and judge what DHIS2 says of it.

    Args:
        client: The instance.
        method: The HTTP method.
        path: The resource.
        policy: What the job says of reports.
        records: What the report is about.
        options: Those of requests.

    Raises:
        Dhis2Error: It was refused.
        UnexpectedResponseError: The answer is neither a report nor a message of DHIS2.
    """
    answer = client.write(method, path, **options)
    if (answer.response or {}).get("planned"):
        return answer
    if read_report(answer.data) is None:
        if answer.data is None or is_message(answer.data) or _is_expected(answer, options):
            return answer
        raise UnexpectedResponseError(
            f"{method} {path} was answered {answer.status} with neither a report nor a message of DHIS2",
            status=answer.status,
        )
    verdict = Verdict(path, policy)
    verdict.add(answer, [(None, record) for record in records])
    verdict.pass_(answer)
    return answer


def _is_expected(answer: Answer, options: Mapping[str, Any]) -> bool:
    """Tell whether the job itself says that this status is none to worry about."""
    errors = options.get("errors")
    expected = errors is False or (isinstance(errors, Mapping) and answer.status in errors)
    return (
        answer.status is not None and answer.status >= 300 and (expected or answer.status in (options.get("ok") or ()))
    )


def body_of(resource: str, record: Any) -> Any:
    """Give what is posted to a resource: the old tracker takes several objects under their name."""
    return {resource: record} if resource in LEGACY and isinstance(record, list) else record


def find_one(client: Dhis2Client, resource: str, query: Mapping[str, Any], **options: Any) -> Any:
    """Give the only object that a query finds, or None."""
    answer = client.read(client.read_place(resource), query=query, **options)
    return one_of(hits_of(answer.data, resource), resource)


def json_patch(changes: Any) -> list[dict[str, Any]]:
    """Give changes as a JSON Patch (RFC 6902), which is all that DHIS2 takes since 2.36.

    >>> json_patch({"name": "Kisumu"})
    [{'op': 'add', 'path': '/name', 'value': 'Kisumu'}]
    """
    if isinstance(changes, Mapping):
        return [{"op": "add", "path": f"/{_escaped(key)}", "value": value} for key, value in changes.items()]
    if isinstance(changes, list):
        return changes
    raise ArgumentError(f"patch got a {type(changes).__name__}", fix="Give the fields to change, or a JSON Patch.")


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def checked_query(path: str, query: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Give a query back; the periods in one for data values are checked."""
    periods = (query or {}).get("period") if path.partition("?")[0] == "dataValueSets" else None
    for one in periods if isinstance(periods, list | tuple) else [periods]:
        if one is not None:
            period(one)
    return query
