"""What docs/cel.md promises is so."""

import json
import re
from pathlib import Path

import pytest

from opcode_cel import CelEngine, engine, meter
from opcode_cel.formats import MAX_PRECISION
from opcode_cel.functions import FORMS, FUNCTIONS, MACROS, MOST
from opcode_cel.lists import MAX_SORTED
from opcode_cel.syntax import MAX_DEPTH, MAX_TOKENS
from opcode_core.patterns import MOST_CHARACTERS, MOST_WORK

PROJECT = Path(__file__).parents[3]
DOCS = (PROJECT / "docs" / "cel.md").read_text("utf-8")
README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
ROWS = re.findall(r"^\| (`[^|]+) \| [^|]+ \| `([^|]+)` \| `([^|]+)` \|$", DOCS, re.MULTILINE)
OFFERED = {*FUNCTIONS, *MACROS, *FORMS}


def named(cells: str) -> set[str]:
    return set(re.findall(r"`([\w.]+)", cells))


def test_every_function_is_named_and_nothing_else():
    assert set().union(*(named(cell) for cell, _, _ in ROWS)) == OFFERED


def test_the_readme_names_them_too():
    assert named(README) >= OFFERED


@pytest.mark.parametrize(("cell", "example", "value"), ROWS, ids=[row[1] for row in ROWS])
def test_every_example_gives_its_value(cell, example, value):
    assert any(re.search(rf"\b{re.escape(name)}\(", example) for name in named(cell))
    result = CelEngine().compile(example).evaluate({})
    assert json.dumps(result) == json.dumps(json.loads(value))


def test_the_bounds_are_those_of_the_code():
    text = DOCS[DOCS.index("## Bounds") :]
    numbers = [
        *(f"{engine.MAX_SOURCE >> 10} KiB", f"| {MAX_TOKENS:,} |", f"| {MAX_DEPTH} levels"),
        *(f"| {meter.SECONDS:g} s of", f"| {meter.ROOM >> 20} MiB |", f"| {MOST_CHARACTERS:,} characters"),
        *(f"| {MOST_WORK:,} steps", f"| {MAX_SORTED:,} |", f"| {MAX_PRECISION} |", f"| {MOST} |"),
    ]
    assert [number for number in numbers if number not in text] == []
