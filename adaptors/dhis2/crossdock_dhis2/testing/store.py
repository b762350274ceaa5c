"""What the fake holds: metadata, tracker objects, data values and import jobs."""

from collections import defaultdict
from itertools import count
from typing import Any

from crossdock_dhis2.testing.protocol import Object
from crossdock_dhis2.testing.values import new_identifier

TYPES = {
    "trackedEntities": ("trackedEntity", "TRACKED_ENTITY"),
    "enrollments": ("enrollment", "ENROLLMENT"),
    "events": ("event", "EVENT"),
    "relationships": ("relationship", "RELATIONSHIP"),
}
"""The tracker's types: the identifier and the name in reports of each."""


class Job:
    """An import that goes on in the background."""

    def __init__(self, kind: str, report: Object, polls: int | None) -> None:
        self.uid = new_identifier()
        self.kind = kind
        self.report = report
        self.left = polls

    def is_done(self) -> bool:
        """Tell whether it is done; it comes nearer with every question."""
        if self.left is None or self.left > 0:
            self.left = None if self.left is None else self.left - 1
            return False
        return True


class Store:
    """Everything that a DHIS2 holds."""

    def __init__(self) -> None:
        self.metadata: dict[str, dict[str, Object]] = defaultdict(dict)
        self.tracker: dict[str, dict[str, Object]] = {kind: {} for kind in TYPES}
        self.values: dict[tuple[str, ...], Object] = {}
        self.jobs: dict[str, Job] = {}
        self.polls: int | None = 0
        """How often a job is asked for before it is done; None: it never is."""
        self._clock = count()

    def add(self, resource: str, *objects: Object) -> None:
        """Put objects in, as they are."""
        for given in objects:
            if resource in TYPES:
                self.keep(resource, given)
            else:
                self.metadata[resource][given.setdefault("id", new_identifier())] = given

    def keep(self, kind: str, given: Object) -> Object:
        """Keep a tracker object; it may replace the one with its identifier."""
        key = TYPES[kind][0]
        uid = given.get(key) or new_identifier()
        before = self.tracker[kind].get(uid)
        kept = {
            **given,
            key: uid,
            "createdAt": before["createdAt"] if before else self.tick(),
            "updatedAt": self.tick(),
        }
        self.tracker[kind][uid] = kept
        return kept

    def has(self, resource: str, uid: Any) -> bool:
        """Tell whether there is an object of metadata."""
        return uid in self.metadata.get(resource, {})

    def tick(self) -> str:
        """Give the time; it goes on by a second each time that somebody looks."""
        passed = next(self._clock)
        return f"2024-01-{1 + passed // 86400:02}T{passed // 3600 % 24:02}:{passed // 60 % 60:02}:{passed % 60:02}.000"

    def start(self, kind: str, report: Object) -> Job:
        """Make a job of an import; its report is kept in memory."""
        job = Job(kind, report, self.polls)
        self.jobs[job.uid] = job
        return job
