"""What an operator does with the store of a project, through the real command, while a server runs and beside it."""

import json
import os
import pty

import pytest
from crossdock.store.records import Search
from crossdock.store.store import Store
from fix_command import Crossdock, StartCrossdock
from fix_operate import CHECK, LOAD, ON_SQLITE, PROJECT, accept, given_up
from fix_serve import Served


def test_a_run_is_listed_and_shown_while_the_server_runs(operated: Served, crossdock: Crossdock):
    operated.start()
    details = operated.sent("visits", {"id": 7})

    listed = crossdock("runs", "list")
    [row] = crossdock("runs", "list", "--json").json
    shown = crossdock("runs", "show", details.run.id)
    whole = crossdock("runs", "show", details.run.id, "--json").json

    assert listed.stdout.split("\n")[1].split()[:4] == [details.run.id, "visits", "ended", "failed"]
    assert (row["id"], row["outcome"]) == (details.run.id, "failed")
    assert "the registry is away" in shown.stdout
    assert [step["step"] for step in whole["steps"]] == ["check", "load"]
    assert whole["message"]["body"] == {"id": 7}


def test_lists_are_filtered_and_have_no_payload(operated_store: Store, crossdock: Crossdock):
    first, second = accept(operated_store, b'{"id": "Amina"}'), given_up(operated_store, b'{"id": "Juma"}')

    def found(*filters: str) -> list[str]:
        done = crossdock("runs", "list", "--json", *filters)
        assert "Amina" not in done.stdout
        return [run["id"] for run in done.json]

    assert found() == [second, first]
    assert found("--text", "Amina") == [first]
    assert found("--outcome", "available") == [second]
    assert found("--outcome", "dead") == [first]
    assert found("--workflow", "others") == []
    assert found("--since", "1 hour") == [second, first]
    assert found("--until", "1 hour") == []
    assert found("--since", "2024-05-02", "--limit", "1") == [second]


@ON_SQLITE
@pytest.mark.parametrize(
    ("command", "heads"),
    [
        ("runs list", "RUN WORKFLOW STATE OUTCOME QUEUED (UTC) ERROR"),
        ("messages list", "MESSAGE RECEIVED (UTC) SOURCE KIND BYTES ERASED (UTC)"),
        ("dead list", "RUN WORKFLOW STATE OUTCOME QUEUED (UTC) ERROR ATTEMPT"),
        ("stats", "WORKFLOW WAITING RUNNING DEAD ENDED FAILED ITEMS"),
    ],
)
def test_a_table_fits_the_terminal(
    operated_store: Store, start_crossdock: StartCrossdock, crossdock: Crossdock, command: str, heads: str
):
    given_up(operated_store)
    operated_store.cancel(accept(operated_store))
    end, terminal = pty.openpty()

    assert start_crossdock(*command.split(), env={"COLUMNS": "80"}, stdout=terminal).wait(60) == 0
    os.close(terminal)
    shown = os.read(end, 4000).decode().splitlines()
    os.close(end)

    assert " ".join(shown[0].split()) == heads
    assert max(map(len, shown)) <= 80
    assert len(shown) == len(crossdock(*command.split()).stdout.splitlines())
    assert " ".join(crossdock(*command.split()).stdout.split("\n")[0].split()).startswith(heads)


def test_the_beginning_of_an_id_is_enough_if_it_is_the_only_one(operated_store: Store, crossdock: Crossdock):
    first, second = given_up(operated_store), given_up(operated_store, b'{"id": 8}')
    message, other = (operated_store.history.run(run).message.id for run in (first, second))
    both = first[:8]  # a minute, and some seconds

    def said(*command: str) -> str:
        done = crossdock(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    assert first in said("runs", "show", first[:16])
    assert first in said("runs", "logs", first[:16])
    assert first in said("dead", "show", first[:16])
    assert f"dropped: {first}" in said("dead", "drop", first[:16])
    assert list(crossdock("runs", "retry", second[:16]).json) == [second]
    assert message in said("messages", "show", message[:16])
    assert list(crossdock("messages", "replay", other[:16]).json) == [other]
    assert crossdock("messages", "erase", message[:16]).json == [message]
    for command in (["runs", "show", both], ["runs", "retry", both], ["runs", "cancel", both]):
        refused = crossdock(*command)
        assert (refused.returncode, "the ids of several runs begin with" in refused.stderr) == (3, True)
    assert "there is no run '0'" in crossdock("runs", "show", "0").stderr


def test_a_time_that_is_none_is_wrong_usage(operated_store: Store, crossdock: Crossdock):
    refused = crossdock("runs", "list", "--since", "lately")

    assert refused.returncode == 2
    assert "'lately' is no moment" in refused.stderr


def test_a_message_is_listed_without_its_payload_and_shown_with_it(operated_store: Store, crossdock: Crossdock):
    run = accept(operated_store, b'{"id": "Amina"}')
    message = operated_store.history.run(run).message.id

    listed = crossdock("messages", "list")
    [row] = crossdock("messages", "list", "--json").json
    accept(operated_store, b'{"id": "Juma"}')
    shown = crossdock("messages", "show", message)
    whole = crossdock("messages", "show", message, "--json").json

    assert (row["id"], row["source"]) == (message, "visits")
    assert message in listed.stdout
    assert "Amina" not in listed.stdout + json.dumps(row)
    assert "Amina" in shown.stdout
    assert run in shown.stdout
    assert (whole["body"], whole["runs"]) == ({"id": "Amina"}, [run])
    assert crossdock("messages", "show", message, "--body").stdout == '{"id": "Amina"}'


def test_control_characters_of_a_payload_do_not_reach_the_terminal(operated_store: Store, crossdock: Crossdock):
    accept(operated_store, b"<a>\x1b[31m</a>")
    [message] = operated_store.history.messages(Search())

    assert "\x1b" not in crossdock("messages", "show", message.id).stdout


def test_cl_15_dead_runs_are_listed_replayed_and_dropped(operated_store: Store, crossdock: Crossdock):
    replayed, dropped = given_up(operated_store), given_up(operated_store, b'{"id": 8}')

    assert [run["id"] for run in crossdock("dead", "list", "--json").json] == [dropped, replayed]
    new = crossdock("dead", "replay", replayed).json[replayed]
    assert crossdock("dead", "drop", dropped).returncode == 0

    assert crossdock("dead", "list").stdout == ""
    again = operated_store.claim("worker")
    assert again is not None
    assert (again.run, again.retry_of, again.message.body) == (new, replayed, b'{"id": 7}')


def test_cl_15_what_is_not_dead_is_neither_replayed_nor_dropped(operated_store: Store, crossdock: Crossdock):
    dead = given_up(operated_store)
    waiting = accept(operated_store)

    for command in ("replay", "drop"):
        refused = crossdock("dead", command, dead, waiting)
        assert refused.returncode == 3
        assert "is not dead but available" in refused.stderr
    assert operated_store.history.run(dead).run.state == "dead"


@pytest.mark.parametrize(
    "command",
    [
        ["messages", "show", "nobody"],
        ["runs", "show", "nobody"],
        ["dead", "replay", "nobody"],
        ["dead", "drop", "nobody"],
    ],
    ids=" ".join,
)
def test_cl_15_an_unknown_id_is_refused_with_what_to_do(
    operated_store: Store, crossdock: Crossdock, command: list[str]
):
    refused = crossdock(*command)

    assert (refused.returncode, refused.stdout) == (3, "")
    assert "there is no" in refused.stderr
    assert "fix: List what there is with `crossdock messages list` or `crossdock runs list`." in refused.stderr


def test_a_project_that_was_never_served_has_nothing_to_show(operated: Served, crossdock: Crossdock):
    refused = crossdock("runs", "list")

    assert refused.returncode == 3
    assert "fix: Start `crossdock serve` once" in refused.stderr
    assert not (operated.folder / ".crossdock").exists()


@ON_SQLITE
def test_the_store_of_another_environment_is_another_one(operated: Served, crossdock: Crossdock):
    operated.write(PROJECT + "environments:\n  test: {settings: {}}\n", check=CHECK, load=LOAD)
    folder = operated.folder / ".crossdock" / "environments" / "test"
    with Store(f"sqlite:///{folder / 'crossdock.db'}", folder=operated.folder) as store:
        run = accept(store)

    here = crossdock("runs", "list", "--project", operated.folder)
    there = crossdock("runs", "list", "--project", operated.folder, "--env", "test", "--json")

    assert (here.returncode, "nothing" in here.stderr or "store" in here.stderr) == (3, True)
    assert [listed["id"] for listed in there.json] == [run]


def test_the_log_of_a_run_that_did_not_end_well_says_where_the_error_is(operated: Served, crossdock: Crossdock):
    operated.start()
    failed = operated.sent("visits", {"id": 7}).run

    done = crossdock("runs", "logs", failed.id)

    assert failed.outcome == "failed"
    assert done.stderr == f"the run is over: failed; crossdock runs show {failed.id} says why\n"
    assert crossdock("runs", "logs", failed.id, "--json").stderr == ""


def test_an_empty_list_says_so_in_a_terminal_and_nothing_to_programs(
    operated_store: Store, start_crossdock: StartCrossdock, crossdock: Crossdock
):
    end, terminal = pty.openpty()

    process = start_crossdock("dead", "list", stdout=terminal)

    assert process.communicate(timeout=60)[1] == "there is none\n"
    os.close(terminal)
    os.close(end)
    done = crossdock("dead", "list")
    assert (done.stdout, done.stderr) == ("", "")
