"""A DHIS2 for tests: a real HTTP server that behaves as the documentation of DHIS2 says.

With pytest the fixture ``fake_dhis2`` gives one that runs.
"""

from crossdock_dhis2.testing.protocol import Request, Response
from crossdock_dhis2.testing.server import FakeDhis2

__all__ = ["FakeDhis2", "Request", "Response"]
