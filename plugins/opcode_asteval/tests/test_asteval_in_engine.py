"""Python expressions in a running engine: expr.eval, whose default they are."""

import asyncio
import json
import re
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import opcode_workflow.plugin as workflow
from opcode_asteval import plugin
from opcode_core import Engine
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    plugins = PluginManager(discover=False)
    plugins.register(plugin, "asteval")
    plugins.register(workflow, "workflow")
    async with Engine(MemoryStorage(), plugins) as engine:
        yield engine


def evaluate(expression: str, step_id: str = "s", **params) -> dict:
    return {"id": step_id, "action": "expr.eval", "params": {"expression": expression} | params}


async def run(engine: Engine, *steps: dict, **more):
    return await engine.run({"steps": list(steps)} | more, {})


async def test_it_is_the_default_of_expr_eval(engine):
    state = await run(engine, evaluate("sum(x.p for x in data)", data=[{"p": 1}, {"p": 2.5}]))
    assert (state.status, state.steps["s"].output) == ("completed", {"result": 3.5})


async def test_it_sees_the_scope(engine):
    expression = (
        "[steps.list.result[-1] + inputs.n, context.c, steps.list.status, workflow.run_id != '', data]"
    )
    steps = (evaluate("list(range(4))", "list"), evaluate(expression) | {"depends_on": ["list"]})
    state = await run(engine, *steps, inputs={"n": 7}, context={"c": "x"})
    assert state.status == "completed", state.error
    assert state.steps["s"].output == {"result": [10, "x", "completed", True, None]}


async def test_it_sees_the_loop_that_it_is_in(engine):
    loop = {
        "id": "loop",
        "type": "loop",
        "config": {"over": [5, 6], "body": [evaluate("loop.item * 10 + iter.index", "each")]},
    }
    state = await run(engine, loop)
    assert state.status == "completed", state.error
    assert [result["result"] for result in state.steps["loop"].output["results"]] == [50, 61]


@pytest.mark.parametrize(
    ("expression", "code", "words"),
    [
        ("inputs.gone", "EXECUTION_ERROR", "inputs has no 'gone'"),
        ("import os", "VALIDATION_ERROR", "write one expression"),
        ("[0 for a in range(10 ** 6) for b in range(10 ** 6)]", "TIMEOUT_ERROR", "not done after 1 s"),
    ],
)
async def test_failures_fail_the_step_and_not_the_run_beside_it(engine, expression, code, words):
    failed, beside = await asyncio.gather(run(engine, evaluate(expression)), run(engine, evaluate("1 + 1")))
    assert (failed.status, failed.error["code"]) == ("failed", code)
    assert words in failed.error["message"]
    assert beside.status == "completed"


async def test_nothing_of_the_server_is_seen(engine, monkeypatch):
    monkeypatch.setenv("OPCODE_VAULT_KEY", "do not show")
    for expression in (
        "steps.__class__",
        "workflow.__init__.__globals__",
        "f'{data.__class__}'",
        "secrets.X",
    ):
        state = await run(engine, evaluate(expression))
        assert state.status == "failed"
        assert "do not show" not in str(state.error)


README = Path(__file__).parents[1] / "README.md"


async def test_the_samples_of_the_readme(engine):
    workflow, use = re.findall(r"```(?:json|python)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile("async def use():\n" + textwrap.indent(use, "    "), str(README), "exec"), names)
    await names["use"]()
    state = await engine.run(json.loads(workflow), {})
    assert state.status == "completed", state.error
    assert state.steps["words"].output == {"result": "Ada pays 10.00"}
