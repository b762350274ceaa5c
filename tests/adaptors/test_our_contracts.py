"""Our adaptors keep to what every adaptor keeps to."""

from typing import Any

import pytest
from crossdock.adaptors import dhis2, kobotoolbox
from crossdock.testing import AdaptorContract, Postgres
from crossdock_dhis2.testing import FakeDhis2
from fix_dhis2 import AGE, UNIT, event, visits
from fix_sftp import PASSWORD


class OurContract(AdaptorContract):
    """The contract, of which nothing is left out, and in which nobody waits."""

    def test_what_an_operation_gives_is_json(self, operation: str, credential: dict[str, Any]) -> None:
        try:
            super().test_what_an_operation_gives_is_json(operation, credential)
        except pytest.skip.Exception as skipped:
            pytest.fail(str(skipped))

    def test_a_failure_is_an_error_of_crossdock(self, operation, unreachable, monkeypatch) -> None:
        slept: list[float] = []
        monkeypatch.setattr("time.sleep", slept.append)

        super().test_a_failure_is_an_error_of_crossdock(operation, unreachable)

        assert sum(slept) == 0  # nobody waits for a second try


class TestHttp(OurContract):
    adaptor = "http"
    configuration = {"username": "amina", "password": "any-password"}
    answers = {"get_all": [{"id": 7}], "stream": [{"id": 7}]}
    files = {"scan.pdf": b"%PDF"}


ELEMENT = {"id": AGE, "name": "Age", "shortName": "Age", "valueType": "NUMBER"}


class AnyToken(frozenset[str]):
    """The tokens of a system that lets everybody in, also with the secret of the contract."""

    def __contains__(self, _: object) -> bool:
        return True


class TestDhis2(OurContract):
    adaptor = "dhis2"
    calls = {
        "create": dhis2.create("events", event()),
        "data_values": dhis2.data_values({"dataValues": [visits()]}),
        "import_job": dhis2.import_job("LkXBUdIgbe3"),
        "metadata_import": dhis2.metadata_import({"dataElements": [ELEMENT]}),
        "org_units": dhis2.org_units(["KSM-01"]),
        "patch": dhis2.patch("dataElements", AGE, {"name": "Years"}),
        "save": dhis2.save("events", event()),
        "tracker_import": dhis2.tracker_import({"events": [event()]}),
        "update": dhis2.update("dataElements", AGE, ELEMENT),
        "upsert": dhis2.upsert("dataElements", {"filter": "name:eq:Age"}, ELEMENT),
    }

    @pytest.fixture
    def credential(self, dhis2_server: FakeDhis2) -> dict[str, object]:
        job = dhis2_server.store.start("TRACKER_IMPORT_JOB", {"status": "OK", "stats": {"created": 1, "total": 1}})
        dhis2_server.store.jobs["LkXBUdIgbe3"] = job
        dhis2_server.add("trackedEntities", {"trackedEntity": "LcRd6Nyaq7T", "orgUnit": UNIT})
        dhis2_server.tokens = AnyToken(dhis2_server.tokens)
        return dhis2_server.credential


class TestKobotoolbox(OurContract):
    adaptor = "kobotoolbox"
    configuration = {"base_url": "https://kf.example.org", "token": "any-token"}
    answers = {name: {"results": [{"_id": 451}]} for name in ("forms", "submissions", "stream_submissions")}
    calls = {"download_attachment": kobotoolbox.download_attachment({"download_url": "/api/v2/scan"}, "scan.jpg")}


TABLES = (
    "visits (visit_id int primary key, clinic text)",
    "clinics (id serial primary key, code text unique, name text)",
    "members (household_id int, name text)",
    "parents (id int)",
    "children (parent int)",
)


class TestPostgresql(OurContract):
    adaptor = "postgresql"
    files = {"visits.csv": b"visit_id;clinic\n7;Kisumu\n"}

    @pytest.fixture
    def credential(self, postgres: Postgres) -> dict[str, object]:
        for table in TABLES:
            postgres.execute(f"create table {table}")
        return postgres.credential

    @pytest.fixture
    def unreachable(self, closed_port):
        dsn = f"postgresql://{closed_port.host}:{closed_port.port}/none"
        return {"adaptor": "postgresql", "dsn": dsn}


class TestSftp(OurContract):
    adaptor = "sftp"
    files = {"scan.pdf": b"%PDF"}

    @pytest.fixture
    def credential(self, sftp_server, sftp_credential, sftp_folder):
        (sftp_folder / "incoming" / "visits.csv").write_text("visit_id,clinic\n7,Kisumu\n")
        (sftp_folder / "incoming" / "scan.pdf").write_bytes(b"%PDF")
        known = sftp_server.known_hosts(sftp_folder)
        return {**sftp_credential, "host_key": None, "known_hosts": known, "private_key": None, "password": PASSWORD}
