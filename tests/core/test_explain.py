"""Which triggers take a message, and which key keeps the others from it."""

import json
from pathlib import Path
from typing import Any

import pytest
from crossdock.project import read_project
from crossdock.server.explaining import explain
from crossdock.store.records import NewMessage
from crossdock.store.store import Store
from fix_command import Crossdock
from fix_filters import GOLDEN
from fix_serve import Served

JSON = [(b"content-type", b"application/json")]
PROJECT = """
workflows:
  visits:
    triggers:
      new: {webhook: visits, include: {form: visit, patient: {age: 30}}, exclude: {test: true}}
      old: {webhook: visits, enabled: false}
      nightly: {cron: "0 2 * * *"}
    steps: {load: {job: jobs/load.py}}
  households:
    triggers:
      form: {webhook: households, schema: household.json}
      any: {webhook: lists, accept: any, xml: true, max_bytes: 50}
    steps: {load: {job: jobs/load.py}}
"""
SCHEMA = {"required": ["head"], "properties": {"members": {"type": "integer"}}}
LOAD = "from crossdock import Job, set_data\njob = Job(set_data(1))\n"
CANARY = "canary-4711-Asha"


@pytest.fixture
def project(served: Served) -> Path:
    """A project with triggers of all kinds; gives its folder."""
    served.write(PROJECT, load=LOAD)
    (served.folder / "household.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    return served.folder


def told(done: Any) -> dict[str, Any]:
    """Give what is told of each trigger: true, or what keeps it from the message."""
    return {
        f"{one['workflow']}.{one['trigger']}": one["takes"]
        or [(obstacle["part"], obstacle["path"]) for obstacle in one["obstacles"]]
        for one in done.json
    }


@pytest.mark.parametrize(("body", "wanted", "held"), GOLDEN)
def test_the_golden_table_is_explained(served: Served, body: str, wanted: str, held: bool):
    trigger = {"webhook": "a", "accept": "any", "include": wanted}
    served.write(
        json.dumps({"workflows": {"a": {"triggers": {"t": trigger}, "steps": {"load": {"job": "jobs/load.py"}}}}}),
        load=LOAD,
    )

    [explained] = explain(read_project(served.folder), body.encode(), JSON)

    assert explained.takes is held
    assert bool(explained.obstacles) is not held
    assert all(obstacle.part == "include" and obstacle.path.startswith("$") for obstacle in explained.obstacles)


@pytest.mark.parametrize(("body", "excluded", "held"), [row for row in GOLDEN if row[1] not in ("{}", "null")])
def test_the_golden_table_is_explained_of_what_is_excluded(served: Served, body: str, excluded: str, held: bool):
    """But for {}, which excludes all that there is, and null, which is no filter."""
    trigger = {"webhook": "a", "accept": "any", "exclude": excluded}
    served.write(
        json.dumps({"workflows": {"a": {"triggers": {"t": trigger}, "steps": {"load": {"job": "jobs/load.py"}}}}}),
        load=LOAD,
    )

    [explained] = explain(read_project(served.folder), body.encode(), JSON)

    assert [obstacle.part for obstacle in explained.obstacles] == (["exclude"] if held else [])


def test_each_trigger_says_whether_it_takes_a_message_and_which_key_failed(project: Path, crossdock: Crossdock):
    payload = {"form": CANARY, "patient": {"age": "30"}, "test": True, "head": 1, "members": 4}

    done = crossdock("trigger", "explain", "-", "--json", stdin=json.dumps(payload))

    assert told(done) == {
        "visits.new": [("include", "$.form"), ("include", "$.patient.age"), ("exclude", "$")],
        "visits.old": [("enabled", "")],
        "households.form": True,
        "households.any": [("max_bytes", "")],
    }
    assert CANARY not in done.stdout
    reasons = [obstacle["reason"] for obstacle in done.json[0]["obstacles"]]
    assert reasons == [
        'is another text of length 16; wanted "visit"',
        "is a text of length 2; wanted 30",
        'holds {"test": true}',
    ]


def test_a_schema_and_what_a_body_must_be_are_told_too(project: Path, crossdock: Crossdock):
    wrong = crossdock("trigger", "explain", "-", "--json", stdin=json.dumps({"members": CANARY}))
    a_list = crossdock("trigger", "explain", "-", "--json", stdin="[1]")
    broken = crossdock("trigger", "explain", "-", "--json", "--webhook", "lists", stdin='{"a": ')
    xml = crossdock("trigger", "explain", "-", "--json", stdin="<visit/>")

    assert told(wrong)["households.form"] == [("schema", "$"), ("schema", "$.members")]
    assert CANARY not in wrong.stdout
    assert told(a_list) == {
        "visits.new": [("accept", "")],
        "visits.old": [("enabled", ""), ("accept", "")],
        "households.form": [("accept", "")],
        "households.any": True,
    }
    assert told(broken) == {"households.any": [("body", "")]}
    assert "line 1, column 7" in broken.json[0]["obstacles"][0]["reason"]
    assert [name for name, takes in told(xml).items() if takes is True] == ["households.any"]


def test_people_get_a_table_that_fits_and_values_only_if_they_ask(project: Path, crossdock: Crossdock):
    (project / "sample.json").write_text(json.dumps({"form": CANARY, "patient": {"age": 7, "x": "y" * 500}}))

    plain = crossdock("trigger", "explain", "sample.json").stdout
    shown = crossdock("trigger", "explain", "sample.json", "--values").stdout
    whole = crossdock("trigger", "explain", "sample.json", "--values", "--json", "--webhook", "visits").json

    assert plain.splitlines()[:2] == [
        "TAKES IT  WORKFLOW    TRIGGER  WEBHOOK",
        "no        visits      new      visits",
    ]
    assert "include: $.patient.age is another number; wanted 30" in plain
    assert CANARY not in plain
    assert f'it is "{CANARY}"' in " ".join(shown.split())
    assert "it is 7" in shown
    assert max(map(len, (plain + shown).splitlines())) <= 80
    assert [obstacle["value"] for obstacle in whole[0]["obstacles"]] == [CANARY, 7]


def test_a_message_of_the_store_is_explained_for_the_address_that_it_came_to(project: Path, crossdock: Crossdock):
    with Store("sqlite:///.crossdock/crossdock.db", folder=project) as store:
        kept = [
            store.accept(NewMessage("visits", b'{"form": "other"}', content_type="application/json")).message,
            store.accept(NewMessage("lists", b"<visit/>", content_type="text/xml; charset=utf-8")).message,
        ]
        by_hand = store.accept(NewMessage("manual", b"{}", kind="manual")).message
        store.erase(erased := store.accept(NewMessage("visits", b"{}")).message)

    assert told(crossdock("trigger", "explain", "--message", kept[0], "--json")) == {
        "visits.new": [("include", "$.form"), ("include", "$.patient")],
        "visits.old": [("enabled", "")],
    }
    assert told(crossdock("trigger", "explain", "--message", kept[1], "--json")) == {"households.any": True}
    for id_, code, reason in (
        (by_hand, 2, "came by manual"),
        (erased, 3, "was erased"),
        ("nobody", 3, "there is no message"),
    ):
        refused = crossdock("trigger", "explain", "--message", id_)
        assert refused.returncode == code
        assert reason in refused.stderr


def test_what_a_server_does_is_what_was_explained(project: Path, served: Served, crossdock: Crossdock):
    """The same bodies, sent to a real inbox: a run is started where it was said that the trigger takes it."""
    served.start()
    for payload in (
        {"form": "visit", "patient": {"age": 30}},
        {"form": "visit", "patient": {"age": 30}, "test": True},
        {},
    ):
        said = crossdock("trigger", "explain", "-", "--json", "--webhook", "visits", stdin=json.dumps(payload)).json
        assert len(served.post("visits", payload)) == [one["takes"] for one in said].count(True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a file, or say --message ID"),
        (["-", "--message", "x"], "name a file, or say --message ID"),
        (["nowhere.json"], "nowhere.json"),
        (["-", "--webhook", "vists"], "Did you mean visits?"),
    ],
)
def test_what_is_not_there_is_told(project: Path, crossdock: Crossdock, arguments: list[str], said: str):
    refused = crossdock("trigger", "explain", *arguments, stdin="{}")

    assert refused.returncode == 2
    assert said in refused.stderr
