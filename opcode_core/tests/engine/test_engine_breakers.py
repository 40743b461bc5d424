"""Circuit breakers: an action that keeps failing is left alone for a while."""

import pytest
from engine_workbench import echo, gate, parallel, step, workflow

from opcode_core.engine.breaker import NEVER, Breaker, BreakerPolicy
from opcode_core.errors import ErrorCode, OpcodeError

BOTH = pytest.mark.parametrize("action", ["t.flaky", "t.aflaky"])


def failing(action="t.flaky", **params):
    return workflow(step("a", action, params))


async def fail(bench, action="t.flaky", times=1, **params):
    return [(await bench.run(failing(action, **params))).error["code"] for _ in range(times)]


async def breaker_events(bench, state):
    return [e.event_type for e in await bench.events(state) if e.event_type.startswith("circuit")]


@BOTH
async def test_five_failures_in_a_row_open_it(bench, action):
    assert await fail(bench, action, times=5) == ["EXECUTION_ERROR"] * 5
    state = await bench.run(failing(action, times=0))
    assert state.error["code"] == "CIRCUIT_OPEN"
    assert state.error["message"] == f"action {action} failed 5 times in a row; it is tried again in 30 s"
    assert state.error["details"] == {"action": action, "failures": 5, "retry_in": 30.0}
    assert bench.lab.calls == ["a"] * 5


@BOTH
async def test_its_events_are_in_the_logs_of_the_runs_that_caused_them(bench, action):
    runs = [await bench.run(failing(action)) for _ in range(5)]
    assert [await breaker_events(bench, run) for run in runs] == [[]] * 4 + [["circuit_breaker_open"]]
    (event,) = await bench.events(runs[-1], "circuit_breaker_open")
    assert (event.step_id, event.payload) == ("a", {"action": action, "failures": 5})
    bench.clock.time += 30
    good = await bench.run(workflow(step("b", action, {"times": 0})))
    assert await breaker_events(bench, good) == ["circuit_breaker_half_open", "circuit_breaker_closed"]


@BOTH
async def test_after_thirty_seconds_a_success_closes_it(bench, action):
    await fail(bench, action, times=5)
    bench.clock.time += 29.9
    assert await fail(bench, action) == ["CIRCUIT_OPEN"]
    bench.clock.time += 0.1
    assert (await bench.run(workflow(step("b", action, {"times": 0})))).status == "completed"
    assert await fail(bench, action, times=5) == ["EXECUTION_ERROR"] * 5


@BOTH
async def test_a_probe_that_fails_opens_it_again_at_once(bench, action):
    await fail(bench, action, times=5)
    bench.clock.time += 30
    assert await fail(bench, action, times=2) == ["EXECUTION_ERROR", "CIRCUIT_OPEN"]
    bench.clock.time += 29
    assert await fail(bench, action) == ["CIRCUIT_OPEN"]


@BOTH
async def test_a_success_in_between_starts_the_count_again(bench, action):
    await fail(bench, action, times=4)
    await bench.run(workflow(step("b", action, {"times": 0})))
    assert await fail(bench, action, times=5) == ["EXECUTION_ERROR"] * 5
    assert await fail(bench, action) == ["CIRCUIT_OPEN"]


@BOTH
@pytest.mark.parametrize(
    "code", sorted(set(ErrorCode) - {"EXECUTION_ERROR", "TIMEOUT_ERROR", "CIRCUIT_OPEN"})
)
async def test_other_failures_do_not_count(bench, action, code):
    assert await fail(bench, action, times=7, code=code) == [code] * 7


async def test_timeouts_count(bench):
    assert await fail(bench, times=6, code="TIMEOUT_ERROR") == ["TIMEOUT_ERROR"] * 5 + ["CIRCUIT_OPEN"]


async def test_retries_count(bench):
    state = await bench.run(workflow(step("a", "t.flaky", retry={"max": 10})))
    assert state.error["code"] == "CIRCUIT_OPEN"
    assert bench.lab.tries["a"] == 5


async def test_each_action_has_its_own(bench):
    await fail(bench, times=5)
    assert (await bench.run(workflow(echo("b")))).status == "completed"
    assert await fail(bench, "t.aflaky") == ["EXECUTION_ERROR"]


async def test_params_that_do_not_fit_say_nothing_about_the_action(bench):
    for _ in range(7):
        state = await bench.run(workflow(step("a", "t.typed", {"n": "${{inputs.n}}"})), {"n": "x"})
        assert state.error["code"] == "VALIDATION_ERROR"


async def test_the_settings_of_an_action(make_bench):
    bench = await make_bench(breaker_policies={"t.flaky": BreakerPolicy(failures=2, pause=5)})
    assert await fail(bench, times=3) == ["EXECUTION_ERROR", "EXECUTION_ERROR", "CIRCUIT_OPEN"]
    bench.clock.time += 5
    assert await fail(bench) == ["EXECUTION_ERROR"]


async def test_only_one_probe_at_a_time(make_bench):
    bench = await make_bench(breaker_policies={"t.gate": BreakerPolicy(failures=1)})
    bench.lab.open("a")
    await bench.run(workflow(step("a", "t.gate", {"name": "a", "fail": True})))
    bench.clock.time += 30
    probing = await bench.start(workflow(gate("probe")))
    await bench.lab.reached("probe")
    state = await bench.run(workflow(gate("b")))
    assert state.error["message"].endswith("a probe is under way")
    bench.lab.open("probe", "c")
    assert (await bench.wait(probing)).status == "completed"
    assert (await bench.run(workflow(gate("c")))).status == "completed"


async def test_a_probe_that_is_cancelled_leaves_room_for_another(make_bench):
    bench = await make_bench(breaker_policies={"t.gate": BreakerPolicy(failures=1)})
    bench.lab.open("a", "c")
    await bench.run(workflow(step("a", "t.gate", {"name": "a", "fail": True})))
    bench.clock.time += 30
    probing = await bench.start(workflow(gate("probe")))
    await bench.lab.reached("probe")
    await bench.engine.cancel(probing)
    assert (await bench.run(workflow(gate("c")))).status == "completed"


async def test_calls_that_were_under_way_when_it_opened_do_not_keep_it_open(make_bench):
    bench = await make_bench(breaker_policies={"t.gate": BreakerPolicy(failures=1)})
    fails = [
        step(name, "t.gate", {"name": name, "fail": True}, on_error={"strategy": "ignore"}) for name in "ab"
    ]
    run_id = await bench.start(workflow(parallel("p", *([one] for one in fails))))
    await bench.lab.reached("a", "b")
    bench.lab.open("a")
    await bench.settle()
    bench.clock.time += 20
    bench.lab.open("b", "c")
    await bench.wait(run_id)
    bench.clock.time += 10  # thirty seconds after the first failure
    assert (await bench.run(workflow(gate("c")))).status == "completed"


async def test_the_calls_output_closes_it_only_when_it_is_good(make_bench):
    """What is not JSON is the action's failure too."""
    bench = await make_bench(breaker_policies={"t.weird": BreakerPolicy(failures=2)})
    for code in ("EXECUTION_ERROR", "EXECUTION_ERROR", "CIRCUIT_OPEN"):
        assert (await bench.run(workflow(step("a", "t.weird", {"kind": "set"})))).error["code"] == code


# ---- by itself -------------------------------------------------------------------------------


def test_the_life_of_a_breaker():
    breaker = Breaker("x", BreakerPolicy(failures=2, pause=10))
    assert breaker.enter(0) is None
    assert breaker.failed(ErrorCode.EXECUTION_ERROR, 0) is None
    assert breaker.failed(ErrorCode.NOT_FOUND, 0) is None
    assert breaker.failed(ErrorCode.TIMEOUT_ERROR, 1) == "circuit_breaker_open"
    with pytest.raises(OpcodeError, match="tried again in 10 s"):
        breaker.enter(1)
    assert breaker.enter(11) == "circuit_breaker_half_open"
    with pytest.raises(OpcodeError, match="a probe is under way"):
        breaker.enter(11)
    breaker.left()
    assert breaker.enter(12) == "circuit_breaker_half_open"
    assert breaker.failed(ErrorCode.EXECUTION_ERROR, 12) == "circuit_breaker_open"
    assert breaker.enter(22) == "circuit_breaker_half_open"
    assert breaker.succeeded() == "circuit_breaker_closed"
    assert breaker.enter(22) is None
    assert breaker.succeeded() is None


async def test_one_policy_may_be_for_all_others(make_bench):
    bench = await make_bench(breaker_policies={"*": BreakerPolicy(failures=2), "t.aflaky": NEVER})
    assert await fail(bench, times=3) == ["EXECUTION_ERROR", "EXECUTION_ERROR", "CIRCUIT_OPEN"]
    assert await fail(bench, "t.aflaky", times=6) == ["EXECUTION_ERROR"] * 6
