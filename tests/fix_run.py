"""A run in the test's own process."""

from collections.abc import Callable
from typing import Any

import pytest
from crossdock import Job, Run, Workflow

RunJob = Callable[..., Run]


@pytest.fixture
def run_job() -> RunJob:
    """Run a job, and give the run that ended."""

    def run(*operations: Any, state: dict[str, Any] | None = None, **options: Any) -> Run:
        run = Run(Workflow.of(Job(*operations)), state, **options)
        run.execute()
        return run

    return run
