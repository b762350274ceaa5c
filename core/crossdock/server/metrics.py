"""Metrics: what a server counts from its start on, and how it tells it to Prometheus (text format 0.0.4)."""

import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from prometheus_client import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)
"""The bounds, in seconds, up to which runs are counted."""


class Kind(NamedTuple):
    """What is counted or measured."""

    name: str
    says: str
    labels: tuple[str, ...] = ()
    for_all: tuple[str, ...] = ()
    """The labels that are told to everybody: they name nothing that the project names."""


REQUESTS = Kind("crossdock_inbox_requests", "Answers of the inbox by status.", ("inbox", "status"), ("status",))
RUNS = Kind(
    "crossdock_runs",
    "Runs that ended on this server.",
    ("workflow", "trigger", "outcome", "state"),
    ("outcome", "state"),
)
ATTEMPTS = Kind("crossdock_attempts", "Attempts that ended on this server.", ("workflow", "outcome"), ("outcome",))
SECONDS = Kind("crossdock_attempt_seconds", "How long attempts took.", ("workflow",))

Values = Mapping[tuple[str, ...], float]
"""The values of the labels, and what was counted or measured for them."""


class Measured(NamedTuple):
    """What was measured just now."""

    kind: Kind
    values: Values
    oldest: bool = False
    """Whether the largest of several values stands for all of them, not their sum."""


class Metrics:
    """What a server counts; threads may share one.

    Example:
        >>> metrics = Metrics()
        >>> metrics.count(REQUESTS, "visits", "200")
        >>> print(metrics.text([], whole=True).decode().splitlines()[2])
        crossdock_inbox_requests_total{inbox="visits",status="200"} 1.0
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Kind, dict[tuple[str, ...], float]] = {
            kind: defaultdict(float) for kind in (REQUESTS, RUNS, ATTEMPTS)
        }
        self._seconds: dict[tuple[str, ...], list[float]] = {}
        """For each workflow how many attempts fell into each bucket, and at the end their seconds together."""

    def count(self, kind: Kind, *labels: str) -> None:
        """Count one.

        Args:
            kind: Of what.
            labels: The values of its labels.
        """
        with self._lock:
            self._counts[kind][labels] += 1

    def took(self, workflow: str, seconds: float) -> None:
        """Add how long an attempt took."""
        place = sum(seconds > bound for bound in _BUCKETS)
        with self._lock:
            known = self._seconds.setdefault((workflow,), [0.0] * (len(_BUCKETS) + 2))
            known[place] += 1
            known[-1] += seconds

    def text(self, measured: Iterable[Measured], *, whole: bool) -> bytes:
        """Give all of it as text.

        Args:
            measured: What to tell besides.
            whole: Whether to tell it by name; else only totals.
        """
        from prometheus_client import generate_latest  # imported late: who is not asked needs none of it

        return generate_latest(_Collected(list(self._families(measured, whole=whole))))

    def _families(self, measured: Iterable[Measured], *, whole: bool) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        with self._lock:
            counts = {kind: dict(values) for kind, values in self._counts.items()}
            seconds = {labels: tuple(known) for labels, known in self._seconds.items()}
        for made, one in [
            *((CounterMetricFamily, Measured(kind, values)) for kind, values in counts.items()),
            *((GaugeMetricFamily, one) for one in measured),
        ]:
            labels = one.kind.labels if whole else one.kind.for_all
            family = made(one.kind.name, one.kind.says, labels=labels)
            for names, value in sorted(_told(one, labels).items()):
                family.add_metric(names, value)
            yield family
        histogram = HistogramMetricFamily(SECONDS.name, SECONDS.says, labels=SECONDS.labels if whole else ())
        if not whole:
            seconds = {(): tuple(map(sum, zip(*seconds.values(), strict=True)))} if seconds else {}
        for known_labels, known in seconds.items():
            histogram.add_metric(known_labels, list(_cumulated(known)), known[-1])
        yield histogram


class _Collected:
    """What prometheus_client takes for a registry."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def collect(self) -> "list[Metric]":
        """Give what was collected."""
        return self._families


def _told(one: Measured, labels: tuple[str, ...]) -> Values:
    """Give the values for some of the labels: those that differ in the others count together."""
    places = [one.kind.labels.index(label) for label in labels]
    told: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
    for names, value in one.values.items():
        key = tuple(names[place] for place in places)
        known = told.get(key, 0.0)
        told[key] = max(known, value) if one.oldest else known + value
    return told


def _cumulated(known: tuple[float, ...]) -> Iterator[tuple[str, float]]:
    """Give the buckets of a histogram, each with all that are smaller."""
    total = 0.0
    for bound, number in zip((*map(float, _BUCKETS), float("inf")), known[:-1], strict=True):
        total += number
        yield ("+Inf" if bound == float("inf") else repr(bound)), total
