"""The steps of a workflow on the page of a run: the drawing, a row for each, and what belongs to which."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from crossdock.cli.drawing.picture import Picture
from crossdock.cli.drawing.svg import svg_in_page
from crossdock.cli.markup import Markup, element, joined
from crossdock.cli.tree import time_text

Described = dict[str, Any]


class Group(NamedTuple):
    """The operations of a step, each with its number on the page."""

    step: str | None
    """Its name; None where there is only one."""
    spans: list[tuple[int, Described]]


def grouped(spans: list[Described], steps: list[Described]) -> list[Group]:
    """Give the operations of each step, in the order of the steps.

    Args:
        spans: What is traced of the operations.
        steps: What is reported of the steps; nothing for a job that runs alone.
    """
    if not steps:
        return [Group(None, [*enumerate(spans, 1)])]
    names = dict.fromkeys([*(step["name"] for step in steps), *(span["step"] for span in spans)])
    by_step = {name: [span for span in spans if span["step"] == name] for name in names}
    numbered = enumerate((span for name in names for span in by_step[name]), 1)
    groups = [Group(name, [next(numbered) for _ in of_step]) for name, of_step in by_step.items()]
    return [group for group in groups if group.spans]


def steps_table(picture: Picture, steps: list[Described]) -> Iterator[Markup]:
    """Give the drawing of a workflow, and a row for each of its steps.

    Args:
        picture: The drawing.
        steps: What became of each.
    """
    yield element("div", svg_in_page(picture), class_="drawing")
    if steps:
        yield element("ul", *map(_row, steps), class_="steps")


def _row(step: Described) -> Markup:
    outcome = "did not run" if step["outcome"] == "skipped" else step["outcome"]
    time = "kept" if step.get("kept") else time_text(step["seconds"]) if "seconds" in step else ""
    inner = [element("p", f"{count:,} × {name} {how}", class_="more") for (name, how), count in step.get("inner", [])]
    return element(
        "li",
        element("b", step["name"]),
        element("span", outcome, class_=f"badge {step['outcome']}"),
        element("span", time, class_="time"),
        element("div", joined(*_told(step)), *inner),
    )


def _told(step: Described) -> Iterator[Markup]:
    """Say why a step did not run, or where it led."""
    said = [
        step.get("why"),
        "the failure was handled" if step.get("handled") else None,
        f"stopped: {step['stopped']}" if step.get("stopped") else None,
        f"→ {', '.join(step['followed'])}" if step.get("followed") else None,
    ]
    yield from (element("p", text) for text in said if text)
