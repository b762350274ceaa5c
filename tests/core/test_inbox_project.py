"""The webhook triggers of a project file become addresses of the inbox."""

import json
from datetime import timedelta

import pytest
from crossdock.errors import CredentialError
from crossdock.plugins import Plugins
from crossdock.project import read_project
from crossdock.server.addresses import addresses_of

PROJECT = """
name: clinic
workflows:
  visits:
    serialize_by: data.patient
    retry: {attempts: 7}
    triggers:
      form: {webhook: visits, include: {form: v7}, auth: {api_key: ["env:VISITS_KEY", "env:OLD_KEY"]}, schema: visit.json}
      old: {webhook: visits, include: {form: v6}, enabled: false}
      nightly: {cron: "0 2 * * *"}
    steps: {load: {job: jobs/load.py}}
  report:
    triggers:
      form: {webhook: visits, exclude: {test: true}, auth: {api_key: ["env:VISITS_KEY", "env:OLD_KEY"]}, schema: visit.json}
      direct:
        webhook: report
        accept: any
        xml: true
        gzip: true
        duplicate_keys: last
        max_bytes: 1000
        idempotency: {path: visit.id}
        ack: accepted
        reply: after_run
        reply_timeout: 2 minutes
      off: {webhook: "off", enabled: false}
    steps: {load: {job: jobs/load.py}}
"""

SERVED = """
    from crossdock.plugins import Plugins
    from crossdock.project import read_project
    from crossdock.server.addresses import addresses_of
    import os
    os.environ |= {{"VISITS_KEY": "visits-s3cret", "OLD_KEY": "older-s3cret"}}
    project = addresses_of(read_project("{folder}"), Plugins())
"""


@pytest.fixture
def folder(tmp_path):
    """A project in a folder of its own."""
    folder = tmp_path / "project"
    (folder / "jobs").mkdir(parents=True)
    (folder / "project.yaml").write_text(PROJECT)
    (folder / "jobs" / "load.py").write_text("from crossdock import Job, set_data\njob = Job(set_data(1))\n")
    (folder / "visit.json").write_text(json.dumps({"required": ["form"]}))
    return folder


def test_triggers_with_one_address_are_one_address_with_the_terms_that_are_written(folder, monkeypatch):
    monkeypatch.setenv("VISITS_KEY", "visits-s3cret")
    monkeypatch.setenv("OLD_KEY", "older-s3cret")

    visits, report, off = addresses_of(read_project(folder), Plugins())

    assert [(target.workflow, target.trigger) for target in visits.targets] == [("visits", "form"), ("report", "form")]
    assert visits.targets[0][3:] == (7, "data.patient")
    assert list(visits.methods) == ["api_key 1", "api_key 2"]
    assert visits.schema == {"required": ["form"]}
    assert report[3:8] == ("any", "last", True, True, 1000)
    assert report[9:] == ("visit.id", None, timedelta(days=7), "accepted", "after_run", 120, True)
    assert (off.targets, off.enabled) == ([], False)


def test_a_secret_that_is_not_there_is_named(folder):
    with pytest.raises(CredentialError) as caught:
        addresses_of(read_project(folder), Plugins())

    assert "'visits'" in caught.value.message
    assert "'VISITS_KEY'" in caught.value.message


def test_a_project_is_served_as_it_is_written(start_server, folder):
    server = start_server("*project", setup=SERVED.format(folder=folder).strip())

    kept = server.post("/inbox/visits", {"form": "v7", "patient": {"id": 7}}, "X-API-Key: older-s3cret")

    assert server.post("/inbox/visits", {"form": "v7"}).status == 401
    assert server.post("/inbox/visits", {}, "X-API-Key: visits-s3cret").error == "invalid_payload"
    assert server.post("/inbox/off").status == 404
    assert kept.status == 200
    runs = [run for run in server.runs() if run["id"] in kept.headers["x-run-ids"]]
    assert [(run["workflow"], run["trigger"], run["most_attempts"]) for run in runs] == [
        ("visits", "form", 7),
        ("report", "form", 3),
    ]
    assert runs[0]["serialize_by"] is not None
    assert runs[1]["serialize_by"] is None
