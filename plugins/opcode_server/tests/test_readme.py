"""The session on the README's first page is one that happens."""

import json
import re
from pathlib import Path

from serving import data

README = (Path(__file__).resolve().parents[3] / "README.md").read_text("utf-8")


def session():
    """The calls and what the page says that they give."""
    block = README[README.index("→ opcode.define") :].partition("```")[0].strip()
    turns = re.findall(r"→ (opcode\.\w+) (.*?)\n← (.*?)(?=\n\n→|\Z)", block, re.DOTALL)
    return [(tool, json.loads(given), json.loads(got)) for tool, given, got in turns]


def fits(shown, got):
    """Whether `got` has at least what is shown; … stands for anything."""
    if shown == "…":
        return True
    if isinstance(shown, dict):
        return isinstance(got, dict) and all(name in got and fits(shown[name], got[name]) for name in shown)
    if isinstance(shown, list):
        return len(shown) == len(got) and all(map(fits, shown, got))
    return shown == got


async def test_the_session_happens_as_it_stands_there(server):
    turns = session()
    assert [tool for tool, _, _ in turns] == ["opcode.define", "opcode.run", "opcode.signal", "opcode.status"]
    run_id = "…"
    async with server.client("http") as client:
        for tool, given, shown in turns:
            call = {name: run_id if value == "…" else value for name, value in given.items()}
            got = data(await client.call_tool(tool, call))
            while tool == "opcode.status" and got["status"] == "active":
                got = data(await client.call_tool(tool, call))
            assert fits(shown, got), (shown, got)
            run_id = got.get("workflow_id", run_id)


def test_the_entry_for_clients_names_an_address_that_is_served():
    (entry,) = [
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", README, re.DOTALL)
        if "mcpServers" in block
    ]
    assert entry["mcpServers"]["opcode"]["url"] == "http://127.0.0.1:4100/mcp"
