"""Files that go to a server: whole, or not at all."""

import json
import os

import pytest
from crossdock import JobError, run_file
from crossdock.adaptors import sftp

ROWS = [{"id": 7, "clinic": "Kisumu"}, {"id": 8, "clinic": None}]


@pytest.fixture
def outgoing(sftp_folder):
    return sftp_folder / "outgoing"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "options", "written"),
    [
        ("a.csv", ROWS, {}, b"id,clinic\r\n7,Kisumu\r\n8,\r\n"),
        ("a.csv", ROWS, {"columns": ["clinic", "id"]}, b"clinic,id\r\nKisumu,7\r\n,8\r\n"),
        ("a.csv", "id\n7\n", {}, b"id\n7\n"),
        ("a.json", {"id": 7}, {}, b'{"id":7}'),
        ("a.json", "{}", {"form": "json"}, b'"{}"'),
        ("a.jsonl", ROWS, {}, b'{"id":7,"clinic":"Kisumu"}\n{"id":8,"clinic":null}\n'),
        ("a.txt", "Étaples", {}, "Étaples".encode()),
        ("a.json", b"\x00\xff", {}, b"\x00\xff"),
        ("a", ROWS, {"form": "json"}, json.dumps(ROWS, separators=(",", ":")).encode()),
    ],
)
def test_what_is_written_stands_there(run_sftp, outgoing, name, content, options, written):
    run = run_sftp(sftp.write(f"outgoing/{name}", content, **options))

    assert run.data == {"path": f"outgoing/{name}", "bytes": len(written)}
    assert ((outgoing / name).read_bytes(), names(outgoing)) == (written, [name])


@pytest.mark.parametrize(("name", "content"), [("a.txt", ROWS), ("a.csv", {"id": 7}), ("a.jsonl", 7)])
def test_what_can_not_be_written_so_is_refused(run_sftp, outgoing, name, content):
    run = run_sftp(sftp.write(f"outgoing/{name}", content))

    assert (run.error.code, names(outgoing)) == ("sftp_bad_content", [])


def test_nobody_sees_half_a_file(run_sftp, outgoing):
    (outgoing / "a.csv").write_text("old")
    seen = []

    def rows():
        for number in range(20_000):
            yield {"id": number}
            if number % 5_000 == 4_999:
                seen.append(((outgoing / "a.csv").read_text(), len(names(outgoing))))

    run = run_sftp(lambda s: s.result(rows()), sftp.write("outgoing/a.csv", lambda s: s.data))

    assert run.outcome == "success"
    assert seen == [("old", 2)] * 4
    assert (names(outgoing), (outgoing / "a.csv").read_text().count("\n")) == (["a.csv"], 20_001)


def test_rows_that_fail_leave_the_old_file_and_nothing_else(run_sftp, outgoing):
    (outgoing / "a.csv").write_text("old")

    def rows():
        yield {"id": 7}
        raise JobError("NO_MORE", "on purpose")

    run = run_sftp(lambda s: s.result(rows()), sftp.write("outgoing/a.csv", lambda s: s.data))

    assert (run.error.code, names(outgoing), (outgoing / "a.csv").read_text()) == ("NO_MORE", ["a.csv"], "old")


def test_a_folder_that_is_not_there_is_an_error(run_sftp):
    assert run_sftp(sftp.write("nowhere/a.csv", ROWS)).error.code == "sftp_no_such_file"


def test_a_file_of_the_run_is_sent(run_sftp, outgoing):
    content = os.urandom(300_000)

    def make(state):
        run_file("scan.pdf", create=True).write_bytes(content)
        return state

    run = run_sftp(make, sftp.upload("scan.pdf", "outgoing/scan.pdf"))

    assert run.data == {"path": "outgoing/scan.pdf", "bytes": 300_000}
    assert ((outgoing / "scan.pdf").read_bytes() == content, names(outgoing)) == (True, ["scan.pdf"])


def test_a_file_is_moved_and_replaces_another_only_if_that_is_said(run_sftp, sftp_folder):
    (sftp_folder / "incoming" / "a.csv").write_text("new")
    (sftp_folder / "done" / "a.csv").write_text("old")

    refused = run_sftp(sftp.move("incoming/a.csv", "done/a.csv"))
    kept = (sftp_folder / "done" / "a.csv").read_text()
    moved = run_sftp(sftp.move("incoming/a.csv", "done/a.csv", overwrite=True))

    assert (refused.error.code, kept) == ("sftp_error", "old")
    assert (moved.data, (sftp_folder / "done" / "a.csv").read_text()) == ({"path": "done/a.csv"}, "new")
    assert names(sftp_folder / "incoming") == []


def test_a_file_is_deleted(run_sftp, outgoing):
    (outgoing / "a.csv").touch()

    assert run_sftp(sftp.delete("outgoing/a.csv")).data == {"deleted": True}
    assert names(outgoing) == []
    assert run_sftp(sftp.delete("outgoing/a.csv")).error.code == "sftp_no_such_file"
    assert run_sftp(sftp.delete("outgoing/a.csv", missing="ignore")).data == {"deleted": False}


def test_a_dry_run_reads_and_does_not_write(run_sftp, outgoing):
    (outgoing / "a.csv").write_text("id\n7\n")

    run = run_sftp(
        sftp.read("outgoing/a.csv").into("rows"),
        sftp.write("outgoing/b.csv", ROWS),
        sftp.move("outgoing/a.csv", "done/a.csv"),
        sftp.upload("scan.pdf", "outgoing/scan.pdf"),
        sftp.delete("outgoing/a.csv"),
        options={"dry_run": True},
    )

    assert (run.outcome, run.state.rows, names(outgoing)) == ("success", [{"id": "7"}], ["a.csv"])


PATHS = ["../a.csv", "outgoing/../../a.csv", "..", "/etc/passwd", "", " ", "a\0b"]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out_of_the_root(run_sftp, path):
    steps = [
        sftp.list_files(path),
        sftp.read(path),
        sftp.stream(path),
        sftp.write(path, "x"),
        sftp.download(path, "a.csv"),
        sftp.move(path, "a.csv"),
        sftp.move("a.csv", path),
        sftp.delete(path),
    ]

    assert {run_sftp(step).error.code for step in steps} == {"sftp_bad_path"}
