"""``crossdock run --retry-failed``: failed items go to the loop that put them aside, and nothing else runs."""

import json
from pathlib import Path
from typing import Any

import pytest
from crossdock import Job, each, when
from crossdock.testing import RunJob
from fix_command import Crossdock, Done, WriteJob, WriteJson

JOB = """
from pathlib import Path
from crossdock import Job, each, save_cursor, state, tap

def did(what):
    with open("done.txt", "a") as file:
        file.write(f"{what} ")

def send(state):
    if str(state.data["id"]) in Path("broken.txt").read_text().split():
        raise ValueError("not now")
    did(f"sent-{state.data['id']}-{state.form}")
    return state

def tell(state):
    if "tell" in Path("broken.txt").read_text():
        raise ValueError("not now")
    did(f"told-{state.data['id']}")
    return state

job = Job(
    tap(did, "fetched"),
    Job(each(state.data, send, on_error="collect", key="id", concurrency=2).into("sent").retry(1)),
    each(lambda state: [{"id": 7}, {"id": 8}], tell, on_error="collect").catch(lambda error, state: state),
    save_cursor("visits", of=state.data, at="id"),
    tap(did, "reported"),
)
"""


class Case:
    """The job in a folder, and what it did there."""

    def __init__(self, crossdock: Crossdock, job: Path, given: Path) -> None:
        self._crossdock = crossdock
        self._given = given
        self.job = job
        self.folder = job.parent

    def run(self, *options: str | Path, broken: str = "") -> tuple[int, list[str]]:
        """Run it while some items can't be sent; give the exit code and what it did."""
        (self.folder / "broken.txt").write_text(broken)
        (self.folder / "done.txt").write_text("")
        done = self._crossdock("run", self.job, *(options or ("--state", self._given)), "--output", "out.json")
        assert "Traceback" not in done.stderr
        self.said = done.stderr
        return done.returncode, sorted((self.folder / "done.txt").read_text().split())

    @property
    def state(self) -> dict[str, Any]:
        """The final state."""
        found: dict[str, Any] = json.loads((self.folder / "out.json").read_text())
        return found


@pytest.fixture
def case(crossdock: Crossdock, write_job: WriteJob, write_json: WriteJson) -> Case:
    given = {"data": [{"id": number} for number in range(1, 7)], "form": "visit"}
    return Case(crossdock, write_job(JOB), write_json(given))


def failed(state: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(entry["loop"], entry["key"], entry["item"]) for entry in state["failed"]]


def test_only_the_failed_items_run_again_each_in_its_loop(case: Case):
    first = case.run(broken="2 5 tell")
    assert first == (6, ["fetched", "reported", *(f"sent-{number}-visit" for number in (1, 3, 4, 6))])
    assert failed(case.state) == [
        ("send", 2, {"id": 2}),
        ("send", 5, {"id": 5}),
        ("tell", None, {"id": 7}),
        ("tell", None, {"id": 8}),
    ]
    before = case.state

    assert case.run("--retry-failed", "out.json", broken="5") == (6, ["sent-2-visit", "told-7", "told-8"])
    assert failed(case.state) == [("send", 5, {"id": 5})]

    assert case.run("--retry-failed", "out.json") == (0, ["sent-5-visit"])
    del before["failed"]
    assert case.state == before
    assert case.state["cursors"] == {"visits": 1}  # before the first that failed, until the job itself runs again


def test_a_job_that_was_edited_in_between_still_gets_its_items(case: Case):
    case.run(broken="2")
    source = case.job.read_text()
    case.job.write_text("# one line more\n" + source.replace('raise ValueError("not now")', 'did("mended")', 1))

    assert case.run("--retry-failed", "out.json", broken="2") == (0, ["mended", "sent-2-visit"])


def test_it_can_be_a_dry_run_with_cursors_in_a_file(case: Case):
    case.run("--state", "state.json", "--cursors", "cursors.json", broken="4")
    kept = (case.folder / "cursors.json").read_text()

    assert case.run("--retry-failed", "out.json", "--cursors", "cursors.json") == (0, ["sent-4-visit"])
    assert json.loads((case.folder / "cursors.json").read_text()) == json.loads(kept)


def test_a_loop_that_a_function_built_has_no_name(run_job: RunJob):
    def fail(state):
        raise ValueError

    def inside(given):
        each([1], fail, on_error="collect")(given)
        return each([2], fail, on_error="collect")

    run = run_job(
        inside, when(True, each([3], fail, on_error="collect").into("x")), Job(each([4], fail, on_error="collect"))
    )

    assert [(entry["item"], entry["loop"]) for entry in run.state.failed] == [
        (1, None),
        (2, None),
        (3, "fail"),
        (4, "fail"),
    ]


# What is refused, before anything runs


def refused(crossdock: Crossdock, write_json: WriteJson, job: Path, state: Any, *options: str) -> Done:
    done = crossdock("run", job, "--retry-failed", write_json(state, "out.json"), *options)
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    assert not (job.parent / "done.txt").exists()
    return done


FAILED = {"index": 0, "key": None, "item": 1, "error": {}, "loop": "tell"}
BAD_STATES = {
    "nothing failed": ({"data": 1}, "out.json' has no failed items"),
    "no list": ({"failed": {"a": 1}}, "has no failed items"),
    "of a failed run": ({"failed": [FAILED], "errors": {"job": {}}}, "is of a run that failed"),
    "no items": ({"failed": [3]}, "has something else under 'failed' than failed items"),
    "of a function": ({"failed": [{**FAILED, "loop": None}]}, "that no loop of the job put aside"),
    "of an older run": ({"failed": [{"index": 4, "item": 1}]}, "a failed item (index 4, key None) that no loop"),
    "of another job": ({"failed": [{**FAILED, "loop": "post"}]}, "of a loop that ran 'post'; the loops of the job run 'send', 'tell'"),
    "with a secret": (
        {"failed": [FAILED], "warnings": [{"code": "secret_in_state", "path": "$.failed[0].item"}]},
        "has a failed item that held a secret, which is stored as ***",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_STATES)
def test_what_can_not_be_fed_back_is_refused(crossdock, write_job, write_json, name):
    given, said = BAD_STATES[name]

    done = refused(crossdock, write_json, write_job(JOB), given)

    assert said in done.stderr
    assert "\n  fix: " in done.stderr


def test_loops_that_can_not_be_told_apart_are_refused(crossdock, write_job, write_json):
    job = write_job(
        "from crossdock import Job, each\n"
        "job = Job(\n"
        "    each([1], lambda state: state),\n"
        "    each([2], lambda state: state),\n"
        ")\n"
    )

    done = refused(crossdock, write_json, job, {"failed": [{**FAILED, "loop": "<lambda>"}]})

    assert "a loop that ran '<lambda>', and the loops at job.py:3 and job.py:4 do" in done.stderr
    assert "fix: Give what these loops run different names." in done.stderr


def test_an_item_at_which_a_loop_stopped_is_refused(crossdock, write_job, write_json):
    """The items after it were not started, and nobody would send them."""
    job = write_job(JOB.replace('tell, on_error="collect"', 'tell, on_error="stop"'))

    done = refused(crossdock, write_json, job, {"failed": [FAILED]})

    assert "has an item at which the loop at job.py:24 stopped; those after it are not in it" in done.stderr


@pytest.mark.parametrize(("given", "said"), [("none.json", "can't be read"), ("out.json", "is not JSON")])
def test_a_file_that_can_not_be_read_is_refused(crossdock, write_job, tmp_path, given, said):
    (tmp_path / "out.json").write_text("{")

    done = crossdock("run", write_job(JOB), "--retry-failed", given)

    assert (done.returncode, said in done.stderr) == (2, True)


def test_it_takes_no_other_input(crossdock, write_job, write_json):
    done = crossdock("run", write_job(JOB), "--retry-failed", "out.json", "--state", write_json({}))

    assert done.returncode == 2
    assert "--retry-failed and --state can't be given together" in done.stderr
