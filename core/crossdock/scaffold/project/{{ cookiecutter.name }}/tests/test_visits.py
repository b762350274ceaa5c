"""The workflow on the sample, on a visit that is wrong, and on nothing."""

import json
from pathlib import Path

from crossdock import read_project
from crossdock.testing import run_job

PROJECT = Path(__file__).parent.parent


def run(data):
    return run_job(read_project(PROJECT).workflow("visits"), state={"data": data})


def sample():
    return json.loads((PROJECT / "sample.json").read_text())["data"]


def test_the_sample_is_cleaned_and_counted():
    ran = run(sample())

    assert ran.outcome == "success"
    assert ran.data.splitlines() == ["clinic,visits", "Lake,1", "North Hill,2"]
    assert ran.state.visits[0]["seen_on"] == "2024-05-02"


def test_a_visit_that_is_wrong_is_put_aside():
    wrong = {**sample()[0], "seen_on": "May"}

    ran = run([wrong, *sample()[1:]])

    assert ran.outcome == "partial"
    assert [failed["key"] for failed in ran.failed] == ["v-1"]
    assert len(ran.state.visits) == 2


def test_a_message_without_visits_is_told():
    ran = run([])

    assert ran.outcome == "success"  # the edge on_failure handled it
    assert ran.data == {"alert": "NO_VISITS: the message holds no list of visits"}
