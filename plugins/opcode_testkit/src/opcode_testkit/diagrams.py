"""Diagrams to draw, and the suite that every renderer must pass."""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opcode_core import Diagram, Edge, Lane, Node, NodeKind, Renderer

STATUSES: Final = (
    ("completed", 72.4),
    ("failed", 2.4),
    ("running", None),
    ("retrying", None),
    ("suspended", None),
    ("scheduled", None),
    ("pending", None),
    ("skipped", 0.0),
)
"""Every status of a step, with a duration where it has one."""
HOSTILE: Final = (
    '"];x',
    "end",
    "graph subgraph class style click default",
    "%% comment %%{init: {'theme': 'dark'}}%%",
    "---\ntitle: x\n---",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "&lt;&#60;&amp;quot; #quot; #35; ﬂ°°60¶ß",
    "a\\n\\N\\G\\E\\l\\\\",
    "`**bold** _it_ ~~x~~ [a](b) www.example.com a@b.c http://x.y`",
    "1. one\n2. two\n- three\n# four",
    "fa:fa-car $$x^2$$ style a:b#c;",
    "{{}} [[]] (()) {} |pipe| --> -.-> ::: @{ shape: x }",
    "}]; digraph x { a -> b } /* */ // #",
    "]]> --> <!-- <![CDATA[ ?>",
    "\x00\x01\x1b[31m\x7f\x9b\ud800\ufffe\uffff",
    "\u202egnp.exe\u2066\u200f",
    "שלום עולם مرحبا بالعالم",
    "名前を取得する 한국어",
    "👨\u200d👩\u200d👧 ❤\ufe0f 🎉",
    "e\u0301" * 40,
    "x" * 300,
    "a b " * 100,
    '"' * 300,
    "",
    " \n\t ",
)
"""Texts that must come out as text."""


def step(name: str, detail: str = "http.get", kind: NodeKind = "action", **fields: Any) -> Node:
    """A step that is called like its id."""
    return Node(name, fields.pop("label", name), kind, detail, **fields)


def linked(nodes: Sequence[Node], edges: Sequence[Edge] = (), title: str = "") -> Diagram:
    """With the edges from the start and to the end that such nodes have."""
    targets, sources = {edge.target for edge in edges}, {edge.source for edge in edges}
    starting = [Edge("(start)", node.id) for node in nodes if node.id not in targets]
    ending = [Edge(node.id, "(end)") for node in nodes if node.id not in sources]
    inner = (Node("(start)", "start", "start"), *nodes, Node("(end)", "end", "end"))
    return Diagram(title, inner, (*starting, *edges, *ending))


def in_a_row(nodes: Sequence[Node], title: str = "") -> Diagram:
    """One after another."""
    edges = [Edge(one.id, two.id) for one, two in itertools.pairwise(nodes)]
    return linked(nodes, edges, title)


def every_status() -> Diagram:
    """A step of each status, with an `on_error` path."""
    nodes = [step(f"s_{status}", status=status, duration=took) for status, took in STATUSES]
    edges = [Edge("s_completed", node.id) for node in nodes[2:]]
    edges.append(Edge("s_completed", "s_failed"))
    edges.append(Edge("s_failed", "s_skipped", "on error", "fallback"))
    return linked(nodes, edges, "every status")


def every_kind(status: str | None = None) -> Diagram:
    """A step of each type, with nested ones."""
    ask = step("ask", "asks reviewer", "reasoning", status=status)
    check = step(
        "check",
        "steps.page.status_code == 200",
        "condition",
        status=status,
        lanes=(Lane("true", (step("save", "fs.write", status=status), ask)), Lane("false", ())),
    )
    sweep = step(
        "sweep",
        "for_each inputs.pages",
        "loop",
        status=status,
        duration=None if status is None else 4.0,
        lanes=(Lane("body", (step("page", status=status), check)),),
    )
    pause = step("pause", "signal go", "wait", status=status)
    lanes = (Lane("branch_0", (step("users", status=status), sweep)), Lane("branch_1", (pause,)))
    gather = step("gather", "all", "parallel", status=status, lanes=lanes)
    return in_a_row([step("begin", status=status), gather, step("done", status=status)], "every kind")


def nested(depth: int) -> Diagram:
    """Loops in branches in loops, `depth` of each."""
    inside = step("inner", status="running")
    for number in range(depth):
        beside = (
            Lane("true", (step(f"a{number}", status="completed"), inside)),
            Lane("false", (step(f"b{number}", status="skipped"),)),
        )
        branch = step(f"check{number}", "x > 1", "condition", status="running", lanes=beside)
        inside = step(
            f"loop{number}", "for_each x", "loop", status="running", lanes=(Lane("body", (branch,)),)
        )
    return linked([inside], title="deep")


def wide(count: int) -> Diagram:
    """Side by side; each ninetieth failed."""
    nodes = [
        step(f"page-{i}", status="failed" if i % 90 == 7 else "completed", duration=i / 100)
        for i in range(count)
    ]
    return linked(nodes, title="wide")


def long(count: int) -> Diagram:
    """One after another, where the run is half through."""
    middle = count // 2
    nodes = [
        step(f"s{i}", status="completed" if i < middle else "running" if i == middle else "pending")
        for i in range(count)
    ]
    return in_a_row(nodes, "long")


def web(count: int) -> Diagram:
    """Each after several of those before it."""
    nodes = [step(f"s{i}") for i in range(count)]
    edges = [
        Edge(f"s{i}", f"s{j}")
        for j in range(count)
        for i in range(max(0, j - 30), j)
        if (i * 7 + j) % 11 == 0
    ]
    return linked(nodes, edges, "web")


def hostile() -> Diagram:
    """Every hostile text as a name, a detail, a branch, the words at an edge, and the title."""
    nodes = [step(f"n{i}", text, label=text) for i, text in enumerate(HOSTILE)]
    lanes = tuple(Lane(text, (step(f"l{i}", text, label=text),)) for i, text in enumerate(HOSTILE[:11]))
    nodes.append(step("branches", "x", "parallel", lanes=lanes))
    edges = [
        Edge(one.id, two.id, text)
        for (one, two), text in zip(itertools.pairwise(nodes), HOSTILE, strict=True)
    ]
    return linked(nodes, edges, " ".join(HOSTILE))


LARGE: Final[dict[str, Callable[[], Diagram]]] = {
    "wide": lambda: wide(500),
    "long": lambda: long(500),
    "deep": lambda: nested(6),
    "web": lambda: web(500),
}
"""Diagrams that are only readable when something is left out."""


_KINDS: Final[tuple[NodeKind, ...]] = ("action", "wait", "reasoning", "condition", "loop", "parallel")


@st.composite
def steps(draw: st.DrawFn, names: Iterator[int], texts: st.SearchStrategy[str], depth: int = 0) -> Node:
    """Any step."""
    kind = draw(st.sampled_from(_KINDS))
    lanes: tuple[Lane, ...] = ()
    if kind in ("condition", "loop", "parallel") and depth < 3:
        rows = draw(st.lists(st.integers(0, 2), max_size=3))
        lanes = tuple(
            Lane(draw(texts), tuple(draw(steps(names, texts, depth + 1)) for _ in range(row))) for row in rows
        )
    status = draw(st.sampled_from([None, "odd", *(status for status, _ in STATUSES)]))
    duration = draw(st.none() | st.floats(0, 1e6))
    return Node(f"n{next(names)}", draw(texts), kind, draw(texts), status, duration, lanes)


@st.composite
def diagrams(draw: st.DrawFn, texts: st.SearchStrategy[str] | None = None, most: int = 8) -> Diagram:
    """Any diagram, with any texts in it."""
    texts = texts or st.text(max_size=30) | st.sampled_from(HOSTILE)
    names = itertools.count()
    nodes = [draw(steps(names, texts)) for _ in range(draw(st.integers(1, most)))]
    pairs = draw(st.lists(st.sampled_from(list(itertools.combinations(range(most + 1), 2))), max_size=12))
    edges = [
        Edge(nodes[i].id, nodes[j].id, draw(texts), draw(st.sampled_from(["normal", "fallback"])))
        for i, j in dict.fromkeys(pairs)
        if j < len(nodes)
    ]
    return linked(nodes, edges, draw(texts))


class RendererConformance:
    """Say in a subclass which `renderer` is tried, and in `check` when a drawing is of its format."""

    renderer: Renderer

    def check(self, drawing: Any, diagram: Diagram) -> None:
        """Fail when the drawing is not of its format."""
        assert drawing
        assert diagram.nodes

    def draw(self, diagram: Diagram) -> str | bytes:
        """The drawing, checked."""
        drawing = self.renderer.render(diagram)
        assert isinstance(drawing, bytes if self.renderer.media_type == "image/png" else str)
        self.check(drawing, diagram)
        return drawing

    @pytest.mark.parametrize("status", [None, *(status for status, _ in STATUSES)])
    def test_every_kind_of_step_in_every_status(self, status: str | None) -> None:
        """Each looks different from the same without a run."""
        with_run = self.draw(every_kind(status))
        without = self.draw(every_kind())
        assert (with_run == without) == (status is None)

    def test_hostile_texts(self) -> None:
        """All of them at once."""
        self.draw(hostile())

    @pytest.mark.parametrize("name", LARGE)
    def test_large_ones_in_time(self, name: str) -> None:
        """At most two seconds on a machine that has other things to do."""
        diagram = LARGE[name]()
        began = time.process_time(), time.perf_counter()
        drawing = self.renderer.render(diagram)
        took = time.process_time() - began[0], time.perf_counter() - began[1]
        self.check(drawing, diagram)
        assert took[0] < 2
        assert took[1] < 10

    def test_the_same_twice(self) -> None:
        """A drawing tells nothing but its diagram."""
        assert self.renderer.render(every_kind()) == self.renderer.render(every_kind())

    def test_two_steps_of_one_label_and_nothing_at_all(self) -> None:
        """Labels are not ids."""
        self.draw(linked([step("a", label="x"), step("b", label="x")]))
        self.draw(linked([]))

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(diagram=diagrams())
    def test_any_diagram(self, diagram: Diagram) -> None:
        """With any text in any place."""
        self.draw(diagram)
