"""When the storage refuses: the run stops loudly, the world is not touched, others go on."""

import asyncio
import logging

import pytest
from engine_workbench import echo, for_each, gate, parallel, step, workflow

from opcode_core import ErrorCode, OpcodeError
from opcode_core.engine import watch
from opcode_core.memory import MemoryStorage


class Failing(MemoryStorage):
    """Refuses the commits whose numbers (from 1) are in `at`; with `held`, waits for permission before each."""

    def __init__(self, *at, error=None):
        super().__init__()
        self.at = set(at)
        self.error = error or OpcodeError(ErrorCode.STORE_ERROR, "the disk is full")
        self.commits = 0
        self.groups = []
        self.held = False
        self.begun = asyncio.Event()
        self.permitted = asyncio.Event()
        self.fails_for = None

    async def commit(self, commits):
        self.commits += 1
        number = self.commits
        self.groups.append(len(commits))
        if self.held:
            self.begun.set()
            await self.permitted.wait()
        else:
            await asyncio.sleep(0)
        if number in self.at or any(commit.run.id == self.fails_for for commit in commits):
            raise self.error
        await super().commit(commits)


def external(step_id, **fields):
    return step(step_id, "t.external", **fields)


CHAIN = workflow(external("a"), external("b", after="a"), external("c", after="b"))


@pytest.mark.parametrize("number", [1, 2, 3, 4])
async def test_the_run_stops_with_the_storages_error(make_bench, caplog, number):
    bench = await make_bench(Failing(number))
    bench.broken.add("run-1")
    with pytest.raises(OpcodeError, match="the disk is full") as caught:
        await bench.run(CHAIN)
    assert caught.value.code == "STORE_ERROR"
    assert "the disk is full" in caplog.text
    assert any(record.levelno == logging.ERROR for record in caplog.records)
    assert bench.lab.calls == ["a", "b", "c"][: number - 1]  # each commit comes before a call


@pytest.mark.parametrize("number", [2, 3, 4])
async def test_nothing_that_was_stored_is_lost(make_bench, number):
    bench = await make_bench(Failing(number))
    bench.broken.add("run-1")
    with pytest.raises(OpcodeError):
        await bench.run(CHAIN)
    log = await bench.events("run-1")
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    begun = [event.step_id for event in log if event.event_type == "step_started"]
    assert begun == bench.lab.calls
    assert (await bench.storage.run("run-1")).status == "active"


async def test_a_start_that_cannot_be_stored_is_no_start(make_bench):
    bench = await make_bench(Failing(1))
    with pytest.raises(OpcodeError, match="the disk is full"):
        await bench.start(CHAIN)
    assert bench.engine.driven == []
    with pytest.raises(OpcodeError, match="there is no run"):
        await bench.engine.state("run-1")


async def test_an_error_that_is_not_meant_for_people_becomes_one(make_bench):
    bench = await make_bench(Failing(1, error=RuntimeError("no such table")))
    bench.broken.add("run-1")
    with pytest.raises(OpcodeError, match="the log of run run-1 cannot be written: no such table") as caught:
        await bench.run(CHAIN)
    assert caught.value.code == "STORE_ERROR"


@pytest.mark.parametrize("how", [{"on_error": {"strategy": "ignore"}}, {"retry": {"max": 3}}, {}])
async def test_no_strategy_takes_it_for_a_failure_of_the_step(make_bench, how):
    bench = await make_bench(Failing(2))
    bench.broken.add("run-1")
    with pytest.raises(OpcodeError, match="the disk is full"):
        await bench.run(
            workflow(
                external("a"),
                external("b", after="a", **how),
                external("c", after="b"),
                on_error=external("h"),
            )
        )
    assert bench.lab.calls == ["a"]


@pytest.mark.parametrize("block", ["parallel", "race", "loop"])
async def test_it_stops_blocks_too(make_bench, block):
    bench = await make_bench(Failing(2))
    bench.broken.add("run-1")
    branches = [[external("x")], [external("y"), external("z")]]
    inner = {
        "parallel": parallel("k", *branches),
        "race": parallel("k", *branches, mode="race"),
        "loop": for_each("k", [1, 2, 3], external("x"), concurrency=2),
    }[block]
    with pytest.raises(OpcodeError, match="the disk is full"):
        await bench.run(workflow(inner, external("after", after="k")))
    assert "after" not in bench.lab.calls


async def test_steps_that_share_the_refused_commit_do_not_touch_the_world(make_bench):
    """Both are begun in one commit: when it fails, neither is called."""
    storage = Failing(2)
    bench = await make_bench(storage)
    run_id = await bench.start(workflow(external("a"), external("b"), external("c")))
    bench.broken.add(run_id)
    with pytest.raises(OpcodeError, match="the disk is full"):
        await bench.wait(run_id)
    assert bench.lab.calls == []


async def test_who_waits_for_a_commit_waits_for_the_one_that_holds_its_events(make_bench):
    """Giving up a step while its events are being written leaves no hole in the log."""
    storage = Failing()
    bench = await make_bench(storage)
    run_id = await bench.start(
        workflow(external("a", timeout="20ms", on_error={"strategy": "ignore"}), external("b"))
    )
    storage.held = True
    await storage.begun.wait()
    await bench.until(lambda: bench.status(run_id, "a") == "skipped")
    assert bench.lab.calls == []  # nothing is stored yet
    storage.permitted.set()
    state = await bench.wait(run_id)
    assert (state.status, bench.lab.calls) == ("completed", ["b"])


async def test_a_run_that_is_cancelled_while_its_log_is_written(make_bench):
    storage = Failing()
    bench = await make_bench(storage)
    run_id = await bench.start(workflow(external("a"), external("b", after="a")))
    storage.held = True
    await storage.begun.wait()
    cancelling = asyncio.create_task(bench.engine.cancel(run_id))
    await bench.settle()
    storage.permitted.set()
    assert (await cancelling).status == "cancelled"
    assert (await bench.storage.run(run_id)).status == "cancelled"


async def test_a_race_that_is_won_while_a_losers_log_is_written(make_bench):
    storage = Failing()
    bench = await make_bench(storage)
    run_id = await bench.start(
        workflow(parallel("p", [gate("a")], [external("x")], mode="race"), external("z", after="p"))
    )
    storage.held = True
    await bench.lab.reached("a")
    await storage.begun.wait()
    bench.lab.open("a")
    await bench.settle()
    storage.permitted.set()
    state = await bench.wait(run_id)
    assert (state.status, state.steps["p"].output["winner"], bench.lab.calls) == ("completed", 0, ["a", "z"])


async def test_shutting_down_waits_for_what_is_being_written(make_bench):
    storage = Failing()
    bench = await make_bench(storage)
    run_id = await bench.start(workflow(external("a")))
    storage.held = True
    await storage.begun.wait()
    stopping = asyncio.create_task(bench.engine.shut_down(grace=0))
    await bench.settle()
    assert not stopping.done()
    storage.permitted.set()
    await stopping
    begun = ["workflow_started", "step_started"]
    assert [event.event_type for event in await bench.events(run_id)][:2] == begun


async def test_what_happens_while_the_log_is_written_is_written_next(make_bench):
    storage = Failing()
    bench = await make_bench(storage)
    storage.held = True
    plan = workflow(parallel("p", [gate("a"), gate("b")], [gate("c")]))
    starting = asyncio.create_task(bench.start(plan))
    await storage.begun.wait()
    storage.permitted.set()
    run_id = await starting
    storage.permitted.clear()
    await bench.lab.reached("a", "c")
    bench.lab.open("a")
    await bench.lab.reached("b")
    storage.permitted.set()
    await bench.settle()
    assert (await bench.events(run_id))[-1].step_id == "p.branch_0.b"  # and nobody had to ask
    bench.lab.open("b", "c")
    await bench.wait(run_id)


# ---- others ----------------------------------------------------------------------------------


async def test_other_runs_are_unharmed_also_when_they_share_the_transaction(make_bench):
    storage = Failing()
    bench = await make_bench(storage)
    ids = [
        await bench.start(workflow(gate("g"), external("x", after="g"), echo("y", after="x")))
        for _ in range(5)
    ]
    await bench.lab.reached("g")
    storage.fails_for = ids[2]
    bench.broken.add(ids[2])
    bench.lab.open("g")
    outcomes = await asyncio.gather(*(bench.wait(run_id) for run_id in ids), return_exceptions=True)
    assert [getattr(outcome, "status", str(getattr(outcome, "code", ""))) for outcome in outcomes] == [
        "completed", "completed", "STORE_ERROR", "completed", "completed",
    ]  # fmt: skip
    assert max(storage.groups) > 1
    assert bench.lab.calls.count("x") == 4


async def test_the_next_run_begins_afresh(make_bench):
    bench = await make_bench(Failing(1))
    bench.broken.add("run-1")
    with pytest.raises(OpcodeError):
        await bench.run(CHAIN)
    assert (await bench.run(CHAIN)).status == "completed"


async def test_a_child_goes_on_when_its_log_can_be_written_again(make_bench, monkeypatch):
    monkeypatch.setattr(watch, "TICK", 0.01)
    storage = Failing()
    bench = await make_bench(storage)
    await bench.engine.define("child", workflow(gate("c"), external("d", after="c")))
    run_id = await bench.start(workflow(step("p", "t.child", {"template": "child"})))
    await bench.lab.reached("c")
    child = bench.engine.driven[-1].state.id
    storage.fails_for = child
    bench.broken.add(child)
    bench.lab.open("c")
    with pytest.raises(OpcodeError, match="the disk is full"):
        await bench.wait(child)
    storage.fails_for = None
    assert (await bench.wait(run_id)).output == {"p": {"d": None}}
    assert bench.lab.calls == ["c", "c", "d"]  # what the storage did not take is done again


async def test_a_context_that_cannot_be_stored_is_refused_to_who_changes_it(make_bench):
    storage = Failing()
    bench = await make_bench(storage)
    run_id = await bench.start(workflow(gate("g")))
    bench.broken.add(run_id)
    await bench.lab.reached("g")
    storage.fails_for = run_id
    with pytest.raises(OpcodeError, match="the disk is full") as caught:
        await bench.engine.update_context(run_id, {"n": 1})
    assert caught.value.code == "STORE_ERROR"
    storage.fails_for = None
    bench.lab.open("g")
    with pytest.raises(OpcodeError, match="the disk is full"):  # the first reason, not the gap that it left
        await bench.wait(run_id)


async def test_two_calls_with_the_same_key_in_the_same_moment_give_one_run(make_bench):
    bench = await make_bench(Failing())
    definition = workflow(external("a"))
    states = await asyncio.gather(*(bench.run(definition, idempotency_key="k") for _ in range(5)))
    assert len({state.id for state in states}) == 1
    assert {state.status for state in states} == {"completed"}
    assert bench.lab.calls == ["a"]
