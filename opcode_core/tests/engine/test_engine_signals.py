"""Signals: data, cancel, retry and skip, on runs that go on, wait, or have failed."""

import pytest
from engine_workbench import echo, flow, for_each, gate, parallel, step, workflow

from opcode_core import OpcodeError


def signal(step_id="w", name="go", fields=None, **config):
    return flow(step_id, "wait", {"signal": name, **config}, **(fields or {}))


def flaky(step_id, times=1, **fields):
    return step(step_id, "t.aflaky", {"times": times, "value": step_id}, **fields)


async def send(bench, run_id, name="go", **data):
    return await bench.engine.signal(run_id, "data", {"signal": name, **data})


# ---- data ------------------------------------------------------------------------------------


async def test_a_signal_ends_the_wait_for_it_and_brings_its_payload(bench):
    state = await bench.run(workflow(signal(), echo("z", "${{steps.w.output}}", after="w")))
    assert (state.status, state.steps["w"].status) == ("suspended", "suspended")
    await send(bench, state.id, n=5)
    assert (await bench.finished(state.id)).output == {"z": {"signal": "go", "payload": {"n": 5}}}
    assert await bench.story(state) == [
        "step_started w", "wait_started w", "step_suspended w", "signal_received None",
        "variable_set None", "wait_completed w", "step_completed w", "step_started z", "step_completed z",
    ]  # fmt: skip


async def test_another_signal_does_not(bench):
    state = await bench.run(workflow(signal()))
    state = await send(bench, state.id, "stop")
    assert (await bench.engine.wait(state.id)).status == "suspended"


async def test_a_signal_by_the_steps_id_needs_no_name(bench):
    state = await bench.run(workflow(signal("a"), signal("b")))
    await bench.engine.signal(state.id, "data", {"n": 1}, step_id="b")
    state = await bench.engine.wait(state.id)
    assert (state.steps["a"].status, state.steps["b"].output["payload"]) == ("suspended", {"n": 1})


async def test_a_signal_that_comes_early_is_kept(bench):
    run_id = await bench.start(workflow(gate("g"), signal(fields={"depends_on": ["g"]})))
    await bench.lab.reached("g")
    await send(bench, run_id, n=1)
    await send(bench, run_id, n=2)
    bench.lab.open("g")
    state = await bench.wait(run_id)
    assert (state.status, state.output["w"]["payload"]) == ("completed", {"n": 1})  # the oldest first
    assert [kept.payload for kept in state.signals] == [{"n": 2}]


async def test_each_signal_ends_one_wait(bench):
    state = await bench.run(
        workflow(for_each("l", [1, 2], signal(), echo("e", "${{steps.w.output.payload.n}}")))
    )
    await send(bench, state.id, n=1)
    state = await bench.engine.wait(state.id)
    assert (state.status, state.steps["l.iter_1.w"].status) == ("suspended", "suspended")
    await send(bench, state.id, n=2)
    assert (await bench.finished(state.id)).output["l"]["results"] == [1, 2]


async def test_data_becomes_part_of_the_context(bench):
    run_id = await bench.start(workflow(gate("g"), echo("z", "${{context}}", after="g"), context={"a": 1}))
    await bench.lab.reached("g")
    await bench.engine.signal(run_id, "data", {"b": {"c": 2}}, agent_id="ann")
    bench.lab.open("g")
    assert (await bench.wait(run_id)).output == {"z": {"a": 1, "b": {"c": 2}}}
    assert await bench.storage.context(run_id) == {"a": 1, "b": {"c": 2}}
    assert {event.agent_id for event in await bench.events(run_id, "variable_set")} == {"ann"}


async def test_a_signal_that_does_not_come_in_time(bench):
    bench.clock.held = True
    state = await bench.run(workflow(signal(timeout="1h")))
    bench.clock.advance(3600)
    state = await bench.finished(state.id)
    assert (state.error["code"], state.error["step_id"]) == ("TIMEOUT_ERROR", "w")
    assert state.error["message"] == "the signal 'go' did not come within 3600 s"


@pytest.mark.parametrize("linger", [0, 1.0])
async def test_a_run_that_left_memory_comes_back(make_bench, linger):
    bench = await make_bench(linger=linger)
    state = await bench.run(workflow(echo("a"), signal(), echo("z", "${{steps.a.output}}", after="a w")))
    if not linger:
        await bench.until(lambda: not bench.engine.runs.live)
        record = await bench.storage.run(state.id)
        assert (record.status, record.owner, record.wakes_at) == ("suspended", None, None)
    await send(bench, state.id)
    assert (await bench.finished(state.id)).output == {"z": "a"}


# ---- what cannot be said ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        ("dcision", {}, "there is no signal 'dcision'; did you mean 'decision'"),
        ("data", [1], "it must be a JSON object"),
        ("data", {"x": object()}, "the payload is not JSON"),
        ("data", {"signal": 5}, "payload.signal is 5"),
    ],
)
async def test_a_signal_must_be_one(bench, kind, payload, told):
    state = await bench.run(workflow(signal()))
    with pytest.raises(OpcodeError, match=told.replace(".", r"\.")) as caught:
        await bench.engine.signal(state.id, kind, payload)
    assert caught.value.code == "VALIDATION_ERROR"


async def test_a_run_that_has_ended_hears_nothing(bench):
    state = await bench.run(workflow(echo("a")))
    for kind in ("decision", "data", "cancel", "retry", "skip"):
        with pytest.raises(OpcodeError, match="has already ended: completed") as caught:
            await bench.engine.signal(state.id, kind, {})
        assert caught.value.code == "INVALID_TRANSITION"


async def test_a_run_that_nobody_knows(bench):
    with pytest.raises(OpcodeError, match="there is no run 'nobody'") as caught:
        await bench.engine.signal("nobody", "data", {})
    assert caught.value.code == "NOT_FOUND"


# ---- cancel ----------------------------------------------------------------------------------


@pytest.mark.parametrize("linger", [0, 1.0])
async def test_a_run_that_waits_is_cancelled(make_bench, linger):
    bench = await make_bench(linger=linger)
    state = await bench.run(workflow(signal(), echo("z", after="w")))
    state = await bench.engine.cancel(state.id, "enough")
    assert (state.status, state.error["message"]) == ("cancelled", "enough")
    assert [state.steps[s].status for s in "wz"] == ["skipped", "skipped"]
    (event,) = await bench.events(state, "signal_received")
    assert event.payload == {"signal_type": "cancel", "payload": {"reason": "enough"}, "reason": "enough"}


async def test_a_failed_run_can_be_given_up(bench):
    state = await bench.run(workflow(flaky("a", 9)))
    await bench.engine.cancel(state.id)
    record = await bench.storage.run(state.id)
    assert (record.status, record.error["message"]) == ("cancelled", "boom 1")
    with pytest.raises(OpcodeError, match="has already ended: cancelled"):
        await bench.engine.signal(state.id, "retry", {})


# ---- retry -----------------------------------------------------------------------------------


async def test_a_failed_run_goes_on_from_where_it_failed(bench):
    state = await bench.run(
        workflow(
            step("a", "t.external", {"value": 1}),
            flaky("b", after="a"),
            echo("c", "${{steps.a.output}}", after="b"),
        )
    )
    assert (state.status, state.steps["c"].status) == ("failed", "skipped")
    state = await bench.engine.signal(state.id, "retry", {})
    assert state.status == "active"
    state = await bench.finished(state.id)
    assert (state.status, state.output, state.error) == ("completed", {"c": 1}, None)
    assert bench.lab.calls == ["a", "b", "b"]


async def test_what_never_came_to_its_turn_does(bench):
    state = await bench.run(workflow(flaky("a"), flaky("b", 0)))
    assert [state.steps[s].status for s in "ab"] == ["failed", "skipped"]
    await bench.engine.signal(state.id, "retry", {})
    assert (await bench.finished(state.id)).output == {"a": "a", "b": "b"}


async def test_a_run_may_fail_again_and_be_tried_again(bench):
    state = await bench.run(workflow(flaky("a", 2), on_error=step("h", "t.external")))
    await bench.engine.signal(state.id, "retry", {})
    state = await bench.finished(state.id)
    assert (state.status, state.error["message"]) == ("failed", "boom 2")
    assert bench.lab.calls == ["a", "h", "a", "h"]
    await bench.engine.signal(state.id, "retry", {})
    assert (await bench.finished(state.id)).output == {"a": "a"}


async def test_inside_a_loop_the_iterations_before_are_kept(bench):
    body = [
        step("x", "t.external"),
        step("f", "t.aflaky", {"times": 1, "value": "${{loop.index}}"}, condition="iter.index == 1"),
    ]
    state = await bench.run(workflow(for_each("l", [1, 2, 3], *body), echo("z", after="l")))
    assert (state.status, state.error["step_id"]) == ("failed", "l.iter_1.f")
    await bench.engine.signal(state.id, "retry", {})
    state = await bench.finished(state.id)
    assert (state.status, state.output) == ("completed", {"z": "z"})
    assert [call for call in bench.lab.calls if call.endswith("x")] == [f"l.iter_{i}.x" for i in range(3)]


async def test_beside_a_failed_branch_what_was_stopped_goes_on(bench):
    run_id = await bench.start(
        workflow(
            parallel("p", [step("a", "t.external"), signal("s"), echo("b")], [gate("g"), flaky("f")]),
            echo("z", after="p"),
        )
    )
    await bench.lab.reached("g")
    await bench.until(lambda: bench.status(run_id, "p.branch_0.s") == "suspended")
    bench.lab.open("g")
    state = await bench.finished(run_id)
    assert [state.steps[s].status for s in ("p", "p.branch_0.s", "p.branch_1.f")] == [
        "failed",
        "skipped",
        "failed",
    ]
    await bench.engine.signal(run_id, "retry", {})
    await send(bench, run_id)
    state = await bench.finished(run_id)
    assert (state.status, sorted(bench.lab.calls)) == (
        "completed",
        ["g", "p.branch_0.a", "p.branch_1.f", "p.branch_1.f"],
    )


async def test_a_child_that_failed_is_run_anew(bench):
    await bench.engine.define("child", workflow(flaky("c")))
    state = await bench.run(workflow(step("p", "t.child", {"template": "child"})))
    first = state.steps["p"].child
    await bench.engine.signal(state.id, "retry", {})
    state = await bench.finished(state.id)
    assert (state.output, state.steps["p"].child != first) == ({"p": {"c": "c"}}, True)


async def test_a_retry_by_policy_starts_another_child_too(bench):
    await bench.engine.define("child", workflow(flaky("c")))
    state = await bench.run(workflow(step("p", "t.child", {"template": "child"}, retry={"max": 1})))
    assert (state.status, state.output) == ("completed", {"p": {"c": "c"}})


async def test_a_step_that_waits_for_its_next_try_is_tried_at_once(bench):
    bench.clock.held = True
    run_id = await bench.start(workflow(flaky("a", retry={"max": 1, "backoff": "constant", "delay": "1d"})))
    await bench.until(lambda: bench.status(run_id, "a") == "retrying")
    await bench.settle()
    await bench.engine.signal(run_id, "retry", {})
    assert (await bench.wait(run_id)).output == {"a": "a"}  # the clock never moved


async def test_a_run_that_was_held_by_its_timeout_goes_on(bench):
    state = await bench.run(
        workflow(echo("a"), gate("g", after="a"), echo("z", after="g"), timeout="20ms", on_timeout="suspend")
    )
    assert (state.status, state.held, state.steps["g"].status) == ("suspended", "timeout", "suspended")
    bench.lab.open("g")
    await bench.engine.signal(state.id, "retry", {})
    state = await bench.finished(state.id)
    assert (state.status, state.output) == ("completed", {"z": "z"})


async def test_where_nothing_failed_there_is_nothing_to_retry(bench):
    state = await bench.run(workflow(signal()))
    with pytest.raises(OpcodeError, match="no step of it waits to be tried again") as caught:
        await bench.engine.signal(state.id, "retry", {})
    assert caught.value.code == "INVALID_TRANSITION"
    with pytest.raises(OpcodeError, match="step 'w' is suspended; there is nothing to try again"):
        await bench.engine.signal(state.id, "retry", {}, step_id="w")
    with pytest.raises(OpcodeError, match="no step 'x' of run") as caught:
        await bench.engine.signal(state.id, "retry", {}, step_id="x")
    assert caught.value.code == "NOT_FOUND"


async def test_a_step_that_did_not_fail_is_not_tried_again(bench):
    state = await bench.run(workflow(echo("a"), flaky("b", after="a")))
    with pytest.raises(OpcodeError, match="step 'a' did not fail"):
        await bench.engine.signal(state.id, "retry", {}, step_id="a")
    assert (await bench.storage.run(state.id)).status == "failed"


# ---- skip ------------------------------------------------------------------------------------


async def test_the_failed_step_is_skipped_and_the_run_goes_on(bench):
    state = await bench.run(workflow(flaky("a", 9), echo("b", after="a")))
    await bench.engine.signal(state.id, "skip", {"reason": "not needed"}, agent_id="ann")
    state = await bench.finished(state.id)
    assert (state.status, state.output) == ("completed", {"b": "b"})
    assert (state.steps["a"].status, state.steps["a"].reason) == ("skipped", "skipped by ann: not needed")


async def test_inside_a_loop_only_the_step_is_skipped(bench):
    body = [step("f", "t.aflaky", {"times": 9}, condition="iter.index == 1"), echo("e", "${{loop.item}}")]
    state = await bench.run(workflow(for_each("l", [1, 2, 3], *body)))
    await bench.engine.signal(state.id, "skip", {})
    assert (await bench.finished(state.id)).output["l"]["results"] == [1, 2, 3]


async def test_a_whole_block_can_be_skipped(bench):
    state = await bench.run(workflow(for_each("l", [1, 2], flaky("f", 9)), echo("z", after="l")))
    await bench.engine.signal(state.id, "skip", {}, step_id="l")
    state = await bench.finished(state.id)
    assert (state.status, state.steps["l"].status, state.output) == ("completed", "skipped", {"z": "z"})


async def test_a_step_that_waits_is_skipped(bench):
    state = await bench.run(workflow(signal(), echo("z", after="w")))
    await bench.engine.signal(state.id, "skip", {}, step_id="w")
    assert (await bench.finished(state.id)).output == {"z": "z"}


async def test_a_step_that_goes_on_is_skipped_and_cancelled(bench):
    run_id = await bench.start(workflow(gate("g"), echo("z", after="g")))
    await bench.lab.reached("g")
    await bench.engine.signal(run_id, "skip", {}, step_id="g")
    state = await bench.wait(run_id)
    assert (state.status, state.output, bench.lab.outcome) == ("completed", {"z": "z"}, {"g": "cancelled"})


async def test_a_step_in_a_block_that_goes_on_is_skipped_alone(bench):
    run_id = await bench.start(
        workflow(for_each("l", [1, 2], gate("g", timeout="1h"), echo("e", "${{loop.item}}")))
    )
    await bench.lab.reached("g")
    await bench.engine.signal(run_id, "skip", {}, step_id="l.iter_0.g")
    bench.lab.open("g")
    assert (await bench.wait(run_id)).output["l"]["results"] == [1, 2]


async def test_a_block_that_goes_on_is_skipped_with_all_that_is_in_it(bench):
    run_id = await bench.start(workflow(for_each("l", [1, 2], gate("g"), echo("e")), echo("z", after="l")))
    await bench.lab.reached("g")
    await bench.engine.signal(run_id, "skip", {}, step_id="l")
    state = await bench.wait(run_id)
    assert (state.status, state.output) == ("completed", {"z": "z"})
    assert [state.steps[s].status for s in ("l", "l.iter_0.g")] == ["skipped", "skipped"]


async def test_a_step_that_has_ended_is_not_skipped(bench):
    state = await bench.run(workflow(echo("a"), signal()))
    with pytest.raises(OpcodeError, match="step 'a' has already ended: completed"):
        await bench.engine.signal(state.id, "skip", {}, step_id="a")
    with pytest.raises(OpcodeError, match="name the step to skip"):
        await bench.engine.signal(state.id, "skip", {})
