"""Policy: whether a run is tried again, when, and who is told of its end."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from random import random
from typing import Any

from crossdock.decoding import decode
from crossdock.project.project import Project
from crossdock.project.shape import Retry, WorkflowDefinition
from crossdock.project.triggers import After, Webhook
from crossdock.server.address import Target, runs_of
from crossdock.server.addresses import target
from crossdock.state import encode
from crossdock.store.records import Again, Claimed, Finish, NewMessage
from crossdock.traceparent import HEADER
from crossdock.walk import CUT_SHORT, GONE_WELL
from crossdock.worker.notices import of_end, origin_of

_AFTER_A_CRASH = 1.0
"""How many seconds to wait before the second attempt, if the first one's process was gone."""

_JITTER = 0.2
"""Which part of a wait is left to chance, so that what failed together does not come back together."""


def backoff(retry: Retry, attempt: int, chance: Callable[[], float] = random) -> float:
    """Give how many seconds to wait after an attempt.

    Each wait is twice the one before, up to the longest; a fifth of it is left to chance.

    Example:
        >>> [backoff(Retry(backoff="10 seconds", max_backoff="1 minutes"), n, lambda: 0) for n in (1, 2, 3, 4)]
        [10.0, 20.0, 40.0, 60.0]
    """
    longest = retry.max_backoff.total_seconds()
    wait = min(retry.backoff.total_seconds() * 2.0 ** min(attempt - 1, 64), longest)
    return wait * (1 - _JITTER * chance())


def again(definition: WorkflowDefinition, claimed: Claimed, error: Mapping[str, Any] | None) -> Again | None:
    """Tell whether a run that failed is to be tried again: only if its error may pass, and as often as is said."""
    if error is None or not error.get("transient") or claimed.attempt >= definition.retry.attempts:
        return None
    return Again(backoff(definition.retry, claimed.attempt))


def after_crash(definition: WorkflowDefinition, claimed: Claimed) -> Again:
    """Give when a run is tried again whose process ended without a word; the store counts how often."""
    usual = definition.retry.backoff.total_seconds()
    return Again(min(usual, _AFTER_A_CRASH) * 2.0 ** (claimed.attempt - 1) * (1 - _JITTER * random()))  # noqa: S311


def following(
    project: Project, version: Callable[[], str], claimed: Claimed, end: Finish, at: datetime
) -> Iterator[NewMessage]:
    """Give the messages that follow from the end of a run: for workflows that wait for it, and notices."""
    now, trace = version(), end.traceparent or claimed.message.traceparent
    headers = [] if trace is None else [(HEADER, str(trace))]
    for message in (*_followers(project, now, claimed, end), *of_end(project, now, claimed, end, at)):
        yield message._replace(headers=headers)


def is_awaited(definition: WorkflowDefinition, claimed: Claimed) -> bool:
    """Tell whether the sender of a run's message may wait for its end."""
    trigger = definition.triggers.get(claimed.trigger)
    return isinstance(trigger, Webhook) and trigger.reply == "after_run"


def _followers(project: Project, version: str, claimed: Claimed, end: Finish) -> Iterator[NewMessage]:
    """Give the messages for the workflows that wait for the end of a run.

    They receive its final state, without what it wrote down; ``state.request`` says which run it
    was and how it ended, with its errors.
    """
    if end.outcome in CUT_SHORT:
        return
    well = end.outcome in GONE_WELL
    for workflow, definition in project.definitions.items():
        for name, trigger in definition.triggers.items():
            if isinstance(trigger, After) and trigger.enabled:
                waits_for = trigger.success if well else trigger.failure
                if waits_for == claimed.workflow:
                    yield _follower(target(workflow, name, definition), claimed, end, version)


def _follower(follows: Target, claimed: Claimed, end: Finish, version: str) -> NewMessage:
    final: dict[str, Any] = decode(end.final, what="a final state") if end.final is not None else {"data": None}
    errors = final.get("errors") or ({claimed.workflow: dict(end.error)} if end.error is not None else {})
    state = {key: value for key, value in final.items() if key not in ("cursors", "errors", "failed", "warnings")}
    request = {"workflow": claimed.workflow, "run": claimed.run, "outcome": end.outcome, "errors": errors}
    request |= origin_of(claimed.message)
    return NewMessage(
        source=f"after:{claimed.workflow}:{follows.workflow}:{follows.trigger}",
        kind="flow" if end.outcome in GONE_WELL else "catch",
        body=encode(state),
        content_type="application/json",
        request=request,
        runs=runs_of([follows], state.get("data"), request, version),
        idempotency_key=claimed.run,
    )
