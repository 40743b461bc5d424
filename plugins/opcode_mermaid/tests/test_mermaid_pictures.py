"""Flowcharts as they are expected, in `tests/pictures`; tests/mermaid_node asks Mermaid itself about them."""

import re
from pathlib import Path

import pytest

from opcode_core import Diagram, Node
from opcode_mermaid import MermaidRenderer
from opcode_testkit.diagrams import (
    HOSTILE,
    RendererConformance,
    every_kind,
    every_status,
    hostile,
    linked,
    long,
    step,
    wide,
)

PICTURES = Path(__file__).parent / "pictures"
GALLERY = {
    "every_kind": every_kind(),
    "every_status": every_status(),
    "hostile": hostile(),
    "long": long(500),
    "wide": wide(500),
}
TEXT = r"(?:[A-Za-z0-9 ,/=()]|[^\x00-\x7fﬂ¶]|(?<=[A-Za-z0-9])[._-](?=[A-Za-z0-9])|#\d+;|<br/>|</?b>)*"
LINES = (
    "---",
    'title: "[^"]*"',
    "flowchart TD",
    " *end",
    r' +subgraph g\d+\[" "\]',
    rf' +n\d+[\[({{]+"{TEXT}"[\])}}]+',
    rf' +[ng]\d+ -\.?->(\|"{TEXT}"\|)? [ng]\d+',
    " +classDef [a-z]+ [a-z0-9#:, -]+",
    r" +class [ng\d,]+ [a-z]+",
)


class TestMermaid(RendererConformance):
    renderer = MermaidRenderer()

    def check(self, drawing, diagram):
        assert len(drawing) < 50_000
        for line in drawing.removesuffix("\n").split("\n"):
            assert any(re.fullmatch(kind, line) for kind in LINES), line


@pytest.mark.parametrize("name", GALLERY)
def test_it_is_as_it_was(name: str):
    assert MermaidRenderer().render(GALLERY[name]) == (PICTURES / f"{name}.mmd").read_text(encoding="utf-8")


def test_texts_that_are_all_signs_stay_below_the_most_that_mermaid_shows():
    nodes = [Node(f"n{i}", '"' * 300, "action", "#" * 300) for i in range(99)]
    assert len(MermaidRenderer().render(linked(nodes, title='"' * 300))) < 50_000


@pytest.mark.parametrize("title", HOSTILE)
def test_a_title_is_one_quoted_line(title: str):
    lines = MermaidRenderer().render(Diagram(title, linked([step("a")]).nodes, ())).split("\n")
    if title.strip() and title != "\u202e":
        assert (lines[0], lines[2], lines[3]) == ("---", "---", "flowchart TD")
        assert re.fullmatch(r'title: "[^"%<>]*"', lines[1])
    else:
        assert lines[0] == "flowchart TD"


def test_an_empty_branch_is_there():
    assert '(("<b>start</b>"))' in MermaidRenderer().render(every_kind())
    assert re.search(r'n\d+ -->\|"false"\| n\d+', MermaidRenderer().render(every_kind()))


def test_a_status_that_nobody_knows_looks_pending():
    assert "class n2 pending" in MermaidRenderer().render(linked([step("a", status="classDef")]))
