"""A job that fails in its middle leaves the tables exactly as they were before it."""

import json
import re
from pathlib import Path

import pytest
from fix_case import JOBS, PlayCase

NOTHING = "from crossdock import Job\njob = Job(lambda state: state)\n"


def tables_of(seen: str) -> object:
    return json.loads(seen)["tables"]


@pytest.mark.parametrize("name", ["02", "04"])
def test_a_failure_before_or_after_any_operation_on_the_database_leaves_no_trace(
    name: str, play_case: PlayCase, tmp_path: Path
) -> None:
    source, job, flag = JOBS[name].read_text(encoding="utf-8"), tmp_path / "failing.py", tmp_path / "fail"
    job.write_text(NOTHING)
    untouched = tables_of(next(play_case(name, job)).seen)
    places = [
        found.end() for found in re.finditer(r"^    (?=postgresql\.|lambda state: state\.only)", source, re.MULTILINE)
    ]
    assert len(places) >= 4
    failing = f"lambda state: 1 / 0 if Path({str(flag)!r}).exists() else state,\n    "
    for place in places:
        job.write_text(f"from pathlib import Path\n{source[:place]}{failing}{source[place:]}", encoding="utf-8")

        flag.touch()
        first = next(play_case(name, job))
        assert '"job_exception"' in first.seen
        assert tables_of(first.seen) == untouched

        flag.unlink()
        runs = play_case(name, job)
        before = tables_of(next(runs).seen)
        flag.touch()
        for run in runs:  # some end before they come to that place
            failed, after = '"job_exception"' in run.seen, tables_of(run.seen)
            assert not failed or after == before
            before = after
