"""Import jobs: what DHIS2 does in the background, and reports when it is asked.

It keeps jobs and reports in memory: after a restart, or many imports later, they are gone.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from crossdock import AdaptorError, Answer
from crossdock.errors import ArgumentError

from crossdock_dhis2.client import Dhis2Client
from crossdock_dhis2.errors import ImportJobError
from crossdock_dhis2.uids import checked_uid

PATIENCE = 600.0
"""Seconds that a job may take unless somebody says more."""


class ImportJob(NamedTuple):
    """A job, and the kind that DHIS2 files it under; the tracker has a place of its own."""

    uid: str
    kind: str = "TRACKER_IMPORT_JOB"

    @property
    def log(self) -> str:
        """Where its progress is told."""
        return f"tracker/jobs/{self.uid}" if self._is_tracker else f"system/tasks/{self.kind}/{self.uid}"

    @property
    def report(self) -> str:
        """Where its report is, when it is done."""
        return f"{self.log}/report" if self._is_tracker else f"system/taskSummaries/{self.kind}/{self.uid}"

    @property
    def _is_tracker(self) -> bool:
        return self.kind == "TRACKER_IMPORT_JOB"


def job_of(given: Any) -> ImportJob | None:
    """Read the answer to an import that goes on in the background; None if it is something else."""
    response = given.get("response") if isinstance(given, Mapping) else None
    if not isinstance(response, Mapping) or "id" not in response or "stats" in response or "importCount" in response:
        return None
    kind = response.get("jobType")
    if kind is None and "/tracker/jobs/" not in str(response.get("location")):
        return None
    return ImportJob(checked_uid(response["id"], "the import job"), str(kind or "TRACKER_IMPORT_JOB"))


def named_job(given: Any, kind: str) -> ImportJob:
    """Give the job that an operation names: by the answer that named it, or by its identifier."""
    if isinstance(given, Mapping):
        job = job_of(given)
        if job is None:
            raise ArgumentError(
                "import_job got an object that names no job", fix="Give DHIS2's answer, or the job's id."
            )
        return job
    if not kind.replace("_", "").isalpha():
        raise ArgumentError(f"kind={kind!r:.40} is no kind of job", fix="Use the jobType that DHIS2 answered with.")
    return ImportJob(checked_uid(given, "the import job"), kind)


class _StillRunning(Exception):  # noqa: N818 - a signal between two functions here, not an error
    """The job is not done."""


def wait_for(client: Dhis2Client, job: ImportJob, timeout: float | None, **options: Any) -> Answer:
    """Wait until a job is done, and give the answer that holds its report.

    Args:
        client: The instance.
        job: What to wait for.
        timeout: The most seconds to wait.
        options: Those of requests.

    Raises:
        ImportJobError: DHIS2 does not know the job, or is not done with it in time.
    """
    import stamina  # imported late: few imports go on in the background

    patience = timeout or PATIENCE
    tries = stamina.retry_context(
        on=_StillRunning, attempts=None, timeout=patience, wait_initial=0.2, wait_max=15.0, wait_jitter=0.2
    )
    try:
        for attempt in tries:
            with attempt:
                return _report(client, job, options)
    except _StillRunning:
        raise ImportJobError(f"the import job {job.uid} was not done after {patience:g} s", job=job.uid) from None
    except ImportJobError:
        raise
    except AdaptorError as error:  # the import itself may have gone well
        raise ImportJobError(f"nobody says how the import job {job.uid} went: {error}", job=job.uid) from error
    raise AssertionError("stamina gives up by raising")


def _report(client: Dhis2Client, job: ImportJob, options: Mapping[str, Any]) -> Answer:
    log = _read(client, job, job.log, options).data
    if not any(isinstance(entry, Mapping) and entry.get("completed") is True for entry in log or ()):
        raise _StillRunning
    return _read(client, job, job.report, options)


def _read(client: Dhis2Client, job: ImportJob, path: str, options: Mapping[str, Any]) -> Answer:
    try:
        return client.read(path, **options)
    except AdaptorError as error:
        if error.details.get("status") != 404:
            raise
        raise ImportJobError(
            f"DHIS2 does not know the import job {job.uid} any more: it keeps them in memory", job=job.uid
        ) from error
