"""Clock: starts workflows at the times that their cron triggers name.

A time is a message like any other, with the time for its idempotency key: whoever else watches the
same clock, and however often, it starts one run. Where times were missed, the last of them counts
for all; a clock that is set back makes none of them come again.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from crossdock.project.project import Project
from crossdock.project.triggers import Cron
from crossdock.server.address import runs_of
from crossdock.server.addresses import target
from crossdock.store.errors import StoreError
from crossdock.store.records import NewMessage, Search
from crossdock.store.store import Store

_logger = logging.getLogger("crossdock.serve")

_LOOK_AGAIN = 20.0
"""After how many seconds at most the time is looked at again: clocks are set, and machines sleep."""

_WINDOWS = (timedelta(hours=1), timedelta(days=1), timedelta(days=40), timedelta(days=5 * 366))


class Ticking(NamedTuple):
    """A cron trigger of a workflow."""

    workflow: str
    trigger: str
    cron: Cron

    @property
    def source(self) -> str:
        """What its messages come from."""
        return f"cron:{self.workflow}:{self.trigger}"

    def after(self, moment: datetime) -> datetime:
        """Give its first time after a moment."""
        return next(self._times(moment))

    def last(self, since: datetime, until: datetime) -> datetime | None:
        """Give its last time after a moment and until another one, if there is any.

        It looks forward only, and into the longer past only if the shorter one has none: summer
        time makes times whose way back is another one.
        """
        found: datetime | None = None
        for window in _WINDOWS:
            start = max(since, until - window)
            found = max(takewhile(lambda time: time <= until, self._times(start)), default=None)
            if found is not None or start == since:
                break
        return found

    def _times(self, moment: datetime) -> Iterator[datetime]:
        zone = ZoneInfo(self.cron.timezone)
        return (time.astimezone(UTC) for time in CronSim(self.cron.expression, moment.astimezone(zone)))


class Clock:
    """Starts workflows at their times.

    Args:
        project: It has the triggers.
        version: Gives that of the project.
        store: What keeps the messages.
        now: What tells the time.
        on_tick: Called after a message was accepted.
    """

    def __init__(
        self,
        project: Project,
        version: Callable[[], str],
        store: Store,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._project = project
        self._version = version
        self._store = store
        self._now = now
        self._on_tick = on_tick
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        began = now()
        self._seen = {ticking: self._known(ticking, began) for ticking in _ticking(project)}
        """Each trigger, and until when its times are dealt with."""
        self.next_tick: datetime | None = None
        """The next time that is known; None without a trigger."""

    def start(self) -> None:
        """Begin to watch the time; without a trigger there is nothing to do."""
        if self._seen:
            self._thread = threading.Thread(target=self._watch, name="crossdock-clock", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> float:
        """Deal with all times until now.

        Returns:
            In how many seconds the next one is.
        """
        now = self._now()
        for ticking, seen in self._seen.items():
            tick = ticking.last(seen, now)
            if tick is not None and self._is_done(ticking, tick):
                self._seen[ticking] = tick
        nexts = [(ticking.after(max(seen, now)) - now).total_seconds() for ticking, seen in self._seen.items()]
        pause = min(nexts, default=_LOOK_AGAIN)
        self.next_tick = now + timedelta(seconds=pause) if nexts else None
        return pause

    def _watch(self) -> None:
        pause = 0.0
        while not self._stopped.wait(min(pause, _LOOK_AGAIN)):
            try:
                pause = self.look()
            except Exception:
                _logger.exception("the clock goes on after a fault of crossdock", extra={"event": "fault"})
                pause = _LOOK_AGAIN

    def _known(self, ticking: Ticking, began: datetime) -> datetime:
        """Give the last time that was dealt with before this server: those that came since were missed."""
        last = next(self._store.history.messages(Search(source=ticking.source)), None)
        return began if last is None or ticking.cron.catch_up == "none" else last.received_at

    def _is_done(self, ticking: Ticking, tick: datetime) -> bool:
        """Deal with a time, and tell whether that could be done."""
        about = {"workflow": ticking.workflow, "trigger": ticking.trigger, "tick": tick.isoformat()}
        try:
            if ticking.cron.overlap == "skip" and self._is_busy(ticking):
                _logger.warning(
                    "%s: a time is skipped, since the run before goes on",
                    ticking.source,
                    extra={**about, "event": "tick_skipped"},
                )
                return True
            accepted = self._store.accept(self._message(ticking, tick))
        except StoreError as error:
            _logger.error(
                "%s: a time waits until it can be kept: %s",
                ticking.source,
                error,
                extra={**about, "event": "tick_waits"},
            )
            return False
        if not accepted.duplicate:
            self._on_tick()
        return True

    def _is_busy(self, ticking: Ticking) -> bool:
        """Tell whether a run that the trigger started waits or goes on."""
        searches = [Search(ticking.workflow, outcome) for outcome in ("available", "claimed")]
        runs = (run for search in searches for run in self._store.history.runs(search))
        return any(run.trigger == ticking.trigger for run in runs)

    def _message(self, ticking: Ticking, tick: datetime) -> NewMessage:
        request = {"trigger": ticking.trigger, "scheduled_at": tick.isoformat()}
        starts = target(ticking.workflow, ticking.trigger, self._project.definition(ticking.workflow))
        return NewMessage(
            source=ticking.source,
            kind="cron",
            body=b"{}",
            content_type="application/json",
            request=request,
            runs=runs_of([starts], None, request, self._version()),
            idempotency_key=tick.isoformat(),
            received_at=tick,
        )


def _ticking(project: Project) -> Iterator[Ticking]:
    for workflow, definition in project.definitions.items():
        for name, trigger in definition.triggers.items():
            if isinstance(trigger, Cron) and trigger.enabled:
                yield Ticking(workflow, name, trigger)
