"""The operations, on a real server that answers as the depot does."""

import pytest
from crossdock.adaptors import depot

ZINC, SALTS = {"id": "m-1", "name": "Zinc"}, {"id": "m-2", "name": "Salts"}
KEY = {"X-Depot-Key": "a-depot-key"}


@pytest.fixture
def run(http_system, run_job, tmp_path):
    credentials = {"test": http_system.credential("depot", depot_key="a-depot-key")}
    return lambda *operations, **options: run_job(*operations, credentials=credentials, files=tmp_path, **options)


def test_the_stock_of_all_pages_is_one_list(http_system, run):
    http_system.on("GET", "/stock", headers=KEY).answer({"items": [ZINC], "page": {"next": "b"}})
    http_system.on("GET", "/stock", query={"cursor": "b"}).answer({"items": [SALTS], "page": {"next": None}})

    assert run(depot.stock()).data == [ZINC, SALTS]


def test_a_search_is_made_in_a_dry_run_and_a_delivery_is_listed(http_system, run):
    http_system.on("POST", "/search", json={"name": "Zinc"}).answer([ZINC])

    searched, received = run(depot.search({"name": "Zinc"}), dry_run=True), run(depot.receive(ZINC), dry_run=True)

    assert (searched.data, received.data, len(received.state["plan"])) == ([ZINC], None, 1)


def test_a_depot_that_is_busy_is_asked_again(http_system, run):
    busy = http_system.on("POST", "/stock", json=ZINC).answer(status=429, headers={"Retry-After": "0"})
    busy.answer(ZINC, status=201)

    assert (run(depot.receive(ZINC)).outcome, len(busy.requests)) == ("success", 2)


def test_a_leaflet_goes_there_and_back(http_system, run, tmp_path):
    (tmp_path / "zinc.pdf").write_bytes(b"%PDF-1.7")
    sent = http_system.on("POST", "/stock/m-1/leaflet").answer({"ok": True})
    http_system.on("GET", "/stock/m-1/leaflet").answer(text="%PDF-1.7")

    assert run(depot.upload_leaflet("m-1", "zinc.pdf"), depot.download_leaflet("m-1", "back.pdf")).outcome == "success"
    assert (tmp_path / "back.pdf").read_bytes() == b"%PDF-1.7"
    assert 'filename="zinc.pdf"\r\nContent-Type: application/pdf\r\n\r\n%PDF-1.7' in sent.requests[0].text
