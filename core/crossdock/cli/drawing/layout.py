"""Where everything in a drawing stands, in columns and rows: what a terminal shows, and what SVG scales."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from crossdock.cli.drawing.channel import Net, Turn, route
from crossdock.cli.drawing.layers import Layer, Link, Size, Spot, layered

_ARROW = 1
"""The rows above a box in which wires only run down."""


class Place(NamedTuple):
    """Where something stands."""

    left: int
    top: int
    width: int
    height: int


class Wire(NamedTuple):
    """A piece of a way: down from the bottom of something, along some rows, down to the next."""

    link: int
    """The number of its link."""
    net: int
    """Two pieces of one net may lie on each other."""
    x: int
    top: int
    """Its first row."""
    turns: tuple[Turn, ...]
    """The rows that it runs along, each with the column that it leaves it at."""
    bottom: int
    """The first row that it doesn't reach."""
    arrives: bool
    """Whether a box stands below it."""

    @property
    def end(self) -> int:
        """The column at its bottom."""
        return self.turns[-1][1] if self.turns else self.x


class Layout(NamedTuple):
    """Where everything stands."""

    width: int
    height: int
    boxes: dict[int, Place]
    labels: dict[int, Place]
    """The number of a link → its label."""
    wires: list[Wire]


def laid_out(boxes: Sequence[Size], links: list[Link], *, gap: int = 3, lead: int = 0) -> Layout:
    """Lay out boxes in layers, with wires that run through none.

    Args:
        boxes: The size of each.
        links: The wires between them; no way leads in a circle.
        gap: The columns between what stands side by side.
        lead: The rows that a wire runs straight above and below a label.
    """
    layers = layered(boxes, links, gap)
    nets = [_nets(layer) for layer in layers]
    tracks = [route(dict.fromkeys(of_layer.values())) for of_layer in nets]
    tops = _tops(layers, tracks, lead)
    wires: list[Wire] = []
    for number, layer in enumerate(layers):
        channel = tops[number] + _height(layer) + (lead if number % 2 else 0)
        wires += _wires(nets[number], tops[number : number + 2], channel)
    return _from_the_left(layers, tops, wires)


def _nets(layer: Layer) -> dict[tuple[Spot, Spot], Net]:
    """Give the net of each pair of spots that is joined below a layer."""
    stems: dict[Spot, list[tuple[Spot, Spot]]] = {}
    for upper in layer:
        for lower in upper.below:
            stems.setdefault(lower if len(lower.above) > 1 else upper, []).append((upper, lower))
    nets: dict[tuple[Spot, Spot], Net] = {}
    for joined in stems.values():
        net = Net(frozenset(upper.x for upper, _ in joined), frozenset(lower.x for _, lower in joined))
        nets |= dict.fromkeys(joined, net)
    return nets


def _tops(layers: list[Layer], tracks: list[int], lead: int) -> list[int]:
    """Give the first row of each layer, and at the end the first row below the last one."""
    tops = [0]
    for number, layer in enumerate(layers):
        more = lead + _ARROW if number % 2 else lead
        tops.append(tops[-1] + _height(layer) + tracks[number] + more)
    return [*tops[:-1], tops[-1] - lead]


def _height(layer: Layer) -> int:
    return max(spot.size.height for spot in layer)


def _wires(nets: dict[tuple[Spot, Spot], Net], tops: list[int], channel: int) -> Iterator[Wire]:
    """Give the wires from a layer to the next one, whose tracks begin at the row ``channel``."""
    top, bottom = tops
    for (upper, lower), net in nets.items():
        link = next(link for link in (lower.link, upper.link) if link is not None)
        turns = tuple((channel + track, column) for track, column in net.turns(lower.x))
        yield Wire(link, id(net), upper.x, top + upper.size.height, turns, bottom, lower.box is not None)


def _from_the_left(layers: list[Layer], tops: list[int], wires: list[Wire]) -> Layout:
    """Move everything so that the first column is used."""
    spots = [(spot, top) for layer, top in zip(layers, tops, strict=False) for spot in layer]
    columns = [column for wire in wires for _, column in wire.turns]
    first = min([*columns, *(spot.left for spot, _ in spots)])
    last = max([*(column + 1 for column in columns), *(spot.right for spot, _ in spots)])
    places = [(spot, Place(spot.left - first, top, *spot.size)) for spot, top in spots]
    return Layout(
        last - first,
        tops[-1],
        {spot.box: place for spot, place in places if spot.box is not None},
        {spot.link: place for spot, place in places if spot.link is not None and spot.size.height},
        [_moved(wire, -first) for wire in wires],
    )


def _moved(wire: Wire, columns: int) -> Wire:
    turns = tuple((row, column + columns) for row, column in wire.turns)
    return wire._replace(x=wire.x + columns, turns=turns)
