"""When steps begin: as soon as everything that they wait for has ended, and not before."""

from engine_workbench import echo, gate, parallel, step, workflow


async def test_a_step_waits_only_for_its_own_dependencies(bench):
    run_id = await bench.start(
        workflow(gate("slow"), echo("quick"), gate("next", after="quick"), echo("last", after="slow next"))
    )
    await bench.lab.reached("slow", "next")  # with `slow` still running, what follows `quick` has begun
    assert bench.lab.outcome == {}
    bench.lab.open("next", "slow")
    state = await bench.wait(run_id)
    assert state.status == "completed"
    assert state.output == {"last": "last"}


async def test_a_long_chain_beside_a_slow_step_goes_to_its_end(bench):
    chain = [echo("c0"), *(echo(f"c{i}", after=f"c{i - 1}") for i in range(1, 20)), gate("end", after="c19")]
    run_id = await bench.start(workflow(gate("slow"), *chain))
    await bench.lab.reached("slow", "end")
    assert bench.status(run_id, "c19") == "completed"


async def test_a_step_waits_for_all_of_its_dependencies(bench):
    run_id = await bench.start(workflow(gate("a"), gate("b"), gate("both", after="a b")))
    await bench.lab.reached("a", "b")
    bench.lab.open("a", "both")
    await bench.until(lambda: bench.status(run_id, "a") == "completed")
    assert "both" not in bench.lab.calls
    bench.lab.open("b")
    await bench.wait(run_id)
    assert bench.lab.calls == ["a", "b", "both"]


async def test_the_order_of_writing_does_not_matter(bench):
    state = await bench.run(workflow(echo("c", after="b"), echo("b", after="a"), echo("a")))
    assert [e.step_id for e in await bench.events(state, "step_completed")] == ["a", "b", "c"]


async def test_independent_steps_are_in_flight_together(bench):
    names = [f"s{i}" for i in range(5)]
    run_id = await bench.start(workflow(*(gate(name) for name in names)))
    await bench.lab.reached(*names)
    bench.lab.open(*names)
    assert (await bench.wait(run_id)).output == {name: name for name in names}


async def test_the_pool_bounds_actions_and_not_steps(make_bench):
    bench = await make_bench(pool_size=2)
    names = [f"s{i}" for i in range(6)]
    run_id = await bench.start(workflow(*(gate(name) for name in names)))
    await bench.lab.reached("s0", "s1")
    assert bench.lab.calls == ["s0", "s1"]
    assert [bench.status(run_id, name) for name in names] == ["running"] * 6
    bench.lab.open(*names)
    state = await bench.wait(run_id)
    assert state.output == {name: name for name in names}
    assert bench.lab.most_running == 2


async def test_the_pool_is_shared_by_runs(make_bench):
    bench = await make_bench(pool_size=1)
    first = await bench.start(workflow(gate("a")))
    second = await bench.start(workflow(gate("b")))
    await bench.lab.reached("a")
    bench.lab.open("a", "b")
    await bench.wait(first)
    await bench.wait(second)
    assert bench.lab.most_running == 1


async def test_steps_inside_a_block_run_one_after_another(bench):
    run_id = await bench.start(workflow(parallel("p", [gate("a"), gate("b")])))
    await bench.lab.reached("a")
    assert bench.lab.calls == ["a"]
    bench.lab.open("a", "b")
    await bench.wait(run_id)
    assert bench.lab.calls == ["a", "b"]


async def test_a_run_of_pure_steps_is_one_transaction(make_bench):
    commits = []

    class Counting(type((await make_bench()).storage)):
        async def commit(self, batch):
            commits.append(sum(len(commit.events) for commit in batch))
            await super().commit(batch)

    bench = await make_bench(Counting())
    await bench.run(workflow(*(echo(f"s{i}") for i in range(20))))
    assert commits == [42]


async def test_the_log_is_ahead_of_the_world(bench):
    state = await bench.run(workflow(echo("before"), step("act", "t.external", after="before")))
    assert bench.lab.log_at_call["act"] == [
        "workflow_started None",
        "step_started before",
        "step_completed before",
        "step_started act",
    ]
    assert state.status == "completed"


async def test_an_external_step_in_a_block_is_logged_before_it_is_called(bench):
    await bench.run(workflow(parallel("p", [echo("a"), step("act", "t.external")])))
    assert bench.lab.log_at_call["p.branch_0.act"][-1] == "step_started p.branch_0.act"
