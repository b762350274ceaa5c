"""The wires between two layers of a drawing: how each gets from its column above to its column below.

A net is what hangs together: one wire that forks, or several that meet. It runs down from its columns
above to a track, along it, and down again to its columns below. No two nets share a piece of line; they
may only cross at a right angle.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

Turn = tuple[int, int]
"""A track, counted from the top, and the column that a wire leaves it at."""


@dataclass(eq=False, slots=True)
class Net:
    """Wires that hang together; above or below they are one."""

    above: frozenset[int]
    """The columns in which it comes in."""
    below: frozenset[int]
    """The columns in which it goes out."""
    track: int = 0
    detour: "Net | None" = None
    """The piece that leads the one column of its stem to another, where nothing is in the way."""

    @property
    def is_straight(self) -> bool:
        """Whether it needs no track."""
        return self.above == self.below

    @property
    def forks(self) -> bool:
        """Whether its stem is above."""
        return len(self.above) == 1

    def turns(self, end: int) -> list[Turn]:
        """Give how one of its wires gets to a column below."""
        if self.is_straight:
            return []
        if self.detour is None:
            return [(self.track, end)]
        if self.forks:
            return [(self.detour.track, min(self.detour.below)), (self.track, end)]
        return [(self.track, min(self.detour.above)), (self.detour.track, end)]


def route(nets: Iterable[Net]) -> int:
    """Give every net its track, and tell how many tracks there are.

    Example:
        >>> swapped = [Net(frozenset([0]), frozenset([4])), Net(frozenset([4]), frozenset([0]))]
        >>> route(swapped)
        3
        >>> swapped[0].turns(4), swapped[1].turns(0)  # the first one along a detour in column 2
        ([(0, 2), (2, 4)], [(1, 0)])
    """
    nets = list(nets)
    taken = {column for net in nets for column in net.above | net.below}
    bars = [net for net in nets if not net.is_straight]
    while circle := _circle(bars):
        stuck = next(net for net in circle if net in nets)  # a detour is never part of a circle
        bars.append(_detour(stuck, taken))
    return _on_tracks(list(_sorted(bars)))


def _detour(net: Net, taken: set[int]) -> Net:
    """Lead the stem of a net to a column that nobody has, and so out of every circle."""
    stem = min(net.above if net.forks else net.below)
    free = next(
        column
        for distance in range(2, 2 + 3 * (len(taken) + 1))
        for column in (stem + distance, stem - distance)
        if not taken & {column - 1, column, column + 1}
    )
    taken.add(free)
    at, other = frozenset([stem]), frozenset([free])
    net.detour = Net(at, other) if net.forks else Net(other, at)
    if net.forks:
        net.above = other
    else:
        net.below = other
    return net.detour


def _under(bars: list[Net]) -> dict[Net, set[Net]]:
    """Give for each net those that must lie above it, or they would run over each other in a column."""
    return {net: {other for other in bars if _lies_above(other, net)} for net in bars}


def _lies_above(net: Net, other: Net) -> bool:
    if net.detour is other:
        return not net.forks
    if other.detour is net:
        return other.forks
    return net is not other and _beside(net.above, other.below)


def _beside(columns: frozenset[int], others: frozenset[int]) -> bool:
    """Tell whether wires in these columns would lie on each other, or so near that they look like one."""
    return any(abs(column - other) < 2 for column in columns for other in others)


def _circle(bars: list[Net]) -> list[Net]:
    try:
        TopologicalSorter(_under(bars)).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _sorted(bars: list[Net]) -> Iterable[Net]:
    return TopologicalSorter(_under(bars)).static_order()


def _on_tracks(bars: list[Net]) -> int:
    """Put each net on the first track where it fits, below all that must lie above it."""
    under, tracks = _under(bars), list[list[Net]]()
    for net in bars:
        net.track = max((other.track + 1 for other in under[net]), default=0)
        while net.track < len(tracks) and any(_touch(net, other) for other in tracks[net.track]):
            net.track += 1
        tracks += [[]] if net.track == len(tracks) else []
        tracks[net.track].append(net)
    return len(tracks)


def _touch(net: Net, other: Net) -> bool:
    columns, others = net.above | net.below, other.above | other.below
    return min(columns) <= max(others) + 1 and min(others) <= max(columns) + 1
