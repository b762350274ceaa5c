"""What an operator runs again, replays, cancels and erases, through the real command."""

import json

import pytest
from crossdock.store.records import NewMessage
from crossdock.store.store import Store
from fix_command import Crossdock
from fix_operate import accept, given_up
from fix_serve import Served

AFTER = """
  told:
    retry: {attempts: 1}
    triggers: {failed: {after: {failure: visits}}}
    steps: {load: {job: jobs/load.py}}
"""
NOTICE = """
  told:
    retry: {attempts: 1}
    steps: {load: {job: jobs/load.py}}
defaults:
  notify: {workflow: told}
"""


ITEMS = """
workflows:
  visits:
    triggers: {form: {webhook: visits}}
    steps: {load: {job: jobs/load.py}}
"""
ITEM = """
import os
from crossdock import AdaptorError, Job, each, state

def load(state):
    if state.data == 2 and not os.path.exists("works"):
        raise AdaptorError("the registry refused it")
    with open("load.txt", "a") as file:
        print(state.data, file=file)
    return state

job = Job(each(state.data.items, load, on_error="collect"))
"""


def fail(operated: Served, id_: int = 7) -> str:
    """Let the second step of a run fail, and give the run's id."""
    details = operated.sent("visits", {"id": id_})
    assert details.run.outcome == "failed"
    return details.run.id


def test_a_run_that_failed_is_repeated_whole_or_from_a_step(operated: Served, crossdock: Crossdock):
    operated.start()
    run = fail(operated)
    (operated.folder / "works").touch()

    whole = operated.run(crossdock("runs", "retry", run).json[run])
    rest = operated.run(crossdock("runs", "retry", run, "--from", "load").json[run])

    assert [whole.run.outcome, rest.run.outcome] == ["success", "success"]
    assert whole.run.retry_of == rest.run.retry_of == run
    assert operated.file("check.txt") == ["7", "7"]
    assert "loaded 7" in crossdock("runs", "logs", rest.run.id).stdout
    assert "loaded 7" in [line["text"] for line in lines(crossdock, rest.run.id)]


def lines(crossdock: Crossdock, run: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in crossdock("runs", "logs", run, "--json").stdout.splitlines()]


def test_the_items_that_a_run_put_aside_are_repeated_alone(operated: Served, crossdock: Crossdock):
    operated.write(ITEMS, load=ITEM)
    operated.start()
    partial = operated.sent("visits", {"items": [1, 2, 3]}).run
    (operated.folder / "works").touch()

    rest = operated.run(crossdock("runs", "retry", partial.id, "--failed").json[partial.id])
    again = crossdock("runs", "retry", rest.run.id, "--failed")

    assert (partial.outcome, partial.failed_items, rest.run.outcome) == ("partial", 1, "success")
    assert operated.file("load.txt") == ["1", "3", "2"]
    assert again.returncode == 3
    assert "has no failed items" in again.stderr
    assert "runs list --outcome partial" in again.stderr  # to repeat all of it would do the others twice


def test_a_step_that_there_is_not_is_told_with_those_that_there_are(operated: Served, crossdock: Crossdock):
    operated.start()
    run = fail(operated)

    refused = crossdock("runs", "retry", run, "--from", "laod")

    assert refused.returncode == 2
    assert "has no step 'laod'; it has check, load" in refused.stderr
    assert "Did you mean load?" in refused.stderr


def test_a_step_that_a_run_did_not_come_to_is_no_start(operated_store: Store, crossdock: Crossdock):
    refused = crossdock("runs", "retry", given_up(operated_store), "--from", "load")

    assert refused.returncode == 3
    assert "did not come to the step 'load'" in refused.stderr


def test_failed_runs_of_a_workflow_are_repeated_together_and_only_once(operated: Served, crossdock: Crossdock):
    operated.start()
    old = [fail(operated, id_) for id_ in range(3)]
    (operated.folder / "works").touch()
    fitting = ("runs", "retry", "--workflow", "visits", "--outcome", "failed", "--since", "1 hour")

    assert crossdock(*fitting, "--dry-run").json == old
    assert len(operated.runs()) == 3
    new = crossdock(*fitting).json
    assert list(new) == old
    assert [operated.run(id_).run.outcome for id_ in new.values()] == ["success"] * 3
    assert crossdock(*fitting).json == {}


@pytest.mark.parametrize("told_by", [AFTER, NOTICE], ids=["after", "notify"])
def test_what_the_end_of_a_repeated_run_starts_is_left_out_of_the_batch(
    operated: Served, crossdock: Crossdock, told_by: str
):
    file = operated.folder / "project.yaml"
    file.write_text(file.read_text(encoding="utf-8") + told_by, encoding="utf-8")
    operated.start()
    run = fail(operated)
    [follower] = [operated.run(one.id).run for one in operated.runs("told")]

    both = crossdock("runs", "retry", "--outcome", "failed", "--dry-run").json
    alone = crossdock("runs", "retry", "--outcome", "failed", "--workflow", "told", "--dry-run").json

    assert (follower.outcome, both, alone) == ("failed", [run], [follower.id])


def test_all_runs_at_once_are_never_repeated(operated_store: Store, crossdock: Crossdock):
    refused = crossdock("runs", "retry", "--workflow", "visits")

    assert refused.returncode == 2
    assert "--outcome failed" in refused.stderr


def test_of_several_runs_those_that_can_be_are_repeated(operated_store: Store, crossdock: Crossdock):
    dead, other = given_up(operated_store), accept(operated_store, b'{"id": 8}')

    done = crossdock("runs", "retry", other, dead, "nobody")

    assert done.returncode == 3
    assert list(done.json) == [dead]
    assert f"the run {other} has not ended" in done.stderr
    assert "there is no run 'nobody'" in done.stderr


def test_a_run_that_waits_is_cancelled_and_one_that_ended_is_not(operated_store: Store, crossdock: Crossdock):
    run = accept(operated_store)

    assert crossdock("runs", "cancel", run).returncode == 0
    again = crossdock("runs", "cancel", run)

    assert operated_store.history.run(run).run.outcome == "cancelled"
    assert again.returncode == 3
    assert "has ended already" in again.stderr


def test_a_message_is_replayed_where_the_filters_let_it(operated: Served, crossdock: Crossdock):
    operated.start()
    run = fail(operated)
    message = operated.run(run).message.id
    (operated.folder / "works").touch()

    [new] = crossdock("messages", "replay", message).json[message]
    edited = crossdock("messages", "edit-and-replay", message, "--body", "-", stdin='{"id": 8}').json
    refused = crossdock("messages", "edit-and-replay", message, "--body", "-", stdin='{"id": 9, "test": true}')
    broken = crossdock("messages", "edit-and-replay", message, "--body", "-", stdin='{"id": ')

    assert operated.run(new).run.outcome == "success"
    assert operated.run(*edited["run_ids"]).message.edited_from == message
    assert operated.file("check.txt") == ["7", "7", "8"]
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "no workflow of the project takes the message" in refused.stderr
    assert broken.returncode != 0
    assert "fix:" in broken.stderr


def test_a_message_that_no_inbox_received_starts_what_it_started(operated: Served, crossdock: Crossdock):
    (operated.folder / "works").touch()
    operated.start()
    given = crossdock("trigger", "run", "visits", "--state", "-", stdin='{"data": {"id": 5}}').json
    operated.run(*given["run_ids"])

    [new] = crossdock("messages", "replay", given["message_id"]).json[given["message_id"]]

    assert operated.run(new).run.outcome == "success"
    assert operated.file("check.txt") == ["5", "5"]
    assert len(crossdock("messages", "replay", given["message_id"]).json[given["message_id"]]) == 1


def test_what_was_erased_is_neither_shown_nor_replayed(operated: Served, operated_store: Store, crossdock: Crossdock):
    amina, juma = (given_up(operated_store, body) for body in (b'{"id": "Amina"}', b'{"id": "Juma"}'))
    message = operated_store.history.run(amina).message.id

    assert crossdock("messages", "erase", message).returncode == 0
    assert "1 erased" in crossdock("messages", "erase", "--text", "Juma").stderr

    for command in (("messages", "replay", message), ("messages", "show", message, "--body"), ("runs", "retry", juma)):
        refused = crossdock(*command)
        assert refused.returncode == 3
        assert "was erased" in refused.stderr
    if operated_store.file is not None:
        files = b"".join(file.read_bytes() for file in operated_store.file.parent.iterdir())
        assert b"Amina" not in files
        assert b"Juma" not in files


def test_of_several_messages_those_that_can_be_are_erased(operated_store: Store, crossdock: Crossdock):
    ids = [operated_store.accept(NewMessage("visits", b'{"id": "Amina"}')).message for _ in range(2)]
    busy = operated_store.history.run(accept(operated_store)).message.id
    assert operated_store.claim("worker") is not None

    done = crossdock("messages", "erase", ids[0], "nobody", busy, ids[1])

    assert (done.returncode, done.json) == (3, ids)
    assert "there is no message 'nobody'" in done.stderr
    assert "a worker is busy with the run" in done.stderr
    assert "2 erased" in done.stderr
    assert [operated_store.history.message(id_).body for id_ in (*ids, busy)] == [None, None, b'{"id": 7}']


@pytest.mark.parametrize(
    "command",
    [
        ["runs", "logs", "nobody"],
        ["runs", "cancel", "nobody"],
        ["runs", "retry", "nobody"],
        ["runs", "retry", "nobody", "--from", "load"],
        ["messages", "replay", "nobody"],
        ["messages", "edit-and-replay", "nobody", "--body", "project.yaml"],
        ["messages", "erase", "nobody"],
    ],
    ids=" ".join,
)
def test_cl_15_an_unknown_id_is_refused_with_what_to_do(
    operated_store: Store, crossdock: Crossdock, command: list[str]
):
    refused = crossdock(*command)

    assert refused.returncode == 3
    assert "there is no" in refused.stderr
    assert "fix: List what there is" in refused.stderr
