"""What a credential holds, how to connect, and the operations."""

from collections.abc import Mapping
from typing import Any

from crossdock import Adaptor, State, run_file
from crossdock_http import Client, Cursor, HttpConfiguration
from pydantic import Field, SecretStr


class Configuration(HttpConfiguration):
    """What a credential for the depot holds, beside the address of any HTTP system."""

    depot_key: SecretStr = Field(description="The key of the depot.")
    rate: float | None = Field(50, gt=0, description="The most requests per second that the depot takes.")


def connect(configuration: Configuration) -> Client:
    """Give a client that shows the key with every request."""
    return Client(configuration, headers={"X-Depot-Key": configuration.depot_key})


adaptor = Adaptor("depot", configuration=Configuration, connect=connect, verify=Client.verify)


@adaptor.operation(effect="read")
def stock(state: State, kind: str | None = None, *, credential: str | None = None) -> State:
    """Get all medicines that are in stock, page after page.

    Args:
        kind: Only those of a kind, such as ``syrup``.
        credential: Which credential, where a job has several for the depot.

    Example:
        >>> stock("syrup")
        depot.stock(<str 5>)
    """
    return state.result(list(adaptor.connection.records("/stock", Cursor("page.next"), "items", query={"kind": kind})))


@adaptor.operation(effect="read")
def search(state: State, where: Mapping[str, Any], *, credential: str | None = None) -> State:
    """Search the stock.

    Args:
        where: What medicines have to match.
        credential: Which credential, where a job has several for the depot.

    Example:
        >>> search({"name": "Zinc"})
        depot.search(<dict 1>)
    """
    return state.result(adaptor.connection.post("/search", json=dict(where), reads=True))


@adaptor.operation(effect="write")
def receive(state: State, medicine: Mapping[str, Any], *, credential: str | None = None) -> State:
    """Put a medicine into stock.

    Args:
        medicine: Its name and amount.
        credential: Which credential, where a job has several for the depot.

    Example:
        >>> receive({"name": "Zinc", "amount": 20})
        depot.receive(<dict 2>)
    """
    return state.result(adaptor.connection.post("/stock", json=dict(medicine)))


@adaptor.operation(effect="write")
def upload_leaflet(state: State, medicine: str, file: str, *, credential: str | None = None) -> State:
    """Send the leaflet of a medicine, a file of the run.

    Args:
        medicine: The id of the medicine.
        file: The name of the file.
        credential: Which credential, where a job has several for the depot.

    Example:
        >>> upload_leaflet("m-1", "zinc.pdf")
        depot.upload_leaflet(<str 3>, <str 8>)
    """
    parts = {"leaflet": run_file(file)}
    return state.result(adaptor.connection.post("/stock/{id}/leaflet", params={"id": medicine}, multipart=parts))


@adaptor.operation(effect="read")
def download_leaflet(state: State, medicine: str, file: str, *, credential: str | None = None) -> State:
    """Download the leaflet of a medicine into a file of the run.

    Args:
        medicine: The id of the medicine.
        file: The name of the file.
        credential: Which credential, where a job has several for the depot.

    Example:
        >>> download_leaflet("m-1", "zinc.pdf")
        depot.download_leaflet(<str 3>, <str 8>)
    """
    place = run_file(file, create=True)
    return state.result(adaptor.connection.download("/stock/{id}/leaflet", place, params={"id": medicine}))
