"""A drawing for a terminal: boxes and wires of Unicode characters, or of ASCII where these can't be shown."""

from collections.abc import Iterator

import click
from rich.cells import cell_len

from crossdock.cli.drawing.layers import Link, Size
from crossdock.cli.drawing.layout import Layout, Place, Wire, laid_out
from crossdock.cli.drawing.picture import Box, Kind, Picture

UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
_LINES = {
    UP | DOWN: "│",
    LEFT | RIGHT: "─",
    UP | LEFT: "┘",
    UP | RIGHT: "└",
    DOWN | LEFT: "┐",
    DOWN | RIGHT: "┌",
    UP | DOWN | LEFT: "┤",
    UP | DOWN | RIGHT: "├",
    UP | LEFT | RIGHT: "┴",
    DOWN | LEFT | RIGHT: "┬",
    UP | DOWN | LEFT | RIGHT: "┼",
}
_CORNERS: dict[Kind, str] = {"step": "┌┐└┘", "trigger": "╭╮╰╯", "any": "╭╮╰╯"}
_ASCII = str.maketrans("┌┐└┘╭╮╰╯├┤┬┴┼─│▼…→×", "+++++++++++++-|v~>x")
_COLOURS = {"success": "green", "partial": "yellow", "unknown": "yellow", "skipped": "bright_black"}

_PADDING = 4
"""The columns of a box beside its text: two borders, and a blank beside each."""


def drawn(picture: Picture, encoding: str, *, columns: int | None = None, coloured: bool = False) -> str:
    """Draw a picture, or list what is on it if the terminal is too narrow.

    Args:
        picture: What to draw.
        encoding: That of the terminal; ASCII is drawn if it has no lines.
        columns: The width of the terminal; None if nothing limits it.
        coloured: Whether outcomes have colours.
    """
    layout = _layout(picture)
    is_wide = columns is not None and layout.width > columns
    lines = _listed(picture) if is_wide else _Canvas(picture, layout, coloured=coloured).lines()
    text = "\n".join([f"{picture.title}  {picture.note}".rstrip(), "", *lines])
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.translate(_ASCII)
    return text


def _listed(picture: Picture) -> Iterator[str]:
    for number, box in enumerate(picture.boxes):
        yield "  ".join(box.text)
        for way in picture.ways:
            if way.start == number:
                yield f"    {f'{way.label} → {picture.boxes[way.end].name}'.lstrip()}"


def _layout(picture: Picture) -> Layout:
    sizes = [Size(max(map(cell_len, box.text)) + _PADDING, len(box.text) + 2) for box in picture.boxes]
    return laid_out(sizes, [Link(way.start, way.end, cell_len(way.label)) for way in picture.ways])


class _Canvas:
    """A grid of characters."""

    def __init__(self, picture: Picture, layout: Layout, *, coloured: bool) -> None:
        self._coloured = coloured
        self._cells = [[" "] * layout.width for _ in range(layout.height)]
        self._draw_wires(layout.wires)
        for number, box in enumerate(picture.boxes):
            self._draw_box(box, layout.boxes[number])
        for number, place in layout.labels.items():
            self._write(place.left, place.top, picture.ways[number].label)
        for wire in layout.wires:
            if self._cells[wire.top - 1][wire.x] == "─":  # it leaves a box
                self._cells[wire.top - 1][wire.x] = "┬"

    def lines(self) -> Iterator[str]:
        """Give its lines."""
        return ("".join(row).rstrip() for row in self._cells)

    def _write(self, left: int, top: int, text: str, colour: str | None = None) -> None:
        cells = [cell for letter in text for cell in (letter, *[""] * (cell_len(letter) - 1))]
        if colour is not None and self._coloured:
            cells[0] = click.style(cells[0], colour, reset=False)
            cells[-1] += click.style("", reset=True)
        self._cells[top][left : left + len(cells)] = cells

    def _draw_box(self, box: Box, place: Place) -> None:
        upper_left, upper_right, lower_left, lower_right = [*_CORNERS[box.kind]]
        edge, inside = "─" * (place.width - 2), place.width - _PADDING
        self._write(place.left, place.top, f"{upper_left}{edge}{upper_right}")
        self._write(place.left, place.top + place.height - 1, f"{lower_left}{edge}{lower_right}")
        for row, line in enumerate(box.text, place.top + 1):
            self._write(place.left, row, "│" + " " * (place.width - 2) + "│")
            colour = _COLOURS.get(box.outcome, "red") if row > place.top + 1 and line == box.ended else None
            self._write(place.left + 2 + (inside - cell_len(line)) // 2, row, line, colour)

    def _draw_wires(self, wires: list[Wire]) -> None:
        """Draw the pieces of a net into one another; where two nets cross, the one that runs down is whole."""
        drawn: dict[tuple[int, int], dict[int, int]] = {}
        for wire in wires:
            for column, row, directions in _steps(wire):
                of_cell = drawn.setdefault((column, row), {})
                of_cell[wire.net] = of_cell.get(wire.net, 0) | directions
        for (column, row), nets in drawn.items():
            upright = next((directions for directions in nets.values() if directions == UP | DOWN), None)
            self._cells[row][column] = _LINES[upright or next(iter(nets.values()))]
        for wire in wires:
            if wire.arrives:
                self._cells[wire.bottom - 1][wire.end] = "▼"


def _steps(wire: Wire) -> Iterator[tuple[int, int, int]]:
    """Give every cell of a wire, and to which of its sides the wire runs there."""
    column, row = wire.x, wire.top
    for turn, (to, target) in enumerate(wire.turns):
        yield from ((column, passed, UP | DOWN) for passed in range(row + (turn > 0), to))
        yield column, to, UP
        yield from _along(to, column, target)
        yield target, to, DOWN
        column, row = target, to
    yield from ((column, passed, UP | DOWN) for passed in range(row + bool(wire.turns), wire.bottom))


def _along(row: int, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    left, right = sorted((start, end))
    yield from ((column, row, RIGHT) for column in range(left, right))
    yield from ((column, row, LEFT) for column in range(left + 1, right + 1))
