"""What every adaptor of crossdock keeps to."""

import pytest
from crossdock.testing import AdaptorContract


class TestContract(AdaptorContract):
    adaptor = "{{ cookiecutter.__module }}"

    @pytest.fixture
    def credential(self, credentials):
        return credentials["test"]