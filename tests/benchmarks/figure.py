"""Figures of what is served, and the table that they stand in."""

import os
import platform
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the fixtures that start servers

NOT_PROVEN = """
## What is not proven

- No power was cut. What is killed keeps what the kernel holds; that each answer follows its sync is shown by the order of the calls alone.
- One machine, one kind of disk, SQLite. Rates hold for this machine; the ratios are what another one can be compared by.
- Job code is trusted: faults are contained, malice is not.
- Exactly once only where the destination honours the idempotency key that it is sent.
"""


class Figure(NamedTuple):
    """What was measured of one claim."""

    row: str
    what: str
    target: str
    got: str
    met: bool
    n: str
    oracle: str
    gates: bool = True
    """Whether it must be met: rates of a machine that others use too must not."""

    def __str__(self) -> str:
        verdict = "yes" if self.met else "NO" if self.gates else "not here"
        return f"| {self.row} | {self.what} | {self.target} | {self.got} | {verdict} | {self.n} | {self.oracle} |"


def machine() -> str:
    """Say what machine this is, and how busy others keep it."""
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {system}; load before it began: {load}"


def collected(groups: Iterable[Callable[[], Iterable[Figure]]]) -> list[Figure]:
    """Measure one group after another, and show each figure when it is there."""
    figures = []
    for group in groups:
        for figure in group():
            print(figure, flush=True)
            figures.append(figure)
    return figures


def write_table(file: Path, command: str, before: str, figures: Iterable[Figure]) -> None:
    """Write the table."""
    head = [
        "# Figures of `crossdock serve`",
        "",
        f"Made by `{command}` on {datetime.now(UTC):%Y-%m-%d}: {before}.",
        "",
        "| figure | what | target | measured | met | n | oracle |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    file.write_text("\n".join([*head, *map(str, figures)]) + "\n" + NOT_PROVEN, encoding="utf-8")


def part(values: Iterable[float], of: float) -> float:
    """Give the value below which such a part of all values lies."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * of), len(ordered) - 1)]
