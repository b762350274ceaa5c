"""What a credential holds, how to connect, and the operations."""

from collections.abc import Mapping
from typing import Any

from crossdock import Adaptor, State
from crossdock_http import Client, HttpConfiguration
from pydantic import Field


class Configuration(HttpConfiguration):
    """What a credential for {{ cookiecutter.system_name }} holds, beside the address and the user or token of any HTTP system."""

    page_size: int = Field(100, gt=0, le=1000, description="How many records are asked for at a time.")


class ApiClient(Client):
    """{{ cookiecutter.system_name }}, asked through the client of the http adaptor."""

    def __init__(self, configuration: Configuration) -> None:
        super().__init__(configuration, headers={"Accept": "application/json"})
        self.page_size = configuration.page_size


adaptor = Adaptor(
    "{{ cookiecutter.__module }}",
    configuration=Configuration,
    connect=ApiClient,
    verify=Client.verify,
)


@adaptor.operation(effect="read")
def find(state: State, kind: str, query: Mapping[str, Any] | None = None, *, credential: str | None = None) -> State:
    """Find all records of a kind, page after page.

    Args:
        kind: Which records: the last part of their path, such as ``people``.
        query: What they have to match, such as ``{"village": "Kisiwa"}``.
        credential: Which credential, where a job has several for {{ cookiecutter.system_name }}.

    Returns:
        The state with the list of records in ``data``.

    Raises:
        HttpError: {{ cookiecutter.system_name }} refuses the request.

    Example:
        >>> find("people", {"village": "Kisiwa"})
        {{ cookiecutter.__module }}.find(<str 6>, <dict 1>)
    """
    client = adaptor.connection
    asked = {"limit": client.page_size, **(query or {})}
    return state.result(list(client.records("/api/{kind}", params={"kind": kind}, query=asked)))


@adaptor.operation(effect="write")
def create(state: State, kind: str, record: Mapping[str, Any], *, credential: str | None = None) -> State:
    """Create one record.

    Args:
        kind: Which records: the last part of their path, such as ``people``.
        record: Its fields.
        credential: Which credential, where a job has several for {{ cookiecutter.system_name }}.

    Returns:
        The state with the answer of {{ cookiecutter.system_name }} in ``data``.

    Raises:
        HttpError: {{ cookiecutter.system_name }} refuses the record.
        UnknownOutcomeError: The record was sent, and no answer came.

    Example:
        >>> create("people", {"name": "Amina"})
        {{ cookiecutter.__module }}.create(<str 6>, <dict 1>)
    """
    answer = adaptor.connection.post("/api/{kind}", params={"kind": kind}, json=dict(record))
    return state.result(answer)