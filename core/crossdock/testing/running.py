"""run_job: a job that runs in the test's own process, and the run that is left of it."""

import os
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from crossdock.error_record import error_record
from crossdock.job import Job, load_job
from crossdock.message import Message
from crossdock.operation import OperationLike
from crossdock.run import Run
from crossdock.workflow import Workflow

_OURS = (str(Path(__file__).parent.parent), "<")
"""Where the frames of a traceback are crossdock's own."""

Runnable = OperationLike | str | os.PathLike[str]
"""A workflow, a job, an operation, a function of the state, or the path of a job file."""


class JobRun(Run):
    """A run of a test that has ended: its ``outcome``, ``state`` and ``error``; it shows why it failed."""

    @property
    def data(self) -> Any:
        """The last result: ``data`` of the final state."""
        return self.state.data

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The items that ``each`` put aside, in their order."""
        return list(self.state.get("failed", []))

    @property
    def warnings(self) -> list[dict[str, Any]]:
        """What was warned of, each with its ``code``."""
        return list(self.state.get("warnings", []))

    def __repr__(self) -> str:
        return f"<{self.workflow.name}: {self.outcome}{self._why()}>"

    def story(self) -> str:
        """Say why it failed: the lines that are not crossdock's own, the error, and what to do."""
        if self.error is None:
            return repr(self)
        frames = [
            line for line in traceback.extract_tb(self.error.__traceback__) if not line.filename.startswith(_OURS)
        ]
        lines = [*traceback.format_list(frames), *traceback.format_exception_only(self.error)]
        return self.redactor("".join([f"{self!r}\n", *lines]))

    def _why(self) -> str:
        if self.error is None:
            return ""
        record = self.redactor.in_value(error_record(self.error))[0]
        return f", {record['code']}: {record['message']}"


def run_job(
    *job: Runnable,
    state: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    credentials: Mapping[str, Mapping[str, Any]] | None = None,
    now: datetime | str | None = None,
    **options: Any,
) -> JobRun:
    """Run a job, and give the run that ended, however it ended.

    A failure is not raised: outcome and error are what a test looks at; where a test fails, the report of pytest says
    why a run of the fixture ``run_job`` did. Only what keeps a job from starting at all is raised.

    Args:
        job: A workflow, a job, the path of a job file, or operations and functions that make a job together.
        state: The input, or the path of a file with it, as ``crossdock run --state`` takes it.
        credentials: Name → fields, with the adaptor's name under ``adaptor``.
        now: What ``now()`` gives: an instant, or its ISO 8601 text; without an offset it is UTC.
        options: What else ``Run`` takes, such as ``settings`` or ``dry_run``.

    Raises:
        CredentialError: A credential that the job needs is missing or wrong.
        JobLoadError: The job file can't be loaded.

    Example:
        >>> from crossdock import set_data, state
        >>> run = run_job(set_data(state.data["id"]), state={"data": {"id": 7}})
        >>> run.outcome, run.data
        ('success', 7)
        >>> run_job(lambda state: 7).error.code
        'wrong_return'
    """
    given = state if isinstance(state, Mapping | None) else Message.from_file(state).input
    run = JobRun(_workflow(job), given, credentials=credentials, now=_instant(now), **options)
    run.execute()
    return run


class RunJob(Protocol):
    """The fixture ``run_job``: ``crossdock.testing.run_job``, with the clock and the cassette of the test."""

    def __call__(
        self,
        *job: Runnable,
        state: Mapping[str, Any] | str | os.PathLike[str] | None = None,
        credentials: Mapping[str, Mapping[str, Any]] | None = None,
        now: datetime | str | None = None,
        **options: Any,
    ) -> JobRun:
        """Run a job; see ``run_job``."""


def instant(given: datetime | str) -> datetime:
    """Give an instant of UTC; without an offset it is one already.

    >>> instant("2024-05-02T08:00").isoformat()
    '2024-05-02T08:00:00+00:00'
    """
    read = datetime.fromisoformat(given) if isinstance(given, str) else given
    return read.astimezone(UTC) if read.tzinfo is not None else read.replace(tzinfo=UTC)


def _instant(given: datetime | str | None) -> datetime | None:
    return None if given is None else instant(given)


def _workflow(given: tuple[Runnable, ...]) -> Workflow:
    """Make one workflow of what a test runs."""
    parts = [load_job(part) if isinstance(part, str | os.PathLike) else part for part in given]
    if len(parts) == 1 and isinstance(parts[0], Workflow):
        return parts[0]
    names = [os.path.splitext(os.path.basename(part))[0] for part in given if isinstance(part, str | os.PathLike)]
    only = parts[0] if len(parts) == 1 else None
    return Workflow.of(only if isinstance(only, Job) else Job(*parts), *names[:1])


class FrozenClock:
    """A clock that stands still until the test moves it.

    Args:
        now: Where it starts.

    Example:
        >>> clock = FrozenClock("2024-05-02T08:00Z")
        >>> clock.tick(hours=1).isoformat()
        '2024-05-02T09:00:00+00:00'
    """

    def __init__(self, now: datetime | str = "2024-05-02T08:00:00Z") -> None:
        self.now = instant(now)

    def set(self, now: datetime | str) -> datetime:
        """Put it to an instant."""
        self.now = instant(now)
        return self.now

    def tick(self, **duration: float) -> datetime:
        """Let time pass: ``seconds=``, ``hours=``, ``days=`` and what else ``timedelta`` takes."""
        from datetime import timedelta

        self.now += timedelta(**duration)
        return self.now
