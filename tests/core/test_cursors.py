"""Cursors: how positions are compared and kept, and the file that carries them from run to run."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from crossdock import cursor, each, resolve, save_cursor, set_data, state
from crossdock.cli.cursors import CursorFile
from crossdock.errors import ArgumentError
from fix_command import Crossdock, WriteJob

NOW = datetime(2024, 3, 10, 22, 30, tzinfo=UTC)


def start(default, run_job, cursors=None, **options):
    return run_job(set_data(cursor("visits", default, **options)), state={"cursors": cursors or {}}, now=NOW).state.data


@pytest.mark.parametrize(
    ("word", "zone", "moment"),
    [
        ("now", "UTC", "2024-03-10T22:30:00Z"),
        ("today", "UTC", "2024-03-10T00:00:00Z"),
        ("today", "Africa/Nairobi", "2024-03-10T21:00:00Z"),
        ("yesterday", "UTC", "2024-03-09T00:00:00Z"),
        ("2 hours ago", "Africa/Nairobi", "2024-03-10T20:30:00Z"),
        ("3 days ago", "UTC", "2024-03-07T00:00:00Z"),
        ("1 week ago", "UTC", "2024-03-03T00:00:00Z"),
        ("today", "America/New_York", "2024-03-10T05:00:00Z"),
        ("1 day ago", "America/New_York", "2024-03-09T05:00:00Z"),
        ("rock the casbah", "UTC", "rock the casbah"),
        (0, "UTC", 0),
    ],
)
def test_c38_to_c40_a_default_may_be_a_moment_in_words(run_job, word, zone, moment):
    assert start(word, run_job, timezone=zone) == moment


def test_what_is_kept_is_no_word_and_wins_over_the_default(run_job):
    assert start("today", run_job, {"visits": "yesterday"}) == "yesterday"
    assert start(5, run_job, {"visits": 0}) == 0


@pytest.mark.parametrize(
    ("kept", "overlap", "position"),
    [
        ("2024-05-02T10:00:00Z", "2 hours", "2024-05-02T08:00:00Z"),
        ("2024-05-02T10:00:00+03:00", timedelta(minutes=1), "2024-05-02T06:59:00Z"),
        ("2024-05-02", "1 day", "2024-05-01T00:00:00Z"),
        (100, 10, 90),
    ],
)
def test_an_overlap_reads_late_arrivals_again(run_job, kept, overlap, position):
    assert start(None, run_job, {"visits": kept}, overlap=overlap) == position


@pytest.mark.parametrize(
    ("kept", "overlap"), [("abc", "2 hours"), (100, "2 hours"), ("abc", 5), ("2024-05-02", "soon")]
)
def test_an_overlap_that_can_not_be_taken_is_an_error(run_job, kept, overlap):
    run = run_job(set_data(cursor("visits", overlap=overlap)), state={"cursors": {"visits": kept}})

    assert isinstance(run.error, ArgumentError)
    assert "overlap" in run.error.message


def test_c41_the_names_of_cursors_are_those_of_their_run(run_job):
    first = run_job(save_cursor("page", 44), save_cursor("row", 5), save_cursor("page", 55))
    second = run_job(save_cursor("cursor", 66))

    assert first.state.cursors == {"page": 55, "row": 5}
    assert second.state.cursors == {"cursor": 66}


def test_an_unknown_zone_is_an_error(run_job):
    assert "Mars/Base" in run_job(set_data(cursor("v", "today", timezone="Mars/Base"))).error.message


def test_a_cursor_may_be_named_by_the_item(run_job):
    forms = [{"uid": "a"}, {"uid": "b"}]

    run = run_job(
        each(forms, lambda s: s.result(resolve(cursor(state.data["uid"], "start"), s))).into("starts"),
        state={"cursors": {"b": "there"}},
    )

    assert run.state.starts == ["start", "there"]


@pytest.mark.parametrize(
    ("type_", "positions", "furthest"),
    [
        ("instant", ["2024-05-02T10:00:00+03:00", "2024-05-02T08:00:00Z"], "2024-05-02T08:00:00Z"),
        ("instant", ["2024-05-02T10:00:00", "2024-05-02 10:00:00.5"], "2024-05-02T10:00:00.500000Z"),
        ("number", ["9", "10", 7], 10),
        ("number", [1.5, "1.25"], 1.5),
        ("text", ["9", "10"], "9"),
        (None, ["2024-05-01", "2024-05-02"], "2024-05-02"),
        (None, [9, 10], 10),
    ],
)
def test_positions_are_compared_as_what_they_are(run_job, type_, positions, furthest):
    items = [{"at": position} for position in positions]

    assert run_job(save_cursor("v", of=items, at="at", type=type_)).state.cursors == {"v": furthest}


@pytest.mark.parametrize(
    ("type_", "positions"),
    [
        (None, ["9", "10"]),
        (None, ["9", 10]),
        ("number", ["9", "x"]),
        ("instant", ["soon"]),
        ("instant", [5]),
        ("text", [5]),
    ],
)
def test_positions_that_have_no_order_are_an_error(run_job, type_, positions):
    run = run_job(save_cursor("v", of=[{"at": position} for position in positions], at="at", type=type_))

    assert isinstance(run.error, ArgumentError)


def test_a_failed_item_is_compared_as_a_moment_too(run_job):
    items = [{"at": f"2024-05-0{day}T00:00:00+0{zone}:00"} for day, zone in ((1, 0), (2, 5), (3, 0))]

    def fail(s):
        if s.index == 1:
            raise ValueError
        return s

    run = run_job(each(items, fail, on_error="collect"), save_cursor("v", of=items, at="at", type="instant"))

    assert run.state.cursors == {"v": "2024-05-01T00:00:00Z"}


JOB = """
from crossdock import Job, cursor, save_cursor, set_data, state
def fail(state):
    if state.fail:
        raise ValueError("no")
    return state
job = Job(set_data(cursor("visits", "start")), save_cursor("visits", state.position), fail)
"""


@pytest.fixture
def keep(crossdock: Crossdock, write_job: WriteJob, write_json, tmp_path):
    """Run the job with a position to save, and a cursor file; give where it started, and the file."""
    file, job = tmp_path / "cursors.json", write_job(JOB)

    def run(position, *options, fail=False):
        state = write_json({"position": position, "fail": fail})
        done = crossdock("run", job, "--state", state, "--cursors", file, *options)
        return done, json.loads(file.read_text()) if file.exists() else None

    return run


def test_the_file_carries_cursors_from_run_to_run(keep, tmp_path):
    first, after_first = keep("a")
    second, after_second = keep("b")

    assert (first.json["data"], after_first) == ("start", {"visits": "a"})
    assert (second.json["data"], after_second) == ("a", {"visits": "b"})
    assert (tmp_path / "cursors.json").stat().st_mode & 0o777 == 0o600


def test_a_run_that_fails_and_a_dry_run_move_no_cursor(keep):
    keep("a")

    assert keep("b", fail=True)[1] == {"visits": "a"}
    assert keep("c", "--dry-run")[1] == {"visits": "a"}


def test_a_checkpoint_is_kept_though_the_process_is_killed(crossdock, write_job, tmp_path):
    job = write_job("""
import os
from crossdock import Job, save_cursor
job = Job(save_cursor("visits", "here", checkpoint=True), lambda state: os.kill(os.getpid(), 9))
""")

    crossdock("run", job, "--cursors", tmp_path / "c.json")

    assert json.loads((tmp_path / "c.json").read_text()) == {"visits": "here"}


def test_a_second_run_on_the_same_cursors_is_refused(keep, tmp_path):
    with CursorFile(str(tmp_path / "cursors.json")).locked():
        done, kept = keep("a")

    assert (done.returncode, kept) == (3, None)
    assert "another run" in done.stderr


@pytest.mark.parametrize(("content", "code"), [("[1]", 3), ("{", 2), ('{"a": NaN}', 2)])
def test_a_broken_file_is_an_error_and_nothing_runs(crossdock, write_job, tmp_path, content, code):
    job, file = write_job("print('it runs')\n" + JOB), tmp_path / "cursors.json"
    file.write_text(content)

    done = crossdock("run", job, "--cursors", file)

    assert (done.returncode, done.stdout, file.read_text()) == (code, "", content)
    assert "cursors.json" in done.stderr
    assert "it runs" not in done.stderr


def test_a_folder_that_is_not_there_is_an_error_and_nothing_runs(crossdock, write_job, tmp_path):
    done = crossdock("run", write_job(JOB), "--cursors", tmp_path / "nowhere" / "c.json")

    assert (done.returncode, done.stdout) == (3, "")
    assert "can't be kept: No such file" in done.stderr


def test_the_commands_list_show_set_and_reset(crossdock, tmp_path):
    at = ("--cursors", tmp_path / "c.json")

    assert crossdock("cursors", "list", *at).stdout == ""
    crossdock("cursors", "set", "visits", "2024-05-02T10:00:00+03:00", "--type", "instant", *at)
    crossdock("cursors", "set", "page", "7", "--type", "number", *at)
    listed = crossdock("cursors", "list", *at).stdout
    shown = crossdock("cursors", "show", "page", *at).stdout
    crossdock("cursors", "reset", "page", *at)
    left = json.loads((tmp_path / "c.json").read_text())
    crossdock("cursors", "reset", "--all", *at)

    assert listed.splitlines() == ["page    7", 'visits  "2024-05-02T07:00:00Z"']
    assert shown == "7\n"
    assert left == {"visits": "2024-05-02T07:00:00Z"}
    assert json.loads((tmp_path / "c.json").read_text()) == {}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", "visit"), 3, "there are: visits"),
        (("reset", "visit"), 3, "there are: visits"),
        (("reset",), 2, "--all"),
        (("set", "n", "x", "--type", "number"), 2, "number"),
    ],
)
def test_the_commands_say_what_is_wrong(crossdock, tmp_path, arguments, code, said):
    (tmp_path / "c.json").write_text('{"visits": 1}')

    done = crossdock("cursors", *arguments, "--cursors", tmp_path / "c.json")

    assert said in done.stderr
    assert done.returncode == code
    assert json.loads((tmp_path / "c.json").read_text()) == {"visits": 1}
