"""The integration cases: a job for each, through the command, against real servers."""

import pytest
from fix_case import PlayCase

JOBS = {"02": "market_survey.py", "10": "household_form.py"}


@pytest.mark.parametrize(("number", "job"), JOBS.items(), ids=JOBS.values())
def test_every_run_of_a_case_leaves_exactly_what_is_expected(number: str, job: str, play_case: PlayCase) -> None:
    for run in play_case(number, job):
        assert run.unanswered == []
        assert run.seen == run.expected
        assert run.leaked == []
