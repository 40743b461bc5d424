"""Random workflows against a small model of what they should do."""

import asyncio
from collections import Counter

import pytest
from engine_model import Model
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from opcode_core import OpcodeError
from opcode_core.engine.breaker import BreakerPolicy

NEVER_OPENS = dict.fromkeys(("t.flaky", "t.aflaky"), BreakerPolicy(failures=10**9))
OVER = {"step_completed", "step_failed", "step_skipped", "step_ignored"}


@pytest.fixture(scope="module")
def run_example(make_bench_now):
    """Runs a coroutine over one bench that all examples share."""
    with asyncio.Runner() as runner:
        bench = runner.run(make_bench_now(breaker_policies=NEVER_OPENS))
        yield lambda work: runner.run(work(bench))
        runner.run(bench.engine.shut_down(0))


# ---- making workflows ------------------------------------------------------------------------


@st.composite
def actions(draw, step_id):
    made = {
        "id": step_id,
        "action": draw(st.sampled_from(["t.flaky", "t.aflaky"])),
        "params": {
            "times": draw(st.sampled_from([0, 0, 0, 1, 2, 99])),
            "code": draw(st.sampled_from(["EXECUTION_ERROR", "EXECUTION_ERROR", "PATH_DENIED"])),
            "value": draw(st.sampled_from([step_id, 1, None, {"k": [step_id]}])),
        },
    }
    if draw(st.booleans()):
        made["retry"] = {"max": draw(st.integers(0, 2)), "backoff": "linear", "delay": "1s"}
    return made


@st.composite
def blocks(draw, step_id, depth):
    inner = lists(depth - 1)
    match draw(st.sampled_from(["condition", "loop", "parallel"])):
        case "condition":
            config = {
                "expression": draw(st.sampled_from(["'a'", "'b'", "'c'"])),
                "branches": {"a": draw(inner), "b": draw(inner)},
            }
            if draw(st.booleans()):
                config["default"] = draw(inner)
            made = {"id": step_id, "type": "condition", "config": config}
        case "loop":
            config = {"over": [0] * draw(st.integers(0, 3)), "body": draw(inner)}
            made = {"id": step_id, "type": "loop", "config": config}
        case _:
            config = {"branches": draw(st.lists(inner, min_size=1, max_size=3))}
            if draw(st.booleans()):
                config["max_concurrency"] = draw(st.integers(1, 3))
            return {"id": step_id, "type": "parallel", "config": config}
    if draw(st.booleans()) and "'parallel'" not in repr(config):  # the model knows no chance
        made["retry"] = {"max": draw(st.integers(0, 1))}
    return made


@st.composite
def lists(draw, depth, graph=False, max_size=3):
    """Steps of one block, or with dependencies of a whole workflow."""
    names = [f"s{i}" for i in range(draw(st.integers(1, max_size)))]
    spares = [f"f{i}" for i in range(draw(st.integers(0, 2)))]
    steps = []
    for i, name in enumerate(names):
        made = draw(blocks(name, depth) if depth and draw(st.integers(0, 2)) == 0 else actions(name))
        if graph:
            made["depends_on"] = draw(st.lists(st.sampled_from(names[:i]), unique=True)) if i else []
        before = made.get("depends_on", []) if graph else names[:i]
        guards = [
            "true",
            "false",
            "inputs.nope == 1",
            *(f"steps['{other}'].status == 'completed'" for other in before),
        ]
        if draw(st.integers(0, 3)) == 0:
            made["condition"] = draw(st.sampled_from(guards))
        strategies = [{"strategy": "ignore"}, {"strategy": "fail_workflow"}]
        strategies += [{"strategy": "fallback_step", "fallback_step": spare} for spare in spares]
        if draw(st.booleans()):
            made["on_error"] = draw(st.sampled_from(strategies))
        steps.append(made)
    used = {
        step["on_error"]["fallback_step"] for step in steps if "fallback_step" in step.get("on_error", {})
    }
    for i, name in enumerate(spare for spare in spares if spare in used):
        made = draw(actions(name))
        if i == 0 and len(used) > 1 and draw(st.booleans()):
            made["on_error"] = {"strategy": "fallback_step", "fallback_step": max(used)}
        steps.append(made)
    return draw(st.permutations(steps)) if graph else steps


WORKFLOWS = lists(depth=2, graph=True, max_size=6).map(lambda steps: {"steps": steps})


# ---- what must hold --------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(WORKFLOWS)
def test_a_workflow_does_what_the_model_does(run_example, definition):
    async def work(bench):
        bench.lab.tries.clear()
        bench.lab.calls.clear()
        bench.engine.driven.clear()
        try:
            plan = await bench.engine.plan(definition)
        except OpcodeError as error:
            assume(error.code != "CYCLE_DETECTED")  # fallbacks can make one, with each other's dependents
            raise
        model = Model(definition)
        state = await bench.run(plan)
        log = await bench.events(state)
        check_order(definition["steps"], log)
        check_attempts(log)
        check_outcome(model, state)
        check_steps(model, state, Counter(bench.lab.calls))
        await bench.check()

    run_example(work)


def check_order(steps, log):
    """No outermost step begins before everything that it waits for has ended."""
    over = {}
    begun = {}
    for event in log:
        if event.event_type in OVER:
            over[event.step_id] = event.sequence
        elif event.event_type == "step_started":
            begun.setdefault(event.step_id, event.sequence)
    for step in steps:
        if step["id"] in begun:
            for other in step.get("depends_on", ()):
                assert over[other] < begun[step["id"]]
    stands_in = {e.step_id: e.payload["fallback_step"] for e in log if e.event_type == "step_fallback"}
    for owner, spare in stands_in.items():
        for step in steps:
            if owner in step.get("depends_on", ()) and step["id"] in begun:
                assert over[owner] < begun[spare]
                assert over[spare] < begun[step["id"]]


def check_attempts(log):
    """A step begins once, and again only after `step_retrying` of itself or of a block around it."""
    active = set()
    for event in log:
        match event.event_type:
            case "step_started":
                assert event.step_id not in active
                active.add(event.step_id)
            case "step_retrying":
                active -= {step_id for step_id in active if step_id.startswith(f"{event.step_id}.")}


def check_outcome(model, state):
    if model.errors:
        assert state.status == "failed"
        assert (state.error["code"], state.error["step_id"]) in model.errors
    else:
        assert (state.status, state.error) == ("completed", None)
        assert state.output == model.output


def check_steps(model, state, calls):
    retries = "'retry'" in repr(model.steps)  # when the run fails, what would be tried again is not
    for step_id, ended in model.ended.items():
        found = state.steps.get(step_id)
        if step_id not in model.uncertain:
            assert (found.status, found.output) == (ended.status, ended.output), step_id
            assert calls[step_id] == model.calls[step_id], step_id
        elif found is not None and found.status == "completed" and not retries:
            assert (ended.status, found.output) == ("completed", ended.output), step_id
        assert calls[step_id] <= model.calls[step_id], step_id
    for step_id in model.blocked:
        assert state.steps[step_id].status == "skipped"
        assert calls[step_id] == 0
    assert state.steps.keys() <= model.ended.keys() | model.ever | model.blocked
    assert all(found.status in ("completed", "failed", "skipped") for found in state.steps.values())
