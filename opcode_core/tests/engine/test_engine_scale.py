"""Many steps and many iterations: the cost grows with their number and no faster, the memory hardly."""

import asyncio
import sys
import tracemalloc

import pytest
from engine_workbench import echo, flow, for_each, parallel, repeat, step, workflow

from opcode_core.engine.run import BATCH
from opcode_core.engine.steps.loop import KEPT
from opcode_core.memory import MemoryStorage


def aecho(step_id, **fields):
    return step(step_id, "t.aecho", **fields)


def chain(make, count):
    return workflow(*(make(f"s{i}", **({"after": f"s{i - 1}"} if i else {})) for i in range(count)))


def side_by_side(make, count):
    return workflow(*(make(f"s{i}") for i in range(count)))


async def calls(work):
    """How many calls and returns of Python functions `work` takes."""
    count = 0

    def seen(frame, event, argument):
        nonlocal count
        count += 1

    sys.setprofile(seen)
    try:
        await work
    finally:
        sys.setprofile(None)
    return count


SHAPES = {
    "sync chain": lambda n: chain(echo, n),
    "sync parallel": lambda n: side_by_side(echo, n),
    "async chain": lambda n: chain(aecho, n),
    "async parallel": lambda n: side_by_side(aecho, n),
    "waits": lambda n: workflow(*(flow(f"w{i}", "wait", {"duration": "1s"}) for i in range(n))),
    "failures": lambda n: workflow(
        *(step(f"s{i}", "t.aflaky", on_error={"strategy": "ignore"}) for i in range(n))
    ),
    "retries": lambda n: workflow(
        *(step(f"s{i}", "t.aflaky", {"times": 1}, retry={"max": 1}) for i in range(n))
    ),
    "branches": lambda n: workflow(parallel("p", *([aecho("x")] for _ in range(n)))),
    "few branches at once": lambda n: workflow(
        parallel("p", *([aecho("x")] for _ in range(n)), max_concurrency=2)
    ),
    "loop": lambda n: workflow(for_each("l", [0] * n, echo("x"))),
    "concurrent loop": lambda n: workflow(for_each("l", [0] * n, aecho("x"), concurrency=10)),
    "until": lambda n: workflow(repeat("until", "l", f"iter.index == {n - 1}", echo("x"), max_iter=n)),
    "a long block": lambda n: workflow(parallel("p", [echo(f"x{i}") for i in range(n)])),
    "failing iterations": lambda n: workflow(
        for_each("l", [0] * n, step("x", "t.aflaky", on_error={"strategy": "ignore"}))
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_twice_as_many_take_twice_as_much(bench, shape):
    for name in ("t.aflaky", "t.flaky"):
        bench.engine._breaker_policies[name] = type(bench.engine.breaker(name).policy)(failures=10**9)
    bench.engine.breakers.clear()
    plans = [await bench.engine.plan(SHAPES[shape](count)) for count in (150, 300, 600)]
    await bench.run(plans[0])  # what is made only once is made
    few, more, many = [await calls(bench.run(plan)) for plan in plans]
    assert (many - more) / (
        more - few
    ) < 2.3  # 2 when every step costs the same, 4 when each costs more than the last


@pytest.mark.parametrize("make", [echo, aecho])
@pytest.mark.parametrize("shape", [chain, side_by_side])
async def test_two_thousand_steps(bench, make, shape):
    state = await bench.run(shape(make, 2000))
    assert state.status == "completed"
    assert len(state.steps) == 2000
    assert {found.status for found in state.steps.values()} == {"completed"}


async def test_two_thousand_branches_a_few_at_once(bench):
    state = await bench.run(workflow(parallel("p", *([aecho("x")] for _ in range(2000)), max_concurrency=7)))
    assert len(state.output["p"]["branches"]) == 2000


async def test_two_thousand_runs_at_once(bench):
    plan = await bench.engine.plan(workflow(aecho("a"), echo("b", after="a")))
    states = await asyncio.gather(*(bench.run(plan) for _ in range(2000)))
    assert {state.status for state in states} == {"completed"}
    assert bench.engine.runs.live == {}


class Forgetful(MemoryStorage):
    """Keeps no event, as a storage on a disk keeps none in memory."""

    def __init__(self):
        super().__init__()
        self.largest = 0

    async def commit(self, commits):
        self.largest = max(self.largest, *(len(commit.events) for commit in commits))


TWO_STEPS_EACH = workflow(for_each("l", "${{inputs.list}}", echo("x", "${{loop.index}}"), echo("y", 0)))


async def test_a_hundred_thousand_iterations_keep_their_results_and_little_else(make_bench):
    bench = await make_bench(Forgetful())
    bench.broken.add("run-1")
    state = await bench.run(TWO_STEPS_EACH, {"list": [0] * 100_000})
    assert state.output["l"]["iterations"] == 100_000
    assert len(state.steps) == 1 + 2 * KEPT
    assert bench.storage.largest < 2 * BATCH


async def test_an_iteration_leaves_a_few_words_of_memory_behind(make_bench):
    bench = await make_bench(Forgetful())
    bench.broken |= {"run-1", "run-2"}
    plan = await bench.engine.plan(TWO_STEPS_EACH)
    peaks = []
    for count in (3_000, 13_000):
        tracemalloc.start()
        await bench.run(plan, {"list": [0] * count})
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (
        peaks[1] - peaks[0]
    ) / 10_000 < 400  # the list, its copies, the results; one kept step would take as much


async def test_a_long_loop_of_blocks_keeps_as_little(make_bench):
    bench = await make_bench(Forgetful())
    bench.broken.add("run-1")
    body = [parallel("p", [echo("a")], [for_each("i", [1, 2], echo("b"))])]
    state = await bench.run(workflow(for_each("l", "${{inputs.list}}", *body)), {"list": [0] * 2000})
    assert state.output["l"]["iterations"] == 2000
    assert len(state.steps) <= 1 + KEPT * 5
