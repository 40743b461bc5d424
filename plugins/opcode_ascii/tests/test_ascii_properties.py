"""Any graph is drawn, with every box whole and none on top of another."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_ascii.layers import assign_layers, place
from opcode_ascii.renderer import AsciiRenderer
from opcode_core import Diagram, Edge, Lane, Node


@st.composite
def nodes(draw, prefix: str, depth: int = 0) -> Node:
    kind = draw(st.sampled_from(["action", "condition", "loop", "parallel", "wait", "reasoning"]))
    lanes: tuple[Lane, ...] = ()
    if kind in ("condition", "loop", "parallel") and depth < 3:
        count = draw(st.integers(1, 3))
        lanes = tuple(
            Lane(
                f"lane{i}",
                tuple(draw(nodes(f"{prefix}.{i}.{j}", depth + 1)) for j in range(draw(st.integers(0, 2)))),
            )
            for i in range(count)
        )
    status = draw(st.sampled_from([None, "completed", "failed", "skipped"]))
    return Node(prefix, draw(st.text(max_size=50)), kind, draw(st.text(max_size=30)), status, lanes=lanes)


@st.composite
def diagrams(draw) -> Diagram:
    count = draw(st.integers(1, 12))
    inner = [draw(nodes(f"n{i}")) for i in range(count)]
    edges = [
        Edge(f"n{i}", f"n{j}", kind=draw(st.sampled_from(["normal", "normal", "fallback"])))
        for i in range(count)
        for j in range(i + 1, count)
        if draw(st.integers(0, 3)) == 0
    ]
    targets, sources = {edge.target for edge in edges}, {edge.source for edge in edges}
    edges += [Edge("start", node.id) for node in inner if node.id not in targets]
    edges += [Edge(node.id, "end") for node in inner if node.id not in sources]
    start, end = Node("start", "start", "start"), Node("end", "end", "end")
    return Diagram("any", (start, *inner, end), tuple(edges))


@settings(max_examples=150, deadline=None)
@given(diagrams())
def test_every_graph_is_drawn(diagram: Diagram):
    text = AsciiRenderer().render(diagram)
    assert "(start)" in text
    assert "(end)" in text
    assert not any(line != line.rstrip(" ") for line in text.splitlines())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_items_keep_their_distance_and_go_downwards(data):
    widths = data.draw(st.lists(st.integers(3, 40), min_size=1, max_size=25))
    count = len(widths)
    edges = {
        (i, j): False for i in range(count) for j in range(i + 1, count) if data.draw(st.integers(0, 4)) == 0
    }
    layers = assign_layers(widths, list(edges), 80)
    assert all(layers[i] < layers[j] for i, j in edges)
    for row in place(widths, layers, edges, 80):
        for left, right in pairwise(row):
            assert left.centre - left.width // 2 + left.width < right.centre - right.width // 2 + 1
