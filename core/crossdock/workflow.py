"""Workflow: steps, each a job, that one run executes.

A job that runs alone is a workflow of one step, named like its file.
"""

from typing import NamedTuple

from crossdock.job import Job


class Step(NamedTuple):
    """A job in its place in a workflow."""

    name: str
    job: Job


class Workflow(NamedTuple):
    """The steps that a run executes, in order."""

    name: str
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, job: Job, name: str = "job") -> "Workflow":
        """Make the workflow of one job that runs alone.

        Args:
            job: The job.
            name: The name of its one step.
        """
        return cls(name, (Step(name, job),))
