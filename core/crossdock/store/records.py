"""What goes into the store and what comes out of it."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from crossdock.errors import Outcome
from crossdock.traceparent import HEADER, Traceparent

Kind = Literal["webhook", "cron", "flow", "catch", "notice", "manual"]
"""What kind of trigger received a message; a notice tells somebody of what happened."""

RunState = Literal["available", "claimed", "ended", "dead"]
"""Where a run is: waiting, with a worker, at its end, or given up until somebody replays or drops it."""

MOST_OF_A_LINE = 64 * 1024
MOST_OF_A_LOG = 5 * 1024 * 1024
"""How many bytes a line of a log has at most, and the whole log of a run unless somebody says otherwise."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NewRun(NamedTuple):
    """A run that a message is to start."""

    workflow: str
    trigger: str
    project_version: str
    most_attempts: int = 3
    """After how many it is dead, if the last one did not bring it to its end."""
    serialize_by: str | None = None
    """Runs of a workflow that have this in common go one after another, in their order."""


class NewMessage(NamedTuple):
    """What a trigger received."""

    source: str
    """The inbox, or whatever else the trigger listens to; idempotency keys are its own."""
    body: bytes
    runs: Sequence[NewRun] = ()
    kind: Kind = "webhook"
    content_type: str | None = None
    headers: Sequence[tuple[str, str]] = ()
    """Without credentials: they are stored as they are."""
    request: Mapping[str, Any] | None = None
    """What ``state.request`` is to hold."""
    idempotency_key: str | None = None
    idempotency_window: timedelta | None = None
    """How long the key is remembered; None for as long as the message is."""
    received_at: datetime | None = None
    """By default now."""


class Accepted(NamedTuple):
    """What became of a message; it is on the disk."""

    message: str
    runs: tuple[str, ...]
    duplicate: bool = False
    """Whether it had come before; then all else is what was answered at that time."""


class Limit(NamedTuple):
    """How many runs of a workflow may go on at the same time."""

    concurrency: int = 1
    """With 1 they also keep their order, that is, one that waits to be tried again holds up the others."""


class StepEnd(NamedTuple):
    """How a step ended."""

    step: str
    outcome: Outcome
    output: bytes | None
    """The encoded state that it hands on, or had received if it failed."""
    written: Mapping[str, Any] = {}
    """What the run wrote down in it: cursors, errors, failed, warnings."""
    error_code: str | None = None
    seconds: float = 0.0
    received: bytes | None = None
    """The encoded state that it received; None if that is what the step before it handed on."""


class Claimed(NamedTuple):
    """A run that a worker holds, as long as its heart beats."""

    run: str
    number: int
    fence: int
    """Whoever claims a run after this one has a higher number, and only the highest can write."""
    attempt: int
    most_attempts: int
    workflow: str
    trigger: str
    project_version: str
    message: "StoredMessage"
    steps: tuple[StepEnd, ...]
    """How steps ended in earlier attempts, or in the run that this one repeats: they are not run again."""
    cursors: Mapping[str, Any]
    """Those of the workflow, as they are now."""
    first_started_at: datetime
    """When its first attempt began: ``now()`` in its jobs."""
    retry_of: str | None = None
    failed: tuple[Mapping[str, Any], ...] = ()
    """The failed items of the run that it repeats, if it is to run for these alone."""


class Again(NamedTuple):
    """That a run is to be tried again, as long as it has attempts left."""

    after: float
    """In how many seconds."""
    forget: Collection[str] = ()
    """The steps whose end counts no longer; the next attempt runs them again."""


class Line(NamedTuple):
    """A line of a run's log."""

    at: datetime
    level: str
    text: str
    step: str | None = None


class Finish(NamedTuple):
    """How an attempt ended."""

    outcome: Outcome
    final: bytes | None = None
    """The encoded final state."""
    error: Mapping[str, Any] | None = None
    """The record of the error that decided the outcome."""
    cursors: Mapping[str, Any] = {}
    """Kept if the outcome is success or partial."""
    again: Again | None = None
    dead: bool = False
    """Whether trying again can't help, though the message must not be forgotten."""
    awaited: bool = False
    """Whether the sender may wait for what the final state replies: it stays for a minute, whatever the retention."""
    steps: Sequence[StepEnd] = ()
    """The ends of steps that are not written down yet."""
    lines: Sequence[Line] = ()
    """The lines of the log that are not."""
    most_log: int = MOST_OF_A_LOG
    """How many bytes the whole log has at most."""
    traceparent: str | None = None
    """What follows the run has this for its parent; without, what its message has."""


Follow = Callable[[Claimed, Finish, datetime], Iterable[NewMessage]]
"""What says which messages follow from the end of a run at a time.

It is asked when the run goes on no more, and they are accepted together with the end, or not at all.
"""


class StoredMessage(NamedTuple):
    """A message in the store."""

    id: str
    number: int
    kind: Kind
    source: str
    received_at: datetime
    content_type: str | None
    size: int
    sha256: str
    edited_from: str | None
    wiped_at: datetime | None
    headers: tuple[tuple[str, str], ...] = ()
    request: Mapping[str, Any] | None = None
    body: bytes | None = None
    """None if it was not asked for, or wiped."""

    @property
    def traceparent(self) -> Traceparent | None:
        """The trace that it is part of."""
        return Traceparent.read(dict(self.headers).get(HEADER, ""))


class StoredRun(NamedTuple):
    """A run in the store, without what it handled."""

    id: str
    number: int
    message: str
    workflow: str
    trigger: str
    project_version: str
    state: RunState
    outcome: Outcome | None
    """How its last attempt ended; None before any did."""
    error_code: str | None
    attempt: int
    most_attempts: int
    queued_at: datetime
    due_at: datetime
    first_started_at: datetime | None
    ended_at: datetime | None
    worker: str | None
    cancelled: bool
    """Whether somebody asked for its end."""
    retry_of: str | None
    only_failed: bool
    failed_items: int
    """How many items it put aside that nobody brought to success since."""
    log_bytes: int
    log_dropped: int


class Attempt(NamedTuple):
    """One time that a worker held a run."""

    attempt: int
    worker: str
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome | None
    error_code: str | None


class RunDetails(NamedTuple):
    """A run with all that it left but its log."""

    run: StoredRun
    message: StoredMessage
    attempts: tuple[Attempt, ...]
    steps: tuple[StepEnd, ...]
    """How its steps ended, the last end of each."""
    error: Mapping[str, Any] | None
    final: bytes | None


class RunEnd(NamedTuple):
    """How a run ended."""

    outcome: Outcome
    final: bytes | None
    """The encoded final state; None if it was erased."""


class Search(NamedTuple):
    """What to look for; what is None matters not."""

    workflow: str | None = None
    outcome: str | None = None
    """An outcome, or where runs are: available, claimed, dead."""
    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None
    """What a payload, a state or a log has to hold, letter by letter."""
    message: str | None = None
    """The id of the message."""
    unsettled: bool = False
    """Whether runs that somebody has repeated or dropped are left out."""


class Stats(NamedTuple):
    """How much there is of a workflow."""

    workflow: str
    waiting: int
    running: int
    dead: int
    failed_items: int
    oldest_waiting: datetime | None
    ended: Mapping[str, int]
    """Outcome → how many runs."""


class Queue(NamedTuple):
    """What of a workflow has not come to its end."""

    workflow: str
    waiting: int
    running: int
    dead: int
    first_waiting: datetime | None
    """Since when the run waits that is the first in the queue."""


class Retention(NamedTuple):
    """How long what is stored stays."""

    payload: timedelta | None = None
    """How long bodies, states, failed items and logs stay; None for ever."""
    history: timedelta | None = None
    """How long it is known that there was a message, and what became of it; None for ever."""
    erase_all: bool = False
    """Whether a payload is erased as soon as all that it started was a success."""
    keep_failed: bool = True
    """Whether what is dead, or did not end well, stays until somebody replays or drops it."""
    workflows: Mapping[str, "Retention"] = {}
    """What holds for messages that started these, in place of all that; of several the longest counts."""
    windows: Mapping[str, timedelta] = {}
    """Inbox → how long its idempotency keys are remembered; others for as long as their message is."""

    @property
    def erases(self) -> bool:
        """Whether payloads of some workflow are erased as soon as all is well."""
        return self.erase_all or any(own.erase_all for own in self.workflows.values())

    def of(self, workflow: str) -> "Retention":
        """Give what holds for a workflow."""
        return self.workflows.get(workflow, self)


class Pruned(NamedTuple):
    """What was erased."""

    payloads: int
    messages: int


class Erased(NamedTuple):
    """What was erased of what was to be erased."""

    messages: Sequence[str]
    busy: Mapping[str, str]
    """What stays because a worker is busy with it: message → run."""


def micros(moment: datetime) -> int:
    """Give a moment as the tables hold it.

    >>> micros(datetime(1970, 1, 1, 0, 1, tzinfo=UTC))
    60000000
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(stored: int) -> datetime:
    """Give the moment that the tables hold.

    >>> moment(60_000_000).isoformat()
    '1970-01-01T00:01:00+00:00'
    """
    return _EPOCH + timedelta(microseconds=stored)
