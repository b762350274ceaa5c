"""What the tests talk to."""

import pytest


@pytest.fixture
def credentials(http_system):
    entry = http_system.credential("{{ cookiecutter.__module }}", token="a-token", page_size=1)
    return {"test": entry}