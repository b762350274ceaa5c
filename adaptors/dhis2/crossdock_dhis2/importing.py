"""Imports of many records, in requests of a size that DHIS2 can bear."""

import logging
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from crossdock import AdaptorError, Answer
from crossdock.errors import ArgumentError
from crossdock.scope import open_run

from crossdock_dhis2.client import Dhis2Client
from crossdock_dhis2.jobs import PATIENCE, job_of, wait_for
from crossdock_dhis2.judging import Sent, Verdict
from crossdock_dhis2.kinds import TRACKER, checked_record, identified, tracker_records
from crossdock_dhis2.options import Policy
from crossdock_dhis2.periods import period

_logger = logging.getLogger("crossdock.dhis2")

_CREATING = (None, "CREATE", "CREATE_AND_UPDATE")


class Import(NamedTuple):
    """What is imported, and how; ``perform`` does it."""

    client: Dhis2Client
    path: str
    query: Mapping[str, Any]
    body: Callable[[Sent], Any]
    """Makes the body of a request."""
    what: str
    policy: Policy
    only_validate: Mapping[str, Any]
    """The query that keeps DHIS2 from importing what it validates."""
    waits: bool = True
    """Whether a job that goes on in the background is waited for."""
    size: int = 500
    start: int = 0
    prepare: Callable[[Sent], Sent] = lambda sent: sent
    """Completes the records of a request."""
    options: Mapping[str, Any] = {}

    def perform(self, records: Iterator[tuple[str | None, Any]]) -> Answer:
        """Send records, and give DHIS2's report, or the sum of several.

        Raises:
            Dhis2Error: None of them was taken.
            AdaptorError: It broke off; the details say where to resume.
        """
        if self.size < 1 or self.start < 0:
            raise ArgumentError(f"an import got size={self.size}, start={self.start}", fix="Give positive numbers.")
        verdict, done, answers = Verdict(self.what, self.policy), self.start, 0
        answer = Answer(None)
        try:
            for sent in _chunks(islice(records, self.start, None), self.size):
                sent = self.prepare(sent)
                answer = self._send(sent)
                if not self.waits and job_of(answer.data) is not None:
                    return answer
                verdict.add(answer, sent, done, validated=_is_dry(), whole=self._is_whole())
                done, answers = done + len(sent), answers + 1
                _logger.info("%s: %d records are through, %s", self.what, done, verdict.counts)
        except AdaptorError as error:
            verdict.put_aside()
            if done:
                _say_where_to_resume(error, done)
            raise
        if _is_dry():
            self._plan(done - self.start, verdict)
        verdict.pass_(answer)
        return answer if answers == 1 else _sum(answer, verdict, answers)

    def _send(self, sent: Sent) -> Answer:
        options, body = self._request_options(), self.body(sent)
        if _is_dry():
            return self.client.write(
                "POST", self.path, json=body, query={**self.query, **self.only_validate}, validates=True, **options
            )
        answer = self.client.write("POST", self.path, json=body, query=self.query, **options)
        job = job_of(answer.data) if self.waits else None
        if job is None:
            return answer
        _logger.info("%s: waiting for the import job %s", self.what, job.uid)
        return wait_for(self.client, job, self.options.get("timeout") or PATIENCE, **self._version())

    def _request_options(self) -> dict[str, Any]:
        """Give the options of each request; for a job ``timeout`` is the time that it may take."""
        waits_for_job = self.query.get("async") in (True, "true")
        return {name: value for name, value in self.options.items() if name != "timeout" or not waits_for_job}

    def _is_whole(self) -> bool:
        """Tell whether one bad record refuses all of its request."""
        return self.path != "dataValueSets" and str(self.query.get("atomicMode", "ALL")).upper() == "ALL"

    def _version(self) -> dict[str, Any]:
        return {name: value for name, value in self.options.items() if name == "api_version"}

    def _plan(self, records: int, verdict: Verdict) -> None:
        run = open_run()
        if run is not None:
            url = self.client.url(self.client.place(self.path, self.options.get("api_version")))
            validated = {"status": verdict.status, "valid": verdict.counts.accepted, "refused": verdict.counts.ignored}
            run.plan_write({"method": "POST", "url": url, "records": records, "validated": validated})


def tracker_import(
    client: Dhis2Client, payload: Mapping[str, Any], query: Mapping[str, Any], policy: Policy, **how: Any
) -> Answer:
    """Import tracker objects, flat or nested."""
    if unknown := sorted(payload.keys() - TRACKER.keys()):
        raise ArgumentError(
            f"a tracker payload holds {', '.join(map(repr, unknown))[:200]}", fix=f"It may hold {', '.join(TRACKER)}."
        )
    strategy = query.get("importStrategy")

    def prepare(sent: Sent) -> Sent:
        for kind, record in sent:
            checked_record(record, str(kind))
        if len(sent) == 1 or strategy not in _CREATING:
            return sent
        return [(kind, identified(record, str(kind), client.new_uid)) for kind, record in sent]

    what = " and ".join(kind for kind in TRACKER if payload.get(kind) is not None) or "nothing"
    return Import(
        client,
        "tracker",
        query,
        _by_kind,
        what,
        policy,
        {"async": False, "importMode": "VALIDATE"},
        prepare=prepare,
        **how,
    ).perform(tracker_records(payload))


def values_import(
    client: Dhis2Client, payload: Mapping[str, Any], query: Mapping[str, Any], policy: Policy, **how: Any
) -> Answer:
    """Import the values of a data value set; what stands beside them goes along with each request."""
    if payload.get("dataValues") is None:
        raise ArgumentError("a data value set holds no dataValues", fix="Give {'dataValues': [{…}], …}.")
    around = {key: value for key, value in payload.items() if key != "dataValues"}
    if around.get("period") is not None:
        period(around["period"])

    def prepare(sent: Sent) -> Sent:
        for _, value in sent:
            if checked_record(value, "dataValues").get("period") is not None:
                period(value["period"])
        return sent

    return Import(
        client,
        "dataValueSets",
        query,
        lambda sent: {**around, "dataValues": [value for _, value in sent]},
        "dataValues",
        policy,
        {"async": False, "dryRun": True},
        prepare=prepare,
        **how,
    ).perform((None, value) for value in payload["dataValues"])


def metadata_import(
    client: Dhis2Client, payload: Mapping[str, Any], query: Mapping[str, Any], policy: Policy, **how: Any
) -> Answer:
    """Import metadata in one request: its objects refer to each other."""
    return Import(
        client,
        "metadata",
        query,
        lambda _: payload,
        "metadata",
        policy,
        {"async": False, "importMode": "VALIDATE"},
        **how,
    ).perform(iter([(None, payload)]))


def _by_kind(sent: Sent) -> dict[str, list[Any]]:
    body: dict[str, list[Any]] = {}
    for kind, record in sent:
        body.setdefault(str(kind), []).append(record)
    return body


def _chunks(records: Iterator[tuple[str | None, Any]], size: int) -> Iterator[Sent]:
    while chunk := list(islice(records, size)):
        yield chunk


def _sum(answer: Answer, verdict: Verdict, answers: int) -> Answer:
    conflicts = [{**conflict.facts(), "message": conflict.message} for conflict in verdict.conflicts]
    data = {"status": verdict.status, "stats": verdict.counts.stats, "conflicts": conflicts, "chunks": answers}
    return Answer(data, response=answer.response, status=answer.status)


def _say_where_to_resume(error: AdaptorError, done: int) -> None:
    """Say of an error how far the import came."""
    error.details["resume_at"] = done
    error.fix = f"{error.fix} {done} records are through: go on with start={done}."


def _is_dry() -> bool:
    run = open_run()
    return run is not None and run.dry_run
