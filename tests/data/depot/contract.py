"""What every adaptor of crossdock keeps to."""

from crossdock.testing import AdaptorContract


class TestContract(AdaptorContract):
    adaptor = "depot"
    configuration = {"depot_key": "any-key"}
    answers = {"stock": {"items": []}}
