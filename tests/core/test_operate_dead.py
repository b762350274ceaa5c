"""Runs that were given up: why, and that they run again with a project in which that is mended."""

import json
from pathlib import Path

import pytest
from crossdock.store.records import Search
from crossdock.store.store import Store
from fix_command import Crossdock
from fix_operate import LOAD, PROJECT, accept, given_up
from fix_serve import Served
from fix_store import OpenStore, Process

RETRIES = """
import json, os, sys, time
from crossdock.store.store import Store
with Store(sys.argv[1], create=False) as store:
    store.history.end("nobody")
    print(json.dumps("ready"), flush=True)
    while not os.path.exists(sys.argv[2]):
        pass
    print(json.dumps([store.retry(run) for run in sys.argv[3:]]), flush=True)
"""


def test_cl_15_a_dead_run_is_shown_with_its_reason_and_its_message(operated_store: Store, crossdock: Crossdock):
    dead = given_up(operated_store)
    waiting = accept(operated_store)

    shown = crossdock("dead", "show", dead)
    whole = crossdock("dead", "show", dead, "--json").json
    refused = crossdock("dead", "show", waiting)

    assert "it is gone" in shown.stdout
    assert (whole["error"]["code"], whole["message"]["body"]) == ("job_load", {"id": 7})
    assert refused.returncode == 3
    assert "is not dead but available" in refused.stderr


def test_rt_40_a_run_whose_job_is_gone_is_dead_and_replayed_when_it_is_back(operated: Served, crossdock: Crossdock):
    (operated.folder / "works").touch()
    operated.start()
    job = operated.folder / "jobs" / "check.py"
    source = job.read_text(encoding="utf-8")
    job.unlink()

    dead = operated.sent("visits", {"id": 7})
    job.write_text(source + "# mended\n", encoding="utf-8")
    replayed = operated.run(crossdock("dead", "replay", dead.run.id).json[dead.run.id])

    assert dead.run.state == "dead"
    assert dead.error is not None
    assert "check.py" in dead.error["message"]
    assert (replayed.run.outcome, replayed.run.retry_of) == ("success", dead.run.id)


def test_rt_40_a_run_that_is_held_for_its_version_runs_when_it_is_replayed(operated: Served, crossdock: Crossdock):
    """`on_change: hold` gives a run of another version up: with that version it would be held for ever."""
    (operated.folder / "works").touch()
    operated.write(PROJECT + "serve: {on_change: hold}\n", load=LOAD + "# a newer version\n")
    with operated.store(create=True) as store:
        old = accept(store)
    operated.start()
    held = operated.run(old)

    replayed = operated.run(crossdock("dead", "replay", old).json[old])

    assert (held.run.state, held.run.outcome) == ("dead", "refused")
    assert (replayed.run.state, replayed.run.outcome) == ("ended", "success")
    assert replayed.run.project_version != held.run.project_version == "v1"


def test_rt_41_two_processes_that_retry_a_dead_run_start_one(
    open_store: OpenStore, store_url: str, process: "type[Process]", tmp_path: Path
):
    store, go = open_store(), tmp_path / "go"
    dead = [given_up(store, json.dumps({"id": number}).encode()) for number in range(20)]
    both = [process(RETRIES, store_url, str(go), *dead) for _ in range(2)]
    assert [one.told() for one in both] == ["ready", "ready"]

    go.touch()
    first, second = (one.told() for one in both)

    assert first == second
    started = {run.retry_of: run.id for run in store.history.runs(Search(outcome="available"))}
    assert started == dict(zip(dead, first, strict=True))
    assert len(list(store.history.runs(Search()))) == 2 * len(dead)


@pytest.mark.parametrize("command", ["show", "replay", "drop"])
def test_cl_15_an_unknown_dead_run_is_refused(operated_store: Store, crossdock: Crossdock, command: str):
    refused = crossdock("dead", command, "nobody")

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "there is no run 'nobody'" in refused.stderr
