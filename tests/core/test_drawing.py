"""Drawings of workflows: where things stand, and how that looks in a terminal and as SVG."""

from collections import defaultdict
from itertools import combinations, pairwise

import pytest
from crossdock.cli.drawing.channel import Net, route
from crossdock.cli.drawing.layers import Link, Size
from crossdock.cli.drawing.layout import Layout, Place, Wire, laid_out
from crossdock.cli.drawing.picture import Box, Picture, Way
from crossdock.cli.drawing.svg import svg_file
from crossdock.cli.drawing.terminal import drawn
from fix_browser import Browser
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

MARKUP = "<script>alert('&')</script>"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Size], list[Link]]:
    """Boxes of any size, joined so that no way leads in a circle."""
    count = draw(st.integers(1, 12))
    boxes = [Size(draw(st.integers(3, 20)), draw(st.integers(1, 5))) for _ in range(count)]
    pairs = draw(st.lists(st.sampled_from([*combinations(range(count), 2)]), max_size=20)) if count > 1 else []
    return boxes, [Link(start, end, draw(st.sampled_from([0, 6, 10, 25]))) for start, end in pairs]


def cells(wire: Wire) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Give the cells in which a wire runs down, and those in which it runs along a row or turns."""
    down, along = set(), set()
    column, row = wire.x, wire.top
    for to, target in wire.turns:
        down |= {(column, passed) for passed in range(row, to)}
        along |= {(passed, to) for passed in range(min(column, target), max(column, target) + 1)}
        column, row = target, to + 1
    down |= {(column, passed) for passed in range(row, wire.bottom)}
    return down - along, along


def area(place: Place) -> set[tuple[int, int]]:
    columns = range(place.left, place.left + place.width)
    return {(column, row) for column in columns for row in range(place.top, place.top + place.height)}


@settings(max_examples=300, deadline=None)
@given(graphs(), st.sampled_from([(3, 0), (4, 1)]))
def test_no_wire_runs_through_a_box_or_a_label_or_along_another_wire(graph, spacing):
    boxes, links = graph
    layout = laid_out(boxes, links, gap=spacing[0], lead=spacing[1])
    places = [*layout.boxes.values(), *layout.labels.values()]
    taken = set[tuple[int, int]]()
    for place in places:
        assert not taken & area(place)
        taken |= area(place)
    running, turning = defaultdict(set), defaultdict(set)
    for wire in layout.wires:
        down, along = cells(wire)
        assert not taken & (down | along)
        assert all(0 <= column < layout.width and 0 <= row < layout.height for column, row in down | along)
        running[wire.net] |= down
        turning[wire.net] |= along
    for net, other in combinations(running, 2):
        assert not running[net] & running[other]
        assert not turning[net] & turning[other]


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_every_link_leads_downwards_from_its_box_over_its_label_to_the_other_box(graph):
    boxes, links = graph
    layout = laid_out(boxes, links)

    for number, link in enumerate(links):
        pieces = sorted((wire for wire in layout.wires if wire.link == number), key=lambda wire: wire.top)
        start, end = layout.boxes[link.start], layout.boxes[link.end]
        assert (pieces[0].top, pieces[-1].bottom) == (start.top + start.height, end.top)
        assert start.left <= pieces[0].x < start.left + start.width
        assert end.left <= pieces[-1].end < end.left + end.width
        assert [piece.arrives for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        for above, below in pairwise(pieces):
            assert (above.end, below.top) == (below.x, above.bottom + (number in labels_at(layout, above.bottom)))
        assert (number in layout.labels) == bool(link.label)


def labels_at(layout: Layout, row: int) -> set[int]:
    return {number for number, place in layout.labels.items() if place.top == row}


@st.composite
def nets(draw: st.DrawFn) -> list[tuple[list[int], list[int]]]:
    """The columns above and below of nets that fork or meet, close enough to be in each other's way."""
    above, below = (draw(st.permutations(range(0, 24, 2))) for _ in range(2))
    found = []
    for many, forks in draw(st.lists(st.tuples(st.integers(1, 3), st.booleans()), min_size=2, max_size=4)):
        ends = (1, many) if forks else (many, 1)
        found.append((above[: ends[0]], below[: ends[1]]))
        above, below = above[ends[0] :], below[ends[1] :]
    return found


@settings(max_examples=500, deadline=None)
@given(nets())
def test_nets_that_are_in_each_others_way_never_run_along_each_other(columns):
    of_nets = [Net(frozenset(above), frozenset(below)) for above, below in columns]
    height = route(of_nets)
    running, turning = defaultdict(set), defaultdict(set)
    for number, (net, (above, below)) in enumerate(zip(of_nets, columns, strict=True)):
        for start, end in ((start, end) for start in above for end in below):
            down, along = cells(Wire(0, number, start, 0, tuple(net.turns(end)), height, False))
            running[number] |= down
            turning[number] |= along
            assert all(row < height for _, row in along)
    for net, other in combinations(running, 2):
        assert not running[net] & running[other]
        assert not turning[net] & turning[other]


VISITS = Picture(
    "visits",
    "last ran 2024-05-02 10:00 UTC",
    (
        Box("form", "trigger", ("webhook visits",)),
        Box("load", outcome="failed", more="1.20 s"),
        Box("tell", lines=("per item of data",), outcome="skipped", why="load: failed, and the edge is on_success"),
        Box("alert", outcome="success", more="3 ms"),
    ),
    (
        Way(0, 1),
        Way(1, 2, "when has_rows", False, "on_success, when jobs/rules.py:has_rows"),
        Way(1, 3, "on_failure", True, "on_failure"),
        Way(2, 3, "always", False, "always"),
    ),
)
IN_TERMINAL = """\
visits  last ran 2024-05-02 10:00 UTC

         ╭────────────────╮
         │      form      │
         │ webhook visits │
         ╰────────┬───────╯
                  ▼
         ┌────────────────┐
         │      load      │
         │ failed  1.20 s │
         └────────┬───────┘
          ┌───────┴──────┐
    when has_rows   on_failure
          ▼              │
┌──────────────────┐     │
│       tell       │     │
│ per item of data │     │
│   did not run    │     │
└─────────┬────────┘     │
       always            │
          └───────┬──────┘
                  ▼
          ┌───────────────┐
          │     alert     │
          │ success  3 ms │
          └───────────────┘"""


def test_a_terminal_shows_boxes_and_labelled_ways():
    assert drawn(VISITS, "utf-8") == IN_TERMINAL


def test_a_terminal_without_lines_shows_ascii():
    text = drawn(VISITS, "ascii")

    assert text.isascii()
    assert (
        text.translate(str.maketrans("+|-v", "    ")).split()
        == "".join(letter if letter.isascii() and letter not in "+|-v" else " " for letter in IN_TERMINAL).split()
    )


def test_a_terminal_that_is_too_narrow_gets_a_list():
    text = drawn(VISITS, "utf-8", columns=20)

    assert "load  failed  1.20 s\n    when has_rows → tell\n    on_failure → alert\n" in text
    assert "┌" not in text


def test_only_what_is_shown_in_colours_has_them():
    assert "\x1b" not in drawn(VISITS, "utf-8")
    coloured = drawn(VISITS, "utf-8", coloured=True)
    assert "\x1b[31mfailed  1.20 s\x1b[0m" in coloured
    assert "\x1b[32msuccess  3 ms\x1b[0m" in coloured


def test_wide_letters_take_two_columns():
    text = drawn(Picture("w", "", (Box("診療所"),), ()), "utf-8")

    assert "┌────────┐\n│ 診療所 │\n└────────┘" in text


def test_several_triggers_of_several_steps_meet_in_one_box():
    triggers, steps = [Box("a", "trigger"), Box("b", "trigger")], [Box("c"), Box("d"), Box("e")]

    picture = Picture.of("w", "", triggers, steps, [Way(0, 2, "always")])

    assert [box.name for box in picture.boxes] == ["a", "b", "any of them", "c", "d", "e"]
    assert {(way.start, way.end) for way in picture.ways} == {(0, 2), (1, 2), (2, 3), (2, 4), (3, 5)}


# SVG


def test_an_svg_escapes_all_that_it_shows_and_loads_nothing():
    boxes = Box(MARKUP, lines=(MARKUP,), outcome="skipped", why=MARKUP), Box("b")
    way = Way(0, 1, MARKUP, condition=f"{MARKUP}!")
    text = svg_file(Picture(MARKUP, MARKUP, boxes, (way,)))
    root = etree.fromstring(text.encode())

    assert "<script" not in text
    assert "\n".join(root.itertext()).count(MARKUP) == 9
    assert {etree.QName(element).localname for element in root.iter()} <= {*["svg", "g", "style", "title", "text", "tspan", "rect", "path"]}  # fmt: skip
    assert not {name for element in root.iter() for name in element.attrib} & {"href", "src", "onload"}
    assert "url(" not in text
    assert "@import" not in text


def test_an_svg_tells_what_was_taken_and_why_a_step_did_not_run():
    root = etree.fromstring(svg_file(VISITS).encode())
    names = {"s": "http://www.w3.org/2000/svg"}

    def texts(selector: str) -> list[str]:
        return ["".join(found.itertext()) for found in root.xpath(selector, namespaces=names)]

    assert texts("//s:g[@class='way taken']/s:text") == ["on_failure"]
    assert texts("//s:g[@class='way left']/s:text") == ["when has_rows", "always"]
    assert texts("//s:g[@class='way left']/s:title") == ["on_success, when jobs/rules.py:has_rows"]
    assert texts("//s:g[@class='box step skipped']/s:title") == ["tell: load: failed, and the edge is on_success"]


LIGHTNESS = (
    "getComputedStyle(document.documentElement).backgroundColor.match(/\\d+/g).reduce((sum, part) => sum + +part, 0)"
)
OUTSIDE = """[...document.querySelectorAll('.box')].filter(box => {
    const frame = box.querySelector('rect').getBBox();
    return [...box.querySelectorAll('text')].map(text => text.getBBox()).some(text =>
        text.x < frame.x + 4 || text.x + text.width > frame.x + frame.width - 4 ||
        text.y < frame.y || text.y + text.height > frame.y + frame.height)
}).length"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_the_svg_with_all_text_in_its_boxes(browser: Browser, tmp_path, scheme):
    (tmp_path / "visits.svg").write_text(svg_file(VISITS), encoding="utf-8")

    browser.open(tmp_path / "visits.svg", width=900, scheme=scheme)

    assert browser.complaints() == []
    assert browser.ask("document.querySelectorAll('.box').length") == 4
    assert browser.ask(OUTSIDE) == 0
    assert (browser.ask(LIGHTNESS) > 380) == (scheme == "light")
