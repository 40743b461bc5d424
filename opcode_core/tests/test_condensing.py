"""Large diagrams made small, and what must stay in them."""

import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opcode_core import Diagram, Edge, Lane, Node, condensed
from opcode_core.diagram import walk
from opcode_testkit.diagrams import (
    LARGE,
    diagrams,
    every_kind,
    in_a_row,
    linked,
    long,
    nested,
    step,
    web,
    wide,
)


def drawn(diagram: Diagram) -> list[Node]:
    return list(walk(diagram.nodes))


def left_out(diagram: Diagram) -> int:
    return sum(int(node.label.split()[1]) for node in drawn(diagram) if node.kind == "more")


def labels(diagram: Diagram) -> list[str]:
    return [node.label for node in drawn(diagram)]


def test_a_small_one_stays_as_it_is():
    for diagram in (every_kind(), wide(90), linked([])):
        assert condensed(diagram) is diagram


@pytest.mark.parametrize("name", LARGE)
def test_a_large_one_keeps_within_and_counts_what_is_left_out(name: str):
    diagram = LARGE[name]()
    small = condensed(diagram)
    assert len(drawn(small)) <= 100
    assert len(small.edges) <= 250
    shown = [node for node in drawn(small) if node.kind != "more"]
    assert len(shown) + left_out(small) == len(drawn(diagram))
    assert (small.nodes[0].kind, small.nodes[-1].kind) == ("start", "end")


def test_side_by_side_the_first_and_the_failed_stay():
    small = condensed(wide(500))
    assert [label for label in labels(small) if label != "… 485 more"][1:4] == ["page-0", "page-1", "page-2"]
    assert {node.label for node in small.nodes if node.status == "failed"} == {
        f"page-{i}" for i in range(7, 500, 90)
    }
    (more,) = (node for node in small.nodes if node.kind == "more")
    assert (more.status, more.detail) == ("completed", "485 completed")
    assert {(edge.source, edge.target) for edge in small.edges if more.id in (edge.source, edge.target)} == {
        ("(start)", more.id),
        (more.id, "(end)"),
    }


def test_in_a_row_the_ends_and_what_runs_stay():
    small = condensed(long(500))
    kept = labels(small)
    assert kept[:3] == ["start", "s0", "s1"]
    assert kept[-2:] == ["s499", "end"]
    assert "s250" in kept
    assert [node.kind for node in small.nodes].count("more") == 2
    assert [(edge.source, edge.target) for edge in small.edges] == [
        (one.id, two.id) for one, two in zip(small.nodes, small.nodes[1:], strict=False)
    ]


def test_without_a_run_it_is_said_from_where_to_where():
    small = condensed(in_a_row([step(f"s{i}") for i in range(300)]))
    (more,) = (node for node in small.nodes if node.kind == "more")
    first, last = more.detail.split(" … ")
    assert int(last[1:]) - int(first[1:]) + 1 == left_out(small)
    assert more.status is None


def test_a_mixture_of_what_is_over_and_what_is_not_has_no_colour():
    nodes = [step(f"s{i}", status="completed" if i % 2 else "pending") for i in range(300)]
    (more,) = (node for node in condensed(linked(nodes)).nodes if node.kind == "more")
    assert more.status is None
    assert (
        more.detail in ("143 pending, 142 completed", "142 completed, 143 pending")
        or "pending" in more.detail
    )


def test_a_failure_among_too_many_is_the_colour_of_the_rest():
    nodes = [step(f"s{i}", status="failed") for i in range(300)]
    (more,) = (node for node in condensed(linked(nodes)).nodes if node.kind == "more")
    assert more.status == "failed"


def test_lanes_and_what_is_in_them_are_folded():
    body = tuple(step(f"b{i}", status="failed" if i == 150 else "completed") for i in range(300))
    lanes = tuple(Lane(f"branch_{i}", (step(f"l{i}"),)) for i in range(100))
    diagram = linked(
        [
            step("l", "for_each x", "loop", lanes=(Lane("body", body),)),
            step("p", "all", "parallel", lanes=lanes),
        ]
    )
    small = condensed(diagram)
    loop, parallel = small.nodes[1:3]
    assert len(loop.lanes[0].nodes) <= 16
    assert "b150" in [node.label for node in loop.lanes[0].nodes]
    assert len(parallel.lanes) <= 12
    assert parallel.lanes[-1].label.startswith("… ")
    assert left_out(small) + len([n for n in drawn(small) if n.kind != "more"]) == len(drawn(diagram))


def test_nested_to_the_deepest_level():
    small = condensed(nested(40))
    assert len(drawn(small)) <= 100
    assert left_out(small) > 0


def test_fallbacks_stay_fallbacks():
    nodes = [step(f"s{i}") for i in range(200)]
    edges = [Edge(f"s{i}", f"s{i + 1}", "on error", "fallback") for i in range(199)]
    small = condensed(linked(nodes, edges))
    kinds = Counter(edge.kind for edge in small.edges)
    assert kinds["normal"] == 2
    assert {edge.label for edge in small.edges if "more" in edge.source + edge.target} == {""}
    assert kinds["fallback"] == len(small.edges) - 2


def test_the_densest_web_keeps_within():
    nodes = [step(f"s{i}", lanes=(Lane("body", (step(f"in{i}"),)),)) for i in range(150)]
    edges = [
        Edge(f"s{i}", f"s{j}", kind=kind)
        for j in range(150)
        for i in range(j)
        for kind in ("normal", "fallback")
    ]
    small = condensed(linked(nodes, edges), 50, 500)
    assert len(drawn(small)) <= 50
    assert len(small.edges) <= 500


def test_ten_thousand_steps_take_no_time():
    began = time.process_time()
    for diagram in (wide(10_000), long(10_000), web(2000)):
        assert len(drawn(condensed(diagram))) <= 100
    assert time.process_time() - began < 5


@settings(max_examples=60, deadline=None)
@given(diagram=diagrams(most=20), nodes=st.integers(1, 30), edges=st.integers(1, 30))
def test_any_diagram_stays_one(diagram: Diagram, nodes: int, edges: int):
    small = condensed(diagram, nodes, edges)
    ids = [node.id for node in drawn(small)]
    assert len(ids) == len(set(ids))
    place = {node.id: number for number, node in enumerate(small.nodes)}
    assert all(place[edge.source] < place[edge.target] for edge in small.edges)
    shown = [node for node in drawn(small) if node.kind != "more"]
    assert len(shown) + left_out(small) == len(drawn(diagram))
    outer = {node.id for node in diagram.nodes}
    assert {edge.source for edge in small.edges} | {"(end)"} >= {
        i for i in place if i in outer and i != "(end)"
    }
