"""The integration cases: a job for each, through the command, against real servers."""

from pathlib import Path

import pytest
from fix_case import JOBS, PlayCase


@pytest.mark.parametrize(("name", "job"), JOBS.items(), ids=JOBS)
def test_every_run_of_a_case_leaves_exactly_what_is_expected(name: str, job: Path, play_case: PlayCase) -> None:
    for run in play_case(name, job):
        assert run.unanswered == []
        assert run.seen == run.expected
        assert run.leaked == []
