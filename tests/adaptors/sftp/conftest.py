"""Jobs that talk to a real OpenSSH server."""

import pytest
from crossdock.testing import run_job


@pytest.fixture
def run_sftp(sftp_credential):
    """Run operations; keyword arguments are fields of the credential that are other than usual."""

    def run(*steps, options=None, **fields):
        entry = {**sftp_credential, **fields}
        given = {name: value for name, value in entry.items() if value is not None}
        return run_job(*steps, credentials={"partner": given}, **(options or {}))

    return run
