"""docs/diagrams.md shows what the renderers draw today; `python tests/test_diagram_docs.py` draws it anew."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from opcode_core import Diagram
from opcode_core.cli.session import registry
from opcode_core.compiler import make_plan
from opcode_core.outline import outline
from opcode_core.state import RunState, StepState
from opcode_graphviz import program

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = DOCS / "diagrams.md"
TOOK = {"orders": 0.34, "each": 4.2, "each.iter_11.stock": 0.35, "large": 5401.0, "large.true.ask": 5400.0}
PICTURES = {"orders.png": "image", "orders.svg": "svg"}


def block(language: str) -> str:
    """The first block of a language in the page."""
    found = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found[1]


def template() -> Diagram:
    return outline(make_plan(json.loads(block("json")), registry()), "orders v3")


def run() -> Diagram:
    """Twelve orders, allowed by somebody after an hour and a half; shipping fails and is told instead."""
    state = RunState("r", "active")
    state.steps = {name: StepState("completed", started_at=0.0, ended_at=took) for name, took in TOOK.items()}
    state.steps["each"] = replace(state.steps["each"], output={"iterations": 12, "results": []})
    state.steps["ship"] = StepState("failed", started_at=0.0, ended_at=30.0)
    state.steps["tell"] = StepState("running", started_at=0.0)
    return outline(make_plan(json.loads(block("json")), registry()), "orders v3", state)


def drawing(format_: str, diagram: Diagram) -> str | bytes:
    return registry().renderers[format_].render(diagram)


@pytest.fixture
def only_the_one_from_pypi(monkeypatch):
    """Another version would place things elsewhere."""
    found = [path for path in program.installed() if path.endswith("graphviz-pure")]
    monkeypatch.setattr(program, "installed", lambda: found)


@pytest.mark.parametrize(("language", "format_"), [("text", "ascii"), ("mermaid", "mermaid")])
def test_what_is_shown_in_the_page(language: str, format_: str):
    assert block(language).rstrip("\n") == str(drawing(format_, template())).rstrip("\n")


@pytest.mark.usefixtures("only_the_one_from_pypi")
@pytest.mark.parametrize("name", PICTURES)
def test_the_pictures_beside_it(name: str):
    shown = (DOCS / "diagrams" / name).read_bytes()
    drawn = drawing(PICTURES[name], run())
    assert shown == (drawn.encode() if isinstance(drawn, str) else drawn)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    for language, format_ in (("text", "ascii"), ("mermaid", "mermaid")):
        fresh = f"```{language}\n{str(drawing(format_, template())).rstrip()}\n```"
        text = re.sub(rf"```{language}\n.*?```", lambda _, fresh=fresh: fresh, text, count=1, flags=re.DOTALL)
    PAGE.write_text(text, encoding="utf-8")
    for name, format_ in PICTURES.items():
        drawn = drawing(format_, run())
        (DOCS / "diagrams" / name).write_bytes(drawn.encode() if isinstance(drawn, str) else drawn)
