"""The agent skill says what is so: every workflow in it runs, every command in it works, every table is complete."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opcode_core import DecisionFilter, ErrorCode
from opcode_core.definition import Definition, StepFields
from opcode_core.engine.engine import Engine
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager

SKILL = Path(__file__).resolve().parent.parent / "skills" / "opcode"
REFERENCES = SKILL / "references"
PAGES = [SKILL / "SKILL.md", *sorted(REFERENCES.glob("*.md"))]
OPCODE = Path(sys.executable).with_name("opcode")

WORKFLOWS = [
    pytest.param(json.loads(block), id=f"{page.stem} {number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```json\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
]
OUTPUTS: dict[str, Any] = {
    "SKILL 0": {"count": 1},
    "schema 0": {"branch": "true"},
    "actions 0": {"total": 3, "code": "eyJ0b3RhbCI6IDN9"},
    "expressions 0": {"cel": "ink:3", "jq": {"ink": 3}, "python": ["PEN", "INK"], "expr": ["ink"]},
    "errors 0": {"optional": "skipped"},
    "patterns 2": {"tries": 3},
}
ANSWERS: dict[str, dict[str, Any]] = {"extract": {"choice": "read", "data": {"total": 12.5}}}
"""What is decided, by step; elsewhere the first option is chosen."""


@pytest.fixture
async def engine():
    async with Engine(MemoryStorage()) as engine:
        yield engine


@pytest.mark.parametrize("workflow", WORKFLOWS)
async def test_every_workflow_runs_to_its_end(engine: Engine, workflow, request):
    _, warnings = await engine.define("shown", workflow)
    assert not warnings
    state = await engine.run("shown", {})
    while state.status == "suspended":
        for decision in (await engine.storage.decisions(DecisionFilter(workflow_id=state.id))).items:
            options = decision.options or [{"id": None}]
            answer = ANSWERS.get(decision.step_id, {"choice": options[0]["id"]})
            await engine.signal(state.id, "decision", answer, step_id=decision.step_id)
        state = await engine.wait(state.id)
    assert (state.status, state.error) == ("completed", None)
    expected = OUTPUTS.get(request.node.callspec.id, {})
    assert {name: state.output[name] for name in expected} == expected


def test_every_command_works(tmp_path: Path):
    (tmp_path / "flow.json").write_text(json.dumps({"steps": [{"id": "id", "action": "crypto.uuid"}]}))
    (tmp_path / "list.json").write_text("[1, 2]")
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    blocks = re.findall(r"```console\n(.*?)```", (REFERENCES / "operations.md").read_text(), re.DOTALL)
    commands = [line.removeprefix("$ ") for block in blocks for line in block.splitlines()]
    assert len(commands) > 5
    for line in commands:
        program, *arguments = shlex.split(line)
        assert program == "opcode"
        done = subprocess.run(
            [OPCODE, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_every_command_that_is_named_exists():
    named = {name for page in PAGES for name in re.findall(r"`opcode ([a-z]+)", page.read_text())}
    shown = subprocess.run([OPCODE, "--help"], capture_output=True, text=True, check=True).stdout
    assert named <= set(re.findall(r"^  ([a-z]+)  ", shown, re.MULTILINE))


def named(page: str) -> set[str]:
    """Everything that a page puts between backquotes."""
    return set(re.findall(r"`([^`\n]+)`", (REFERENCES / page).read_text()))


def test_the_tables_are_complete():
    actions = set(PluginManager().registry().actions)
    assert actions <= named("actions.md")
    assert set(ErrorCode) <= named("errors.md")
    models = [Definition, StepFields, *StepFields.__subclasses__()]
    fields = {field.alias or name for model in models for name, field in model.model_fields.items()}
    assert fields <= named("schema.md")


def test_it_can_be_read_at_once():
    text = (SKILL / "SKILL.md").read_text()
    assert re.match(r"---\nname: opcode\ndescription: .{50,1024}\n---\n", text)
    assert len(text) < 6000
    for page in PAGES:
        assert len(page.read_text()) < 6000
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
            assert (page.parent / link).is_file()
