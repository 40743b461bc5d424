"""What an action may ask of its run."""

import pytest
from engine_workbench import echo, gate, step, workflow

from opcode_core import hookimpl
from opcode_core.events import RESERVED


async def test_an_event_of_its_own(bench):
    state = await bench.run(
        workflow(step("a", "t.emit", {"event_type": "order.placed", "payload": {"n": 1}}))
    )
    (event,) = await bench.events(state, "order.placed")
    assert (event.step_id, event.payload, event.agent_id) == ("a", {"n": 1}, "local")


@pytest.mark.parametrize("event_type", sorted(RESERVED))
async def test_the_engines_own_events_cannot_be_forged(bench, event_type):
    state = await bench.run(workflow(step("a", "t.emit", {"event_type": event_type})))
    assert (state.status, state.error["code"]) == ("failed", "VALIDATION_ERROR")
    assert f"'{event_type}' is the engine's own" in state.error["message"]


async def test_what_is_not_json_is_no_payload(bench):
    from opcode_core import ActionContext, action

    class Plugin:
        @hookimpl
        def opcode_actions(self):
            @action("x.emit", effect="idempotent")
            async def emit(ctx: ActionContext) -> None:
                await ctx.run.emit("custom", {"x": object()})

            return [emit]

    bench.engine.registry.add_actions(Plugin().opcode_actions(), "x")
    state = await bench.run(workflow(step("a", "x.emit")))
    assert (state.error["code"], state.error["step_id"]) == ("VALIDATION_ERROR", "a")
    assert "is not JSON" in state.error["message"]


async def test_an_action_that_keeps_its_hands_on_what_it_gave_changes_nothing(bench):
    from opcode_core import ActionContext, action

    @action("x.sly", effect="idempotent")
    async def sly(ctx: ActionContext) -> None:
        data = {"list": [1]}
        await ctx.run.emit("custom", data)
        await ctx.run.update_context(data)
        data["list"].append("later")
        (await ctx.run.read_context())["list"].append("through the back door")

    bench.engine.registry.add_actions([sly], "x")
    state = await bench.run(workflow(step("a", "x.sly")))
    assert (await bench.events(state, "custom"))[0].payload == {"list": [1]}
    assert state.context == {"list": [1]}


async def test_its_own_context_by_its_own_id(bench):
    state = await bench.run(
        workflow(
            step("w", "t.remember", {"data": {"n": 2}, "run": "${{workflow.run_id}}"}),
            step("r", "t.recall", {"run": "${{workflow.run_id}}"}, after="w"),
        )
    )
    assert state.output == {"r": {"n": 2}}


async def test_another_runs_context(bench):
    other = await bench.start(workflow(gate("g"), context={"n": 1}))
    state = await bench.run(
        workflow(
            step("w", "t.remember", {"data": {"m": 2}, "run": other}),
            step("r", "t.recall", {"run": other}, after="w"),
        )
    )
    assert state.output == {"r": {"n": 1, "m": 2}}
    assert state.context == {}
    bench.lab.open("g")
    assert (await bench.wait(other)).context == {"n": 1, "m": 2}


@pytest.mark.parametrize(("action", "params"), [("t.recall", {}), ("t.remember", {"data": {}})])
async def test_the_context_of_nobody(bench, action, params):
    state = await bench.run(workflow(step("a", action, {**params, "run": "nobody"})))
    assert state.error["code"] == "NOT_FOUND"


async def test_the_context_of_a_run_that_has_ended_is_read_only(bench):
    other = await bench.run(workflow(echo("a"), context={"n": 1}))
    read = await bench.run(workflow(step("r", "t.recall", {"run": other.id})))
    assert read.output == {"r": {"n": 1}}
    write = await bench.run(workflow(step("w", "t.remember", {"data": {}, "run": other.id})))
    assert write.error["code"] == "CONFLICT"


async def test_evaluating_over_the_steps_scope(bench):
    state = await bench.run(
        workflow(
            echo("a", {"n": 2}),
            step(
                "e", "t.evaluate", {"expression": "steps.a.n * data", "engine": "cel", "data": 3}, after="a"
            ),
        )
    )
    assert state.output == {"e": 6}


@pytest.mark.parametrize(("engine", "words"), [(None, "'python' is not installed"), ("cle", "'cel'")])
async def test_evaluating_with_an_engine_that_is_not_there(bench, engine, words):
    state = await bench.run(workflow(step("e", "t.evaluate", {"expression": "1", "engine": engine})))
    assert state.error["code"] == "VALIDATION_ERROR"
    assert words in state.error["message"]


async def test_an_engine_that_takes_its_time(make_bench):
    class Slow:
        name = "python"

        def compile(self, source):
            return self

        async def evaluate(self, scope):
            return sorted(scope)

        @hookimpl
        def opcode_expression_engines(self):
            return [self]

    bench = await make_bench(plugins=(Slow(),))
    state = await bench.run(workflow(step("e", "t.evaluate", {"expression": "x"})))
    assert state.output == {"e": ["context", "data", "inputs", "steps", "workflow"]}


async def test_telling_the_agent(bench):
    silent = await bench.run(workflow(step("n", "t.notify", {"message": "hello"})))
    told = []

    async def notifier(agent_id, message, data):
        told.append((agent_id, message, data))
        return True

    bench.engine.notifier = notifier
    heard = await bench.run(workflow(step("n", "t.notify", {"message": "hello"})), agent_id="a1")
    assert (silent.output, heard.output) == ({"n": False}, {"n": True})
    assert told == [("a1", "hello", {"n": 1})]


async def test_an_action_that_was_given_up_can_no_longer_say_anything(bench, monkeypatch):
    from opcode_core import ActionContext, OpcodeError, action
    from opcode_core.engine import deadline

    monkeypatch.setattr(deadline, "GRACE", 0.01)
    outcome = []

    @action("x.late", effect="idempotent")
    async def late(ctx: ActionContext) -> None:
        opened = bench.lab.gates["late"].opened
        while not opened.is_set():
            try:
                await opened.wait()
            except BaseException:
                outcome.append("cancelled")
        try:
            await ctx.run.emit("custom", {})
        except OpcodeError as error:
            outcome.append(str(error.code))

    bench.engine.registry.add_actions([late], "x")
    state = await bench.run(workflow(step("a", "x.late"), timeout="10ms"))
    assert state.status == "failed"
    sequence = state.sequence
    bench.lab.open("late")
    await bench.until(lambda: len(outcome) > 1)
    assert outcome[-1] == "INVALID_TRANSITION"
    assert state.sequence == sequence
