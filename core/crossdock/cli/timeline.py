"""The timeline of a run's page: a bar for each operation, and marks for what connections did in it."""

from collections.abc import Iterator
from typing import Any

from crossdock.cli.markup import Markup, element, joined
from crossdock.cli.steps import Group
from crossdock.cli.tree import time_text

Described = dict[str, Any]

_MOST_BARS = 150
_DEEPEST = 4
_LEGEND = {
    "bar": "one run",
    "bar many": "many runs",
    "bar bad": "failed",
    "mark request": "request",
    "mark statement": "statement",
}


def timeline(traced: Described, groups: list[Group]) -> Iterator[Markup]:
    """Give the parts of a timeline.

    Args:
        traced: The ``spans`` of a run, and the ``notes`` on what came after the last one.
        groups: The spans of each step, with their numbers.
    """
    spans, notes = traced["spans"], traced["notes"]
    ends = [note["at"] + note["seconds"] for noted in notes.values() for note in noted["kept"]]
    end = max([*ends, *(span["until"] for span in spans)]) or 1e-9
    bars = [bar for group in groups for bar in _bars_of_step(group, end)]
    bars += [_bar("end of the step", 0, "", _marks(notes, end))] if notes else []
    yield element("ol", *bars[:_MOST_BARS], class_="bars")
    if len(bars) > _MOST_BARS:
        yield element("p", f"… {len(bars) - _MOST_BARS:,} more", class_="more")
    yield element("p", *(element("span", time_text(end * part)) for part in (0, 0.5, 1)), class_="axis")
    shown = [element("span", element("i", class_=kind), name) for kind, name in _LEGEND.items()]
    yield element("p", *shown, class_="legend")


def _bars_of_step(group: Group, end: float) -> Iterator[Markup]:
    depth = 0 if group.step is None else 1
    if group.step is not None:
        start, until = min(span["at"] for _, span in group.spans), max(span["until"] for _, span in group.spans)
        whole = element("i", class_="bar step", style=_place(start, until - start, end))
        yield _bar(group.step, 0, time_text(until - start), whole)
    for number, span in group.spans:
        yield from _bars(span, end, number, depth)


def _bars(span: Described, end: float, number: int, depth: int) -> Iterator[Markup]:
    many = span["count"] > 1
    kind = "bar" + " many" * many + " bad" * bool(span["failed"])
    bar = element("i", class_=kind, style=_place(span["at"], span["until"] - span["at"], end))
    name = element("a", span["name"], href=f"#operation-{number}") if number else span["name"]
    time = f"{span['count']:,} × in " * many + time_text(span["seconds"])
    yield _bar(name, depth, time, joined(bar, _marks(span["notes"], end)))
    if depth < _DEEPEST:
        for inner in span["spans"]:
            yield from _bars(inner, end, 0, depth + 1)


def _bar(name: str, depth: int, time: str, track: Markup) -> Markup:
    named = element("span", name, class_="name", style=f"--depth:{depth}")
    return element("li", named, element("span", track, class_="track"), element("span", time, class_="time"))


def _marks(notes: Described, end: float) -> Markup:
    """Mark what connections did; where a trace kept only some of it, marks would tell a part for the whole."""
    whole = [
        (kind, note) for kind, noted in notes.items() if noted["count"] == len(noted["kept"]) for note in noted["kept"]
    ]
    return joined(*(_mark(kind, note, end) for kind, note in whole))


def _mark(kind: str, note: Described, end: float) -> Markup:
    return element(
        "i", class_=f"mark {'bad' if note['failed'] else kind}", style=_place(note["at"], note["seconds"], end)
    )


def _place(at: float, length: float, end: float) -> str:
    left = min(max(at / end, 0) * 100, 99.6)
    return f"left:{left:.3f}%;width:{min(max(length / end, 0) * 100, 100 - left):.3f}%"
