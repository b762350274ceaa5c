"""Silence: looks for workflows of which nothing has succeeded for as long as their notices say.

Each silence is told once: the notice has its beginning for an idempotency key. It begins with the last
success, or else when it was first looked for: that, too, is a message, so that it is known after a restart.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from crossdock.project.project import Project
from crossdock.project.shape import Notice
from crossdock.store.records import NewMessage
from crossdock.store.store import Store
from crossdock.worker.notices import of_silence


class _Watched(NamedTuple):
    """A workflow, and who is told of its silence."""

    workflow: str
    number: int
    notice: Notice
    longest: timedelta


class Silence:
    """Tells of workflows that are silent.

    Args:
        project: It says who is told, and after how long.
        version: That of the project.
        store: What knows of the runs, and keeps the notices.
        now: What tells the time.
        on_notice: Called after a notice was accepted.
    """

    def __init__(
        self,
        project: Project,
        version: str,
        store: Store,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        on_notice: Callable[[], None] = lambda: None,
    ) -> None:
        self._project = project
        self._version = version
        self._store = store
        self._now = now
        self._on_notice = on_notice
        start = datetime.min.replace(tzinfo=UTC)
        self._due = [(watched, start) for watched in _watched(project)]
        """What is watched, and until when nothing has to be done about it."""

    def look(self) -> None:
        """Tell of all that have been silent for too long.

        Raises:
            StoreError: The store can't be used now; nothing is forgotten.
        """
        now = self._now()
        for place, (watched, due) in enumerate(self._due):
            if now >= due:
                self._due[place] = (watched, self._looked(watched, now))

    def _looked(self, watched: _Watched, now: datetime) -> datetime:
        """Look at one of them, and give when the next silence could be too long."""
        since = self._since(watched.workflow)
        if now - since < watched.longest:
            return since + watched.longest
        told = of_silence(self._project, self._version, watched.workflow, watched.number, watched.notice, since)
        if not self._store.accept(told).duplicate:
            self._on_notice()
        return now + watched.longest

    def _since(self, workflow: str) -> datetime:
        last = self._store.history.succeeded_at(workflow)
        if last is not None:
            return last
        mark = NewMessage(f"silence:{workflow}", b"{}", kind="notice", idempotency_key="watched")
        return self._store.history.message(self._store.accept(mark).message).received_at


def _watched(project: Project) -> list[_Watched]:
    return [
        _Watched(name, number, notice, notice.silent_for)
        for name, definition in project.definitions.items()
        for number, notice in enumerate(definition.notify, 1)
        if notice.silent_for is not None
    ]
