"""Our adaptors keep to what every adaptor keeps to."""

import pytest
from crossdock.adaptors import dhis2, kobotoolbox
from crossdock.testing import AdaptorContract, Postgres
from fix_sftp import PASSWORD


class TestHttp(AdaptorContract):
    adaptor = "http"
    configuration = {"username": "amina", "password": "any-password"}
    answers = {"get_all": [{"id": 7}], "stream": [{"id": 7}]}


class TestDhis2(AdaptorContract):
    adaptor = "dhis2"
    configuration = {"base_url": "https://play.example.org", "token": "any-token", "retry": 0}
    calls = {"import_job": dhis2.import_job("LkXBUdIgbe3", timeout=0.1)}


class TestKobotoolbox(AdaptorContract):
    adaptor = "kobotoolbox"
    configuration = {"base_url": "https://kf.example.org", "token": "any-token"}
    answers = {name: {"results": [{"_id": 451}]} for name in ("forms", "submissions", "stream_submissions")}
    calls = {"download_attachment": kobotoolbox.download_attachment({"download_url": "/api/v2/scan"}, "scan.jpg")}


class TestPostgresql(AdaptorContract):
    adaptor = "postgresql"

    @pytest.fixture
    def credential(self, postgres: Postgres) -> dict[str, object]:
        postgres.execute("create table visits (visit_id int primary key, clinic text)")
        return postgres.credential

    @pytest.fixture
    def unreachable(self, closed_port):
        dsn = f"postgresql://{closed_port.host}:{closed_port.port}/none"
        return {"adaptor": "postgresql", "dsn": dsn, "connect_timeout": 0.1}


class TestSftp(AdaptorContract):
    adaptor = "sftp"

    @pytest.fixture
    def credential(self, sftp_server, sftp_credential, sftp_folder):
        (sftp_folder / "incoming" / "visits.csv").write_text("visit_id,clinic\n7,Kisumu\n")
        (sftp_folder / "incoming" / "scan.pdf").write_bytes(b"%PDF")
        known = sftp_server.known_hosts(sftp_folder)
        return {**sftp_credential, "host_key": None, "known_hosts": known, "private_key": None, "password": PASSWORD}
