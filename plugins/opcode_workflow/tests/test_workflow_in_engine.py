"""The workflow.* actions in a running engine."""

from collections.abc import AsyncIterator

import pytest

from opcode_core import Engine
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager
from opcode_workflow import plugin


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    plugins = PluginManager(discover=False)
    plugins.register(plugin, "workflow")
    async with Engine(MemoryStorage(), plugins) as engine:
        yield engine


def one(name: str, /, **params) -> dict:
    return {"steps": [{"id": "s", "action": name, "params": params}]}


async def test_a_child_gives_its_output_to_the_step_that_waits(engine: Engine):
    await engine.define(
        "child",
        one("workflow.context", action="read") | {"context": {"n": 1}, "output": {"n": "${{context.n}}"}},
    )
    state = await engine.run(one("workflow.run", template_name="child"), {})
    assert (state.status, state.steps["s"].output) == ("completed", {"n": 1})


async def test_a_child_that_is_not_waited_for_is_named(engine: Engine):
    await engine.define("child", one("workflow.log", message="x"))
    state = await engine.run(one("workflow.run", template_name="child", wait=False), {})
    output = state.steps["s"].output
    assert output["status"] == "active"
    assert await engine.log(output["workflow_id"])


async def test_a_template_that_is_not_there_fails_the_step(engine: Engine):
    state = await engine.run(one("workflow.run", template_name="none"), {})
    assert (state.status, state.error["code"]) == ("failed", "NOT_FOUND")
    assert "none" in state.error["message"]


async def test_events_context_and_log_lines(engine: Engine):
    steps = [
        {"id": "e", "action": "workflow.emit", "params": {"event": "order_seen", "data": {"n": 1}}},
        {"id": "u", "action": "workflow.context", "params": {"action": "update", "data": {"a": 1}}},
        {"id": "r", "action": "workflow.context", "depends_on": ["u"]},
        {"id": "l", "action": "workflow.log", "params": {"message": "x", "context": "a further key"}},
        {"id": "n", "action": "workflow.notify", "params": {"message": "x"}},
    ]
    state = await engine.run({"steps": steps}, {})
    assert state.status == "completed", state.error
    assert [e.payload for e in await engine.log(state.id) if e.event_type == "order_seen"] == [{"n": 1}]
    assert state.steps["r"].output == {"a": 1}
    assert state.steps["l"].output == {"logged": True}
    assert state.steps["n"].output == {"notified": False, "reason": "the agent has no live session"}


async def test_fail_is_not_tried_again(engine: Engine):
    definition = one("workflow.fail", reason="no stock")
    definition["steps"][0]["retry"] = {"max": 3, "backoff": "none"}
    state = await engine.run(definition, {})
    assert (state.error["code"], state.error["message"]) == ("NON_RETRYABLE", "no stock")
    assert not [e for e in await engine.log(state.id) if e.event_type == "step_retrying"]
