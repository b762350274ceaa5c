"""A drawing as SVG: a file that loads nothing and runs nothing, for light and dark screens."""

from collections.abc import Iterator
from importlib.resources import files

from rich.cells import cell_len

from crossdock.cli.drawing.layers import Link, Size
from crossdock.cli.drawing.layout import Layout, Place, Wire, laid_out
from crossdock.cli.drawing.picture import Box, Picture, Way
from crossdock.cli.markup import Markup, element

_COLUMN, _ROW = 8, 18
"""The pixels of a column, in which a letter of the font below has room, and of a row."""

_MARGIN, _HEAD = 24, 44
_BEND = 7
"""The radius of a bend."""

_NAMESPACE = "http://www.w3.org/2000/svg"


def svg_file(picture: Picture) -> str:
    """Give a drawing as a file of its own, with its title.

    Args:
        picture: What to draw.
    """
    style = element("style", Markup(style_sheet()))
    title = element("text", picture.title, " ", element("tspan", picture.note, class_="note"), class_="title", y="16")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_svg(picture, style, title, head=_HEAD)}\n'


def svg_in_page(picture: Picture) -> Markup:
    """Give a drawing as a part of an HTML page, which has the style sheet and a title.

    Args:
        picture: What to draw.
    """
    return _svg(picture, head=0)


def style_sheet() -> str:
    """Give how drawings look."""
    return files("crossdock.cli.drawing").joinpath("svg.css").read_text(encoding="utf-8")


def _svg(picture: Picture, *more: Markup, head: int) -> Markup:
    layout = _layout(picture)
    wires = sorted(layout.wires, key=lambda wire: bool(picture.ways[wire.link].taken))  # what was taken lies on top
    shapes = [_wire(wire, picture.ways[wire.link]) for wire in wires]
    shapes += [_label(picture.ways[number], place) for number, place in layout.labels.items()]
    shapes += [_box(box, layout.boxes[number]) for number, box in enumerate(picture.boxes)]
    drawn = element("g", *shapes, transform=f"translate(0 {head})")
    title_width = cell_len(picture.title + picture.note) * _COLUMN * 1.2 if head else 0
    width = max(layout.width * _COLUMN, round(title_width)) + 2 * _MARGIN
    height = layout.height * _ROW + head + 2 * _MARGIN
    moved = element("g", *more[1:], drawn, transform=f"translate({_MARGIN} {_MARGIN})")
    name = element("title", f"The workflow {picture.title}")
    size = {"viewBox": f"0 0 {width} {height}", "width": str(width), "height": str(height)}
    return element("svg", name, *more[:1], moved, xmlns=_NAMESPACE, class_="workflow", role="img", **size)


def _layout(picture: Picture) -> Layout:
    sizes = [Size(_odd(max(map(cell_len, box.text))) + 4, len(box.text) + 1) for box in picture.boxes]
    links = [Link(way.start, way.end, _odd(cell_len(way.label)) if way.label else 0) for way in picture.ways]
    return laid_out(sizes, links, gap=4, lead=1)


def _odd(columns: int) -> int:
    """Widen something so that a wire meets it in its middle."""
    return columns + 1 - columns % 2


# The shapes


def _box(box: Box, place: Place) -> Markup:
    left, top, width, height = (_pixels(place.left), place.top * _ROW, place.width * _COLUMN, place.height * _ROW)
    frame = element("rect", x=f"{left}", y=f"{top}", width=f"{width}", height=f"{height}", rx=_round(box, height))
    why = [element("title", f"{box.name}: {box.why}")] if box.why else []
    lines = [
        _text(line, left + width / 2, top + (number + 1) * _ROW, _line_class(box, number))
        for number, line in enumerate(box.text)
    ]
    return element("g", *why, frame, *lines, class_=f"box {box.kind} {box.outcome}".strip())


def _round(box: Box, height: int) -> str:
    return "7" if box.kind == "step" else f"{min(height / 2, 20):g}"


def _line_class(box: Box, number: int) -> str:
    if number == 0:
        return "name"
    return "ended" if box.outcome and number == len(box.text) - 1 else "line"


def _label(way: Way, place: Place) -> Markup:
    middle = _pixels(place.left) + place.width * _COLUMN / 2
    full = [element("title", way.condition)] if way.condition != way.label else []
    text = _text(way.label, middle, (place.top + 0.5) * _ROW, "label")
    return element("g", *full, text, class_=_way_class(way))


def _text(text: str, middle: float, at: float, class_: str) -> Markup:
    return element("text", text, x=f"{middle:g}", y=f"{at:g}", class_=class_)


def _way_class(way: Way) -> str:
    return "way" if way.taken is None else "way taken" if way.taken else "way left"


def _wire(wire: Wire, way: Way) -> Markup:
    path = element("path", d=" ".join(_path(wire)))
    return element("g", path, *_head(wire), class_=_way_class(way))


def _head(wire: Wire) -> Iterator[Markup]:
    if wire.arrives:
        x, y = _middle(wire.end), wire.bottom * _ROW
        yield element("path", d=f"M{x - 5:g} {y - 9} L{x + 5:g} {y - 9} L{x:g} {y - 1} Z", class_="head")


def _path(wire: Wire) -> Iterator[str]:
    """Give the way of a wire's pen: lines, and an arc at each bend."""
    x, y = _middle(wire.x), float(wire.top * _ROW)
    yield f"M{x:g} {y:g}"
    for row, column in wire.turns:
        to, at = _middle(column), (row + 0.5) * _ROW
        if to == x:
            continue
        sign, bend = (1 if to > x else -1), min(_BEND, abs(to - x) / 2)
        yield f"V{at - bend:g} Q{x:g} {at:g} {x + sign * bend:g} {at:g}"
        yield f"H{to - sign * bend:g} Q{to:g} {at:g} {to:g} {at + bend:g}"
        x = to
    yield f"V{wire.bottom * _ROW - (8 if wire.arrives else 0):g}"


def _middle(column: int) -> float:
    return (column + 0.5) * _COLUMN


def _pixels(column: int) -> int:
    return column * _COLUMN
