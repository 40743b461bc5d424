"""Mermaid itself, from npm, reads and draws what the renderer `mermaid` writes."""

import html
import json
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from opcode_core import Diagram, Node, condensed, node_words
from opcode_mermaid import MermaidRenderer
from opcode_testkit.diagrams import LARGE, diagrams, every_kind, every_status, hostile

HERE = Path(__file__).resolve().parent
PICTURES = HERE.parents[1] / "plugins/opcode_mermaid/tests/pictures"
PINNED = json.loads((HERE / "package.json").read_text())["dependencies"]
INSTALLED, DRAWN = 180.0, 120.0
"""Seconds in which a loaded machine installs Mermaid, and a browser draws."""
SHAPES = {
    "start": "circle",
    "end": "circle",
    "action": "square",
    "condition": "diamond",
    "reasoning": "hexagon",
    "wait": "stadium",
    "loop": "subroutine",
    "parallel": "subroutine",
    "more": "square",
}

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def node() -> str:
    """Node with Mermaid, as the lock says; without it nothing here can be tested."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Mermaid was NOT asked: node and npm are not on this machine")
    if installed() != locked():
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=HERE, capture_output=True, text=True, timeout=INSTALLED, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"Mermaid was NOT asked: npm ci took more than {INSTALLED:g} s")
        if done.returncode:
            pytest.skip(f"Mermaid was NOT asked: npm ci failed: {done.stderr.strip()[-500:]}")
    return node


def locked() -> dict[str, str]:
    return versions(HERE / "package-lock.json")


def installed() -> dict[str, str]:
    """What npm says at the end of an installation; empty while there is none, or half of one."""
    path = HERE / "node_modules/.package-lock.json"
    return versions(path) if path.exists() else {}


def versions(path: Path) -> dict[str, str]:
    packages = json.loads(path.read_text())["packages"]
    return {name: package["version"] for name, package in packages.items() if name}


class Mermaid:
    """A process that reads flowcharts."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def read(self, *texts: str) -> list[dict[str, Any]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(texts) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "it ended"
        answers: list[dict[str, Any]] = json.loads(line)
        return answers


@pytest.fixture(scope="module")
def mermaid(node: str) -> Iterator[Mermaid]:
    pipe = subprocess.PIPE
    with subprocess.Popen([node, "read.mjs"], cwd=HERE, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Mermaid(process)
        finally:
            process.kill()


def boxes(diagram: Diagram) -> Iterator[Node]:
    """Every node that is drawn, those inside a node after it."""
    pending = list(reversed(diagram.nodes))
    while pending:
        node = pending.pop()
        yield node
        pending += [inner for lane in reversed(node.lanes) for inner in reversed(lane.nodes)]


def words(node: Node) -> str:
    shown = node_words(node)
    return "\n".join(line for line in (shown.name, shown.detail, shown.state) if line)


def assert_understood(diagram: Diagram, answer: dict[str, Any]) -> None:
    """The same nodes with their words and shapes, edges and frames as in the diagram."""
    assert "error" not in answer, answer["error"]
    small = condensed(diagram)
    groups = {group["id"] for group in answer["groups"]}
    drawn = [node for node in answer["nodes"] if node["id"] not in groups and node["classes"] != ["nothing"]]
    expected = list(boxes(small))
    assert [(node["text"], node["shape"]) for node in drawn] == [
        (words(node), SHAPES[node.kind]) for node in expected
    ]
    assert not any(node["link"] for node in drawn)
    assert len(groups) == sum(bool(node.lanes) for node in expected)
    within = sum(max(len(lane.nodes), 1) for node in expected for lane in node.lanes)
    assert len(answer["edges"]) == len(small.edges) + within
    dashed = Counter(kind for *_, kind in answer["edges"])["dotted"]
    assert dashed == sum(edge.kind == "fallback" for edge in small.edges)


def test_the_lock_pins_every_version_and_names_no_registry():
    text = (HERE / "package-lock.json").read_text()
    assert locked()["node_modules/mermaid"] == PINNED["mermaid"]
    assert '"resolved"' not in text
    assert "://" not in text, "take out what npm writes under `funding`"


@pytest.mark.parametrize("diagram", [every_kind(), every_kind("skipped"), every_status(), hostile()])
def test_it_is_understood_word_for_word(mermaid: Mermaid, diagram: Diagram):
    (answer,) = mermaid.read(MermaidRenderer().render(diagram))
    assert_understood(diagram, answer)


@pytest.mark.parametrize("name", LARGE)
def test_large_ones(mermaid: Mermaid, name: str):
    diagram = LARGE[name]()
    (answer,) = mermaid.read(MermaidRenderer().render(diagram))
    assert_understood(diagram, answer)


def test_those_that_are_kept_as_examples(mermaid: Mermaid):
    texts = [path.read_text(encoding="utf-8") for path in sorted(PICTURES.glob("*.mmd"))]
    answers = mermaid.read(*texts)
    assert len(answers) >= 5
    assert not any("error" in answer for answer in answers)


@settings(max_examples=100, deadline=None)
@given(diagrams())
def test_any_diagram(mermaid: Mermaid, diagram: Diagram):
    (answer,) = mermaid.read(MermaidRenderer().render(diagram))
    assert_understood(diagram, answer)


def test_it_would_have_complained(mermaid: Mermaid):
    good, bad = mermaid.read("flowchart TD\n a-->b", 'flowchart TD\n a[""];x"]')
    assert "error" not in good
    assert "error" in bad


PAGE = """<!doctype html><meta charset="utf-8"><script src="mermaid.min.js"></script><body><script>
mermaid.initialize({{ startOnLoad: false, securityLevel: "strict" }});
(async () => {{
  const drawn = [];
  for (const [i, text] of {texts}.entries()) {{
    const began = performance.now();
    try {{
      const {{ svg }} = await mermaid.render("d" + i, text);
      const holder = document.createElement("div");
      holder.innerHTML = svg;
      document.body.append(holder);
      drawn.push({{
        words: [...holder.querySelectorAll("g.node")].map((node) => node.textContent.trim()),
        labels: holder.textContent,
        title: holder.querySelector(".flowchartTitleText")?.textContent ?? "",
        tags: [...new Set([...holder.querySelectorAll("*")].map((element) => element.localName))],
        acts: [...holder.querySelectorAll("*")].filter((element) =>
          [...element.attributes].some((one) => one.name.startsWith("on") || one.value.includes("javascript:"))
        ).length,
        took: performance.now() - began,
      }});
    }} catch (error) {{
      drawn.push({{ error: String(error) }});
    }}
  }}
  document.body.innerHTML = "";
  const out = document.createElement("pre");
  out.textContent = JSON.stringify(drawn);
  document.body.append(out);
}})();
</script>"""


@pytest.fixture(scope="module")
def drawn(node: str, tmp_path_factory) -> dict[str, Any]:
    """What a browser made of each."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("Mermaid's drawings were NOT looked at: there is no chromium on this machine")
    given = {
        "every_kind": every_kind("running"),
        "hostile": hostile(),
        **{name: make() for name, make in LARGE.items()},
    }
    texts = json.dumps([MermaidRenderer().render(diagram) for diagram in given.values()])
    home = tmp_path_factory.mktemp("page")
    (home / "mermaid.min.js").symlink_to(HERE / "node_modules/mermaid/dist/mermaid.min.js")
    (home / "page.html").write_text(PAGE.format(texts=texts.replace("<", "\\u003c")), encoding="utf-8")
    command = [
        browser,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={home / 'profile'}",
    ]
    command += ["--disable-background-networking", "--virtual-time-budget=100000", "--dump-dom"]
    began = time.monotonic()
    done = subprocess.run(
        [*command, (home / "page.html").as_uri()], capture_output=True, text=True, timeout=DRAWN, check=False
    )
    found = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
    assert found, (time.monotonic() - began, done.stderr[-1000:])
    return dict(zip(given, json.loads(html.unescape(found[1])), strict=True))


@pytest.mark.parametrize("name", ["every_kind", "hostile", *LARGE])
def test_a_browser_draws_it(drawn: dict[str, Any], name: str):
    assert "error" not in drawn[name], drawn[name]["error"]
    assert len(drawn[name]["words"]) > 5
    assert drawn[name]["acts"] == 0
    assert not {"script", "img", "a", "i", "iframe", "math"} & set(drawn[name]["tags"])
    assert "Unsupported markdown" not in drawn[name]["labels"]


def test_a_browser_shows_hostile_words_as_words(drawn: dict[str, Any]):
    shown = drawn["hostile"]
    for text in (
        '"];x',
        "end",
        "1. one 2. two - three # four",
        "fa:fa-car $$x^2$$ style a:b#c;",
        "a\\n\\N\\G\\E\\l\\\\",
    ):
        assert any(words.replace("\u200b", "").startswith(text) for words in shown["words"]), text
    assert any("<script>alert(1)</script>" in words for words in shown["words"])
    assert shown["title"].startswith('"];x end graph subgraph')
