"""Retries: how often, after which pauses, and what a step ends with."""

import pytest
from engine_workbench import echo, for_each, gate, parallel, step, workflow

from opcode_core.engine.retry import pause_before
from opcode_core.errors import NEVER_RETRIED, ErrorCode
from opcode_core.plan import RetryPolicy

BOTH = pytest.mark.parametrize("action", ["t.flaky", "t.aflaky"])


async def delays(bench, state):
    return [event.payload["delay_ms"] for event in await bench.events(state, "step_retrying")]


@BOTH
async def test_a_step_is_tried_again_until_it_succeeds(bench, action):
    state = await bench.run(workflow(step("a", action, {"times": 2, "value": "ok"}, retry={"max": 3})))
    assert state.output == {"a": "ok"}
    assert (state.steps["a"].attempt, state.steps["a"].error) == (3, None)
    assert await bench.story(state) == [
        "step_started a",
        "step_retrying a",
        "step_retry_attempt a",
        "step_retrying a",
        "step_retry_attempt a",
        "step_completed a",
    ]


@BOTH
@pytest.mark.parametrize(
    ("retry", "expected"),
    [
        ({"max": 3}, [0, 0, 0]),
        ({"max": 3, "backoff": "none", "delay": "1s"}, [0, 0, 0]),
        ({"max": 3, "backoff": "constant", "delay": "200ms"}, [200, 200, 200]),
        ({"max": 4, "backoff": "linear", "delay": "1s"}, [1000, 2000, 3000, 4000]),
        ({"max": 5, "backoff": "exponential", "delay": "1s"}, [1000, 2000, 4000, 8000, 16000]),
        ({"max": 4, "backoff": "exponential", "delay": 1, "max_delay": "3s"}, [1000, 2000, 3000, 3000]),
        ({"max": 2, "backoff": "constant", "delay": "1s", "jitter": True}, [500, 500]),
    ],
)
async def test_the_pauses_between_tries(bench, action, retry, expected):
    state = await bench.run(workflow(step("a", action, retry=retry)))
    assert await delays(bench, state) == expected
    slept = [round(seconds * 1000) for seconds in bench.clock.slept]
    assert slept == [pause for pause in expected if pause]


@BOTH
async def test_the_last_failure_becomes_retry_exhausted_with_its_cause(bench, action):
    state = await bench.run(workflow(step("a", action, retry={"max": 2})))
    error = state.error
    assert (error["code"], error["step_id"]) == ("RETRY_EXHAUSTED", "a")
    assert error["message"] == "failed 3 times, last with EXECUTION_ERROR: boom 3"
    assert error["details"]["cause"] == {
        "code": "EXECUTION_ERROR",
        "message": "boom 3",
        "details": {"try": 3},
        "step_id": "a",
    }
    assert state.steps["a"].error == error
    assert bench.lab.tries["a"] == 3


async def test_a_step_without_retry_fails_with_its_own_code(bench):
    state = await bench.run(workflow(step("a", "t.flaky", {"code": "STORE_ERROR"})))
    assert (state.error["code"], state.error["message"]) == ("STORE_ERROR", "boom 1")


async def test_a_retry_of_zero_is_none(bench):
    state = await bench.run(workflow(step("a", "t.flaky", retry={"max": 0})))
    assert state.error["code"] == "EXECUTION_ERROR"


@BOTH
@pytest.mark.parametrize("code", list(ErrorCode))
async def test_some_codes_are_never_retried(bench, action, code):
    state = await bench.run(
        workflow(step("a", action, {"code": code, "times": 1, "value": 1}, retry={"max": 3}))
    )
    if code in NEVER_RETRIED:
        assert (bench.lab.tries["a"], state.error["code"], state.error["message"]) == (1, code, "boom 1")
    else:
        assert (bench.lab.tries["a"], state.status) == (2, "completed")


async def test_what_is_never_retried_is_as_the_specification_says():
    assert {str(code) for code in NEVER_RETRIED} == {
        "VALIDATION_ERROR", "NOT_FOUND", "CONFLICT", "INVALID_TRANSITION", "CYCLE_DETECTED", "NON_RETRYABLE",
        "PERMISSION_DENIED", "CIRCUIT_OPEN", "ASSERTION_FAILED", "PATH_DENIED",
    }  # fmt: skip
    assert {str(code) for code in set(ErrorCode) - NEVER_RETRIED} == {
        "EXECUTION_ERROR", "TIMEOUT_ERROR", "STEP_FAILED", "CANCELLED", "SIGNAL_FAILED", "RETRY_EXHAUSTED",
        "STORE_ERROR", "INTERPOLATION_ERROR", "ACTION_UNAVAILABLE", "ISOLATION_ERROR", "VAULT_ERROR",
    }  # fmt: skip


async def test_a_template_that_leads_nowhere_is_retried_like_any_other_failure(bench):
    state = await bench.run(workflow(echo("a", "${{ inputs.nope }}", retry={"max": 2})))
    assert state.error["code"] == "RETRY_EXHAUSTED"
    assert state.error["details"]["cause"]["code"] == "INTERPOLATION_ERROR"


async def test_params_that_do_not_fit_are_not_retried(bench):
    state = await bench.run(
        workflow(step("a", "t.typed", {"n": "${{inputs.n}}"}, retry={"max": 3})), {"n": "text"}
    )
    assert state.error["code"] == "VALIDATION_ERROR"
    assert "params.n" in state.error["message"]
    assert await bench.events(state, "step_retrying") == []


async def test_strategy_retry_alone_tries_three_times_more(bench):
    state = await bench.run(workflow(step("a", "t.flaky", on_error={"strategy": "retry"})))
    assert await delays(bench, state) == [1000, 2000, 4000]
    assert state.error["code"] == "RETRY_EXHAUSTED"


async def test_a_failed_retry_reads_what_changed_meanwhile(bench):
    """Params are rendered anew for each try."""
    run_id = await bench.start(
        workflow(
            step(
                "a",
                "t.aflaky",
                {"value": "${{context.v}}", "times": 1},
                retry={"max": 1, "backoff": "constant", "delay": 1},
            ),
            context={"v": "old"},
        )
    )
    bench.clock.held = True
    await bench.clock.somebody_sleeps()
    await bench.engine.update_context(run_id, {"v": "new"})
    bench.clock.advance(1)
    assert (await bench.wait(run_id)).output == {"a": "new"}


async def test_the_pause_is_stored_before_it_is_waited(bench):
    bench.clock.held = True
    run_id = await bench.start(
        workflow(step("a", "t.flaky", {"times": 1}, retry={"max": 1, "backoff": "constant", "delay": "1h"}))
    )
    await bench.clock.somebody_sleeps()
    assert (await bench.events(run_id))[-1].event_type == "step_retrying"
    assert bench.status(run_id, "a") == "retrying"
    assert (await bench.engine.state(run_id)).steps["a"].retry_at == bench.clock.now() + 3600
    bench.clock.advance(3600)
    assert (await bench.wait(run_id)).status == "completed"


async def test_the_pause_of_a_step_inside_a_block_is_stored_too(bench):
    bench.clock.held = True
    policy = {"max": 1, "backoff": "constant", "delay": "1h"}
    run_id = await bench.start(workflow(parallel("p", [step("a", "t.flaky", {"times": 1}, retry=policy)])))
    await bench.clock.somebody_sleeps()
    assert (await bench.events(run_id))[-1].event_type == "step_retrying"
    bench.clock.advance(3600)
    assert (await bench.wait(run_id)).status == "completed"


async def test_a_pause_holds_no_place_in_the_pool(make_bench):
    bench = await make_bench(pool_size=1)
    bench.clock.held = True
    run_id = await bench.start(
        workflow(
            step("a", "t.aflaky", {"times": 1}, retry={"max": 1, "backoff": "constant", "delay": 60}),
            gate("b"),
        )
    )
    await bench.clock.somebody_sleeps()
    await bench.lab.reached("b")
    bench.lab.open("b")
    bench.clock.advance(60)
    assert (await bench.wait(run_id)).status == "completed"


async def test_another_failure_cuts_a_pause_short(bench):
    bench.clock.held = True
    retrying = step("a", "t.flaky", retry={"max": 5, "backoff": "constant", "delay": "30d"})
    run_id = await bench.start(workflow(retrying, step("b", "t.gate", {"name": "b", "fail": True})))
    await bench.lab.reached("b")
    await bench.until(lambda: bench.status(run_id, "a") == "retrying")
    bench.lab.open("b")
    state = await bench.wait(run_id)  # the clock never moved
    assert (state.status, state.error["step_id"]) == ("failed", "b")
    assert (state.steps["a"].status, state.steps["a"].attempt) == ("skipped", 1)
    assert state.steps["a"].error["message"] == "boom 1"


async def test_nothing_is_tried_again_once_the_run_failed(bench):
    failing = {"name": "a", "fail": True}
    run_id = await bench.start(
        workflow(step("a", "t.gate", failing, retry={"max": 5}), gate("c"), step("b", "t.flaky", after="c"))
    )
    await bench.lab.reached("a", "c")
    bench.lab.open("c")
    await bench.settle()
    bench.lab.open("a")
    state = await bench.wait(run_id)
    assert state.error["step_id"] == "b"
    assert (state.steps["a"].status, state.steps["a"].attempt) == ("failed", 1)
    assert state.steps["a"].error["code"] == "EXECUTION_ERROR"
    assert await bench.events(state, "step_retrying") == []


async def test_a_block_that_is_tried_again_begins_again(bench):
    body = [step("n", "t.count"), step("f", "t.flaky", {"times": 1, "value": "${{steps.n.output.n}}"})]
    state = await bench.run(workflow(for_each("l", ["x"], *body, retry={"max": 1})))
    assert state.output == {"l": {"iterations": 1, "results": [2]}}
    assert state.steps["l"].attempt == 2
    assert (state.steps["l.iter_0.n"].output, state.steps["l.iter_0.n"].attempt) == ({"n": 2}, 1)


async def test_a_step_inside_a_block_is_tried_again_by_itself(bench):
    inner = step(
        "f", "t.aflaky", {"times": 2, "value": "ok"}, retry={"max": 2, "backoff": "linear", "delay": 1}
    )
    state = await bench.run(workflow(parallel("p", [echo("n"), inner])))
    assert state.output == {"p": {"mode": "all", "branches": ["ok"]}}
    assert [e.step_id for e in await bench.events(state, "step_retrying")] == ["p.branch_0.f"] * 2
    assert len(await bench.events(state, "step_completed", "p.branch_0.n")) == 1


@pytest.mark.parametrize(
    ("retry", "expected"),
    [(1, 0.5), (2, 1.0), (5, 8.0), (100, 30.0), (10_000, 30.0)],
)
def test_exponential_pauses_are_bounded(retry, expected):
    assert pause_before(RetryPolicy(10_000, "exponential", 0.5, 30.0), retry, 0.9) == expected


def test_exponential_pauses_stay_finite_without_a_bound():
    assert pause_before(RetryPolicy(10_000, "exponential", 1.0), 10_000, 0.0) < float("inf")


@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.999])
def test_full_jitter_spreads_over_the_whole_pause(fraction):
    assert pause_before(RetryPolicy(3, "linear", 2.0, None, True), 2, fraction) == 4.0 * fraction
