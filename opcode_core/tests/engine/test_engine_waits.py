"""Wait steps: time passes, nothing is held meanwhile."""

from engine_workbench import echo, flow, for_each, gate, step, workflow


def wait(step_id="w", duration="5s", **fields):
    return flow(step_id, "wait", {"duration": duration}, **fields)


async def test_a_wait_ends_when_its_time_is_over(bench):
    bench.clock.held = True
    run_id = await bench.start(
        workflow(wait(duration="30d"), echo("after", "${{steps.w.output.waited}}", after="w"))
    )
    await bench.clock.somebody_sleeps()
    bench.clock.advance(30 * 86400 - 1)
    await bench.settle()
    assert bench.status(run_id, "w") == "suspended"
    bench.clock.advance(1)
    state = await bench.wait(run_id)
    assert state.steps["w"].output == {"waited": 30 * 86400 * 1000}
    assert state.output == {"after": 2_592_000_000}


async def test_the_wait_is_stored_before_it_is_waited(bench):
    bench.clock.held = True
    run_id = await bench.start(workflow(wait(duration="1h")))
    await bench.clock.somebody_sleeps()
    await bench.settle()
    begun, parked = (await bench.events(run_id))[-2:]
    until = bench.clock.time + 3600
    assert (begun.event_type, begun.payload["until"]) == ("wait_started", until)
    assert (parked.event_type, parked.payload) == ("step_suspended", {"until": until})
    bench.clock.advance(3600)
    await bench.wait(run_id)


async def test_the_story_of_a_wait(bench):
    state = await bench.run(workflow(wait()))
    assert await bench.story(state) == [
        "step_started w",
        "wait_started w",
        "step_suspended w",
        "wait_completed w",
        "step_completed w",
    ]
    assert bench.clock.slept == [5.0]


async def test_a_wait_for_no_time(bench):
    assert (await bench.run(workflow(wait(duration=0)))).output == {"w": {"waited": 0}}


async def test_a_wait_holds_no_place_in_the_pool(make_bench):
    bench = await make_bench(pool_size=1)
    bench.clock.held = True
    run_id = await bench.start(workflow(wait("w1"), wait("w2"), gate("a")))
    await bench.lab.reached("a")
    await bench.clock.somebody_sleeps()
    bench.lab.open("a")
    bench.clock.advance(5)
    assert (await bench.wait(run_id)).status == "completed"


async def test_a_failure_ends_a_wait(bench):
    bench.clock.held = True
    body = wait("x", "1d")
    run_id = await bench.start(
        workflow(
            wait(duration="30d"), for_each("l", [1], body), step("b", "t.gate", {"name": "b", "fail": True})
        )
    )
    await bench.until(lambda: bench.status(run_id, "l.iter_0.x") == "suspended")
    await bench.lab.reached("b")
    bench.lab.open("b")
    state = await bench.wait(run_id)  # the clock never moved
    assert state.status == "failed"
    assert [state.steps[s].status for s in ("w", "l", "l.iter_0.x")] == ["skipped"] * 3
    assert state.steps["w"].reason == "the run failed"


async def test_a_wait_with_a_guard(bench):
    state = await bench.run(workflow(wait(condition="false")))
    assert state.steps["w"].status == "skipped"
    assert bench.clock.slept == []
