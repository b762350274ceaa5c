"""The page of a run of a workflow: its drawing, its steps, and what belongs to which."""

import html
import json
import re
from pathlib import Path

import pytest
from fix_browser import Browser
from fix_command import Crossdock, WriteJson

SECRET = "s3cret-<&\"'/1"

PROJECT = f"""
name: clinic
workflows:
  visits:
    triggers:
      form: {{webhook: visits, include: {{token: {json.dumps(SECRET)}}}}}
    steps:
      load: {{job: jobs/load.py, next: {{each-visit: on_success, alert: on_failure}}}}
      each-visit: {{job: jobs/each.py, each: data, next: {{archive: {{when: "jobs/rules.py:has_rows"}}}}}}
      alert: {{job: jobs/alert.py, next: archive}}
      archive: {{job: jobs/archive.py}}
"""
JOBS = {
    "load": "from crossdock import Job, set_data\njob = Job(set_data([1, 2, 3]), lambda state: state)",
    "each": "from crossdock import Job, JobError\n"
    "def visit(state):\n"
    "    if state.data == 2:\n        raise JobError('TWO', 'no two')\n"
    "    return state\n"
    "job = Job(visit)",
    "alert": "from crossdock import Job\njob = Job(lambda state: state)",
    "archive": "from crossdock import Job\ndef put_away(state):\n    return state\njob = Job(put_away)",
    "rules": "def has_rows(state):\n    return False\n",
}


@pytest.fixture
def page(crossdock: Crossdock, tmp_path: Path, write_json: WriteJson):
    """Run the workflow, and give the text of its page."""

    def run(*options: str, code: int = 6, **jobs: str) -> str:
        (tmp_path / "jobs").mkdir(exist_ok=True)
        for name, text in {**JOBS, **jobs}.items():
            (tmp_path / "jobs" / f"{name}.py").write_text(text)
        (tmp_path / "project.yaml").write_text(PROJECT)
        credentials = write_json({"api": {"adaptor": "http", "base_url": "http://x", "token": SECRET}}, "c.json")
        done = crossdock("run", "visits", "--report", "run.html", "--credentials", credentials, *options)
        assert done.returncode == code, done.stderr
        return (tmp_path / "run.html").read_text(encoding="utf-8")

    return run


def section(page: str, name: str) -> str:
    """Give what a person reads in a section."""
    found = re.search(rf'<section [^>]*id="{name}">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", found[1])).split())


def test_the_page_of_a_workflow_tells_what_became_of_each_step(page):
    steps = section(page(), "steps")

    for part in (
        "webhook visits",
        "per item of data",
        "when has_rows",
        "→ each-visit",
        "2 × each-visit success 1 × each-visit TWO",
        "alert did not run load: success, and the edge is on_failure",
        "archive did not run each-visit: has_rows gave false",
    ):
        assert part in steps, (part, steps)


def test_operations_and_times_stand_under_their_steps(page):
    shown = page(rules="def has_rows(state):\n    return True\n")

    for name in ("operations", "timeline"):
        text = section(shown, name)
        places = [text.index(word) for word in ("load", "set_data", "each-visit", "visit", "archive", "put_away")]
        assert places == sorted(places), text
    assert [*re.findall(r'id="operation-(\d)"', shown)] == ["1", "2", "3", "4"]
    assert [*re.findall(r'<h3 class="step">([\w-]+)', shown)] == ["load", "each-visit", "archive"]


def test_a_handled_failure_stands_as_such_on_the_page(page):
    broken = "from crossdock import Job, JobError\ndef load(state):\n    raise JobError('NONE', 'no')\njob = Job(load)"

    steps = section(page(code=0, load=broken), "steps")

    assert "load failed" in steps
    assert "the failure was handled → alert" in steps


def test_the_drawing_on_the_page_holds_no_secret(page):
    shown = page()

    assert SECRET not in html.unescape(shown)
    assert "***" in section(shown, "steps")


def test_a_run_that_was_refused_shows_the_drawing_without_outcomes(page):
    steps = section(page(code=3, load="x = = 1"), "steps")

    assert "on_success" in steps
    assert "did not run" not in steps


def test_the_page_of_a_job_has_no_steps(crossdock: Crossdock, page, tmp_path):
    page()

    crossdock("run", "jobs/load.py", "--report", "job.html")

    shown = (tmp_path / "job.html").read_text()
    assert "<svg" not in shown
    assert 'id="steps"' not in shown
    assert ".workflow" not in shown.partition("</style>")[0].partition(".drawing .workflow")[0]


INSIDE = "[...document.querySelectorAll('main *:not(svg *, svg)')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_of_a_workflow_without_a_complaint(page, browser: Browser, tmp_path, width, scheme):
    page()

    browser.open(tmp_path / "run.html", width=width, scheme=scheme)

    assert browser.complaints() == []
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask(INSIDE) == 0
    assert browser.ask("document.querySelectorAll('svg .box').length") == 5
    assert browser.ask("document.querySelectorAll('.steps li').length") == 4
    assert browser.ask("document.querySelectorAll('script').length") == 0
