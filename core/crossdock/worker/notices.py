"""Notices: who is told that a run did not end well, or that a workflow has been silent.

A notice is a message like any other: it is kept together with the end that it tells of, and its run is
tried again as others are. It holds names, ids, codes, times and counts, and nothing of a payload. What
a notice starts gives rise to no other notices; so none of them goes round in a circle.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from crossdock.project.project import Project
from crossdock.project.shape import Notice
from crossdock.server.address import runs_of
from crossdock.server.addresses import target
from crossdock.state import encode
from crossdock.store.progress import next_state
from crossdock.store.records import Claimed, Finish, NewMessage, StoredMessage
from crossdock.walk import CUT_SHORT, GONE_WELL


def of_end(project: Project, version: str, claimed: Claimed, end: Finish, at: datetime) -> Iterator[NewMessage]:
    """Give the notices of the end of a run.

    Args:
        project: It says who is told.
        version: That of the project.
        claimed: The run.
        end: How it ended.
        at: When.
    """
    if end.outcome in (*GONE_WELL, *CUT_SHORT) or origin_of(claimed.message):
        return
    if claimed.workflow not in project.definitions:  # nobody says any more who is to be told
        return
    event = "dead" if next_state(claimed, end) == "dead" else "failed"
    facts = {"event": event, "project": project.name, "workflow": claimed.workflow, **_facts(claimed, end, at)}
    about = {"run": claimed.run, "outcome": end.outcome}
    for number, notice in enumerate(project.definition(claimed.workflow).notify, 1):
        if event in notice.on:
            yield _notice(project, version, number, notice, facts | {"text": _text(facts)}, about)


def of_silence(
    project: Project, version: str, workflow: str, number: int, notice: Notice, since: datetime
) -> NewMessage:
    """Give the notice that nothing of a workflow has succeeded for long; however often it is given, it is the same.

    Args:
        project: It has the workflow.
        version: That of the project.
        workflow: The workflow.
        number: The place of the notice in its list, from 1.
        notice: Who is told.
        since: Since when.
    """
    facts = {
        "event": "silent",
        "project": project.name,
        "workflow": workflow,
        "since": since.isoformat(),
        "text": f"{project.name}: no run of {workflow} has succeeded since {since:%Y-%m-%d %H:%M:%S} UTC",
    }
    return _notice(project, version, number, notice, facts, {})


def origin_of(message: StoredMessage) -> dict[str, Any]:
    """Give what follows from a message takes over of it: that it began with a notice, if it did."""
    return {key: value for key, value in (message.request or {}).items() if key == "notice"}


def _facts(claimed: Claimed, end: Finish, at: datetime) -> dict[str, Any]:
    error = end.error or {}
    return {
        "trigger": claimed.trigger,
        "run": claimed.run,
        "message": claimed.message.id,
        "outcome": end.outcome,
        "error": error.get("code"),
        "step": error.get("step"),
        "attempts": claimed.attempt,
        "received_at": claimed.message.received_at.isoformat(),
        "ended_at": at.isoformat(),
    }


def _text(facts: Mapping[str, Any]) -> str:
    """Say it in one line, as chats show it."""
    what = "is dead" if facts["event"] == "dead" else "did not succeed"
    where = "" if facts["step"] is None else f" in the step {facts['step']}"
    why = facts["outcome"] if facts["error"] is None else f"{facts['outcome']}, {facts['error']}"
    return f"{facts['project']}: a run of {facts['workflow']} {what}: {why}{where} (run {facts['run']})"


def _notice(
    project: Project, version: str, number: int, notice: Notice, facts: Mapping[str, Any], about: Mapping[str, Any]
) -> NewMessage:
    told = project.told(facts["workflow"], number, notice)
    request = {"notice": facts["event"], "workflow": facts["workflow"], **about}
    starts = target(told, "notify", project.definition(told))
    return NewMessage(
        source=f"notify:{facts['workflow']}:{number}",
        kind="notice",
        body=encode({"data": facts}),
        content_type="application/json",
        request=request,
        runs=runs_of([starts], facts, request, version),
        idempotency_key=f"{facts['event']} {facts.get('run') or facts['since']}",
    )
