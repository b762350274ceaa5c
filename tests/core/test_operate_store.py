"""Figures, exports, what is erased by age, and whether all is well, through the real command."""

import csv
import json
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from crossdock.store.records import NewMessage, Search
from crossdock.store.store import Store
from fix_command import Crossdock, Done
from fix_operate import CHECK, LOAD, ON_SQLITE, PROJECT, accept, given_up
from fix_serve import STORE, Served
from fix_store import Process


def test_figures_are_shown_for_each_workflow(operated_store: Store, crossdock: Crossdock):
    given_up(operated_store)
    operated_store.cancel(accept(operated_store))
    accept(operated_store)

    [row] = crossdock("stats", "--json").json
    table = crossdock("stats").stdout.splitlines()

    assert {name: row[name] for name in ("workflow", "waiting", "running", "dead", "ended")} == {
        "workflow": "visits",
        "waiting": 1,
        "running": 0,
        "dead": 1,
        "ended": {"cancelled": 1},
    }
    assert re.split(r" {2,}", table[1])[:-1] == ["visits", "1", "0", "1", "1 cancelled", "0"]


def test_exports_have_all_that_fits_and_no_payload(operated_store: Store, crossdock: Crossdock):
    runs = [accept(operated_store, b'{"id": "Amina"}') for _ in range(250)][::-1]  # more than a page

    lines = crossdock("export", "--format", "jsonl").stdout
    table = crossdock("export", "messages", "--format", "csv", "--since", "1 hour").stdout

    assert [json.loads(line)["id"] for line in lines.splitlines()] == runs
    messages = [message.id for message in operated_store.history.messages(Search())]
    assert [row["id"] for row in csv.DictReader(table.splitlines())] == messages
    assert "Amina" not in lines + table
    assert "body" not in lines + table
    assert crossdock("export", "--format", "csv", "--workflow", "others").stdout.startswith("id,number,message,")


def test_an_export_that_nobody_reads_any_more_is_no_error(operated_store: Store, start_crossdock, crossdock: Crossdock):
    for _ in range(250):
        accept(operated_store)

    process = start_crossdock("export", "--format", "csv", redirect="| head -n 1")

    said, complaints = process.communicate(timeout=60)
    assert said.startswith("id,number")
    assert complaints == ""


def test_what_has_stayed_as_long_as_the_project_says_is_erased(operated: Served, crossdock: Crossdock):
    file = operated.folder / "project.yaml"
    retention = "retention: {payloads: 1 days, history: 10 days}\n"
    file.write_text(retention + file.read_text(encoding="utf-8"), encoding="utf-8")
    long_ago = datetime.now(UTC) - timedelta(days=30)
    with operated.store(create=True) as store:
        for days in (0, 5, 30):
            received = datetime.now(UTC) - timedelta(days=days)
            store.accept(NewMessage("visits", b"{}", received_at=received))

    assert crossdock("prune").json == {"payloads": 1, "messages": 1}

    with operated.store() as store:
        left = list(store.history.messages(Search()))
    assert len(left) == 2
    assert all(message.received_at > long_ago + timedelta(days=1) for message in left)


def test_all_is_well(operated_store: Store, crossdock: Crossdock):
    accept(operated_store)

    done = crossdock("doctor", "--min-free", "0", "--port", "0")

    assert done.returncode == 0, done.stdout
    assert {line.split()[0] for line in done.stdout.splitlines() if line[:1].strip()} == {"well"}


def test_what_is_not_well_is_told_with_what_to_do(operated_store: Store, operated: Served, crossdock: Crossdock):
    given_up(operated_store)
    operated_store.accept(NewMessage("visits", b"{}", received_at=datetime.now(UTC) + timedelta(days=1)))
    (operated.folder / "jobs" / "load.py").write_text("from crossdock import Jub\n", encoding="utf-8")

    done = crossdock("doctor", "--min-free", "1000000000", "--port", "0", "--json")

    assert done.returncode == 3
    of_file = set() if operated_store.file is None else {"disk"}
    assert {look["part"] for look in done.json if not look["is_well"]} == {"project", "jobs", "clock", "runs"} | of_file
    assert all(look["fix"] for look in done.json if not look["is_well"])


def look_at(done: Done, part: str) -> dict[str, Any]:
    """Give what doctor said of a part."""
    [look] = [look for look in done.json if look["part"] == part]
    return dict(look)


def test_doctor_fits_a_narrow_terminal(operated_store: Store, operated: Served, crossdock: Crossdock):
    given_up(operated_store)
    (operated.folder / "jobs" / "load.py").write_text("from crossdock import Jub\n", encoding="utf-8")

    lines = crossdock("doctor", "--port", "0").stdout.splitlines()

    assert max(len(line) for line in lines if "://" not in line) <= 80
    assert [line for line in lines if line.startswith("FAULT  runs")] == ["FAULT  runs         1 is dead"]
    assert " " * 20 + "fix: Look at them with `crossdock dead list`." in lines


def test_doctor_finds_the_server_and_whether_it_answers(operated: Served, crossdock: Crossdock):
    server = operated.start()
    port = operated.address.rpartition(":")[2]

    well = look_at(crossdock("doctor", "--port", port, "--json"), "server")
    elsewhere = look_at(crossdock("doctor", "--port", "0", "--json"), "server")
    server.end()
    gone = look_at(crossdock("doctor", "--port", "0", "--json"), "server")

    assert well["is_well"]
    assert gone["is_well"]
    assert "could listen" in gone["said"]
    if operated.store_url == STORE:  # who uses one in PostgreSQL is not known
        assert f"the process {server.process.pid} uses the store, and answers" in well["said"]
        assert not elsewhere["is_well"]
        assert "--port" in elsewhere["fix"]


def test_doctor_finds_a_port_that_somebody_else_has(operated_store: Store, crossdock: Crossdock):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        look = look_at(crossdock("doctor", "--port", port, "--json"), "server")

    assert not look["is_well"]
    assert f"port {port}" in look["said"]
    assert "--port" in look["fix"]


def test_doctor_finds_runs_in_work_whose_worker_is_gone(
    operated: Served, operated_store: Store, process: Callable[..., Process], crossdock: Crossdock
):
    run = accept(operated_store)
    claims = "import sys, threading\nfrom crossdock.store.store import Store\nprint(Store(sys.argv[1]).claim('w').number, flush=True)\nthreading.Event().wait()"
    worker = process(claims, operated.store_url.replace("///.", f"///{operated.folder}/."))
    assert worker.told() > 0
    assert look_at(crossdock("doctor", "--port", "0", "--json"), "work")["is_well"]

    worker.close()

    look = look_at(crossdock("doctor", "--port", "0", "--json"), "work")
    assert not look["is_well"]
    assert run in look["said"]


def test_doctor_finds_runs_that_are_in_work_for_too_long(operated: Served, crossdock: Crossdock):
    long_ago = datetime.now(UTC) - timedelta(seconds=300 + 60 + 60)
    with Store(operated.store_url, folder=operated.folder, now=lambda: long_ago) as store:
        run = accept(store)
        assert store.claim("worker") is not None

        look = look_at(crossdock("doctor", "--port", "0", "--json"), "work")

    assert not look["is_well"]
    assert run in look["said"]


@ON_SQLITE
def test_doctor_finds_a_folder_that_others_can_write_to(operated: Served, operated_store: Store, crossdock: Crossdock):
    (operated.folder / ".crossdock").chmod(0o777)

    look = look_at(crossdock("doctor", "--port", "0", "--json"), "permissions")

    assert not look["is_well"]
    assert "its mode is 777" in look["said"]


@ON_SQLITE
def test_a_store_that_is_damaged_is_told(operated_store: Store, operated: Served, crossdock: Crossdock):
    operated_store.close()
    (operated.folder / ".crossdock" / "crossdock.db").write_bytes(b"no store" * 1000)

    done = crossdock("doctor", "--json")

    assert done.returncode == 3
    [look] = [look for look in done.json if look["part"] == "store"]
    assert not look["is_well"]
    assert "backup" in look["fix"]


@ON_SQLITE
def test_doctor_tells_that_senders_are_refused_since_too_much_waits(
    operated: Served, operated_store: Store, crossdock: Crossdock
):
    operated.write(f"serve: {{max_pending: 2}}\n{PROJECT}", check=CHECK, load=LOAD)
    accept(operated_store)
    assert look_at(crossdock("doctor", "--port", "0", "--json"), "work")["is_well"]

    accept(operated_store)

    look = look_at(crossdock("doctor", "--port", "0", "--json"), "work")
    assert not look["is_well"]
    assert "max_pending allows 2: senders get 503" in look["said"]


@ON_SQLITE
def test_doctor_finds_a_secret_of_senders_that_is_missing_and_who_needs_none(
    operated: Served, operated_store: Store, crossdock: Crossdock
):
    assert "everybody may send to visits" in look_at(crossdock("doctor", "--json"), "senders")["said"]
    operated.write(PROJECT.replace("webhook: visits", 'webhook: visits, auth: {api_key: "env:VISITS_KEY"}'))

    missing = look_at(crossdock("doctor", "--json"), "senders")
    there = look_at(crossdock("doctor", "--json", env={"VISITS_KEY": "s3cret-key"}), "senders")

    assert not missing["is_well"]
    assert "VISITS_KEY" in missing["said"]
    assert there["is_well"]
    assert "nobody may send without" in there["said"]


@ON_SQLITE
def test_doctor_shows_what_has_several_lines_as_lines(operated: Served, operated_store: Store, crossdock: Crossdock):
    (operated.folder / "jobs" / "load.py").write_text("from crossdock import Jub\n", encoding="utf-8")

    lines = crossdock("doctor", "--port", "0").stdout.splitlines()

    told = lines.index("FAULT  jobs         what the project is to run can't be loaded:")
    assert lines[told + 1].startswith(" " * 22 + "visits: jobs/load.py:1: ImportError: ")
    assert all(line[:20].strip() == "" or line[:5] in ("well ", "FAULT") for line in lines)
