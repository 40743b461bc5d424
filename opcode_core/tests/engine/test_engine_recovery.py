"""After a crash: orphans go on by themselves, each by one process only, and not for ever."""

import asyncio

import pytest
from engine_workbench import echo, flow, gate, step, workflow

from opcode_core import ErrorCode, Message, OpcodeError
from opcode_core.engine import recovery, watch
from opcode_core.engine.owner import is_dead, this_process
from opcode_core.memory import MemoryStorage


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(watch, "TICK", 0.01)


def external(step_id, **fields):
    return step(step_id, "t.external", **fields)


async def crash(bench):
    """As if the process had died: nothing more is written, and nobody says goodbye."""
    engine = bench.engine
    engine.storage = engine.runs.storage = engine.watch.storage = DeadStorage(bench.storage)
    engine.journal._storage = engine.storage
    await engine.storage.real.leave(engine.owner)
    bench.broken.update(engine.runs.live)


class DeadStorage:
    """Takes nothing any more."""

    def __init__(self, real):
        self.real = real

    def __getattr__(self, name):
        async def refused(*_, **__):
            if name != "close":
                raise OpcodeError(ErrorCode.STORE_ERROR, "this process is dead")

        return refused


async def died_in(make_bench, definition, gate_name="g", **options):
    """A bench whose process died while a step was going on, the run's id, and a bench beside it."""
    bench = await make_bench(**options)
    run_id = await bench.start(definition)
    await bench.lab.reached(gate_name)
    await bench.settle()
    await crash(bench)
    return bench, run_id


async def test_an_orphan_goes_on_by_itself(make_bench):
    dead, run_id = await died_in(
        make_bench, workflow(external("a"), gate("g", after="a"), echo("z", after="g"))
    )
    bench = await make_bench(dead.storage)
    await bench.lab.reached("g")
    bench.lab.open("g")
    state = await bench.wait(run_id)
    assert (state.status, state.output) == ("completed", {"z": "z"})
    assert bench.lab.calls == ["g"]  # a was done
    kinds = [e.event_type for e in await bench.events(run_id) if e.event_type.startswith("workflow_")]
    assert kinds == ["workflow_started", "workflow_interrupted", "workflow_resumed", "workflow_completed"]
    (event,) = await bench.events(run_id, "workflow_interrupted")
    assert event.payload == {"steps": ["g"]}


async def test_it_can_be_left_for_somebody_to_decide(make_bench):
    dead, run_id = await died_in(make_bench, workflow(gate("g")))
    bench = await make_bench(dead.storage, recovery="suspend")
    state = await bench.wait(run_id)
    assert (state.status, state.held, state.steps["g"].status) == ("suspended", "interrupted", "running")
    bench.lab.open("g")
    await bench.engine.signal(run_id, "retry", {})
    assert (await bench.finished(run_id)).output == {"g": "g"}


@pytest.mark.parametrize(
    ("on_crash", "expected"), [("retry", "completed"), ("fail", "failed"), ("suspend", "suspended")]
)
async def test_an_external_step_in_doubt_does_as_it_says(make_bench, on_crash, expected):
    bench = await make_bench()
    run_id = await bench.start(workflow(step("a", "t.hang", {}, on_crash=on_crash), echo("z", after="a")))
    await bench.lab.reached("a")
    await bench.settle()
    await crash(bench)
    key = bench.lab.contexts[-1].idempotency_key
    after = await make_bench(bench.storage)
    after.lab.open("a")
    state = await after.wait(run_id)
    assert state.status == expected
    if on_crash == "retry":
        assert [context.idempotency_key for context in after.lab.contexts] == [key]
        assert (state.steps["a"].attempt, state.steps["a"].failures) == (2, 0)
    else:
        assert after.lab.contexts == []
    if on_crash == "fail":
        assert "the process ended while step 'a' was going on" in state.error["message"]
    if on_crash == "suspend":
        await after.engine.signal(run_id, "retry", {}, step_id="a")
        assert (await after.finished(run_id)).output == {"z": "z"}
        assert [context.idempotency_key for context in after.lab.contexts] == [key]


async def test_what_failed_by_a_crash_does_not_count_as_a_try(make_bench):
    retry = {"max": 1}
    dead, run_id = await died_in(
        make_bench, workflow(step("a", "t.gate", {"name": "g", "fail": True}, retry=retry))
    )
    bench = await make_bench(dead.storage)
    bench.lab.open("g")
    state = await bench.wait(run_id)
    assert (state.error["code"], bench.lab.calls) == ("RETRY_EXHAUSTED", ["g", "g"])


async def test_a_run_that_only_waits_is_left_to_its_row(make_bench):
    bench = await make_bench(linger=0)
    bench.clock.held = True
    run_id = await bench.start(workflow(flow("w", "wait", {"duration": "30d"}), echo("z", after="w")))
    await bench.until(lambda: not bench.engine.runs.live)
    record = await bench.storage.run(run_id)
    assert (record.status, record.owner, record.wakes_at) == ("active", None, bench.clock.time + 30 * 86400)
    after = await make_bench(bench.storage, linger=0)
    after.clock.held = True
    await after.settle()
    assert after.engine.runs.live == {}
    after.clock.advance(30 * 86400)
    assert (await after.wait(run_id)).output == {"z": "z"}
    assert await after.events(run_id, "workflow_interrupted") == []


async def test_a_run_that_died_while_it_lingered_was_not_interrupted(make_bench):
    bench = await make_bench(linger=60)
    bench.clock.held = True
    run_id = await bench.start(workflow(flow("w", "wait", {"signal": "go"})))
    state = await bench.wait(run_id)
    assert state.status == "suspended"
    await crash(bench)
    after = await make_bench(bench.storage, linger=0)
    await after.engine.signal(run_id, "data", {"signal": "go"})
    assert (await after.finished(run_id)).status == "completed"
    assert await after.events(run_id, "workflow_interrupted") == []


# ---- who drives what -------------------------------------------------------------------------


async def test_a_run_of_a_living_process_is_left_alone(make_bench):
    first = await make_bench(owner="first")
    run_id = await first.start(workflow(gate("g")))
    await first.lab.reached("g")
    second = await make_bench(first.storage, owner="second")
    await asyncio.sleep(0.1)
    assert second.engine.runs.live == {}
    first.lab.open("g")
    assert (await second.wait(run_id)).status == "completed"  # it looks again until then
    assert second.lab.calls == []


async def test_a_late_writer_is_refused(make_bench):
    """A process that was stopped for too long finds its run taken over and leaves it alone."""
    first = await make_bench(owner="first")
    run_id = await first.start(workflow(gate("g"), external("z", after="g")))
    await first.lab.reached("g")
    first.broken.add(run_id)
    first.clock.held = True
    second = await make_bench(first.storage, owner="second")
    second.clock.time += 100  # far beyond the lease
    await second.lab.reached("g")
    waiting = asyncio.create_task(first.wait(run_id))
    first.lab.open("g")
    await first.until(lambda: not first.engine.runs.live)
    assert "z" not in first.lab.calls
    second.lab.open("g")
    assert (await second.wait(run_id)).status == "completed"
    assert (await waiting).status == "completed"  # who waits at the first hears of it all the same
    log = await second.events(run_id)
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))


async def test_a_message_to_a_run_of_another_process_is_delivered(make_bench):
    first = await make_bench(owner="first")
    run_id = await first.start(
        workflow(gate("g"), flow("w", "wait", {"signal": "go"}), echo("z", after="g w"))
    )
    await first.lab.reached("g")
    second = await make_bench(first.storage, owner="second")
    await second.engine.signal(run_id, "data", {"signal": "go", "n": 1}, agent_id="ann")
    first.lab.open("g")
    state = await first.finished(run_id)
    assert (state.output, state.steps["w"].output["payload"]) == ({"z": "z"}, {"n": 1})
    assert await first.storage.messages() == []
    assert second.lab.calls == []


async def test_a_message_that_a_run_refuses_is_dropped(make_bench, caplog):
    first = await make_bench(owner="first")
    run_id = await first.start(workflow(gate("g")))
    await first.lab.reached("g")
    second = await make_bench(first.storage, owner="second")
    with pytest.raises(OpcodeError, match="no decision of run"):  # seen from afar
        await second.engine.signal(run_id, "decision", {"choice": "x"})
    assert await first.storage.messages() == []
    late = Message("late", run_id, "decision", None, {"choice": "x"}, "ann", 1.0)
    await first.storage.post(late)
    async with asyncio.timeout(5):
        while await first.storage.messages():
            await asyncio.sleep(0.01)
    assert "no decision of run" in caplog.text
    first.lab.open("g")
    await first.wait(run_id)


async def test_without_others_only_own_runs_go_on(make_bench):
    dead, run_id = await died_in(make_bench, workflow(gate("g")))
    bench = await make_bench(dead.storage, others=False)
    bench.ids.made = 100
    own = await bench.run(workflow(flow("w", "wait", {"duration": "1h"})))
    assert own.status == "completed"
    assert run_id not in bench.engine.runs.live


# ---- runs that kill --------------------------------------------------------------------------


async def test_a_run_that_kills_its_process_each_time_is_set_aside(make_bench):
    storage = MemoryStorage()
    bench = await make_bench(storage)
    run_id = await bench.start(workflow(external("before"), gate("g", after="before"), echo("z", after="g")))
    for _ in range(recovery.MOST_DEATHS):
        await bench.lab.reached("g")
        await bench.settle()
        await crash(bench)
        bench = await make_bench(storage)
    state = await bench.wait(run_id)
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "EXECUTION_ERROR", "g")
    assert "the process ended 5 times in a row while this run went on in step g" in state.error["message"]
    assert "g" not in bench.lab.calls
    await bench.engine.signal(run_id, "retry", {})
    bench.lab.open("g")
    assert (await bench.finished(run_id)).output == {"z": "z"}


async def test_whoever_comes_further_is_not_set_aside(make_bench):
    storage = MemoryStorage()
    bench = await make_bench(storage)
    names = [f"g{i}" for i in range(recovery.MOST_DEATHS + 2)]
    steps = [gate(name, **({"after": names[i - 1]} if i else {})) for i, name in enumerate(names)]
    run_id = await bench.start(workflow(*steps))
    for name in names:
        await bench.lab.reached(name)
        await bench.settle()
        await crash(bench)
        bench = await make_bench(storage)
        bench.lab.open(name)
    assert (await bench.wait(run_id)).status == "completed"


# ---- owners ----------------------------------------------------------------------------------


def test_a_process_knows_itself_and_the_dead():
    mine = this_process()
    assert this_process() != mine
    assert not is_dead(mine)
    machine, pid, start, nonce = mine.split("/")
    assert is_dead(f"{machine}/{pid}/{int(start) - 1}/{nonce}")  # the same number, another process
    assert is_dead(f"{machine}/4194305/1/{nonce}")
    assert not is_dead(f"elsewhere/{pid}/1/{nonce}")  # only its lease tells
    assert not is_dead("whatever")


async def test_after_shutting_down_nobody_owns_anything(make_bench):
    bench = await make_bench()
    run_id = await bench.start(workflow(gate("g")))
    await bench.lab.reached("g")
    await bench.engine.shut_down(grace=0)
    assert await bench.storage.owners() == {}
    assert [record.id for record in await bench.storage.orphans(bench.clock.time)] == [run_id]


async def test_what_was_kept_from_beginning_goes_on_at_the_next_start(make_bench):
    bench = await make_bench()
    run_id = await bench.start(workflow(gate("g"), external("z", after="g")))
    await bench.lab.reached("g")
    stopping = asyncio.create_task(bench.engine.shut_down(grace=10))
    await bench.settle()
    bench.lab.open("g")
    await stopping
    assert bench.lab.calls == ["g"]
    record = await bench.storage.run(run_id)
    assert (record.owner, record.wakes_at) == (None, bench.clock.time)
    after = await make_bench(bench.storage)
    assert (await after.wait(run_id)).status == "completed"
    assert await after.events(run_id, "workflow_interrupted") == []  # it was not
