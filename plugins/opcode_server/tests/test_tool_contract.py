"""What clients depend on: the tools' names, schemas and hints are those of the stored copy."""

import json
import os
from pathlib import Path

from opcode_core.hosting import Schema
from opcode_server.mcp.server import _described
from opcode_server.tools import TOOLS

STORED = Path(__file__).parent / "contract" / "tools.json"


def test_the_tools_are_those_of_the_stored_copy():
    """A change of a schema is a change for every client: run with OPCODE_STORE=1 to mean it, and say so in the changelog."""
    now = {
        name: {
            key: value
            for key, value in _described(name)
            .model_dump(mode="json", by_alias=True, exclude_none=True)
            .items()
            if key != "description"
        }
        for name in TOOLS
    }
    if os.environ.get("OPCODE_STORE"):
        STORED.parent.mkdir(exist_ok=True)
        STORED.write_text(json.dumps(now, indent=2, ensure_ascii=False) + "\n")
    assert now == json.loads(STORED.read_text())


def test_the_schemas_are_schemas():
    for tool in TOOLS.values():
        assert Schema(tool.input_schema).lacks() is None
        assert Schema(tool.output_schema).lacks() is None


def test_every_argument_says_what_it_is():
    for tool in TOOLS.values():
        for name, schema in tool.input_schema["properties"].items():
            assert schema.get("description"), f"{tool.name}: {name}"
        assert len(tool.description) > 200
