"""What adaptors of HTTP systems build on: the public names of crossdock_http are enough."""

import ast
from pathlib import Path
from typing import Any

import crossdock_http
import pytest
from crossdock import Adaptor, AdaptorError, State, run_file
from crossdock.adaptors import http
from crossdock.testing import Close, http_reply
from crossdock_http import Client, Cursor, File, HttpConfiguration, Limits, Reply, Request, SendOptions

ROOT = Path(__file__).parent.parent.parent.parent
BUILT_ON_IT = ("adaptors/dhis2", "adaptors/kobotoolbox")


class LedgerError(AdaptorError):
    """The ledger refuses."""

    code = "ledger_error"


class Ledger(Client):
    """A system that answers 200 and says in the body that it refuses."""

    def judge(self, request: Request, reply: Reply, options: SendOptions) -> None:
        """Raise what the body says."""
        if reply.type == "application/json" and "refused" in (reply.data() or {}):
            raise LedgerError(f"{request} was refused", status=reply.status)


ledger = Adaptor("ledger", configuration=HttpConfiguration, connect=Ledger)


@ledger.operation(effect="read")
def visits(state: State, most: int | None = None) -> State:
    """Get the visits one by one."""
    pages = Cursor("meta.next")
    return state.result(ledger.connection.records("/visits", pages, "visits", limits=Limits(max_items=most)))


@ledger.operation(effect="read")
def search(state: State, retry: int = 0) -> State:
    """Search by POST."""
    return state.result(ledger.connection.post("/search", json={"clinic": "lake"}, reads=True, retry=retry))


@ledger.operation(effect="read")
def fetch(state: State, name: str) -> State:
    """Download a scan."""
    return state.result(ledger.connection.download("/scan", run_file(name, create=True)))


@ledger.operation(effect="write")
def attach(state: State, **parts: Any) -> State:
    """Send files."""
    return state.result(ledger.connection.post("/files", multipart=parts))


@pytest.fixture
def run(http_system, run_job):
    def run(*operations: Any, url: str | None = None, **options: Any) -> Any:
        entry = {"adaptor": "ledger", "base_url": url or http_system.url}
        return run_job(*operations, credentials={"ledger": entry}, **options)

    return run


def test_records_come_one_by_one_and_a_page_when_it_is_needed(http_system, run):
    first = http_system.on("GET", "/visits").answer({"visits": [1, 2], "meta": {"next": "b"}})
    second = http_system.on("GET", "/visits", query={"cursor": "b"}).answer({"visits": [3], "meta": {}})
    seen: list[Any] = []

    def walk(state: State) -> State:
        seen.extend((record, len(first.requests), len(second.requests)) for record in state.data)
        return state.result(None)

    assert run(visits(), walk).outcome == "success"
    assert seen == [(1, 1, 0), (2, 1, 0), (3, 1, 1)]


def test_records_end_where_the_limits_say_and_the_run_is_told(http_system, run):
    http_system.on("GET", "/visits").answer({"visits": [1, 2], "meta": {"next": "b"}})

    ran = run(visits(1), lambda state: state.result(list(state.data)))

    assert (ran.data, [warning["code"] for warning in ran.warnings]) == ([1], ["pages_left_unread"])


def test_a_download_is_a_file_of_the_run(http_system, run, tmp_path):
    http_system.on("GET", "/scan").answer(text="a scan")

    ran = run(fetch("scans/7.txt"), files=tmp_path)

    assert (tmp_path / "scans" / "7.txt").read_text() == "a scan"
    assert (ran.data["bytes"], ran.data["type"]) == (6, "text/plain")


@pytest.mark.parametrize(
    ("part", "head"),
    [
        (lambda _: run_file("scan.png"), 'filename="scan.png"\r\nContent-Type: image/png'),
        (lambda _: File(run_file("scan.png"), "7.dcm", "application/dicom"), 'filename="7.dcm"\r\nContent-Type: appl'),
        (File(b"a scan", "7.pdf"), 'filename="7.pdf"\r\nContent-Type: application/pdf'),
        (File(b"a scan"), 'filename="scan"\r\nContent-Type: application/octet-stream'),
    ],
)
def test_a_file_is_a_part_of_its_own_name_and_type(http_system, run, tmp_path, part, head):
    (tmp_path / "scan.png").write_bytes(b"a scan")
    sent = http_system.on("POST", "/files").answer({})

    assert run(attach(scan=part, note="left"), files=tmp_path).outcome == "success"

    body = sent.requests[0].text
    assert f'name="scan"; {head}' in body
    assert "\r\n\r\na scan\r\n" in body
    assert 'name="note"\r\n\r\nleft' in body


def test_an_open_file_is_refused_and_the_error_says_what_to_give(http_system, run, tmp_path):
    (tmp_path / "scan.png").write_bytes(b"a scan")

    with (tmp_path / "scan.png").open("rb") as scan:
        error = run(attach(scan=scan)).error

    assert (error.code, error.message) == ("bad_argument", "multipart['scan'] is an open file")
    assert "path of the file" in error.fix


def test_no_content_of_a_file_is_shown():
    assert repr(File(b"a patient", "7.pdf")) == "File(name='7.pdf', type=None)"
    assert "patient" not in repr(File(b"a patient", "7.pdf").as_part("scan"))


def test_a_search_by_post_is_made_in_a_dry_run_and_is_not_listed(http_system, run):
    http_system.on("POST", "/search").answer({"hits": [7]})

    ran = run(search(), dry_run=True)

    assert (ran.outcome, ran.data, ran.state.get("plan")) == ("success", {"hits": [7]}, [])


def test_a_search_of_the_http_adaptor_is_one_too(http_system, run_job):
    http_system.on("POST", "/search").answer({"hits": [7]})
    credentials = {"api": http_system.credential()}

    asked = run_job(http.request("POST", "/search", json={}, reads=True), credentials=credentials, dry_run=True)
    written = run_job(http.request("POST", "/search", json={}), credentials=credentials, dry_run=True)

    assert (asked.data, written.data, len(written.state["plan"])) == ({"hits": [7]}, None, 1)


def test_a_search_without_an_answer_has_failed_and_may_be_repeated(faulty_server, run):
    server = faulty_server(Close(), Close(), http_reply(b'{"hits": []}'))

    failed, repeated = run(search(), url=server.url), run(search(retry=1), url=server.url)

    assert (failed.outcome, failed.error.code) == ("failed", "connection_reset")
    assert (repeated.outcome, repeated.data, len(server.requests)) == ("success", {"hits": []}, 3)


def test_an_answer_of_a_search_that_cannot_be_read_is_a_failure(http_system, run):
    http_system.on("POST", "/search").answer(text="{", headers={"Content-Type": "application/json"})

    assert run(search()).outcome == "failed"


def test_a_client_judges_replies_that_http_takes_for_a_success(http_system, run):
    http_system.on("POST", "/search").answer({"refused": "no such clinic"})

    error = run(search()).error

    assert (error.code, error.message) == ("ledger_error", f"POST {http_system.url}/search was refused")


def modules_of(place: str) -> list[Path]:
    return [file for file in (ROOT / place).rglob("*.py") if ".venv" not in file.parts]


def test_our_adaptors_use_the_public_names_alone():
    """What one of them would import from deeper inside is a name that other authors miss."""
    found = [
        f"{file.relative_to(ROOT)}: from {node.module} import {name.name}"
        for place in BUILT_ON_IT
        for file in modules_of(place)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "crossdock_http"
        for name in node.names
        if node.module != "crossdock_http" or name.name not in crossdock_http.__all__
    ]

    assert found == []


def test_our_adaptors_use_nothing_private_of_the_client():
    private = {name for name in dir(Client(HttpConfiguration())) if name.startswith("_") and not name.endswith("__")}
    found = [
        f"{file.relative_to(ROOT)}: {named}"
        for place in BUILT_ON_IT
        for file in modules_of(place)
        if "crossdock_http" in (text := file.read_text())
        for node in ast.walk(ast.parse(text))
        if (named := getattr(node, "attr", getattr(node, "name", None))) in private - {"_base_url"}
    ]

    assert {"_made", "_reply", "_configuration"} <= private
    assert found == []
