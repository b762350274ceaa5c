"""Layers: in which row a box stands, in which order, and in which column.

Layered as Sugiyama, Tagawa and Toda describe it (https://doi.org/10.1109/TSMC.1981.4308636): a box
stands one row below the lowest of those that lead to it, and each row is ordered so that few wires
cross. Between two rows of boxes is one of labels. A wire that passes a row has a place in it like a
box, so it runs through none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

_SWEEPS = 12
_INSISTS = 4
"""How much more than a box a wire that passes stays where it is: it is straight then."""


class Size(NamedTuple):
    """The columns and rows that something takes."""

    width: int
    height: int


_PASSING = Size(1, 0)
"""What a wire takes that passes a layer."""


class Link(NamedTuple):
    """A wire from one box to another."""

    start: int
    """The number of a box."""
    end: int
    label: int = 0
    """The width of its label."""


@dataclass(eq=False, slots=True)
class Spot:
    """What has a place in a row: a box, the label of a wire, or a wire that passes."""

    size: Size
    box: int | None = None
    """Its number, if it is a box."""
    link: int | None = None
    """The number of the link that it is the label of, or that passes."""
    above: "list[Spot]" = field(default_factory=list)
    below: "list[Spot]" = field(default_factory=list)
    place: int = 0
    """Its number in its row."""
    x: int = 0
    """Its middle column."""

    @property
    def room(self) -> int:
        """The columns that it has to have, so that a label straight above or below it has them too."""
        if self.box is None:
            return self.size.width
        alone = [near[0].size.width for near in (self.above, self.below) if len(near) == 1]
        return max(self.size.width, *alone, 0)

    @property
    def left(self) -> int:
        """Its first column."""
        return self.x - self.size.width // 2

    @property
    def right(self) -> int:
        """The first column after it."""
        return self.left + self.size.width


Layer = list[Spot]


def layered(boxes: Sequence[Size], links: list[Link], gap: int) -> list[Layer]:
    """Put boxes, labels and passing wires into layers, and give each its place and its column.

    Args:
        boxes: What stands in the even layers.
        links: What joins them; no way leads in a circle.
        gap: The columns between two of a layer.
    """
    layers = _filled(boxes, links)
    _order(layers)
    _place(layers, gap)
    return layers


def _filled(boxes: Sequence[Size], links: list[Link]) -> list[Layer]:
    ranks = _ranks(len(boxes), links)
    spots = [Spot(size, box=number) for number, size in enumerate(boxes)]
    layers: list[Layer] = [[] for _ in range(2 * max(ranks.values()) + 1)]
    for number, spot in enumerate(spots):
        layers[2 * ranks[number]].append(spot)
    for number, link in enumerate(links):
        at, end = 2 * ranks[link.start] + 1, 2 * ranks[link.end]
        label = Size(link.label, 1) if link.label else _PASSING
        passed = [Spot(size, link=number) for size in (label, *[_PASSING] * (end - at - 1))]
        for layer, spot in zip(layers[at:end], passed, strict=True):
            layer.append(spot)
        _join([spots[link.start], *passed, spots[link.end]])
    return layers


def _ranks(boxes: int, links: list[Link]) -> dict[int, int]:
    """Give the length of the longest way to each box."""
    origins = {number: [link.start for link in links if link.end == number] for number in range(boxes)}
    ranks: dict[int, int] = {}
    for number in TopologicalSorter(origins).static_order():
        ranks[number] = max((ranks[origin] + 1 for origin in origins[number]), default=0)
    return ranks


def _join(way: list[Spot]) -> None:
    for upper, lower in pairwise(way):
        upper.below.append(lower)
        lower.above.append(upper)


# The order in a layer


def _order(layers: list[Layer]) -> None:
    """Order each layer by the middle of what its spots are joined to, downwards and upwards in turn."""
    _number(layers)
    best, fewest = [[*layer] for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        for layer, downwards in _swept(layers, sweep):
            layer.sort(key=lambda spot: _middle(spot, [near.place for near in _near(spot, downwards)]))
            _number([layer])
        if (found := _crossings(layers)) < fewest:
            best, fewest = [[*layer] for layer in layers], found
    layers[:] = best
    _number(layers)


def _swept(layers: list[Layer], sweep: int) -> Iterator[tuple[Layer, bool]]:
    """Give the layers downwards, or upwards in every second sweep."""
    downwards = sweep % 2 == 0
    return ((layer, downwards) for layer in (layers if downwards else reversed(layers)))


def _near(spot: Spot, downwards: bool) -> list[Spot]:
    return spot.above if downwards else spot.below


def _middle(spot: Spot, places: list[int]) -> float:
    return sum(places) / len(places) if places else spot.place


def _number(layers: list[Layer]) -> None:
    for layer in layers:
        for place, spot in enumerate(layer):
            spot.place = place


def _crossings(layers: list[Layer]) -> int:
    return sum(_crossings_below(layer) for layer in layers)


def _crossings_below(layer: Layer) -> int:
    wires = [(upper.place, lower.place) for upper in layer for lower in upper.below]
    return sum(a < c and b > d for a, b in wires for c, d in wires)


# The columns


def _place(layers: list[Layer], gap: int) -> None:
    """Give each spot its column: as near as can be to the middle of what it is joined to."""
    for layer in layers:
        _settle(layer, [0.0] * len(layer), gap)
    for sweep in range(2 * _SWEEPS + 1):  # the last one is downwards
        for layer, downwards in _swept(layers, sweep):
            wanted = [_wanted(spot, [near.x for near in _near(spot, downwards)]) for spot in layer]
            _settle(layer, wanted, gap)
    for layer in layers[1::2]:
        _settle(layer, [_straight(spot) for spot in layer], gap)


def _straight(spot: Spot) -> int:
    """Give the column of a label that lets its wire run straight where nothing else is joined to it."""
    (above,), (below,) = spot.above, spot.below
    if len(below.above) == 1:
        return below.x
    return above.x if len(above.below) == 1 else spot.x


def _wanted(spot: Spot, columns: list[int]) -> float:
    return sum(columns) / len(columns) if columns else spot.x


def _settle(layer: Layer, wanted: list[float], gap: int) -> None:
    """Put the spots of a layer where they want to be, or as near to it as their order and width allow.

    That is an isotonic regression, solved by pooling neighbours that want to pass each other
    (https://en.wikipedia.org/wiki/Isotonic_regression).
    """
    offsets = _offsets(layer, gap)
    pools: list[tuple[float, int, int]] = []  # the column that it wants, how much, how many spots
    for spot, column, offset in zip(layer, wanted, offsets, strict=True):
        pool = (column - offset, _INSISTS if spot.size == _PASSING else 1, 1)
        while pools and pools[-1][0] > pool[0]:
            before = pools.pop()
            weight = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / weight, weight, before[2] + pool[2])
        pools.append(pool)
    columns = [round(column) for column, _, count in pools for _ in range(count)]
    for spot, column, offset in zip(layer, columns, offsets, strict=True):
        spot.x = column + offset


def _offsets(layer: Layer, gap: int) -> list[int]:
    """Give how far each spot lies from the first one if they stand as close as they may."""
    offsets = [0]
    for before, spot in pairwise(layer):
        offsets.append(offsets[-1] + (before.room - before.room // 2) + gap + spot.room // 2)
    return offsets[: len(layer)]
