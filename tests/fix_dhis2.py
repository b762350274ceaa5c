"""A DHIS2 with a little metadata, and runs of jobs on it."""

from collections.abc import Callable
from typing import Any

import pytest
from crossdock import Run
from crossdock.testing import RunJob
from crossdock_dhis2.testing import FakeDhis2, Request

RunDhis2 = Callable[..., Run]

UNIT, STAGE, PROGRAM, TYPE = "DiszpKrYNg8", "wJ9OoZ6ZLxR", "GaOaL76FraA", "nEenWmSyUEp"
AGE, NAME, VISITS = "m5OehFImiIJ", "w75KJ2mc4zz", "f7n9E0hX8qk"


def equip(fake: FakeDhis2) -> FakeDhis2:
    """Give a DHIS2 what imports refer to."""
    fake.add("organisationUnits", {"id": UNIT, "code": "KSM-01", "name": "Kisumu"})
    fake.add("programs", {"id": PROGRAM})
    fake.add("programStages", {"id": STAGE})
    fake.add("trackedEntityTypes", {"id": TYPE})
    fake.add("trackedEntityAttributes", {"id": NAME, "valueType": "TEXT"})
    fake.add("dataElements", {"id": AGE, "name": "Age", "shortName": "Age", "valueType": "NUMBER"})
    fake.add("dataElements", {"id": VISITS, "name": "Visits", "shortName": "Visits", "valueType": "INTEGER"})
    return fake


def event(age: Any = 3, **fields: Any) -> dict[str, Any]:
    """Make an event."""
    values = [{"dataElement": AGE, "value": age}]
    known = {"program": PROGRAM, "programStage": STAGE, "orgUnit": UNIT, "occurredAt": "2024-03-05"}
    return {**known, "dataValues": values, **fields}


def visits(value: Any = 12, **fields: Any) -> dict[str, Any]:
    """Make a data value."""
    return {"dataElement": VISITS, "period": "202401", "orgUnit": UNIT, "value": value, **fields}


def asked(fake: FakeDhis2, number: int = -1) -> tuple[str, str, dict[str, Any]]:
    """Give method, path and query of a request; a parameter that stands there once as a text."""
    request: Request = fake.requests[number]
    query = {name: values[0] if len(values) == 1 else values for name, values in request.query.items()}
    return request.method, request.path, query


@pytest.fixture
def dhis2_server(fake_dhis2: FakeDhis2) -> FakeDhis2:
    """A DHIS2 that has what imports refer to."""
    return equip(fake_dhis2)


@pytest.fixture
def run_dhis2(dhis2_server: FakeDhis2, run_job: RunJob) -> RunDhis2:
    """Run operations on that DHIS2, or on another one; keywords are fields of the credential."""

    def run(
        *operations: Any,
        fake: FakeDhis2 | None = None,
        state: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Run:
        entry = {**(fake or dhis2_server).credential, **fields}
        known = {name: value for name, value in entry.items() if value is not None}
        return run_job(*operations, state=state, credentials={"hmis": known}, **(options or {}))

    return run
