"""The reference servers of the protocol, as they come from npm, as sources of actions in real workflows."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from opcode_core import Engine
from opcode_core.hosting import PluginManager
from opcode_core.memory import MemoryStorage

HERE = Path(__file__).resolve().parent
INSTALLED = 120.0
"""Seconds in which npm installs them."""
PLUGINS = ("assert", "cel", "mcp", "workflow")

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def node() -> str:
    """Node with the servers, as the lock says; without it nothing here can be tested."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("the reference servers were NOT tested: node and npm are not on this machine")
    if _versions(HERE / "node_modules/.package-lock.json") != _versions(HERE / "package-lock.json"):
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=HERE, capture_output=True, text=True, timeout=INSTALLED, check=False
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"the reference servers were NOT tested: npm ci took more than {INSTALLED:g} s")
        if done.returncode:
            pytest.skip(f"the reference servers were NOT tested: npm ci failed: {done.stderr.strip()[-500:]}")
    return node


def _versions(path: Path) -> dict[str, str]:
    """What a lock says; empty while there is none, or half of one."""
    packages = json.loads(path.read_text())["packages"] if path.exists() else {}
    return {name: package["version"] for name, package in packages.items() if name}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = (tmp_path / "files").resolve()
    path.mkdir()
    return path


@asynccontextmanager
async def engine(*configs: dict[str, Any]) -> AsyncIterator[Engine]:
    made = Engine(MemoryStorage(), PluginManager(allow=PLUGINS))
    async with made:
        (source,) = made.registry.provider_sources
        for config in configs:
            await source.add(made.storage, config)
        await made.recall_providers()
        yield made


def files(node: str, folder: Path) -> dict[str, Any]:
    script = HERE / "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
    return {"id": "files", "command": node, "args": [str(script), str(folder)]}


def everything(node: str) -> dict[str, Any]:
    script = HERE / "node_modules/@modelcontextprotocol/server-everything/dist/index.js"
    return {"id": "all", "command": node, "args": [str(script), "stdio"]}


def step(step_id: str, action: str, *before: str, **params: Any) -> dict[str, Any]:
    return {"id": step_id, "action": action, "params": params, "depends_on": list(before)}


async def test_files_are_written_listed_and_read(node: str, folder: Path) -> None:
    definition = {
        "inputs": {"dir": str(folder), "names": ["a.txt", "b.txt"]},
        "steps": [
            {
                "id": "each",
                "type": "loop",
                "config": {
                    "over": "${{inputs.names}}",
                    "body": [
                        step("write", "files.write_file", path="${{inputs.dir}}/${{loop.item}}", content="I am ${{loop.item}}")
                    ],
                },
            },
            step("list", "files.list_directory", "each", path="${{inputs.dir}}"),
            step("read", "files.read_text_file", "each", path="${{inputs.dir}}/a.txt"),
        ],
        "output": {"listed": "${{steps.list.content}}", "read": "${{steps.read.content}}"},
    }  # fmt: skip
    async with engine(files(node, folder)) as made:
        state = await made.run(definition)
        assert state.status == "completed", state.error
        assert state.output["read"] == "I am a.txt"
        assert state.output["listed"].split() == ["[FILE]", "a.txt", "[FILE]", "b.txt"]
        assert (folder / "b.txt").read_text() == "I am b.txt"
        assert made.registry.action("files.read_text_file").effect == "pure"
        outside = await made.run({"steps": [step("a", "files.read_text_file", path="/etc/passwd")]})
        assert outside.error["code"] == "EXECUTION_ERROR"
        assert "access denied" in outside.error["message"].lower()


async def test_what_the_server_of_everything_gives(node: str) -> None:
    async with engine(everything(node)) as made:
        state = await made.run({"steps": [
            step("echo", "all.echo", message="hello"),
            step("sum", "all.get-sum", a=1, b=2),
            step("weather", "all.get-structured-content", location="New York"),
            step("image", "all.get-tiny-image"),
        ]})  # fmt: skip
        assert state.status == "completed", state.error
        outputs = {name: one.output for name, one in state.steps.items()}
        assert outputs["echo"] == {"text": "Echo: hello"}
        assert "3" in outputs["sum"]["text"]
        assert set(outputs["weather"]) == {"temperature", "conditions", "humidity"}
        image = next(item for item in outputs["image"]["content"] if item["type"] == "image")
        assert (image["mimeType"], image["data"][:8]) == ("image/png", "iVBORw0K")
        late = step("a", "all.trigger-long-running-operation", duration=60, steps=5)
        state = await made.run({"steps": [{**late, "timeout": "500ms"}]})
        assert state.error["code"] == "TIMEOUT_ERROR"
        again = await made.run({"steps": [step("a", "all.echo", message="still here")]})
        assert again.output == {"a": {"text": "Echo: still here"}}


async def test_a_definition_is_checked_against_their_schemas(node: str, folder: Path) -> None:
    async with engine(everything(node)) as made:
        assert (await made.run({"steps": [step("a", "all.echo", message="x")]})).status == "completed"
        with pytest.raises(Exception, match=r"steps\[0\]\.params: 'b' is missing"):
            await made.plan({"steps": [step("a", "all.get-sum", a=1)]})
        with pytest.raises(Exception, match="did you mean 'all.echo'"):
            await made.plan({"steps": [step("a", "all.ecko", message="x")]})
