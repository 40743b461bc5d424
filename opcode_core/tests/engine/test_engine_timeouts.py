"""Timeouts of steps, of blocks, of runs; and work that does not care."""

import pytest
from engine_workbench import echo, flow, for_each, gate, parallel, step, workflow

from opcode_core.engine import deadline
from opcode_core.engine.breaker import BreakerPolicy

SOON = "20ms"
IGNORE = {"strategy": "ignore"}


@pytest.fixture
def short_grace(monkeypatch):
    """Who ignores a cancellation is left to itself soon."""
    monkeypatch.setattr(deadline, "GRACE", 0.02)


# ---- steps -----------------------------------------------------------------------------------


async def test_a_step_that_takes_too_long_is_cancelled(bench):
    state = await bench.run(workflow(gate("a", timeout=SOON)))
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "TIMEOUT_ERROR", "a")
    assert state.error["message"] == "step 'a' took longer than its timeout of 0.02 s"
    assert bench.lab.outcome == {"a": "cancelled"}


async def test_a_step_in_time_is_not_disturbed(bench):
    state = await bench.run(
        workflow(step("a", "t.aecho", {"value": 1}, timeout="1m"), echo("b", 2, timeout="1m"))
    )
    assert state.output == {"a": 1, "b": 2}


async def test_each_attempt_has_its_own_time(bench):
    run_id = await bench.start(workflow(gate("a", timeout=SOON, retry={"max": 2})))
    state = await bench.wait(run_id)
    assert bench.lab.calls == ["a", "a", "a"]
    assert state.error["code"] == "RETRY_EXHAUSTED"
    assert state.error["details"]["cause"]["code"] == "TIMEOUT_ERROR"


async def test_on_error_is_asked_after_a_timeout(bench):
    state = await bench.run(workflow(gate("a", timeout=SOON, on_error=IGNORE), echo("b", after="a")))
    assert state.output == {"b": "b"}


async def test_a_blocking_action_that_takes_too_long_is_left_to_itself(bench):
    state = await bench.run(workflow(step("a", "t.block", timeout=SOON)))
    assert state.error["code"] == "TIMEOUT_ERROR"
    assert bench.lab.thread_began.is_set()


async def test_a_blocking_action_runs_in_a_thread(bench):
    bench.lab.thread_may_end.set()
    state = await bench.run(workflow(step("a", "t.block", {"value": 5})))
    assert state.output == {"a": {"value": 5, "thread": True}}


async def test_given_up_threads_take_no_place_from_others(make_bench):
    bench = await make_bench(pool_size=1)
    state = await bench.run(
        workflow(
            step("a", "t.block", timeout=SOON, on_error=IGNORE),
            step("b", "t.braise", {"kind": "value"}, after="a", on_error=IGNORE),
        )
    )
    assert state.status == "completed"


async def test_an_action_that_ignores_its_cancellation_holds_up_nobody(bench, short_grace, caplog):
    run_id = await bench.start(
        workflow(step("a", "t.stubborn", {"name": "a"}, timeout=SOON, on_error=IGNORE), gate("b", after="a"))
    )
    await bench.lab.reached("b")
    assert "step a ignores its cancellation and is left to itself" in caplog.text
    bench.lab.open("a")  # too late: it is ignored by now
    await bench.until(lambda: bench.lab.outcome.get("a") == "ended")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert (state.status, state.steps["a"].status) == ("completed", "skipped")


async def test_an_action_that_answers_its_cancellation_was_too_late_all_the_same(bench):
    state = await bench.run(
        workflow(step("a", "t.stubborn", {"name": "a", "cancellations": 1}, timeout=SOON))
    )
    assert state.error["code"] == "TIMEOUT_ERROR"


async def test_the_deadline_is_told_to_the_action(bench):
    state = await bench.run(workflow(step("a", "t.who", timeout="90s"), step("b", "t.who")))
    by_step = {context.step_id: context.deadline for context in bench.lab.contexts}
    assert by_step == {"a": bench.clock.now() + 90, "b": None}
    assert state.status == "completed"


async def test_timeouts_open_the_breaker(make_bench):
    bench = await make_bench(breaker_policies={"t.gate": BreakerPolicy(failures=2)})
    state = await bench.run(workflow(gate("a", timeout=SOON, retry={"max": 2})))
    assert bench.lab.calls == ["a", "a"]
    assert state.error["code"] == "CIRCUIT_OPEN"


async def test_a_probe_that_times_out_opens_the_breaker_again(make_bench):
    bench = await make_bench(breaker_policies={"t.gate": BreakerPolicy(failures=1)})
    first = await bench.run(workflow(gate("a", timeout=SOON)))
    bench.clock.time += 30
    second = await bench.run(workflow(gate("a", timeout=SOON)))
    third = await bench.run(workflow(gate("a", timeout=SOON)))
    assert [run.error["code"] for run in (first, second, third)] == [
        "TIMEOUT_ERROR",
        "TIMEOUT_ERROR",
        "CIRCUIT_OPEN",
    ]
    bench.clock.time += 30
    assert [e.event_type for e in await bench.events(second) if "breaker" in e.event_type] == [
        "circuit_breaker_half_open",
        "circuit_breaker_open",
    ]


# ---- blocks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "block",
    [
        for_each("k", [1, 2], gate("x"), echo("y"), timeout=SOON),
        for_each("k", [1, 2], gate("x"), concurrency=2, timeout=SOON),
        parallel("k", [gate("x")], [gate("y")], timeout=SOON),
        parallel("k", [gate("x")], [gate("y")], mode="race", timeout=SOON),
        flow("k", "condition", {"expression": "true", "branches": {"true": [gate("x")]}}, timeout=SOON),
    ],
    ids=["loop", "concurrent loop", "parallel", "race", "condition"],
)
async def test_a_block_that_takes_too_long_fails_and_what_is_inside_is_skipped(bench, block):
    state = await bench.run(workflow(block, echo("z", after="k")))
    assert (state.error["code"], state.error["step_id"]) == ("TIMEOUT_ERROR", "k")
    inside = {step_id: found.status for step_id, found in state.steps.items() if step_id.startswith("k.")}
    assert inside
    assert set(inside.values()) == {"skipped"}
    assert set(bench.lab.outcome.values()) == {"cancelled"}


async def test_a_wait_that_takes_longer_than_its_timeout(bench):
    state = await bench.run(workflow(flow("w", "wait", {"duration": "1d"}, timeout=SOON)))
    assert state.error["code"] == "TIMEOUT_ERROR"


async def test_a_timeout_inside_a_block_is_the_steps_own(bench):
    state = await bench.run(
        workflow(for_each("l", [1, 2], gate("x", timeout=SOON, on_error=IGNORE), echo("y", "${{loop.item}}")))
    )
    assert state.output["l"]["results"] == [1, 2]


async def test_a_block_whose_action_answers_its_cancellation_does_not_go_on(bench):
    body = [step("x", "t.stubborn", {"name": "x", "cancellations": 1}), step("next", "t.external")]
    state = await bench.run(workflow(for_each("l", [1, 2], *body, timeout=SOON)))
    assert state.error["code"] == "TIMEOUT_ERROR"
    assert bench.lab.calls == ["x"]


async def test_a_block_whose_action_ignores_its_cancellation_changes_nothing_later(bench, short_grace):
    body = [step("x", "t.stubborn", {"name": "x"}), step("next", "t.external")]
    run_id = await bench.start(
        workflow(for_each("l", [1, 2], *body, timeout=SOON, on_error=IGNORE), gate("z", after="l"))
    )
    await bench.lab.reached("z")
    assert bench.status(run_id, "l.iter_0.x") == "skipped"
    bench.lab.open("x")
    await bench.until(lambda: bench.lab.outcome.get("x") == "ended")
    await bench.settle()
    bench.lab.open("z")
    state = await bench.wait(run_id)
    assert (state.status, state.error) == ("completed", None)
    assert bench.lab.calls == ["x", "z"]


async def test_what_a_given_up_attempt_still_says_is_not_taken_for_the_next_ones(bench, short_grace):
    body = [step("x", "t.stubborn", {"name": "x"}), gate("y")]
    run_id = await bench.start(
        workflow(
            for_each("l", [1], *body, timeout=SOON, retry={"max": 1}, on_error=IGNORE), gate("z", after="l")
        )
    )
    await bench.lab.reached("z")  # both attempts are over, and both actions still run
    bench.lab.open("x")
    await bench.settle()
    bench.lab.open("z")
    state = await bench.wait(run_id)
    assert bench.lab.calls == ["x", "x", "z"]
    assert (state.status, state.steps["l"].status) == ("completed", "skipped")


# ---- runs ------------------------------------------------------------------------------------


async def test_a_run_that_takes_too_long_fails(bench):
    state = await bench.run(workflow(gate("a"), echo("b", after="a"), echo("c"), timeout=SOON))
    assert (state.status, state.error["code"]) == ("failed", "TIMEOUT_ERROR")
    assert "0.02 s" in state.error["message"]
    assert {s: found.status for s, found in state.steps.items()} == {
        "a": "skipped",
        "b": "skipped",
        "c": "completed",
    }
    assert state.steps["a"].reason == "the run timed out"
    types = [e.event_type for e in await bench.events(state)]
    assert "workflow_timed_out" in types
    assert types[-1] == "workflow_failed"


async def test_a_run_that_takes_too_long_may_be_cancelled_instead(bench):
    state = await bench.run(workflow(gate("a"), echo("b", after="a"), timeout=SOON, on_timeout="cancel"))
    assert (state.status, state.error["code"]) == ("cancelled", "TIMEOUT_ERROR")
    assert [state.steps[s].status for s in "ab"] == ["skipped", "skipped"]


async def test_a_run_that_takes_too_long_may_be_suspended_instead(bench):
    state = await bench.run(workflow(gate("a"), echo("b", after="a"), timeout=SOON, on_timeout="suspend"))
    assert state.status == "suspended"
    assert (await bench.events(state))[-1].event_type == "workflow_suspended"
    assert "b" not in state.steps


async def test_a_run_in_time_is_not_disturbed(bench):
    state = await bench.run(workflow(echo("a"), timeout="1m"))
    assert (state.status, state.output) == ("completed", {"a": "a"})


async def test_time_counts_from_the_start_of_the_run(bench):
    """A deadline that has passed by the time that the run is driven has passed."""
    run = await bench.engine._made(workflow(gate("a"), timeout="1h"))
    bench.clock.time += 3601
    bench.engine.runs.launch(run)
    assert (await bench.wait(run.state.id)).error["code"] == "TIMEOUT_ERROR"


async def test_the_on_error_hook_runs_after_a_runs_timeout(bench):
    state = await bench.run(workflow(gate("a"), timeout=SOON, on_error=echo("h", "${{workflow.error.code}}")))
    assert state.steps["h"].output == "TIMEOUT_ERROR"
    assert state.status == "failed"


@pytest.mark.parametrize("outcome", ["cancel", "suspend"])
async def test_no_hook_runs_when_the_timeout_is_not_a_failure(bench, outcome):
    hooks = {"on_error": step("h", "t.external"), "on_complete": step("i", "t.external")}
    await bench.run(workflow(gate("a"), timeout=SOON, on_timeout=outcome, **hooks))
    assert bench.lab.calls == ["a"]


async def test_a_run_whose_action_ignores_its_cancellation_ends_all_the_same(bench, short_grace):
    body = [step("x", "t.stubborn", {"name": "x"}), step("next", "t.external")]
    state = await bench.run(
        workflow(for_each("l", [1, 2], *body), step("y", "t.stubborn", {"name": "y"}), timeout=SOON)
    )
    assert state.error["code"] == "TIMEOUT_ERROR"
    sequence = state.sequence
    bench.lab.open("x", "y")
    await bench.until(lambda: len(bench.lab.outcome) == 2)
    await bench.settle()
    assert state.sequence == sequence
    assert bench.lab.calls == ["x", "y"]


async def test_a_run_whose_action_answers_its_cancellation_begins_nothing_more(bench):
    body = [step("x", "t.stubborn", {"name": "x", "cancellations": 1}), step("next", "t.external")]
    state = await bench.run(workflow(for_each("l", [1, 2], *body), timeout=SOON))
    assert state.error["code"] == "TIMEOUT_ERROR"
    assert bench.lab.calls == ["x"]
