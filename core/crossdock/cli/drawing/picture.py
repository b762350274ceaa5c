"""What a drawing of a workflow shows, whatever it is drawn with: boxes, and the ways between them."""

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple

Kind = Literal["step", "trigger", "any"]


_MOST_TEXT = 32
"""The most characters of a condition or a filter that are drawn; all of it is masked before."""


class Box(NamedTuple):
    """A step, or what starts the workflow."""

    name: str
    """What it is called."""
    kind: Kind = "step"
    lines: tuple[str, ...] = ()
    """What is said of it below its name."""
    outcome: str = ""
    """How it ended when the workflow last ran; nothing if that is not known."""
    more: str = ""
    """What is said beside that: how long it took."""
    why: str = ""
    """Why it did not run."""

    @property
    def ended(self) -> str:
        """How it ended, in a few words."""
        return "did not run" if self.outcome == "skipped" else f"{self.outcome}  {self.more}".strip()

    @property
    def text(self) -> tuple[str, ...]:
        """All that stands in it, line by line."""
        return (self.name, *map(_short, self.lines), *([self.ended] if self.outcome else []))


class Way(NamedTuple):
    """A way from one box to another."""

    start: int
    """The number of a box."""
    end: int
    when: str = ""
    """When it is taken, in a few words; nothing if nobody asks."""
    taken: bool | None = None
    """Whether it was taken when the workflow last ran; None if that is not known."""
    condition: str = ""
    """When it is taken, in full."""

    @property
    def label(self) -> str:
        """When it is taken, cut."""
        return _short(self.when)


class Picture(NamedTuple):
    """What is drawn."""

    title: str
    note: str
    """What is said beside the title."""
    boxes: tuple[Box, ...]
    ways: tuple[Way, ...]

    @classmethod
    def of(cls, title: str, note: str, triggers: list[Box], steps: list[Box], ways: list[Way]) -> "Picture":
        """Put what starts a workflow above its first steps.

        Args:
            title: What the workflow is called.
            note: What is said beside that.
            triggers: Each of which starts all steps that no way leads to.
            steps: Its steps.
            ways: The ways between these.
        """
        first = sorted({*range(len(steps))} - {way.end for way in ways})
        joint = [Box("any of them", "any")] if len(triggers) > 1 and len(first) > 1 else []
        above = [*triggers, *joint]
        down = [way._replace(start=way.start + len(above), end=way.end + len(above)) for way in ways]
        firsts = [number + len(above) for number in first]
        starts = [*_each_to_each(range(len(triggers)), [len(triggers)] if joint else firsts)]
        starts += [*_each_to_each([len(triggers)], firsts)] if joint else []
        return cls(title, note, (*above, *steps), (*starts, *down))

    def masked(self, mask: Callable[[str], str]) -> "Picture":
        """Give the same picture with every text masked.

        Args:
            mask: Takes the secrets out of a text.
        """
        boxes = [
            box._replace(name=mask(box.name), lines=tuple(map(mask, box.lines)), why=mask(box.why))
            for box in self.boxes
        ]
        ways = [way._replace(when=mask(way.when), condition=mask(way.condition)) for way in self.ways]
        return Picture(mask(self.title), mask(self.note), tuple(boxes), tuple(ways))


def _each_to_each(starts: Iterable[int], ends: Iterable[int]) -> list[Way]:
    return [Way(start, end) for start in starts for end in ends]


def _short(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…"
