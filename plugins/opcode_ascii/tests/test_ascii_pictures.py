"""Pictures as people see them: `tests/pictures/NAME.txt` is what is expected."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from wcwidth import wcswidth

from opcode_ascii.renderer import AsciiRenderer
from opcode_core import Diagram, Edge, Lane, Node, OpcodeError

PICTURES = Path(__file__).parent / "pictures"


def step(name: str, detail: str = "http.get", kind: str = "action", **fields) -> Node:
    return Node(name, fields.pop("label", name), kind, detail, **fields)


def diagram(nodes: Sequence[Node | str], *edges: str | Edge, title: str = "") -> Diagram:
    """Edges are written `a>b`; start comes before what has nothing before it, end after the rest."""
    steps = [node if isinstance(node, Node) else step(node) for node in nodes]
    links = [edge if isinstance(edge, Edge) else Edge(*edge.split(">")) for edge in edges]
    targets, sources = {link.target for link in links}, {link.source for link in links}
    links = [
        *(Edge("start", node.id) for node in steps if node.id not in targets),
        *links,
        *(Edge(node.id, "end") for node in steps if node.id not in sources),
    ]
    return Diagram(title, (Node("start", "start", "start"), *steps, Node("end", "end", "end")), tuple(links))


def fan(count: int, **fields) -> Diagram:
    work = [step(f"work_{i}", **fields) for i in range(count)]
    edges = [edge for node in work for edge in (f"split>{node.id}", f"{node.id}>join")]
    return diagram(["split", *work, "join"], *edges)


def nested() -> Diagram:
    check = step(
        "check",
        "steps.page.status_code == 200",
        "condition",
        status="completed",
        duration=1.2,
        lanes=(
            Lane(
                "true",
                (
                    step("save", "fs.write", status="completed", duration=0.4),
                    step("ask", "asks reviewer", "reasoning", status="suspended"),
                ),
            ),
            Lane("false", (step("alert", "http.post", status="skipped"),)),
        ),
    )
    sweep = step(
        "sweep",
        "for_each inputs.pages, 3 iterations",
        "loop",
        status="running",
        duration=4.0,
        lanes=(Lane("body", (step("page", status="completed"), check)),),
    )
    gather = step(
        "gather",
        "all",
        "parallel",
        status="running",
        lanes=(
            Lane("branch_0", (step("users", status="completed", duration=0.08), sweep)),
            Lane(
                "branch_1",
                (step("pause", "signal go", "wait", status="completed"), step("orders", status="pending")),
            ),
        ),
    )
    return diagram(["begin", gather, "done"], "begin>gather", "gather>done", title="nightly v3")


def statuses() -> Diagram:
    return diagram(
        [
            step("build", "shell.exec", status="completed", duration=72.4),
            step("test", "shell.exec", status="completed", duration=31.2),
            step("lint", "shell.exec", status="failed", duration=2.4),
            step("mirror", status="retrying", duration=1.0),
            step("notify", "workflow.notify", status="running", duration=0.5),
            step("sleep", "5m", "wait", status="suspended"),
            step("approve", "asks release-bot", "reasoning", status="scheduled"),
            step("ship", "http.post", status="skipped"),
        ],
        "build>test",
        "build>lint",
        "build>mirror",
        "test>sleep",
        "sleep>approve",
        "approve>ship",
        "lint>ship",
        Edge("lint", "notify", "on error", "fallback"),
        title="deploy v3",
    )


def long_edges() -> Diagram:
    return diagram(
        ["load", "clean", "train", "report", "publish"],
        *("load>clean", "clean>train", "train>report", "load>report", "load>publish", "report>publish"),
    )


def crossing() -> Diagram:
    return diagram(list("abcdef"), "a>d", "a>e", "b>e", "b>f", "c>d", "c>f")


def unicode_labels() -> Diagram:
    return diagram(
        [
            step("1", label="名前を取得する"),
            step("2", label="\x1b[31mred\x1b[0m\r\nline\ttab"),
            step(
                "3",
                label="e\u0301clair \U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f",
                detail="한국어 한국어 한국어 한국어",
            ),
            step("4", label='"];x \u202egnp.exe', detail="\x00\x9b\ud800"),
        ],
        "1>3",
        "2>3",
    )


def folded() -> Diagram:
    chains = [(f"read_{i}", f"write_{i}") for i in range(9)]
    return diagram([name for chain in chains for name in chain], *(f"{one}>{two}" for one, two in chains))


def five_hundred() -> Diagram:
    return diagram(
        [
            step(f"page-{i}", status="failed" if i % 90 == 7 else "completed", duration=i / 100)
            for i in range(500)
        ],
        title="crawl",
    )


GALLERY = {
    "chain": diagram(
        ["fetch", step("parse", "expr.eval"), step("store", "fs.write")], "fetch>parse", "parse>store"
    ),
    "diamond": diagram(list("abcd"), "a>b", "a>c", "b>d", "c>d"),
    "fan": fan(5),
    "all_to_all": diagram(list("abcxyz"), *(f"{one}>{two}" for one in "abc" for two in "xyz")),
    "long_edges": long_edges(),
    "crossing": crossing(),
    "nested": nested(),
    "statuses": statuses(),
    "long_labels": diagram([step("a" * 250 + "_1", "b" * 300), "c", step("d", "e" * 300)], "c>d"),
    "unicode": unicode_labels(),
    "folded": folded(),
    "forty": fan(40, status="completed", duration=0.25),
    "seven": fan(7),
    "five_hundred": five_hundred(),
}


def render(what: Diagram) -> str:
    text = AsciiRenderer().render(what)
    assert not any(line.endswith(" ") for line in text.split("\n"))
    assert max(map(wcswidth, text.split("\n"))) <= 80
    return text


@pytest.mark.parametrize("name", GALLERY)
def test_gallery(name: str):
    assert render(GALLERY[name]) + "\n" == (PICTURES / f"{name}.txt").read_text(encoding="utf-8")


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
    picture = render(diagram([step("a", status=status, duration=90)]))
    assert f"{tag} 1m30s" in picture
    assert picture.startswith(f"1 {tag}")


def test_without_a_run_nothing_is_said_about_states():
    assert "[" not in render(fan(3))


@pytest.mark.parametrize(
    "label",
    [
        "x" * 300,
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
    rows = render(diagram([step("a", label=label), "b"], "a>b")).split("\n")
    top = next(i for i, row in enumerate(rows) if "┌" in row)
    right = wcswidth(rows[top].split("┐")[0])
    assert rows[top + 1].endswith("│")
    assert wcswidth(rows[top + 1].rsplit("│", 1)[0]) == right
    assert not any(ord(char) < 32 or ord(char) == 127 for row in rows for char in row)


def test_names_that_differ_at_the_end_stay_different():
    long = [step(f"transform_customer_orders_{i}") for i in range(5)]
    picture = render(diagram(["s", *long, "j"], *(f"s>{n.id}" for n in long), *(f"{n.id}>j" for n in long)))
    assert all(f"…_{i}" in picture or f"rs_{i}" in picture for i in range(5))


def test_a_list_that_is_too_long_still_shows_what_failed():
    nodes = [step(f"s{i}", status="failed" if i == 499 else "completed") for i in range(500)]
    picture = render(diagram(nodes))
    assert "s499 [FAIL]" in picture
    assert "failed: s499" in picture
    assert "more: " in picture


def test_a_chain_of_five_hundred_is_a_table():
    nodes = [step(f"s{i}", status="completed", duration=0.001) for i in range(500)]
    picture = render(diagram(nodes, *(f"s{i}>s{i + 1}" for i in range(499))))
    assert all(f" s{i} " in picture for i in range(500))
    assert len(picture.split("\n")) < 520


def test_long_lists_inside_a_lane_are_tables():
    body = tuple(step(f"s{i}") for i in range(100))
    picture = render(diagram([step("l", "for_each x", "loop", lanes=(Lane("body", body),))]))
    assert "100 in a row" in picture
    assert len(picture.split("\n")) < 120


def test_a_web_of_five_hundred_mentions_what_it_cannot_draw():
    chance = random.Random(1)
    names = [f"s{i}" for i in range(500)]
    edges = [
        f"{names[i]}>{names[j]}"
        for j in range(500)
        for i in range(max(0, j - 30), j)
        if chance.random() < 0.1
    ]
    started = time.perf_counter()
    picture = render(diagram(names, *edges))
    assert time.perf_counter() - started < 2
    assert all(f" {name} " in picture for name in names)
    assert " after s" in picture
    assert " before s" in picture


def test_nesting_to_the_deepest_level_fits():
    node = step("inner")
    for depth in range(32):
        node = step(f"l{depth}", "while x", "loop", lanes=(Lane("body", (node,)),))
    assert "│ inner │" in render(diagram([node]))


def test_deeper_than_the_page_is_drawn_wider():
    node = step("inside")
    for depth in range(60):
        node = step(f"l{depth}", "while x", "loop", lanes=(Lane("body", (node,)),))
    rows = AsciiRenderer().render(diagram([node])).split("\n")
    assert any("l0" in row for row in rows)
    assert max(map(wcswidth, rows)) < 150


def test_lanes_that_do_not_fit_are_folded():
    lanes = tuple(Lane(f"branch_{i}", (step(f"s{i}"),)) for i in range(9))
    picture = render(diagram([step("p", "all", "parallel", lanes=lanes)]))
    assert all(f" branch_{i} " in picture and f" s{i} " in picture for i in range(9))


def test_an_empty_lane_is_shown():
    lanes = (Lane("true", ()), Lane("false", (step("a"),)))
    assert " true " in render(diagram([step("c", "x > 1", "condition", lanes=lanes)]))


def test_another_width():
    rows = AsciiRenderer(width=40).render(fan(5)).split("\n")
    assert max(map(wcswidth, rows)) <= 40
    rows = AsciiRenderer(width=200).render(fan(12)).split("\n")
    assert any(row.count("│ http.get  │") == 12 for row in rows)


def test_the_plugin_offers_it():
    from opcode_ascii.plugin import opcode_diagram_renderers

    (renderer,) = opcode_diagram_renderers()
    assert (renderer.format, renderer.media_type) == ("ascii", "text/plain; charset=utf-8")


def test_two_nodes_of_one_id_are_refused():
    with pytest.raises(OpcodeError, match="two nodes 'start'; rename the step"):
        AsciiRenderer().render(diagram(["start"]))
