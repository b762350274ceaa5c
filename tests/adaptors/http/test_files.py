"""Files of a run that come from a system, and files that go to one."""

import json
import os
from hashlib import sha256

import pytest
from crossdock.adaptors import http
from crossdock.errors import FileNameError
from crossdock.testing import Close, Forever, Stall, http_reply
from crossdock_http import HttpError, ResponseTooLargeError, TruncatedAnswerError
from werkzeug import Response

MB = 1_000_000
BINARY = bytes(range(256)) * 1000


@pytest.fixture
def run_files(httpserver, run_job, tmp_path):
    """Run operations whose files lie in ``tmp_path``."""

    def run(*operations, url=None, **fields):
        entry = {"adaptor": "http", "base_url": url or httpserver.url_for("").rstrip("/"), **fields}
        return run_job(*operations, credentials={"api": entry}, files=tmp_path)

    return run


def names(folder):
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("body", [BINARY, b"", "é".encode("latin-1")], ids=["binary", "empty", "text"])
@pytest.mark.parametrize("name", ["scan.bin", "in/a/folder/scan.bin"])
def test_a_download_is_the_very_bytes(httpserver, run_files, tmp_path, body, name):
    httpserver.expect_request("/media/7").respond_with_data(body, content_type="application/pdf; x=1")

    run = run_files(http.download("/media/{id}", name, params={"id": 7}))

    digest = sha256(body).hexdigest()
    assert run.state.data == {"file": name, "bytes": len(body), "sha256": digest, "type": "application/pdf"}
    assert (tmp_path / name).read_bytes() == body
    assert names(tmp_path) == [name]


def test_a_download_that_broke_off_is_made_again_with_retry(faulty_server, run_files, tmp_path):
    broken = [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 5000, Close()]
    server = faulty_server(broken, http_reply(b"", status=502), http_reply(b"whole"))

    once = run_files(http.download("/x", "once.bin"), url=server.url)
    server.script(broken, http_reply(b"", status=502), http_reply(b"whole"))
    run = run_files(http.download("/x", "scan.bin", retry=2), url=server.url)

    assert isinstance(once.error, TruncatedAnswerError)
    assert (run.outcome, run.state.data["bytes"], run.state.data["sha256"]) == (
        "success",
        5,
        sha256(b"whole").hexdigest(),
    )
    assert names(tmp_path) == ["scan.bin"]
    assert (tmp_path / "scan.bin").read_bytes() == b"whole"
    assert len(server.requests) == 4


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BROKEN = {
    "cut by length": (
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 5000, Close()],
        TruncatedAnswerError,
    ),
    "cut in chunks": ([CHUNKED + b"5\r\nhello\r\n", Close()], TruncatedAnswerError),
    "too large": ([CHUNKED, Forever(b"10000\r\n" + b"x" * 65536 + b"\r\n")], ResponseTooLargeError),
    "cut gzip": (http_reply(b"\x1f\x8b\x08\x00\x00", content_encoding="gzip"), HttpError),
    "silent": ([CHUNKED + b"5\r\nhello\r\n", Stall()], Exception),
    "refused": (http_reply(b"no", status=403), HttpError),
}


@pytest.mark.parametrize(("reply", "error"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("there", [True, False])
def test_a_download_that_fails_leaves_what_was_there(faulty_server, run_files, tmp_path, reply, error, there):
    if there:
        (tmp_path / "scan.bin").write_bytes(b"old")
    server = faulty_server(reply)

    run = run_files(http.download("/x", "scan.bin", timeout=0.3), url=server.url, max_download_bytes=MB)

    assert isinstance(run.error, error)
    assert names(tmp_path) == (["scan.bin"] if there else [])
    assert not there or (tmp_path / "scan.bin").read_bytes() == b"old"


def test_a_download_replaces_what_was_there(httpserver, run_files, tmp_path):
    (tmp_path / "scan.bin").write_bytes(b"old")
    httpserver.expect_request("/x").respond_with_data(b"new")

    run_files(http.download("/x", "scan.bin"))

    assert (tmp_path / "scan.bin").read_bytes() == b"new"


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "", ".", "a\\b", "a\0b", None])
def test_ht_27_a_download_goes_only_into_the_folder_of_the_run(httpserver, run_files, tmp_path, name):
    httpserver.expect_request("/x").respond_with_data(b"new")

    run = run_files(http.download("/x", name))

    assert isinstance(run.error, FileNameError)
    assert (names(tmp_path), httpserver.log) == ([], [])


@pytest.mark.parametrize("name", ["/etc/passwd", "../secret", "link", "folder/../../secret", "missing", "", "folder"])
def test_ht_27_an_upload_comes_only_from_the_folder_of_the_run(httpserver, run_job, tmp_path, name):
    httpserver.expect_request("/x").respond_with_data(b"")
    inside = tmp_path / "files"
    (inside / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("c4nary")
    os.symlink(tmp_path / "secret", inside / "link")
    api = {"adaptor": "http", "base_url": httpserver.url_for("").rstrip("/")}

    run = run_job(http.upload("/x", lambda s: s.data), state={"data": name}, credentials={"api": api}, files=inside)

    assert isinstance(run.error, FileNameError)
    assert httpserver.log == []


def test_ht_27_a_path_in_a_payload_is_text_of_a_form(httpserver, run_files):
    httpserver.expect_request("/x").respond_with_handler(lambda request: Response(request.form["scan"]))

    run = run_files(http.post("/x", multipart={"scan": "/etc/passwd"}))

    assert run.state.data == "/etc/passwd"


def parsed(request):
    """Give the parts of a form as a server reads them."""
    parts = dict(request.form.items())
    for name, part in request.files.items():
        parts[name] = [part.filename, part.content_type, part.stream.read().hex()]
    return Response(json.dumps(parts), content_type="application/json")


@pytest.mark.parametrize(
    ("name", "type_", "sent"),
    [
        ("scan.pdf", None, "application/pdf"),
        ("scan", None, "application/octet-stream"),
        ("scan.pdf", "image/tiff", "image/tiff"),
        ('a "é".pdf', None, "application/pdf"),
    ],
)
def test_an_upload_is_a_part_of_a_form(httpserver, run_files, tmp_path, name, type_, sent):
    httpserver.expect_request("/x", method="PUT").respond_with_handler(parsed)
    (tmp_path / name).write_bytes(BINARY)
    fields = {"patient": "é\r\n--x", "tags": ["a"], "none": None, "n": 7}

    run = run_files(http.upload("/x", name, field="scan", type=type_, fields=fields, method="PUT"))

    assert run.state.data == {"patient": "é\r\n--x", "tags": '["a"]', "n": "7", "scan": [name, sent, BINARY.hex()]}


def test_multipart_bytes_reach_the_server_as_they_are(httpserver, run_files):
    bodies = []

    def keep(request):
        bodies.append((request.content_type, request.get_data()))
        return Response("{}")

    httpserver.expect_request("/x").respond_with_handler(keep)

    run_files(http.post("/x", multipart={"a": b"\xff\r\n", "b": {"c": 2}, "d": None, "e": True}))

    type_, body = bodies[0]
    mark = b"--" + type_.partition("boundary=")[2].encode()
    begin = mark + b'\r\nContent-Disposition: form-data; name="'
    assert body.split(begin) == [
        b"",
        b'a"\r\n\r\n\xff\r\n\r\n',
        b'b"\r\nContent-Type: application/json\r\n\r\n{"c":2}\r\n',
        b'e"\r\n\r\ntrue\r\n' + mark + b"--\r\n",
    ]


def test_a_field_with_the_name_of_the_file_is_refused(httpserver, run_files, tmp_path):
    (tmp_path / "scan").write_bytes(b"x")

    run = run_files(http.upload("/x", "scan", fields={"file": "lost"}))

    assert "'file'" in run.error.message
    assert httpserver.log == []


@pytest.mark.parametrize("first", [{"status": 503, "headers": {"Retry-After": "0"}}, {"status": 502}])
def test_a_retry_sends_the_whole_file_again(httpserver, run_files, tmp_path, first):
    (tmp_path / "scan").write_bytes(BINARY)
    httpserver.expect_oneshot_request("/x").respond_with_data("", **first)
    httpserver.expect_request("/x").respond_with_handler(parsed)

    run = run_files(http.upload("/x", "scan", retry=1, idempotent=True))

    assert run.state.data["file"][2] == BINARY.hex()
    assert len({request.headers["Idempotency-Key"] for request, _ in httpserver.log}) == 1
    assert len(httpserver.log) == 2


def test_an_upload_without_an_answer_is_unknown(faulty_server, run_files, tmp_path):
    (tmp_path / "scan").write_bytes(BINARY)
    server = faulty_server(Close())

    run = run_files(http.upload("/x", "scan", retry=2), url=server.url)

    assert (run.outcome, len(server.requests)) == ("unknown", 1)


def test_100_mb_are_uploaded_in_the_memory_of_a_piece(faulty_server, measure_http, tmp_path):
    with (tmp_path / "scan.bin").open("wb") as file:
        file.truncate(100 * MB)
    lengths = []

    def answer(request):
        lengths.append(len(request))
        return http_reply(b'"there"')

    server = faulty_server(answer)
    run = measure_http("http.upload('/x', 'scan.bin')", base_url=server.url)
    server.requests.clear()

    assert (run.outcome, run.data) == ("success", "there")
    assert lengths[0] > 100 * MB
    assert run.grew < 40 * MB


def test_100_mb_are_downloaded_in_the_memory_of_a_piece(faulty_server, measure_http, tmp_path):
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    server = faulty_server([CHUNKED, *[piece] * 1600, b"0\r\n\r\n"])

    run = measure_http("http.download('/x', 'scan.bin')", base_url=server.url)

    assert (run.outcome, run.data["bytes"]) == ("success", 1600 * 65536)
    assert (tmp_path / "scan.bin").stat().st_size == 1600 * 65536
    assert run.grew < 40 * MB
