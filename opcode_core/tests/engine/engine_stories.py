"""Workflows that use every feature, somebody who answers what they ask, and what a dead process leaves of them."""

import asyncio
from dataclasses import replace

from engine_workbench import (
    PATIENCE,
    condition,
    echo,
    flow,
    for_each,
    parallel,
    repeat,
    step,
    workflow,
)

from opcode_core import EventFilter
from opcode_core import events as e
from opcode_core.contracts.storage import Commit, RunFilter
from opcode_core.decisions import requested, resolved
from opcode_core.engine.log import record_of
from opcode_core.folding import fold
from opcode_core.memory import MemoryStorage

RETRY = {"max": 2, "backoff": "constant", "delay": "1s"}
SLOW_RETRY = {"max": 2, "backoff": "constant", "delay": "1h"}
IGNORE = {"strategy": "ignore"}


def external(step_id, value=None, **fields):
    return step(step_id, "t.external", {"value": step_id if value is None else value}, **fields)


def flaky(step_id, times, **fields):
    return step(step_id, "t.aflaky", {"times": times, "value": step_id}, **fields)


def ask(step_id, **config):
    options = [{"id": "yes", "description": "go"}, {"id": "no", "description": "stop"}]
    return flow(step_id, "reasoning", {"prompt_context": "well?", "options": options, **config})


def signal(step_id, name, **config):
    return flow(step_id, "wait", {"signal": name, **config})


def pause(step_id, duration, **fields):
    return flow(step_id, "wait", {"duration": duration}, **fields)


WORKFLOWS = {
    "pure": workflow(echo("a"), echo("b", "${{steps.a.output}}", after="a")),
    "external chain": workflow(external("a"), external("b", after="a"), external("c", after="b")),
    "beside each other": workflow(external("a"), external("b"), external("c"), echo("d", after="a b c")),
    "retried": workflow(flaky("a", 2, retry=RETRY), echo("b", after="a")),
    "retried much later": workflow(flaky("a", 1, retry=SLOW_RETRY), echo("b", after="a")),
    "retries exhausted": workflow(flaky("a", 9, retry=RETRY), echo("b", after="a")),
    "failed": workflow(external("a"), step("b", "t.external", {"fail": True}, after="a"), echo("c", after="b")),
    "ignored": workflow(flaky("a", 9, on_error=IGNORE), echo("b", after="a")),
    "fallback": workflow(
        flaky("a", 9, on_error={"strategy": "fallback_step", "fallback_step": "f"}),
        external("f"),
        echo("b", "${{steps.a.output}}", after="a"),
    ),
    "guards": workflow(external("a", condition="false"), external("b", condition="true"), echo("c", after="a b")),
    "condition": workflow(
        external("n", 3),
        condition("c", "steps.n", {"3": [external("x"), external("y")], "4": [external("z")]}, after="n"),
        echo("after", "${{steps.c.output.output}}", after="c"),
    ),
    "for each": workflow(for_each("l", [1, 2, 3], external("x", "${{loop.item}}"), echo("y", "${{steps.x.output}}"))),
    "for each of what was made": workflow(
        external("list", [5, 6]),
        for_each("l", "${{steps.list.output}}", external("x", "${{loop.item}}"), after="list"),
    ),
    "for each at once": workflow(for_each("l", [1, 2, 3], external("x", "${{loop.item}}"), concurrency=2)),
    "while": workflow(
        repeat("while", "l", "iter.index < 3", external("x", "${{loop.index}}")), echo("z", after="l")
    ),
    "until": workflow(repeat("until", "l", "steps.x >= 2", external("x", "${{loop.index}}"))),
    "parallel": workflow(parallel("p", [external("a"), external("b")], [external("c")]), echo("z", after="p")),
    "race": workflow(parallel("p", [external("a")], [pause("w", "1h"), external("b")], mode="race")),
    "wait": workflow(pause("w", "1h"), external("a", after="w")),
    "short wait": workflow(pause("w", "1s"), external("a", after="w")),
    "signal": workflow(signal("w", "go"), external("a", "${{steps.w.output.payload.n}}", after="w")),
    "signal in time or not": workflow(
        flow("w", "wait", {"signal": "never", "timeout": "1h"}, on_error=IGNORE), external("a", after="w")
    ),
    "decision": workflow(ask("q"), external("a", "${{steps.q.output.choice}}", after="q")),
    "decision by time": workflow(
        ask("q", timeout="1h", fallback="no"), external("a", "${{steps.q.output.choice}}", after="q")
    ),
    "decision in vain": workflow({**ask("q", timeout="1h"), "on_error": IGNORE}, external("a", after="q")),
    "decisions in a loop": workflow(
        for_each("l", [1, 2], external("x"), ask("q"), external("y", "${{steps.q.output.choice}}"))
    ),
    "decisions in branches": workflow(
        parallel("p", [ask("q"), external("a")], [external("b"), signal("s", "go")], [pause("w", "2h")]),
        condition("c", "'t'", {"t": [ask("r")]}, after="p"),
    ),
    "decisions at once": workflow(for_each("l", [1, 2, 3], ask("q"), external("y"), concurrency=2)),
    "child": workflow(step("c", "t.child", {"template": "child"}), external("a", after="c")),
    "hook after the end": workflow(external("a"), on_complete=external("h")),
    "hook after a failure": workflow(flaky("a", 9), on_error=external("h")),
    "deadline": workflow(pause("w", "2h"), external("a", after="w"), timeout="1h"),
    "deadline that cancels": workflow(pause("w", "2h"), timeout="1h", on_timeout="cancel"),
    "deadline that suspends": workflow(
        pause("w", "2h"), external("a", after="w"), timeout="1h", on_timeout="suspend"
    ),
    "a block's time": workflow(
        for_each("l", [1, 2], pause("w", "2h"), timeout="1h", on_error=IGNORE), external("a", after="l")
    ),
    "a block that is tried again": workflow(
        for_each("l", [1, 2], external("x"), step("f", "t.aflaky", {"times": 1, "value": 1}), retry=SLOW_RETRY)
    ),
    "context": workflow(
        step("r", "t.remember", {"data": {"n": 1}}), echo("a", "${{context.n}}", after="r"), context={"m": 2}
    ),
}  # fmt: skip
CHILD = workflow(external("x"), signal("w", "go"), external("y", after="x w"))


async def live(bench, run_id):
    """Give a run what it waits for until it has ended."""
    async with asyncio.timeout(PATIENCE):
        while not (state := await bench.engine.wait(run_id)).ended:
            await answer(bench, state)
            await asyncio.sleep(0)
    return state


async def answer(bench, state):
    if state.held is not None:
        await bench.engine.signal(state.id, "retry")
    for decision in list(state.decisions.values()):
        if decision.timeout_at is None:
            await bench.engine.signal(state.id, "decision", {"choice": "yes"}, step_id=decision.step_id)
        else:
            bench.clock.time = max(bench.clock.time, decision.timeout_at)
    for step_id, found in list(state.steps.items()):
        waiting = found.waiting or {}
        if waiting.get("for") == "signal" and waiting["until"] is None:
            await bench.engine.signal(state.id, "data", {"signal": "go", "n": 7}, step_id=step_id)
        elif waiting.get("for") == "run" and found.status == "suspended":
            await live(bench, waiting["run_id"])


async def recorded(bench, name):
    await bench.engine.define("child", CHILD)
    run_id = await bench.start(WORKFLOWS[name])
    state = await live(bench, run_id)
    return state, await bench.events(run_id)


async def left_behind(storage, state, log, sequence):
    """A storage as a process left it that died when so much was stored."""
    left = MemoryStorage()
    await left.add_template(await storage.template("child"))
    for record in (await storage.runs(RunFilter())).items:
        if record.id != state.id:
            await copy_run(storage, left, record)
    definition = await storage.definition(state.definition_hash)
    part = log[:sequence]
    then = fold(state.id, part)
    owner = None if then.ended else "a dead process"
    await left.commit([
        Commit(record_of(then, owner, 1, None), part, definition, dict(then.context), decisions_of(state.id, part))
    ])  # fmt: skip
    return left


async def copy_run(storage, left, record):
    page = await storage.events(EventFilter(workflow_id=record.id), limit=10_000)
    definition = await storage.definition(record.definition_hash)
    await left.commit([Commit(replace(record, owner=None, fence=1), page.items, definition)])


def decisions_of(run_id, log):
    known = {}
    for event in log:
        if event.event_type == e.DECISION_REQUESTED:
            decision = requested(run_id, event.step_id, event.payload, event.timestamp)
            known[decision.id] = decision
        elif event.event_type == e.DECISION_RESOLVED:
            key = event.payload["decision_id"]
            known[key] = resolved(known[key], event.payload, event.timestamp)
    return tuple(known.values())
