"""A fresh agent has nothing but the tools' own texts: every example in them is walked, so none goes stale."""

import json
import re

import pytest
from serving import data

from opcode_core.hosting import PluginManager
from opcode_server.mcp.resources import guide_text
from opcode_server.mcp.server import INSTRUCTIONS
from opcode_server.tools import TOOLS

ME = {"agent_id": "me"}


def examples(text):
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


async def test_from_nothing_to_a_workflow_with_a_loop_a_guard_and_a_decision(server):
    async with server.client("sse") as client:
        tools = {tool.name: tool.description for tool in (await client.list_tools()).tools}
        (definition,) = examples(tools["opcode.define"])
        (to_run,) = examples(tools["opcode.run"])
        (to_look,) = examples(tools["opcode.status"])
        (to_say,) = examples(tools["opcode.signal"])
        (to_list,) = examples(tools["opcode.query"])
        (to_draw,) = examples(tools["opcode.diagram"])
        name = to_run["template_name"]
        assert [step["type"] for step in definition["steps"] if "type" in step] == ["loop", "reasoning"]
        defined = data(
            await client.call_tool("opcode.define", {"name": name, "definition": definition, **ME})
        )
        assert defined["warnings"] == []
        ran = data(await client.call_tool("opcode.run", to_run))
        (decision,) = ran["pending_decisions"]
        assert to_say["payload"]["choice"] in [option["id"] for option in decision["options"]]
        run_id = {"workflow_id": ran["workflow_id"]}
        assert data(await client.call_tool("opcode.signal", {**to_say, **run_id}))["ok"]
        while (stands := data(await client.call_tool("opcode.status", {**to_look, **run_id})))[
            "status"
        ] == "active":
            pass
        assert stands["output"] == {"greeted": len(to_run["params"]["people"]), "choice": "yes"}
        assert stands["steps"]["report"]["status"] == "completed"
        (listed,) = data(await client.call_tool("opcode.query", to_list))["workflows"]
        assert listed["workflow_id"] == ran["workflow_id"]
        assert "greet" in data(await client.call_tool("opcode.diagram", to_draw))["diagram"]


@pytest.mark.parametrize("number", range(len(examples(guide_text()))))
async def test_every_workflow_of_the_guide_runs(server, number):
    definition = examples(guide_text())[number]
    async with server.client("http") as client:
        name = f"guide {number}"
        defined = data(
            await client.call_tool("opcode.define", {"name": name, "definition": definition, **ME})
        )
        assert defined["warnings"] == []
        ran = data(await client.call_tool("opcode.run", {"template_name": name, **ME}))
        for decision in ran["pending_decisions"]:
            said = {"choice": decision["options"][0]["id"]}
            call = {"workflow_id": ran["workflow_id"], "signal_type": "decision", "payload": said}
            assert data(await client.call_tool("opcode.signal", call))["ok"]
            while ran["status"] in ("suspended", "active"):
                ran = data(await client.call_tool("opcode.status", {"workflow_id": ran["workflow_id"]}))
        assert ran["status"] == "completed", ran["error"]


def test_the_texts_name_only_what_there_is():
    """Actions, step types and tools."""
    registry = PluginManager().registry()
    texts = "\n".join([guide_text(), INSTRUCTIONS, *(tool.description for tool in TOOLS.values())])
    named = set(re.findall(r'"action": "([\w.]+)"', texts))
    assert named
    assert named <= set(registry.action_names())
    assert set(re.findall(r"opcode\.[a-z]+(?=[\s`;,.)])", texts)) <= set(TOOLS)
