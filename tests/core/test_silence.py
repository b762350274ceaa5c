"""Workflows that have been silent for too long, in stores of both kinds, with clocks that the tests turn."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from crossdock.project import read_project
from crossdock.store.errors import BacklogError
from crossdock.store.records import Finish, Outcome, Search
from crossdock.store.store import Store
from crossdock.worker.silence import Silence
from fix_serve import Served, until
from fix_store import Clock, OpenStore, claimed, message

PROJECT = """
    name: clinic
    workflows:
      visits:
        notify: [{workflow: tell, on: [], silent_for: 2 days}, {workflow: other, silent_for: 5 days}]
        steps: {load: {job: jobs/load.py}}
      tell: {steps: {load: {job: jobs/load.py}}}
      other: {steps: {load: {job: jobs/load.py}}}
"""


@pytest.fixture
def project(served: Served) -> Path:
    """A project that wants to know when nothing of visits succeeds."""
    served.write(PROJECT, load="from crossdock import Job\njob = Job(lambda state: state)\n")
    return served.folder


def silence(project: Path, store: Store, clock: Clock) -> Silence:
    """What a server that starts now looks with."""
    return Silence(read_project(project), "v1", store, now=clock.now)


def run_ends(store: Store, outcome: Outcome) -> None:
    """Let a run of visits come to its end."""
    store.accept(message())
    store.finish(claimed(store), Finish(outcome))


def told(store: Store) -> list[tuple[str, dict[str, Any]]]:
    """Give who was told what, the oldest first."""
    found = [(run, store.history.message(run.message)) for run in store.history.runs(Search(source="notify:visits:1"))]
    found += [(run, store.history.message(run.message)) for run in store.history.runs(Search(source="notify:visits:2"))]
    ordered = sorted(found, key=lambda one: one[0].number)
    return [(run.workflow, json.loads(notice.body or b"")["data"]) for run, notice in ordered]


def pass_days(clock: Clock, looks: Silence, days: float) -> None:
    """Let time go on, and look every hour."""
    for _ in range(round(days * 24)):
        clock.pass_(3600)
        looks.look()


def test_a_silence_is_told_once_and_each_of_those_who_wait_for_it(project: Path, store: Store, clock: Clock):
    looks = silence(project, store, clock)
    looks.look()
    clock.pass_(60)
    run_ends(store, "success")
    since = clock.now()

    pass_days(clock, looks, 1.9)
    assert told(store) == []
    pass_days(clock, looks, 10)

    facts = {
        "event": "silent",
        "project": "clinic",
        "workflow": "visits",
        "since": since.isoformat(),
        "text": "clinic: no run of visits has succeeded since 2024-05-02 10:01:00 UTC",
    }
    assert told(store) == [("tell", facts), ("other", facts)]


def test_a_new_silence_is_told_anew_and_only_success_ends_one(project: Path, store: Store, clock: Clock):
    looks = silence(project, store, clock)
    run_ends(store, "partial")
    pass_days(clock, looks, 2.1)
    run_ends(store, "failed")
    pass_days(clock, looks, 2.1)
    assert [workflow for workflow, _ in told(store)] == ["tell"]

    run_ends(store, "success")
    pass_days(clock, looks, 1.9)
    assert [workflow for workflow, _ in told(store)] == ["tell"]
    pass_days(clock, looks, 0.2)

    assert [workflow for workflow, _ in told(store)] == ["tell", "tell"]


def test_a_workflow_that_never_ran_is_silent_since_it_was_first_served(
    project: Path, open_store: OpenStore, clock: Clock
):
    began = clock.now()
    for _ in range(5):  # a server that is restarted twice a day, and never there for long
        store = open_store()
        silence(project, store, clock).look()
        clock.pass_(43_200)
        store.close()

    store = open_store()
    silence(project, store, clock).look()

    assert [(workflow, facts["since"]) for workflow, facts in told(store)] == [("tell", began.isoformat())]


def test_two_servers_and_the_next_ones_tell_of_a_silence_once(project: Path, open_store: OpenStore, clock: Clock):
    first, second = open_store(), open_store()
    both = [silence(project, store, clock) for store in (first, second)]
    for looks in both:
        looks.look()
    clock.pass_(3 * 86_400)

    for looks in (*both, silence(project, first, clock)):
        looks.look()

    assert [workflow for workflow, _ in told(second)] == ["tell"]


def test_a_silence_that_can_not_be_told_now_is_told_later(project: Path, open_store: OpenStore, clock: Clock):
    store = open_store(most_waiting=1)
    looks = silence(project, store, clock)
    looks.look()
    store.accept(message())
    clock.pass_(3 * 86_400)

    with pytest.raises(BacklogError):
        looks.look()
    assert told(store) == []
    store.cancel(next(store.history.runs(Search("visits"))).id)
    clock.pass_(2)
    looks.look()

    assert [workflow for workflow, _ in told(store)] == ["tell"]


def test_a_clock_that_is_set_back_tells_nothing_again(project: Path, store: Store, clock: Clock):
    looks = silence(project, store, clock)
    looks.look()
    pass_days(clock, looks, 3)

    clock.day -= timedelta(days=4)
    pass_days(clock, looks, 1)
    silence(project, store, clock).look()

    assert [workflow for workflow, _ in told(store)] == ["tell"]


def test_a_server_tells_of_silence(served: Served):
    served.write(
        PROJECT.replace("2 days", "1 seconds"), load="from crossdock import Job\njob = Job(lambda state: state)\n"
    )
    served.start()

    until(lambda: [run.outcome for run in served.runs("tell")] == ["success"], "the notice")

    with served.store() as store:
        ((workflow, facts),) = told(store)
    assert (workflow, facts["event"], facts["workflow"]) == ("tell", "silent", "visits")
