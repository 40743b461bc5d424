"""Engines with tool servers, in memory and at once."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from opcode_core import Engine
from opcode_core.hosting import PluginManager
from opcode_core.memory import MemoryStorage

HERE = Path(__file__).resolve().parent
NAUGHTY = str(HERE / "naughty.py")
PLUGINS = ("assert", "cel", "crypto", "mcp", "vault", "workflow")


class House:
    """An engine, and short ways to what its tests do."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.source = engine.registry.provider_sources[0]
        self.storage = engine.storage
        self.python = sys.executable

    async def add(self, server_id: str, *arguments: str, **more) -> None:
        """Add naughty.py as a server, or what `more` says."""
        config = {"id": server_id, "command": sys.executable, "args": [NAUGHTY, *arguments]}
        if "url" in more or "command" in more:
            config = {"id": server_id}
        await self.source.add(self.storage, {**config, **more})
        await self.engine.recall_providers()
        for link in self.fleet.links.values():
            link.start()

    @property
    def fleet(self):
        return self.source.fleet(self.storage)

    def link(self, server_id: str):
        return self.fleet.links[server_id]

    async def until(self, server_id: str, health: str, words: str = "", within: float = 20.0):
        """Wait until a server is so."""

        def so():
            condition = self.link(server_id).condition
            return condition.health == health and words in condition.detail

        await eventually(so, lambda: self.link(server_id).condition, within)
        return self.link(server_id).condition

    async def run(self, action: str, params=None, **step):
        """Run a workflow of one step, and give its state."""
        steps = [{"id": "a", "action": action, "params": params or {}, **step}]
        return await self.engine.run({"steps": steps})

    async def output(self, action: str, params=None, **step):
        state = await self.run(action, params, **step)
        assert state.status == "completed", state.error
        return state.steps["a"].output

    async def error(self, action: str, params=None, **step):
        state = await self.run(action, params, **step)
        assert state.status == "failed", state.output
        return state.error


async def eventually(check: Callable[[], object], said: Callable[[], object], within: float = 20.0):
    until = time.monotonic() + within
    while time.monotonic() < until:
        if check():
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"it did not come to that: {said()}")


@asynccontextmanager
async def housed(storage=None, **options) -> AsyncIterator[House]:
    engine = Engine(storage or MemoryStorage(), PluginManager(allow=PLUGINS), **options)
    async with engine:
        yield House(engine)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(*pids: int, within: float = 10.0):
    await eventually(
        lambda: not any(map(is_alive, pids)), lambda: [pid for pid in pids if is_alive(pid)], within
    )


@contextmanager
def beside(*arguments: str):
    """A process that prints a port, until the end of the block; gives the port and the process."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        yield int(process.stdout.readline()), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def pids_in(note: Path) -> list[int]:
    return [int(line.split()[1]) for line in note.read_text().splitlines() if line.startswith("pid ")]


def tool(name: str, description: str = "It is.", **more):
    return {"name": name, "description": description, "inputSchema": {"type": "object"}, **more}


def write(path: Path, tools) -> str:
    path.write_text(json.dumps(tools))
    return str(path)
