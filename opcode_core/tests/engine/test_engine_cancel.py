"""Cancelling a run: it reaches whatever is in flight, and its children."""

import asyncio

import pytest
from engine_workbench import echo, flow, for_each, gate, parallel, step, workflow

from opcode_core import OpcodeError
from opcode_core.engine import deadline


async def test_what_is_in_flight_is_cancelled_and_the_rest_is_skipped(bench):
    run_id = await bench.start(workflow(echo("a"), gate("b"), echo("c", after="b")))
    await bench.lab.reached("b")
    state = await bench.engine.cancel(run_id)
    assert bench.lab.outcome == {"b": "cancelled"}
    assert (state.status, state.error["code"], state.error["message"]) == (
        "cancelled",
        "CANCELLED",
        "cancelled by its user",
    )
    assert {s: found.status for s, found in state.steps.items()} == {
        "a": "completed",
        "b": "skipped",
        "c": "skipped",
    }
    assert state.steps["b"].reason == "the run was cancelled"
    last = (await bench.events(run_id))[-1]
    assert (last.event_type, last.payload["reason"]) == ("workflow_cancelled", "cancelled by its user")
    assert (await bench.storage.run(run_id)).status == "cancelled"


async def test_the_reason_is_kept(bench):
    run_id = await bench.start(workflow(gate("b")))
    state = await bench.engine.cancel(run_id, "no longer needed")
    assert state.error["message"] == "no longer needed"


async def test_a_run_is_cancelled_before_it_has_done_anything(bench):
    run_id = await bench.start(workflow(step("a", "t.external")))
    async with asyncio.timeout(5):
        state = await bench.engine.cancel(run_id)
    assert (state.status, bench.lab.calls) == ("cancelled", [])


@pytest.mark.parametrize(
    "inner",
    [
        for_each("k", [1, 2], gate("b")),
        for_each("k", [1, 2], gate("b"), concurrency=2),
        parallel("k", [gate("b")], [echo("x")]),
        parallel("k", [gate("b")], mode="race"),
        flow("k", "condition", {"expression": "true", "branches": {"true": [gate("b")]}}),
        gate("b", timeout="1h"),
        gate("b", retry={"max": 5}, on_error={"strategy": "ignore"}),
    ],
)
async def test_wherever_the_work_is_it_is_reached(bench, inner):
    run_id = await bench.start(workflow(inner, step("z", "t.external", after=inner["id"])))
    await bench.lab.reached("b")
    state = await bench.engine.cancel(run_id)
    assert state.status == "cancelled"
    assert set(bench.lab.outcome.values()) == {"cancelled"}
    assert "z" not in bench.lab.calls
    assert {found.status for found in state.steps.values()} <= {"skipped", "completed"}


async def test_a_blocking_action_is_left_to_itself(bench):
    run_id = await bench.start(workflow(step("a", "t.block"), step("z", "t.external", after="a")))
    await asyncio.to_thread(bench.lab.thread_began.wait, 5)
    state = await bench.engine.cancel(run_id)
    assert (state.status, state.steps["a"].status, bench.lab.calls) == ("cancelled", "skipped", [])


async def test_waits_and_pauses_are_cancelled(bench):
    bench.clock.held = True
    run_id = await bench.start(
        workflow(
            flow("w", "wait", {"duration": "30d"}),
            step("r", "t.flaky", retry={"max": 3, "backoff": "constant", "delay": "1d"}),
        )
    )
    await bench.until(
        lambda: (bench.status(run_id, "w"), bench.status(run_id, "r")) == ("suspended", "retrying")
    )
    state = await bench.engine.cancel(run_id)
    assert [state.steps[s].status for s in "wr"] == ["skipped", "skipped"]


async def test_an_action_that_ignores_it_holds_up_nobody(bench, monkeypatch):
    monkeypatch.setattr(deadline, "GRACE", 0.02)
    body = [step("x", "t.stubborn", {"name": "x"}), step("next", "t.external")]
    run_id = await bench.start(workflow(for_each("l", [1, 2], *body)))
    await bench.lab.reached("x")
    state = await bench.engine.cancel(run_id)
    assert (state.status, state.steps["l.iter_0.x"].status) == ("cancelled", "skipped")
    bench.lab.open("x")
    await bench.until(lambda: bench.lab.outcome.get("x") == "ended")
    await bench.settle()
    assert bench.lab.calls == ["x"]


async def test_an_action_that_answers_it_is_its_steps_last(bench):
    body = [step("x", "t.stubborn", {"name": "x", "cancellations": 1}), step("next", "t.external")]
    run_id = await bench.start(workflow(for_each("l", [1, 2], *body)))
    await bench.lab.reached("x")
    state = await bench.engine.cancel(run_id)
    assert (state.status, bench.lab.calls) == ("cancelled", ["x"])


async def test_no_hook_runs(bench):
    hooks = {"on_error": step("h", "t.external"), "on_complete": step("i", "t.external")}
    run_id = await bench.start(workflow(gate("b"), **hooks))
    await bench.lab.reached("b")
    await bench.engine.cancel(run_id)
    assert bench.lab.calls == ["b"]


async def test_a_hook_can_be_cancelled(bench):
    run_id = await bench.start(workflow(echo("a"), on_complete=gate("h")))
    await bench.lab.reached("h")
    state = await bench.engine.cancel(run_id)
    assert (state.status, state.steps["a"].status, state.steps["h"].status) == (
        "cancelled",
        "completed",
        "skipped",
    )


async def test_the_hook_after_a_timeout_can_be_cancelled(bench):
    run_id = await bench.start(workflow(gate("a"), timeout="20ms", on_error=gate("h")))
    await bench.lab.reached("h")
    async with asyncio.timeout(5):
        state = await bench.engine.cancel(run_id)
    assert (state.status, state.error["code"]) == ("cancelled", "CANCELLED")
    assert bench.lab.outcome["h"] == "cancelled"


async def test_cancelling_twice_gives_the_same_answer(bench):
    run_id = await bench.start(workflow(gate("b")))
    await bench.lab.reached("b")
    first, second = await asyncio.gather(
        bench.engine.cancel(run_id, "one"), bench.engine.cancel(run_id, "two")
    )
    assert first.error["message"] == second.error["message"] == "one"


async def test_what_has_ended_cannot_be_cancelled(bench):
    state = await bench.run(workflow(echo("a")))
    with pytest.raises(OpcodeError, match="has already ended: completed") as caught:
        await bench.engine.cancel(state.id)
    assert caught.value.code == "INVALID_TRANSITION"


async def test_what_does_not_exist_cannot_be_cancelled(bench):
    with pytest.raises(OpcodeError, match="there is no run 'nobody'") as caught:
        await bench.engine.cancel("nobody")
    assert caught.value.code == "NOT_FOUND"


async def test_a_run_that_is_held_can_be_cancelled(bench):
    state = await bench.run(workflow(gate("a"), timeout="20ms", on_timeout="suspend"))
    assert state.status == "suspended"
    state = await bench.engine.cancel(state.id)
    assert (state.status, state.steps["a"].status) == ("cancelled", "skipped")


async def test_who_waits_for_a_run_may_go_away(bench):
    run_id = await bench.start(workflow(gate("b")))
    waiting = asyncio.create_task(bench.engine.wait(run_id))
    await bench.lab.reached("b")
    waiting.cancel()
    await asyncio.wait({waiting})
    bench.lab.open("b")
    assert (await bench.wait(run_id)).status == "completed"


async def test_other_runs_are_unharmed(bench):
    first = await bench.start(workflow(gate("a")))
    second = await bench.start(workflow(gate("b")))
    await bench.lab.reached("a", "b")
    await bench.engine.cancel(first)
    bench.lab.open("b")
    assert (await bench.wait(second)).status == "completed"


# ---- children --------------------------------------------------------------------------------


async def test_children_are_cancelled_with_their_parent(bench):
    await bench.engine.define("grandchild", workflow(gate("g")))
    await bench.engine.define("child", workflow(step("c", "t.child", {"template": "grandchild"}), gate("d")))
    run_id = await bench.start(
        workflow(
            step("p", "t.child", {"template": "child"}), step("q", "t.child", {"template": "grandchild"})
        )
    )
    await bench.lab.reached("g", "d")
    await bench.until(lambda: bench.lab.calls.count("g") == 2)
    state = await bench.engine.cancel(run_id)
    assert state.status == "cancelled"
    assert [found.status for found in state.steps.values()] == ["skipped", "skipped"]
    assert await bench.events(run_id, "step_failed") == []
    ids = {run.state.id for run in bench.engine.driven} - {run_id}
    assert len(ids) == 3
    async with asyncio.timeout(5):
        while True:
            children = [await bench.engine.state(child_id) for child_id in ids]
            if {child.status for child in children} == {"cancelled"}:
                break
            await asyncio.sleep(0)
    first = next(child for child in children if child.parent_id == run_id)
    assert first.error["message"].startswith(f"its parent run {run_id} ")


async def test_a_cancelled_child_fails_its_parents_step(bench):
    await bench.engine.define("child", workflow(gate("c")))
    run_id = await bench.start(workflow(step("p", "t.child", {"template": "child"})))
    await bench.lab.reached("c")
    (child,) = [run.state.id for run in bench.engine.driven if run.state.parent_id == run_id]
    await bench.engine.cancel(child)
    state = await bench.wait(run_id)
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "CANCELLED", "p")
    assert child in state.error["message"]
