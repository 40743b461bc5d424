"""`make demo`: an agent lets OPCODE make a shop's morning report, over MCP, and decides what only it can decide."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from mcp import Client
from mcp.client.sse import sse_client
from service import shop

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
FOLDER = ROOT / ".demo"
AGENT = {"agent_id": "demo-agent"}


@contextmanager
def server() -> Iterator[str]:
    """`opcode serve` on a free port with a home of its own; gives its address."""
    environment = {**os.environ, "HOME": str(FOLDER), "OPCODE_LOG_LEVEL": "info"}
    command = [sys.executable, "-m", "opcode_core", "serve", "--listen", "127.0.0.1:0"]
    with (FOLDER / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stderr=log)
        try:
            yield _address(process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _address(process: "subprocess.Popen[bytes]") -> str:
    """From its log, once it says that it is ready."""
    with (FOLDER / "server.log").open() as log:
        while process.poll() is None:
            line = log.readline()
            if '"ready"' in line:
                return str(json.loads(line)["fields"]["url"])
    sys.exit(f"demo: the server did not start; see {FOLDER / 'server.log'}")


class Session:
    """The agent's side: calls tools, and shows what it does."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, shown: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; an error ends the demo."""
        bold = "\033[1m{}\033[0m" if sys.stdout.isatty() else "{}"
        print("\n" + bold.format(f"▶ {tool}") + f"  {shown}", flush=True)
        result = await self.client.call_tool(tool, arguments, progress_callback=_progress)
        if result.is_error:
            sys.exit(f"demo: {result.content[0].text}")  # type: ignore[union-attr]
        return result.structured_content or {}


async def _progress(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001
    print(f"    {progress:3.0f}  {message}", flush=True)


async def agent(url: str, address: str) -> dict[str, Any]:
    """Define, run, decide, look."""
    definition = json.loads((HERE / "workflow.json").read_text("utf-8"))
    async with Client(sse_client(f"{url}/sse")) as client:
        session = Session(client)
        tools = (await client.list_tools()).tools
        print(
            f"\nconnected over SSE ({client.protocol_version}); tools: {', '.join(tool.name for tool in tools)}"
        )
        defined = await session.call(
            "opcode.define",
            f"morning-report, {len(definition['steps'])} steps",
            name="morning-report",
            definition=definition,
            **AGENT,
        )
        print(f"    stored as {defined['version']}")
        params = {"shop": address, "out": str(FOLDER)}
        ran = await session.call(
            "opcode.run",
            "it waits until the run ends or needs somebody",
            template_name="morning-report",
            params=params,
            **AGENT,
        )
        (decision,) = ran["pending_decisions"]
        print(f"    {ran['status']}: {decision['context']['prompt']}")
        for option in decision["options"]:
            print(f"        {option['id']:5} {option['description']}")
        run_id = {"workflow_id": ran["workflow_id"]}
        await session.call(
            "opcode.signal",
            "the one thing that needs judgement",
            signal_type="decision",
            payload={"choice": "ship"},
            reasoning="all but the shelves are in stock",
            **run_id,
            **AGENT,
        )
        ended = await session.call("opcode.status", "until it has ended", **run_id)
        while ended["status"] == "active":
            ended = (await client.call_tool("opcode.status", run_id)).structured_content or {}
        print(json.dumps(ended["output"], indent=4))
        drawn = await session.call("opcode.diagram", "what happened", format="ascii", **run_id)
        print(drawn["diagram"])
        print(f"\nthe log has {len(ended['events'])} events; the last are")
        for event in ended["events"][-5:]:
            print(f"    {event['sequence']:3}  {event['event_type']:20} {event['step_id'] or ''}")
        return ended


def main() -> None:
    """The whole demo."""
    FOLDER.mkdir(exist_ok=True)
    os.chdir(ROOT)
    print("A small shop has opened on loopback; its exchange rates fail at first, as services do.")
    with shop() as address, server() as url:
        print(f"OPCODE is ready at {url}.")
        ended = asyncio.run(agent(url, address))
        print(f"\nThe panel for people is at {url}/ as long as the server runs; it stops now.")
    report = json.loads((FOLDER / "report.json").read_text("utf-8"))
    assert report["verdict"] == "review", report
    run_id = ended["workflow_id"]
    print(f"The report:  {FOLDER / 'report.json'}")
    print(f"Look again:  HOME={FOLDER} opcode status {run_id}")
    print("Go on:       make serve, then let your agent use it (README.md has the .mcp.json)")


if __name__ == "__main__":
    main()
