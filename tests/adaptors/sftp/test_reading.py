"""Lists, and files that come from a server."""

import os
import threading

import pytest
from crossdock import run_file
from crossdock.adaptors import sftp
from crossdock_sftp import Session, SftpConfiguration

CSV = "visit_id,clinic\r\n7,Kisumu\r\n8,Mombasa\r\n"
ROWS = [{"visit_id": "7", "clinic": "Kisumu"}, {"visit_id": "8", "clinic": "Mombasa"}]


@pytest.fixture
def incoming(sftp_folder):
    return sftp_folder / "incoming"


def test_a_list_says_what_there_is(run_sftp, incoming):
    for name in ("b.csv", "a.csv", "notes.txt"):
        (incoming / name).write_text(name * 3)
        os.utime(incoming / name, (0, 1714558530))
    (incoming / "old").mkdir()

    listed = run_sftp(sftp.list_files("incoming"))
    chosen = run_sftp(sftp.list_files("incoming", pattern="*.csv"))
    root = run_sftp(sftp.list_files())

    assert [(entry["name"], entry["is_folder"]) for entry in listed.data] == [
        ("a.csv", False),
        ("b.csv", False),
        ("notes.txt", False),
        ("old", True),
    ]
    assert chosen.data == [
        {"name": name, "size": 15, "modified": "2024-05-01T10:15:30Z", "is_folder": False}
        for name in ("a.csv", "b.csv")
    ]
    assert [entry["name"] for entry in root.data] == ["done", "incoming", "outgoing"]


@pytest.mark.parametrize(
    ("name", "content", "options", "value"),
    [
        ("a.csv", CSV, {}, ROWS),
        ("a.json", '\ufeff{"id": 7}', {}, {"id": 7}),
        ("a.jsonl", '{"id": 7}\n\n[8]\n', {}, [{"id": 7}, [8]]),
        ("a.txt", "\ufeffMalindi\r\nÉtaples\n", {}, "Malindi\r\nÉtaples\n"),
        ("a", "", {}, ""),
        ("a.dat", CSV, {"parse": "csv"}, ROWS),
        ("a.csv", CSV, {"parse": "text"}, CSV),
        ("a.txt", "Étaples".encode("latin-1"), {"charset": "latin-1"}, "Étaples"),
    ],
)
def test_a_file_is_read_as_what_it_is(run_sftp, incoming, name, content, options, value):
    (incoming / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    assert run_sftp(sftp.read(f"incoming/{name}", **options)).data == value


def test_bytes_are_given_as_they_are(run_sftp, incoming):
    content = os.urandom(200_000)
    (incoming / "scan.pdf").write_bytes(content)

    run = run_sftp(sftp.read("incoming/scan.pdf", parse="bytes"), lambda s: s.result(s.data == content))

    assert run.data is True


@pytest.mark.parametrize(
    ("name", "content", "options"),
    [
        ("a.json", b'{"name": "Amina"', {}),
        ("a.jsonl", b'{"id": 7}\n{"name": Amina}\n', {}),
        ("a.txt", b"Amina \xff", {}),
        ("a.txt", b"Amina", {"charset": "klingon"}),
        ("a.txt", b"Amina", {"parse": "xml"}),
    ],
)
def test_what_is_something_else_is_refused_and_not_shown(run_sftp, incoming, name, content, options):
    (incoming / name).write_bytes(content)

    run = run_sftp(sftp.read(f"incoming/{name}", **options))

    assert (run.outcome, run.error.code) == ("failed", "sftp_bad_content")
    assert "Amina" not in f"{run.error} {run.error.details}"


def test_what_is_not_there_is_an_error(run_sftp, incoming):
    for operation in (sftp.read("incoming/a.csv"), sftp.stream("incoming/a.csv"), sftp.list_files("nowhere")):
        assert run_sftp(operation).error.code == "sftp_no_such_file"


def test_what_is_not_permitted_is_an_error(run_sftp, incoming):
    (incoming / "a.csv").write_text(CSV)
    (incoming / "a.csv").chmod(0)

    run = run_sftp(sftp.read("incoming/a.csv"))

    assert (run.error.code, "permit" in run.error.message) == ("sftp_error", True)


def test_a_stream_gives_records_before_the_file_has_come(run_sftp, incoming, sftp_server, tcp_proxy):
    lines = [f"{number},{'x' * 100}\n" for number in range(20_000)]
    (incoming / "a.csv").write_text("id,text\n" + "".join(lines))
    proxy = tcp_proxy(sftp_server.host, sftp_server.port)
    come = []

    def walk(state):
        first = next(state.data)
        come.append(proxy.received)
        return state.result([first["id"], *(row["id"] for row in state.data)])

    run = run_sftp(
        sftp.stream("incoming/a.csv"),
        walk,
        host=proxy.address.host,
        port=proxy.address.port,
        host_key=None,
        known_hosts=sftp_server.known_hosts(incoming, proxy.address.port),
    )

    assert run.data == [str(number) for number in range(20_000)]
    assert come[0] < 200_000 < 2_000_000 < proxy.received


def test_a_download_is_a_file_of_the_run(run_sftp, incoming):
    content = os.urandom(100_000)
    (incoming / "scan.pdf").write_bytes(content)

    run = run_sftp(
        sftp.download("incoming/scan.pdf", "scans/7.pdf").into("got"),
        lambda s: s.result(run_file("scans/7.pdf").read_bytes() == content),
    )

    assert (run.data, run.state.got) == (True, {"file": "scans/7.pdf", "bytes": 100_000})


def test_a_download_that_fails_leaves_nothing(run_sftp, tmp_path):
    run = run_sftp(sftp.download("incoming/none.pdf", "scan.pdf"), options={"files": tmp_path})

    assert (run.error.code, list(tmp_path.iterdir())) == ("sftp_no_such_file", [])


def test_threads_have_one_connection_one_after_another(sftp_credential, incoming):
    contents = {f"incoming/{number}.bin": os.urandom(150_000) for number in range(6)}
    for path, content in contents.items():
        (incoming.parent / path).write_bytes(content)
    del sftp_credential["adaptor"]
    got = {}

    with Session(SftpConfiguration(**sftp_credential)) as session:
        threads = [
            threading.Thread(target=lambda path=path: got.update({path: session.content(path)})) for path in contents
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert got == contents
