"""What a served project says of its jobs: which version of them a run is for, and which adaptors they may use."""

import json

import pytest
from crossdock.project import read_project
from fix_command import Crossdock, WriteJson
from fix_serve import Served, until
from pytest_httpserver import HTTPServer

ONE_STEP = """
    workflows:
      visits:
        triggers: {form: {webhook: visits}}
        steps: {load: {job: jobs/load.py}}
"""
WAITS = """
    import os, time
    from crossdock import Job
    from words import WORD

    def load(state):
        open("begun", "w").close()
        while not os.path.exists("go"):
            time.sleep(0.01)
        return state.result(WORD)

    job = Job(load)
"""


def word(run) -> object:
    return json.loads(run.final or b"{}").get("data")


def edited_while_one_waits(served: Served, on_change: str, *, edited: str) -> tuple[str, str, str]:
    """Edit a file while a run goes on and another one waits, and send one more.

    Its length changes: Python takes a module of the same length, written in the same second, for the same.
    """
    served.write(ONE_STEP + f"    serve: {{on_change: {on_change}}}\n", load=WAITS, words="WORD = 'old'\n")
    served.start()
    going_on = served.post("visits", {})[0]
    until(lambda: (served.folder / "begun").exists(), "the step")
    waiting = served.post("visits", {})[0]
    served.write((served.folder / "project.yaml").read_text(), **{edited: {"load": WAITS.replace("import WORD", "import WORD as _\n    WORD = 'newer'"), "words": "WORD = 'newer'\n"}[edited]})  # fmt: skip
    later = served.post("visits", {})[0]
    (served.folder / "go").touch()
    return going_on, waiting, later


@pytest.mark.parametrize("edited", ["load", "words"])
def test_a_run_says_that_a_job_was_edited_while_it_waited(served: Served, edited: str):
    going_on, waiting, later = map(served.run, edited_while_one_waits(served, "run", edited=edited))

    assert list(map(word, (going_on, waiting, later))) == ["old", "newer", "newer"]
    was, is_ = waiting.run.project_version, later.run.project_version
    assert going_on.run.project_version == was != is_ == read_project(served.folder).version()
    said = f"version {was} of the project accepted the run, and this is {is_}"
    assert [served.lines(details.run.id) for details in (going_on, waiting, later)] == [[], [said], []]


def test_a_run_is_held_whose_job_was_edited_while_it_waited(served: Served):
    going_on, waiting, later = map(served.run, edited_while_one_waits(served, "hold", edited="load"))

    assert list(map(word, (going_on, waiting, later))) == ["old", None, "newer"]
    assert (waiting.run.state, waiting.run.outcome) == ("dead", "refused")
    assert waiting.error is not None
    assert waiting.run.project_version in waiting.error["message"]
    assert later.run.project_version in waiting.error["message"]


def test_an_edited_project_file_counts_when_it_is_read(served: Served):
    served.write(ONE_STEP, load=WAITS, words="WORD = 'old'\n")
    (served.folder / "go").touch()
    server = served.start()
    before = served.sent("visits", {})
    served.write(ONE_STEP + "    settings: {of: this}\n")
    during = served.sent("visits", {})
    assert server.end() == 0

    served.start()
    after = served.sent("visits", {})

    assert before.run.project_version == during.run.project_version != after.run.project_version


GETS = "from crossdock import Job\nfrom crossdock.adaptors import http\njob = Job(http.get('{url}'))\n"
GETS_INSIDE = (
    "from crossdock import Job\nfrom crossdock.adaptors import http\njob = Job(lambda state: http.get('{url}'))\n"
)
CHOICES = ["adaptors: {disable: [http]}", "adaptors: {allow: [postgresql]}"]


@pytest.mark.parametrize("choice", CHOICES)
def test_an_adaptor_that_is_not_allowed_is_refused_before_anything_runs(
    served: Served, crossdock: Crossdock, httpserver: HTTPServer, choice: str
):
    served.write(ONE_STEP + f"    {choice}\n", load=GETS.format(url=httpserver.url_for("/")))
    server = served.launch()
    by_hand = crossdock("run", ".", "visits")

    assert (server.process.wait(60), by_hand.returncode) == (3, 3)
    assert "this project does not allow the adaptor 'http'" in server.said
    assert "this project does not allow the adaptor 'http'" in by_hand.stderr
    assert httpserver.log == []


def test_an_adaptor_that_is_not_allowed_is_refused_inside_a_function(
    served: Served, crossdock: Crossdock, write_json: WriteJson, httpserver: HTTPServer
):
    served.write(ONE_STEP + f"    {CHOICES[0]}\n", load=GETS_INSIDE.format(url=httpserver.url_for("/")))
    served.start()

    details, by_hand = served.sent("visits", {}), crossdock("run", ".", "visits", "--state", write_json({"data": 1}))

    assert details.error is not None
    assert details.error["message"] == "this project does not allow the adaptor 'http'"
    assert details.error["code"] == "adaptor_not_allowed"
    assert by_hand.returncode != 0
    assert "does not allow the adaptor 'http'" in by_hand.stderr
    assert httpserver.log == []


def test_an_adaptor_that_is_allowed_is_used(served: Served, httpserver: HTTPServer):
    httpserver.expect_request("/").respond_with_json({"id": 7})
    allowed = f"    adaptors: {{allow: [http]}}\n    credentials: {{http: {{adaptor: http, base_url: '{httpserver.url_for('')}'}}}}\n"
    served.write(ONE_STEP + allowed, load=GETS.format(url=httpserver.url_for("/")))
    served.start()

    details = served.sent("visits", {})

    assert details.error is None
    assert word(details) == {"id": 7}
