"""The pytest plugin of this distribution."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from crossdock_dhis2.testing import FakeDhis2


@pytest.fixture
def fake_dhis2() -> Iterator["FakeDhis2"]:
    """Run a DHIS2 of the newest version that this fake knows; it ends with the test."""
    from crossdock_dhis2.testing import FakeDhis2  # imported late: few of the tests that load this plugin use it

    with FakeDhis2() as fake:
        yield fake
