"""Pictures as people see them."""

from collections.abc import Sequence

import pytest

from opcode_ascii.renderer import COLUMNS, AsciiRenderer
from opcode_ascii.text import width
from opcode_core import Diagram, Edge, Lane, Node


def draw(
    nodes: Sequence[Node], *edges: tuple[str, str], title: str = "t", fallback: tuple[str, str] | None = None
) -> str:
    """The drawing below the title, with start before what has nothing before it and end after the rest."""
    targets, sources = {target for _, target in edges}, {source for source, _ in edges}
    drawn = [Edge("start", node.id) for node in nodes if node.id not in targets]
    drawn += [Edge(*edge, *(("on error", "fallback") if edge == fallback else ())) for edge in edges]
    drawn += [Edge(node.id, "end") for node in nodes if node.id not in sources]
    all_nodes = (Node("start", "start", "start"), *nodes, Node("end", "end", "end"))
    text = AsciiRenderer().render(Diagram(title, all_nodes, tuple(drawn)))
    first, rest = text.split("\n\n", 1)
    assert first == title
    assert not any(line.endswith(" ") for line in text.splitlines())
    return "\n" + rest


def box(name: str, **fields) -> Node:
    return Node(name, fields.pop("label", name), fields.pop("kind", "action"), **fields)


def test_a_chain():
    nodes = [box("a", detail="http.get", status="completed", duration=0.178), box("b", status="failed")]
    assert (
        draw(nodes, ("a", "b"))
        == """
    (start)
       ▼
┌────────────┐
│ a          │
│ http.get   │
│ [OK] 178ms │
└──────┬─────┘
       ▼
  ┌────────┐
  │ b      │
  │ [FAIL] │
  └────┬───┘
       ▼
     (end)
"""
    )


def test_a_diamond_has_a_split_and_a_merge():
    picture = draw([box(n) for n in "abcd"], ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    rows = picture.splitlines()
    sides = next(row for row in rows if "│ b │" in row)
    assert "│ c │" in sides
    split = next(row for row in rows if "┌" in row and "┴" in row and "┐" in row)
    merge = next(
        row
        for row in rows
        if "└" in row
        and "┬" in row
        and "┘" in row
        and "─┬─" in row
        and rows.index(row) > rows.index(sides) + 1
    )
    assert rows.index(split) < rows.index(sides) < rows.index(merge)


def test_a_long_line_passes_beside_what_is_between():
    rows = draw([box(n) for n in "abc"], ("a", "b"), ("b", "c"), ("a", "c")).splitlines()
    beside = next(row for row in rows if "│ b │" in row)
    assert beside.replace("│ b │", "").strip() == "│"


def test_what_is_inside_stands_in_frames():
    note, ask = (
        box("x.true.note", label="note", status="completed"),
        box("x.false.ask", label="ask", status="skipped"),
    )
    inner = box(
        "l.iter_0.x", label="x", kind="condition", lanes=(Lane("true", (note,)), Lane("false", (ask,)))
    )
    outer = box(
        "p",
        kind="parallel",
        lanes=(
            Lane("branch_0", (box("l", kind="loop", lanes=(Lane("body", (inner,)),)),)),
            Lane("branch_1", (box("z"),)),
        ),
    )
    picture = draw([outer])
    rows = picture.splitlines()
    labels = next(row for row in rows if "branch_0" in row)
    assert "branch_1" in labels
    assert "║" in labels
    assert sum(row.count("╔") for row in rows) == 2
    lanes = next(row for row in rows if "true" in row)
    assert lanes.index("true") < lanes.index("false")
    assert "◇ x" in picture
    assert "[SKIP]" in picture


@pytest.mark.parametrize(
    ("status", "tag"),
    [
        ("completed", "[OK]"),
        ("failed", "[FAIL]"),
        ("running", "[RUN]"),
        ("suspended", "[WAIT]"),
        ("pending", "[PEND]"),
        ("scheduled", "[PEND]"),
        ("skipped", "[SKIP]"),
        ("retrying", "[RETRY]"),
        ("odd", "[ODD]"),
    ],
)
def test_each_status_has_its_tag(status: str, tag: str):
    assert tag in draw([box("a", status=status)])


def test_a_fallback_is_dashed_and_labelled():
    picture = draw([box("a"), box("b"), box("c")], ("a", "b"), ("a", "c"), fallback=("a", "b"))
    assert "▼ on error" in picture
    assert "╌" in picture or "╎" in picture


@pytest.mark.parametrize(
    "label",
    [
        "x" * 300,
        'a "quoted" <b>label</b>',
        "line\nbreak\ttab",
        "\x1b[31mred\x1b[0m",
        "日本語のラベル",
        "🎉 party",
        "e\u0301te\u0301",
        '"];x',
        "",
    ],
)
def test_no_label_breaks_the_box(label: str):
    picture = draw([box("a", label=label), box("b")], ("a", "b"))
    rows = picture.splitlines()
    top = next(i for i, row in enumerate(rows) if "┌" in row)
    assert width(rows[top]) == width(rows[top + 1]) == width(rows[top + 2])
    assert rows[top + 1].rstrip().endswith("│")
    assert "\x1b" not in picture
    assert max(map(width, rows)) <= COLUMNS


def test_forty_beside_each_other_are_folded_into_rows_of_80_columns():
    picture = draw([box(f"step-{i}", detail="http.get") for i in range(40)])
    assert all(f"step-{i} " in picture for i in range(40))
    assert max(map(width, picture.splitlines())) <= COLUMNS


def test_five_hundred_steps_are_drawn():
    nodes = [box(f"s{i}", detail="x.y", status="completed", duration=0.001) for i in range(500)]
    edges = [(f"s{i - 10}", f"s{i}") for i in range(10, 500)]
    picture = draw(nodes, *edges)
    assert all(f" s{i} " in picture for i in range(500))
