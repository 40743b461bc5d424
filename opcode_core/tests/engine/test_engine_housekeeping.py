"""Deleting what ended long ago, and finding what is wrong."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from engine_workbench import echo, flow, gate, step, workflow

from opcode_core import ErrorCode, Event, OpcodeError
from opcode_core import events as e
from opcode_core.contracts.storage import Commit, Message
from opcode_core.engine.doctor import Finding, Owners, Runs, about_isolator, about_plugins, about_storage
from opcode_core.engine.housekeeping import BATCH, all_runs, count_purgeable, purge
from opcode_core.engine.owner import this_process
from opcode_core.engine.starting import Parent
from opcode_core.memory import MemoryStorage
from opcode_core.plugins.manager import PluginManager
from opcode_core.plugins.registry import Registry

ASK = flow("ask", "reasoning", {"prompt_context": "?", "options": [{"id": "yes", "description": "y"}]})
PAID = flow("paid", "wait", {"signal": "paid"})
NAP = flow("nap", "wait", {"duration": "1h"})
BAD = step("bad", "t.raise", {"kind": "plain"})


@pytest.fixture
async def bench(make_bench):
    """Its time stands still, so that what waits for it goes on waiting."""
    bench = await make_bench(others=False, linger=0.0)
    bench.clock.held = True
    return bench


async def run_id_of(bench, *steps):
    """A run, after it ended or came to rest; what the test does to its rows is not checked."""
    run_id = await bench.start(workflow(*steps))
    await bench.until(lambda: run_id not in bench.engine.runs.live)
    bench.broken.add(run_id)
    return run_id


async def findings(bench, known=()):
    runs = Runs(bench.engine, known, lambda _: None)
    return [finding async for finding in runs.findings()]


async def only_finding(bench):
    (finding,) = await findings(bench)
    return finding.what.split(": ", 1)[1], finding.remedy


# ---- deleting --------------------------------------------------------------------------------------


async def test_what_ended_long_ago_is_deleted_and_what_goes_on_stays(bench):
    old = [await run_id_of(bench, echo("a")), await run_id_of(bench, BAD)]
    waits = await run_id_of(bench, PAID)
    bench.clock.time += 100
    fresh = await run_id_of(bench, echo("a"))
    before = bench.clock.time - 50
    assert await count_purgeable(bench.storage, before, lambda _: None) == 2
    assert [run.id async for run in all_runs(bench.storage)] == [fresh, waits, *reversed(old)]
    told = []
    assert await purge(bench.storage, before, told.append) == 2
    assert told == [2]
    assert [run.id async for run in all_runs(bench.storage)] == [fresh, waits]
    assert await purge(bench.storage, before, told.append) == 0


async def test_a_run_whose_child_goes_on_is_not_counted(bench):
    await bench.engine.define("kid", workflow(PAID))
    parent = await bench.start(workflow(gate("a")))
    await bench.lab.reached("a")
    child = await bench.engine.start("kid", parent=Parent(parent, "a", 0))
    bench.lab.open("a")
    await bench.finished(parent)
    await bench.until(lambda: child not in bench.engine.runs.live)
    later = bench.clock.time + 1
    assert await count_purgeable(bench.storage, later, lambda _: None) == 0
    assert await purge(bench.storage, later, lambda _: None) == 0


async def test_many_are_deleted_in_batches():
    class Counting(MemoryStorage):
        left = 2 * BATCH + 5

        async def purge(self, before: float, limit: int = 100) -> int:
            done = min(self.left, limit)
            self.left -= done
            return done

    told = []
    assert await purge(Counting(), 1.0, told.append) == 2 * BATCH + 5
    assert told == [BATCH, 2 * BATCH, 2 * BATCH + 5]


async def test_only_a_page_of_rows_is_read_at_a_time(bench):
    limits = []
    ask = bench.storage.runs

    async def runs(where, limit=50, cursor=None):
        limits.append(limit)
        return await ask(where, limit, cursor)

    bench.storage.runs = runs
    made = [await run_id_of(bench, echo("a")) for _ in range(120)]
    found = Runs(bench.engine, (), lambda _: None)
    assert [finding async for finding in found.findings()] == []
    assert (found.runs, found.open) == (len(made), 0)
    assert found.events == sum([run.sequence async for run in all_runs(bench.storage)])
    assert max(limits) <= 50


# ---- finding what is wrong -------------------------------------------------------------------------


async def test_nothing_is_wrong_with_runs_of_every_kind(bench):
    for steps in ([echo("a")], [BAD], [ASK], [PAID], [NAP], [flow("w", "wait", {"duration": "2s"})]):
        run_id = await bench.start(workflow(*steps))
        await bench.settle()
        if run_id in bench.engine.runs.live:
            bench.clock.advance(5)
            await bench.until(lambda run_id=run_id: run_id not in bench.engine.runs.live)
    cancelled = await run_id_of(bench, ASK)
    await bench.engine.signal(cancelled, "cancel")
    running = await bench.start(workflow(gate("g")))
    await bench.lab.reached("g")
    assert await findings(bench) == []
    bench.lab.open("g")
    await bench.wait(running)


def damage(bench, run_id, **fields):
    """Let a row say something else."""
    bench.storage._put_run(replace(bench.storage._runs[run_id], **fields))


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"status": "failed"}, "its row says that it is failed, its log says completed"),
        ({"sequence": 9}, "its row says that its log ends at event 9, but it ends at 4"),
        ({"output": 1}, "its row has another output than its log"),
        ({"error": {"code": "X"}}, "its row has another error than its log"),
    ],
)
async def test_a_row_that_does_not_fit_its_log(bench, fields, what):
    run_id = await run_id_of(bench, echo("a"))
    damage(bench, run_id, **fields)
    assert (await only_finding(bench))[0] == what


async def test_a_log_with_a_gap_or_a_damaged_event(bench):
    run_id = await run_id_of(bench, echo("a"), echo("b"))
    log = bench.storage._logs[run_id]
    kept = list(log)
    del log[2]
    what, remedy = await only_finding(bench)
    assert what == f"its log is damaged at event 4: event 4 of run {run_id} cannot follow event 2"
    assert "backup" in remedy
    assert await findings(bench, [f"run {run_id}: its log has gaps"]) == []  # the storage has said it
    log[:] = kept
    log[2] = log[2]._replace(payload={})
    assert (await only_finding(bench))[0] == "its log is damaged at event 3: KeyError: 'output'"
    log.clear()
    assert (await only_finding(bench))[0] == "its log is empty"


async def test_a_log_that_cannot_be_read(bench):
    await run_id_of(bench, echo("a"))

    async def events(*_):
        raise OpcodeError(ErrorCode.STORE_ERROR, "the disk is on fire")

    bench.storage.events = events
    assert (await only_finding(bench))[0] == "its log cannot be read: the disk is on fire"


async def test_a_snapshot_that_is_not_what_the_log_says(bench):
    run_id = await run_id_of(bench, echo("a"))
    other = await run_id_of(bench, echo("b"))
    from opcode_core.snapshot import freeze

    bench.storage._snapshots[run_id] = (4, freeze(await bench.engine.state(run_id)))
    assert await findings(bench) == []
    for frozen in (freeze(await bench.engine.state(other)), b"{"):
        bench.storage._snapshots[run_id] = (4, frozen)
        assert (await only_finding(bench))[0] == "its snapshot at event 4 is not what its log says"


async def test_decisions_that_do_not_fit_the_log(bench):
    await run_id_of(bench, ASK)
    (decision,) = bench.storage._decisions.values()
    bench.storage._decisions[decision.id] = replace(decision, status="resolved")
    what, _ = await only_finding(bench)
    assert what == f"its log waits for decision {decision.id}, which is not stored as pending"
    bench.storage._decisions = {decision.id: decision, "more": replace(decision, id="more")}
    what, _ = await only_finding(bench)
    assert what == "decision more is stored as pending, but its log does not wait for it"


async def test_runs_that_nobody_goes_on_with(bench):
    run_id = await run_id_of(bench, NAP)
    until = bench.storage._runs[run_id].wakes_at
    assert until is not None
    resume = f"opcode resume {run_id}"
    damage(bench, run_id, owner="a/process/that/died", wakes_at=None)
    assert await only_finding(bench) == ("it is active, but the process that drove it is gone", resume)
    damage(bench, run_id, owner=None)
    assert await only_finding(bench) == ("it is active, but nothing will wake it", resume)
    damage(bench, run_id, wakes_at=until)
    assert await findings(bench) == []
    bench.clock.time = until + 30
    assert await findings(bench) == []
    bench.clock.time = until + 90
    what, remedy = await only_finding(bench)
    assert what.startswith("it was due at 1970-01-12 14:46:40 UTC")
    assert remedy == resume


async def test_a_suspended_run_that_nothing_will_wake(bench):
    asks = dict(ASK, config={**ASK["config"], "timeout": "1h"})
    run_id = await run_id_of(bench, asks)
    damage(bench, run_id, wakes_at=None)
    what, remedy = await only_finding(bench)
    assert what.endswith("but nothing will wake it")
    assert remedy == f"opcode resume {run_id}"


async def test_a_suspended_run_that_waits_for_nothing(bench):
    run_id = await run_id_of(bench, PAID)
    row = bench.storage._runs[run_id]
    for event_type, step_id, payload in (
        (e.WORKFLOW_RESUMED, None, {"reason": "by hand"}),
        (e.WAIT_COMPLETED, "paid", {"signal": "paid", "payload": {}}),
        (e.WORKFLOW_SUSPENDED, None, {"waiting": []}),
    ):
        row = replace(row, sequence=row.sequence + 1)
        event = Event(run_id, row.sequence, event_type, step_id, payload, "local", bench.clock.time)
        await bench.storage.commit([Commit(row, [event])])
    assert await only_finding(bench) == (
        "it is suspended, but waits for nothing",
        f"opcode signal {run_id} retry, or opcode signal {run_id} cancel",
    )


async def test_a_step_that_waits_for_a_run_which_has_ended(bench):
    await bench.engine.define("kid", workflow(PAID))
    parent = await run_id_of(bench, PAID)
    child = await bench.engine.start("kid", parent=Parent(parent, "k", 0))
    await bench.until(lambda: child not in bench.engine.runs.live)
    log = bench.storage._logs[parent]
    at = next(index for index, event in enumerate(log) if event.event_type == e.WAIT_STARTED)
    log[at] = log[at]._replace(payload={"for": "run", "run_id": child, "until": None})
    assert await findings(bench) == []
    await bench.engine.signal(child, "cancel")
    await bench.until(lambda: child not in bench.engine.runs.live)
    await bench.settle()
    bench.storage._messages.clear()
    assert await only_finding(bench) == (
        f"step paid waits for run {child}, which is cancelled",
        f"opcode resume {parent}",
    )
    bench.broken.add(child)
    bench.storage._delete(bench.storage._runs[child])
    assert (await only_finding(bench))[0] == f"step paid waits for run {child}, which does not exist"


async def test_messages_that_nobody_took(bench):
    ended, waits = await run_id_of(bench, echo("a")), await run_id_of(bench, PAID)
    for number, run_id in enumerate((ended, waits, waits)):
        await bench.storage.post(Message(f"m{number}", run_id, "data", None, {}, "local", bench.clock.time))
    assert await findings(bench) == []
    bench.clock.time += 90
    about = {
        finding.workflow_id: (finding.what.split(": ", 1)[1], finding.remedy)
        for finding in await findings(bench)
    }
    assert about == {
        ended: ("1 message was never delivered (data), and it has ended", "opcode resume drops them"),
        waits: ("2 messages were not delivered yet (data)", f"opcode resume {waits}"),
    }


async def test_a_run_whose_actions_are_not_installed(bench):
    run_id = await run_id_of(bench, PAID, echo("a", after="paid"))
    del bench.engine.registry.actions["t.echo"]
    bench.engine._plans.forget()
    what, remedy = await only_finding(bench)
    assert what.startswith("it cannot go on here: ")
    assert "t.echo" in what
    assert "opcode plugins list" in remedy
    bench.storage._definitions.clear()
    assert (await only_finding(bench))[0] == f"the definition of run {run_id} is not stored"


async def test_a_run_that_moves_while_it_is_looked_at_is_looked_at_again(bench):
    run_id = await run_id_of(bench, PAID)
    ask, moved = bench.storage.events, []

    async def events(where, limit=100, cursor=None):
        if not moved and where.workflow_id == run_id:
            moved.append(True)
            row = bench.storage._runs[run_id]
            event = Event(
                run_id,
                row.sequence + 1,
                e.SIGNAL_RECEIVED,
                None,
                {"signal_type": "data", "payload": {}},
                "x",
                1.0,
            )
            await bench.storage.commit([Commit(replace(row, sequence=row.sequence + 1), [event])])
        return await ask(where, limit, cursor)

    bench.storage.events = events
    assert await findings(bench) == []
    assert moved


async def test_a_run_that_is_deleted_while_it_is_looked_at_is_no_finding(bench):
    run_id = await run_id_of(bench, echo("a"))

    async def snapshot(_):
        bench.storage._logs[run_id] = []
        bench.storage._delete(bench.storage._runs[run_id])

    bench.storage.snapshot = snapshot
    assert await findings(bench) == []


async def test_who_lives(bench):
    owners = Owners(bench.storage, bench.clock)
    gone = subprocess.run(
        [sys.executable, "-c", "from opcode_core.engine.owner import this_process; print(this_process())"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    ).stdout.strip()
    mine = this_process()
    for owner in (mine, gone, "elsewhere"):
        await bench.storage.beat(owner, bench.clock.time + 10)
    assert [await owners.live(owner) for owner in (mine, gone, "elsewhere", "nobody", None)] == [
        True, False, True, False, False,
    ]  # fmt: skip
    bench.clock.time += 11
    assert not await owners.live("elsewhere")
    await bench.storage.beat("elsewhere", bench.clock.time + 10)
    assert await owners.live("elsewhere")


async def test_what_the_storage_says_of_itself(bench):
    async def check():
        return ["page 7 is damaged"]

    bench.storage.check = check
    (finding,) = await about_storage(bench.engine)
    assert (finding.area, finding.what) == ("storage", "page 7 is damaged")


def test_plugins_and_isolators():
    manager = PluginManager(discover=False)
    assert list(about_plugins(manager)) == []
    manager._broken("bad", "opcode-bad 1.0", ImportError("no module named x"))
    (finding,) = about_plugins(manager)
    assert finding == Finding(
        "plugins",
        "plugin bad is broken: ImportError: no module named x",
        "reinstall opcode-bad 1.0, or name bad in OPCODE_PLUGINS_DENY",
    )
    isolator, wrong = about_isolator(manager.registry())
    assert isolator is not None
    assert wrong == []
    isolator, (finding,) = about_isolator(Registry())
    assert isolator is None
    assert finding.area == "isolator"
