"""jq in a running engine: expr.eval, and lists that loops go through."""

import asyncio
import json
import re
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import opcode_workflow.plugin as workflow
from opcode_core import Engine, OpcodeError
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager
from opcode_jq import plugin

LIST = {
    "id": "list",
    "action": "expr.eval",
    "params": {"engine": "jq", "expression": "[range(5) | {n: ., even: (. % 2 == 0)}]"},
}


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    plugins = PluginManager(discover=False)
    plugins.register(plugin, "jq")
    plugins.register(workflow, "workflow")
    async with Engine(MemoryStorage(), plugins) as engine:
        yield engine


async def run(engine: Engine, *steps: dict, **more):
    return await engine.run({"steps": list(steps)} | more, {})


def evaluate(expression: str, step_id: str = "s", **params) -> dict:
    return {
        "id": step_id,
        "action": "expr.eval",
        "params": {"engine": "jq", "expression": expression} | params,
    }


async def test_expr_eval_over_data(engine):
    state = await run(engine, evaluate(".items | map(.p) | add", data={"items": [{"p": 1}, {"p": 2.5}]}))
    assert (state.status, state.steps["s"].output) == ("completed", {"result": 3.5})


async def test_expr_eval_over_the_scope(engine):
    expression = "[.steps.list.result[] | select(.even) | .n] + [.inputs.n, .context.c, .steps.list.status]"
    steps = (LIST, evaluate(expression) | {"depends_on": ["list"]})
    state = await run(engine, *steps, inputs={"n": 7}, context={"c": "x"})
    assert state.status == "completed", state.error
    assert state.steps["s"].output == {"result": [0, 2, 4, 7, "x", "completed"]}


async def test_data_may_come_from_a_step(engine):
    step = evaluate("length", data="${{steps.list.result}}") | {"depends_on": ["list"]}
    state = await run(engine, LIST, step)
    assert state.steps["s"].output == {"result": 5}


async def test_a_failing_program_fails_the_step(engine):
    state = await run(engine, evaluate(".a.b.c", data={"a": 1}))
    assert (state.status, state.error["code"]) == ("failed", "EXECUTION_ERROR")
    assert "Cannot index number" in state.error["message"]
    state = await run(engine, evaluate(".a ["))
    assert (state.status, state.error["code"]) == ("failed", "VALIDATION_ERROR")


async def test_a_runaway_fails_the_step_and_not_the_run_beside_it(engine):
    away = run(engine, evaluate("last(range(1e12))"))
    beside = run(engine, LIST)

    away, beside = await asyncio.gather(away, beside)
    assert (away.status, away.error["code"]) == ("failed", "TIMEOUT_ERROR")
    assert beside.status == "completed"


@pytest.mark.parametrize(
    ("over", "seen"),
    [
        (".steps.list.result", [0, 1, 2, 3, 4]),
        ("[.steps.list.result[] | select(.even)]", [0, 2, 4]),
        ("jq: .steps.list.result | map(select(.n > 2))", [3, 4]),
        ("jq:[limit(2; .steps.list.result[])]", [0, 1]),
        (".steps.list.result | sort_by(-.n)", [4, 3, 2, 1, 0]),
    ],
)
async def test_loops_go_through_what_a_program_gives(engine, over, seen):
    loop = {
        "id": "loop",
        "type": "loop",
        "depends_on": ["list"],
        "config": {"mode": "for_each", "over": over, "body": [evaluate(".iter.item.n", "each")]},
    }
    state = await run(engine, LIST, loop)
    assert state.status == "completed", state.error
    assert [result["result"] for result in state.steps["loop"].output["results"]] == seen


async def test_a_loop_over_what_is_no_list_says_so(engine):
    loop = {"id": "loop", "type": "loop", "config": {"over": ".inputs", "body": [evaluate(".", "each")]}}
    state = await run(engine, loop, inputs={"a": 1})
    assert state.status == "failed"
    assert "must give a list" in state.error["message"]


async def test_a_program_that_cannot_be_read_is_refused_with_the_definition(engine):
    loop = {"id": "loop", "type": "loop", "config": {"over": "jq: .a [", "body": [evaluate(".", "each")]}}
    with pytest.raises(OpcodeError) as caught:
        await engine.define("bad", {"steps": [loop]})
    assert caught.value.code == "VALIDATION_ERROR"
    assert "over" in str(caught.value.to_dict())
    assert "syntax error" in str(caught.value.to_dict())


README = Path(__file__).parents[1] / "README.md"


async def test_the_samples_of_the_readme(engine):
    workflow, use = re.findall(r"```(?:json|python)\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    names: dict = {}
    exec(compile("async def use():\n" + textwrap.indent(use, "    "), str(README), "exec"), names)
    await names["use"]()
    definition = json.loads(workflow)
    items = [{"name": "a", "price": 20}, {"name": "b", "price": 5}]
    fetch = evaluate("{body: {items: $items}}".replace("$items", json.dumps(items)), "fetch")
    text = json.dumps(definition["steps"][1:]).replace("steps.fetch.body", "steps.fetch.result.body")
    state = await run(engine, fetch, *json.loads(text))
    assert state.status == "completed", state.error
    assert state.steps["total"].output == {"result": 25}
    assert state.steps["each"].output["iterations"] == 1
