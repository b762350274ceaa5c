"""What every adaptor of crossdock keeps to."""

from crossdock.testing import AdaptorContract


class TestContract(AdaptorContract):
    adaptor = "{{ cookiecutter.__module }}"