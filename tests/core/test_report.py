"""The page of a run: ``crossdock run --report``."""

import html
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest
from fix_browser import Browser
from fix_command import Crossdock, Done, WriteJob, WriteJson
from fix_systems import Systems

SECRET = "s3cret-<&\"'/1"
SCRIPT = "<script>alert('x')</script>"

JOB = f"""
from crossdock import Job, JobError, credentials, each, set_data, state, warn
from crossdock.adaptors import http

def mapped(state):
    return state.replace(people=[person["name"] for person in state.people], **{{"{SCRIPT}": 1}})

def deliver(state):
    if state.data % 10 == 7:
        raise JobError("{SCRIPT}", f"no {{resolve(credentials.api.token)}}", key="{SCRIPT}")
    if state.data % 10 == 8:
        warn("{SCRIPT}", name="{SCRIPT}", token=resolve(credentials.api.token))
    return http.post("/people", {{"id": state.data}})

from crossdock import resolve

job = Job(
    http.get("/people/{SCRIPT}", query={{"name": state.data, "token": credentials.api.token}}).into("people"),
    mapped,
    set_data({{"secret": credentials.api.token, "count": 3}}).into("kept"),
    each(range(30), deliver, on_error="collect", concurrency=4),
    http.put("/people", {{}}),
)
"""
STUBS = [
    {"when": {"method": "GET"}, "respond": {"status": 200, "json": [{"name": "Amina"}, {"name": "Baraka"}]}},
    {"when": {"method": "POST"}, "respond": {"status": 201, "json": {}}},
    {"when": {"method": "PUT"}, "respond": {"status": 422, "text": f"no {SCRIPT}"}},
]


@pytest.fixture
def report(crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson, systems: Systems, tmp_path: Path):
    """Run the job, and give the text of its page."""

    def run(*options: str, code: int = 1) -> str:
        systems.answer_with(STUBS)
        credentials = {"api": {"adaptor": "http", "base_url": systems.address("api"), "token": SECRET}}
        given = ("--credentials", write_json(credentials, "credentials.json"), "--report", tmp_path / "run.html")
        given += ("--state", write_json({"data": "Amina"}))
        done = crossdock("run", write_job(JOB), *given, *options)
        assert done.returncode == code, done.stderr
        return (tmp_path / "run.html").read_text(encoding="utf-8")

    return run


def text_of(page: str) -> str:
    """Give the text of a page as a person reads it."""
    body = page[page.index("<body>") :]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_the_page_shows_what_a_run_did(report):
    shown = text_of(report())

    for part in (
        "job failed",
        "5 operations",
        "requests",
        "3 failed items",
        "3 warnings",
        "answered 422",
        "Fix: Read what the system answered",
        "in http.put (job.py:22)",
        "people[*]",
        "dict 1 → str 5 2 ×",
        "deliver 30 × in ",
        "3 failed (JobError)",
        "GET http",
        "item 7",
        "Final state",
        "crossdock 0.1.0, crossdock-http 0.1.0, Python 3",
    ):
        assert part in shown, part


def test_the_page_holds_no_secret_no_value_and_no_markup_of_others(report):
    page = report()

    assert SECRET not in html.unescape(page)
    assert SECRET not in page
    assert "Amina" not in page
    assert "<script" not in page
    assert html.escape(SCRIPT) in page


def test_the_page_holds_values_if_they_are_asked_for_and_still_no_secret(report):
    page = report("--values")

    assert SECRET not in html.unescape(page)
    assert "Amina" in page
    assert "with values" in page


def test_the_page_loads_nothing_and_only_its_owner_can_read_it(report, tmp_path):
    page = report()

    assert {*re.findall(r'(?:href|src)="([^"#]*)', page)} == {"data:,", ""}
    assert not re.search(r"url\(|@import", page)
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert stat.S_IMODE((tmp_path / "run.html").stat().st_mode) == 0o600
    assert not [*tmp_path.glob(".run.html*")]


LIGHTNESS = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + +part, 0)"


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_page_without_a_complaint(report, browser: Browser, tmp_path, width, scheme):
    report("--values")

    browser.open(tmp_path / "run.html", width=width, scheme=scheme)

    assert browser.complaints() == []
    assert browser.ask("innerWidth") == width
    assert browser.ask("document.documentElement.scrollWidth") <= width
    assert browser.ask("[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1).length") == 0  # fmt: skip
    assert (browser.ask(LIGHTNESS) > 380) == (scheme == "light")
    assert browser.ask("document.title") == "job: failed"
    assert browser.ask("document.querySelectorAll('.bars .bar').length") > 5
    assert browser.ask("document.querySelectorAll('script').length") == 0


# Every way in which a run ends


def ended(crossdock: Crossdock, tmp_path: Path, *arguments: Any) -> tuple[Done, str]:
    done = crossdock("run", *arguments, "--report", "run.html")
    return done, text_of((tmp_path / "run.html").read_text(encoding="utf-8"))


def test_a_run_that_was_refused_has_a_page_that_says_why(crossdock, write_job, tmp_path):
    write_job("from crossdock import Job\nx = 1 / 0")

    done, shown = ended(crossdock, tmp_path, "job.py")

    assert done.returncode == 3
    assert "job refused" in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "Fix: Correct the line; nothing ran." in shown


def test_the_page_of_a_refused_run_holds_no_secret(crossdock, write_job, write_json, tmp_path):
    write_job(f"from crossdock.adaptors import http\nraise ValueError({SECRET!r})")
    entry = {"api": {"adaptor": "http", "base_url": "http://127.0.0.1:1", "token": SECRET}}

    done, shown = ended(crossdock, tmp_path, "job.py", "--credentials", write_json(entry, "credentials.json"))

    assert done.returncode == 3
    assert "ValueError: ***" in shown
    assert SECRET not in html.unescape((tmp_path / "run.html").read_text())


def test_a_run_that_was_killed_has_a_page_that_says_what_was_running(crossdock, write_job, tmp_path):
    write_job(
        "import threading\nfrom crossdock import Job, set_data\n"
        "def hang(state):\n    threading.Event().wait()\n"
        "job = Job(set_data(1), hang)"
    )

    done, shown = ended(crossdock, tmp_path, "job.py", "--timeout", "2")

    assert done.returncode == 5
    assert "hang was running job.py:3" in shown
    assert "the run took longer than 2 s and was killed" in shown


def test_a_dry_run_has_a_page_with_its_plan(crossdock, write_job, write_json, tmp_path):
    write_job(
        "from crossdock import Job, state\nfrom crossdock.adaptors import http\n"
        "job = Job(http.post('/people', state.data, query={'phone': state.data['phone']}))"
    )
    credentials = write_json({"api": {"adaptor": "http", "base_url": "http://127.0.0.1:1"}}, "credentials.json")

    given = write_json({"data": {"name": "Amina", "phone": "0712"}})
    done, shown = ended(crossdock, tmp_path, "job.py", "--dry-run", "--credentials", credentials, "--state", given)

    assert done.returncode == 0
    assert "job success dry run" in shown
    assert "Writes that were not made http.post POST http://127.0.0.1:1/people?phone=…" in shown
    assert "0712" not in shown
    assert "Amina" not in shown


def test_a_run_with_nothing_to_tell_has_a_short_page(crossdock, write_job, tmp_path):
    write_job("from crossdock import Job, stop\njob = Job(stop('nothing new'))")

    done, shown = ended(crossdock, tmp_path, "job.py")

    assert done.returncode == 0
    assert "stopped nothing new" in shown
    assert all(title not in shown for title in ("Error", "Failed items", "Warnings", "Writes that"))


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--report", "no/run.html"], 3, "lies in a folder that does not exist; nothing ran\n  fix: Name another file: --report FILE."),
        (["--report", "run.html", "--output", "run.html"], 2, "--report and --output name the same file"),
    ],
)  # fmt: skip
def test_a_page_that_can_not_be_written_is_refused_before_anything_runs(
    crossdock, write_job, tmp_path, options, code, said
):
    job = write_job("from pathlib import Path\nPath('it-ran').touch()\nfrom crossdock import Job\njob = Job(dict)")

    done = crossdock("run", job, *options)

    assert (done.returncode, (tmp_path / "it-ran").exists()) == (code, False)
    assert said in done.stderr


def test_a_page_that_can_not_be_written_after_the_run_leaves_the_result(crossdock, write_job, tmp_path):
    (tmp_path / "gone").mkdir()
    job = write_job("import shutil\nfrom crossdock import Job, tap\njob = Job(tap(shutil.rmtree, 'gone'))")

    done = crossdock("run", job, "--report", "gone/run.html")

    assert done.returncode == 4
    assert json.loads(done.stdout) == {"data": None}
    assert "the result can't be written to gone/run.html" in done.stderr
    assert "fix: Make room, or name another file: --report FILE." in done.stderr
