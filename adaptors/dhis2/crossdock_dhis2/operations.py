"""The operations of the dhis2 adaptor, over the client of the http adaptor."""

from collections.abc import Mapping
from typing import Any

from crossdock import Adaptor, AdaptorError, Answer, State
from crossdock_http import Client, HttpConfiguration, HttpError
from pydantic import AliasChoices, Field, SecretStr, model_validator

TRACKER_TYPES = frozenset({"enrollments", "events", "relationships", "trackedEntities"})
"""The resources that are written through ``/api/tracker``."""


class Dhis2Configuration(HttpConfiguration):
    """Where a DHIS2 instance is, and a user or a personal access token."""

    base_url: str = Field(
        validation_alias=AliasChoices("base_url", "host_url"), description="The instance, without /api."
    )
    pat: SecretStr | None = Field(None, description="A personal access token.")
    api_version: int | None = Field(None, description="The version in /api/<version>; none by default.")

    @model_validator(mode="after")
    def _has_a_way_in(self) -> "Dhis2Configuration":
        if self.pat is None and self.username is None and self.token is None:
            raise ValueError("give a pat, or a username and password")
        return self

    def authorization(self) -> str | None:
        """Give the value of the Authorization header."""
        return f"ApiToken {self.pat.get_secret_value()}" if self.pat is not None else super().authorization()


class Dhis2Client(Client):
    """A DHIS2 instance; paths are those below ``/api``."""

    def __init__(self, configuration: Dhis2Configuration) -> None:
        super().__init__(configuration, headers={"accept": "application/json"})
        version = configuration.api_version
        self._api = "/api" if version is None else f"/api/{version}"

    def url(self, path: str, params: Mapping[str, Any] | None = None) -> str:
        """Give the URL of a path below the API."""
        return super().url(f"{self._api}/{path.strip('/')}", params)


class Dhis2Error(AdaptorError):
    """DHIS2 refused records in its import report, whatever its HTTP status was."""

    code = "dhis2_import_refused"
    fix = "Correct the records that the report names; the errorCode says why."


adaptor = Adaptor("dhis2", configuration=Dhis2Configuration, connect=Dhis2Client)


@adaptor.operation(effect="read")
def get(
    state: State,
    path: str,
    query: Mapping[str, Any] | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    credential: str | None = None,
) -> State:
    """Get a resource.

    Args:
        path: The resource below ``/api``, such as ``organisationUnits`` or ``tracker/events``.
        query: Query parameters; a list repeats its key, as ``filter`` needs it.
        params: Values for ``{name}`` in the path.
        credential: The credential to use.

    Example:
        >>> get("organisationUnits", {"filter": ["level:eq:3", "name:like:Kisumu"]})
        dhis2.get(<str 17>, <dict 1>)
    """
    return state.result(adaptor.connection.get(path, params=params, query=query, parse="json"))


@adaptor.operation(effect="write")
def create(
    state: State, resource: str, record: Any, *, query: Mapping[str, Any] | None = None, credential: str | None = None
) -> State:
    """Create one record, or a list of them where the resource takes one.

    Tracker types (enrollments, events, relationships, trackedEntities) are imported through
    ``/api/tracker`` with ``importStrategy=CREATE``, and wait for the report.

    Args:
        resource: The resource, such as ``events`` or ``dataValueSets``.
        record: The record as the DHIS2 documentation describes it.
        query: More query parameters.
        credential: The credential to use.

    Returns:
        The state with the import report in ``data``.

    Raises:
        Dhis2Error: The report says that records were refused.

    Example:
        >>> create("events", {"program": "IpHINAT79UW", "orgUnit": "DiszpKrYNg8"})
        dhis2.create(<str 6>, <dict 2>)
    """
    if resource not in TRACKER_TYPES:
        return state.result(_checked(adaptor.connection.post, resource, json=record, query=query))
    payload = {resource: record if isinstance(record, list) else [record]}
    forced = {"async": False, "importStrategy": "CREATE"}
    return state.result(_checked(adaptor.connection.post, "tracker", json=payload, query={**(query or {}), **forced}))


def _checked(send: Any, path: str, **options: Any) -> Answer:
    """Send a write, and read its report: DHIS2 says 200 or 409 and means what the report says."""
    try:
        answer: Answer = send(path, parse="json", **options)
    except HttpError as error:
        if error.details.get("status") == 409 and isinstance(error.answer.data, dict):
            raise _refusal(error.answer) from error
        raise
    report = answer.data if isinstance(answer.data, dict) else {}
    counts = report.get("stats") or report.get("importCount") or (report.get("response") or {}).get("importCount") or {}
    if report.get("status") == "ERROR" or counts.get("ignored"):
        raise _refusal(answer)
    return answer


def _refusal(answer: Answer) -> Dhis2Error:
    report = answer.data
    errors = ((report.get("validationReport") or {}).get("errorReports")) or []
    codes = [str(error.get("errorCode")) for error in errors if isinstance(error, dict)]
    return Dhis2Error(
        f"DHIS2 refused records: {', '.join(codes) or report.get('status', 'no reason given')}",
        answer=answer,
        status=answer.status,
        errors=codes,
    )
