"""The integration cases: a job for each, through the command, against real servers."""

from pathlib import Path

import pytest
from fix_case import JOBS, PROJECTS, PlayCase

MOST_LINES = 90
"""How long the job of a case may be: every line of its file counts, also docstring, imports, comments and blank lines."""


@pytest.mark.parametrize(
    ("name", "job"), [*JOBS.items(), *PROJECTS.items()], ids=[*JOBS, *(f"{name}-project" for name in PROJECTS)]
)
def test_every_run_of_a_case_leaves_exactly_what_is_expected(name: str, job: Path, play_case: PlayCase) -> None:
    for run in play_case(name, job):
        assert run.unanswered == []
        assert run.seen == run.expected
        assert run.leaked == []


@pytest.mark.parametrize("name", ["01", "02", "04", "05", "10"])
def test_the_job_of_a_case_is_at_most_90_lines_long(name: str) -> None:
    assert len(JOBS[name].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
