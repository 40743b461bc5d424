"""Any graph: whoever follows the lines with the eye arrives exactly where the edges lead."""

import itertools
from collections.abc import Iterator
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from wcwidth import iter_graphemes, wcswidth

from opcode_ascii.grouping import graph_of
from opcode_ascii.nets import nets_of
from opcode_ascii.picture import Picture, Rectangle, draw
from opcode_ascii.renderer import AsciiRenderer
from opcode_core import Diagram, Edge, Lane, Node

STATUSES = [None, "completed", "failed", "skipped", "running"]
UP, LEFT, RIGHT = set("│╎└┘├┤┴┼╧╪"), set("─╌┐┘┤┬┴┼"), set("─╌┌└├┬┴┼")
DOWN = set("│╎┌┐├┤┬┼╤╪")


@st.composite
def steps(draw, name: str, depth: int, texts: st.SearchStrategy[str] | None, names: Iterator[int]) -> Node:
    kind = draw(st.sampled_from(["action", "action", "wait", "reasoning", "condition", "loop", "parallel"]))
    lanes: tuple[Lane, ...] = ()
    label = f"s{next(names)}" if texts is None else draw(texts)
    if kind in ("condition", "loop", "parallel") and depth < 3:
        lanes = tuple(
            Lane(
                f"lane{i}",
                tuple(
                    draw(steps(f"{name}.{i}.{j}", depth + 1, texts, names))
                    for j in range(draw(st.integers(0, 2)))
                ),
            )
            for i in range(draw(st.integers(0, 3)))
        )
    detail, status = draw(st.sampled_from(["", "http.get"])), draw(st.sampled_from(STATUSES))
    return Node(name, label, kind, detail, status, None, lanes)


@st.composite
def diagrams(draw, texts: st.SearchStrategy[str] | None = None, most: int = 14) -> Diagram:
    count, names = draw(st.integers(1, most)), itertools.count()
    inner = [draw(steps(f"n{i}", 0, texts, names)) for i in range(count)]
    rarity = draw(st.integers(1, 6))
    edges = [
        Edge(f"n{i}", f"n{j}", *(("on error", "fallback") if draw(st.integers(0, 9)) == 0 else ()))
        for i, j in combinations(range(count), 2)
        if draw(st.integers(0, rarity)) == 0
    ]
    targets, sources = {edge.target for edge in edges}, {edge.source for edge in edges}
    edges += [Edge("start", node.id) for node in inner if node.id not in targets]
    edges += [Edge(node.id, "end") for node in inner if node.id not in sources]
    start, end = Node("start", "start", "start"), Node("end", "end", "end")
    return Diagram("any", (start, *inner, end), tuple(edges))


def reached(picture: Picture, rows: list[str], start: int) -> set[int]:
    """The shapes at which the lines out of a shape arrive, going down or sideways and never up."""
    at, found = picture.places[start], set()
    tops = {
        (x, place.top): i for i, place in picture.places.items() for x in range(place.left, place.right + 1)
    }
    ways = [
        (x, at.bottom + 1, "down")
        for x in range(at.left, at.right + 1)
        if rows[at.bottom + 1][x] in UP | {"▼", "▽"}
    ]
    seen = set()
    while ways:
        way = ways.pop()
        if way in seen:
            continue
        seen.add(way)
        x, y, direction = way
        char = rows[y][x]
        if char in "▼▽":
            found.add(tops[x, y + 1])
        elif char in "│╎" and direction != "down":  # a crossing
            ways.append((x + (1 if direction == "right" else -1), y, direction))
        else:
            assert char in {"down": UP, "left": RIGHT, "right": LEFT}[direction], (way, char)
            ways.extend([(x, y + 1, "down")] if char in DOWN else [])
            ways.extend([(x - 1, y, "left")] if char in LEFT and direction != "right" else [])
            ways.extend([(x + 1, y, "right")] if char in RIGHT and direction != "left" else [])
    return found


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return (
        one.left <= other.right + 1
        and other.left <= one.right + 1
        and one.top <= other.bottom
        and other.top <= one.bottom
    )


@settings(max_examples=120, deadline=None)
@given(diagrams())
def test_lines_lead_where_the_edges_lead(diagram: Diagram):
    graph = graph_of(diagram, 80)
    picture = draw(graph, 80)
    rows = [row.ljust(picture.canvas.width) for row in str(picture.canvas).split("\n")]
    expected: dict[int, set[int]] = {i: set() for i in picture.places}
    for net in picture.nets:
        for source in net.sources:
            expected[source].update(net.targets)
    assert {
        i: reached(picture, rows, i) if i < len(graph.shapes) - 1 else set() for i in picture.places
    } == expected


@settings(max_examples=80, deadline=None)
@given(diagrams(most=25))
def test_nothing_overlaps_and_everything_fits(diagram: Diagram):
    graph = graph_of(diagram, 80)
    picture = draw(graph, 80)
    assert sorted(picture.places) == list(range(len(graph.shapes)))
    assert not any(overlap(one, other) for one, other in combinations(picture.places.values(), 2))
    text = AsciiRenderer().render(diagram)
    assert all(len(line) <= 80 and line == line.rstrip() for line in text.split("\n"))
    # In a picture that mentions other steps the names are there more than once, but there in any case.
    assert [
        name for name in labels(diagram.nodes) if f" {name} " not in text and f"({name})" not in text
    ] == []


def labels(nodes: tuple[Node, ...]) -> Iterator[str]:
    for node in nodes:
        yield node.label
        for lane in node.lanes:
            yield from labels(lane.nodes)


@settings(max_examples=80, deadline=None)
@given(diagrams(texts=st.text(max_size=40), most=6))
def test_any_text_keeps_the_borders_in_their_columns(diagram: Diagram):
    picture = draw(graph_of(diagram, 80), 80)
    rows = [columns(row) for row in str(picture.canvas).split("\n")]
    for place in picture.places.values():
        for y in range(place.top, place.bottom + 1) if place.bottom > place.top else ():
            assert rows[y][place.left] in "│║╎┌└╔╚╭╰╱╲◇├╟", (place, rows[y])
            assert rows[y][place.right] in "│║╎┐┘╗╝╮╯╱╲◇┤╢", (place, rows[y])


def columns(row: str) -> list[str]:
    """What a terminal shows in each column."""
    return [cell for cluster in iter_graphemes(row) for cell in (cluster, *[""] * (wcswidth(cluster) - 1))]


@settings(max_examples=120, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40))
def test_nets_cover_every_link_exactly_once(pairs: set[tuple[int, int]]):
    from opcode_ascii.graph import Link

    links = [Link(min(pair), max(pair) + 1) for pair in pairs]
    covered = [
        (source, target)
        for net in nets_of(dict.fromkeys(links))
        for source in net.sources
        for target in net.targets
    ]
    assert sorted(covered) == sorted({(link.source, link.target) for link in links})
