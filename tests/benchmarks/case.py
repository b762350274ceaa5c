"""A cost of ours beside that of the bare library, measured in turns."""

import timeit
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

TURNS = 9


class Case(NamedTuple):
    """A cost of ours, beside what it is compared with."""

    what: str
    bare: Callable[[], float]
    ours: Callable[[], float]
    limit: float
    turns: int = TURNS


class Measured(NamedTuple):
    """The outcome of one case, in seconds."""

    case: Case
    bare: float
    ours: float
    spread: float

    @property
    def ratio(self) -> float:
        """Ours over bare."""
        return self.ours / self.bare

    def __str__(self) -> str:
        verdict = "ok  " if self.ratio <= self.case.limit else "OVER"
        times = f"{_time(self.bare)} bare, {_time(self.ours)} ours, spread {self.spread:.0%}"
        return f"{verdict}  {self.ratio:5.2f} × (limit {self.case.limit:g})  {self.case.what}: {times}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} µs" if seconds < 1e-3 else f"{seconds * 1e3:.0f} ms"


def measure(case: Case) -> Measured:
    """Measure both sides in turns."""
    pairs = [(case.bare(), case.ours()) for _ in range(case.turns)]
    bare, ours = (median(side) for side in zip(*pairs, strict=True))
    ratios = sorted(o / b for b, o in pairs)
    return Measured(
        case, bare, ours, (ratios[-2] - ratios[1] if len(ratios) > 3 else ratios[-1] - ratios[0]) / median(ratios)
    )


def each_call(
    function: Callable[[], Any], number: int = 50_000, timer: Callable[[], float] = perf_counter
) -> Callable[[], float]:
    """Time one call of a function, as the mean over many."""
    return lambda: timeit.timeit(function, number=number, timer=timer) / number
