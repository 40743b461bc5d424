"""What is measured: one function a case, each giving seconds for one repetition."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from opcode_core import Engine, action, hookimpl
from opcode_core.compiler import make_plan
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager

Case = tuple[str, int, Callable[[], Awaitable[float]]]


@action("bench.echo", effect="pure")
def echo(value: Any = None) -> dict[str, Any]:
    """Give back what came in."""
    return {"value": value}


@action("bench.touch", effect="external")
async def touch(value: Any = None) -> dict[str, Any]:
    """Give back what came in, as if the world had been changed."""
    return {"value": value}


class BenchPlugin:
    """The actions that the cases call."""

    @hookimpl
    def opcode_actions(self) -> list[Any]:
        """One that is pure and one that is not."""
        return [echo, touch]


def bench_plugins() -> PluginManager:
    """Every installed plugin and the benches' own."""
    plugins = PluginManager()
    plugins.register(BenchPlugin(), "bench")
    return plugins


@asynccontextmanager
async def engine(storage: str) -> AsyncIterator[Engine]:
    """An engine with every installed plugin, in memory or on a new SQLite file."""
    plugins = bench_plugins()
    if storage == "memory":
        async with Engine(MemoryStorage(), plugins) as ready:
            yield ready
    else:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/bench.db?durability={storage}"
            async with Engine(plugins.registry().storages["sqlite"](url), plugins) as ready:
                yield ready


def parallel(count: int, **step: Any) -> dict[str, Any]:
    """Steps that wait for nobody."""
    return {
        "steps": [
            {"id": f"s{i}", "action": "bench.echo", "params": {"value": i}, **step} for i in range(count)
        ]
    }


def chain(count: int, **step: Any) -> dict[str, Any]:
    """Steps that each wait for the one before."""
    workflow = parallel(count, **step)
    for i in range(1, count):
        workflow["steps"][i]["depends_on"] = [f"s{i - 1}"]
    return workflow


def templated(count: int) -> dict[str, Any]:
    """A chain in which each step reads the one before."""
    workflow = chain(count)
    for i in range(1, count):
        workflow["steps"][i]["params"] = {"value": f"${{{{steps.s{i - 1}.output.value}}}}"}
    return workflow


def guarded(count: int) -> dict[str, Any]:
    """A chain with a template and a guard on every step."""
    workflow = templated(count)
    for i in range(1, count):
        workflow["steps"][i]["condition"] = f"steps.s{i - 1}.value == 0"
    return workflow


def loop(iterations: int) -> dict[str, Any]:
    """One loop with one step inside."""
    body = [{"id": "s", "action": "bench.echo", "params": {"value": "${{loop.index}}"}}]
    return {"steps": [{"id": "l", "type": "loop", "config": {"over": list(range(iterations)), "body": body}}]}


def workflow_case(name: str, repeat: int, ready: Engine, definition: dict[str, Any]) -> Case:
    """One run of a workflow from start to stored end."""
    plan = make_plan(definition, ready.registry)

    async def once() -> float:
        began = time.perf_counter()
        state = await ready.run(plan)
        took = time.perf_counter() - began
        assert state.status == "completed", state.error
        return took

    return name, repeat, once


def command_case(name: str, *arguments: str) -> Case:
    """One start of the command line."""

    async def once() -> float:
        with tempfile.TemporaryDirectory() as home:
            began = time.perf_counter()
            subprocess.run(  # noqa: ASYNC221 - nothing else runs meanwhile
                [str(Path(sys.executable).with_name("opcode")), *arguments],
                env={**os.environ, "HOME": home},
                stdout=subprocess.DEVNULL,
                check=True,
            )
            return time.perf_counter() - began

    return name, 10, once
