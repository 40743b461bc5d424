"""Expressions that take long: wherever they stand they give what they give in place, and hold up nobody else."""

import asyncio
import statistics
import time
from typing import Any

import pytest

from opcode_cel import CelEngine
from opcode_core import OpcodeError, StepView, Timed, action, hookimpl
from opcode_core.engine.engine import Engine
from opcode_core.memory import MemoryStorage
from opcode_core.packing import packed, unpacked
from opcode_core.plugins.manager import PluginManager
from opcode_expr import ExprEngine

LONG = "inputs.n.filter(i, inputs.n.exists(j, j == i + 0))"
"""Some hundred milliseconds over a list of 300; gives the list."""
ENDLESS = "inputs.n.all(a, inputs.n.all(b, inputs.n.all(c, a + b + c >= 0)))"


@action("t.say", effect="pure")
def say(message: Any) -> dict[str, Any]:
    """Say it."""
    return {"message": message}


class Plugin:
    @hookimpl
    def opcode_actions(self):
        return [say]


@pytest.fixture
async def engine():
    manager = PluginManager()
    manager.register(Plugin(), "test")
    engine = Engine(MemoryStorage(), manager)
    await engine.start_up()
    yield engine
    await engine.shut_down()


@pytest.fixture
def nothing_in_place(monkeypatch):
    """Every expression is sent to overtime at once."""
    monkeypatch.setattr(
        Timed, "evaluate", lambda self, scope: self.overtime.evaluate(self.program.source, scope)
    )


def step(step_id: str, message: str, **more: Any) -> dict[str, Any]:
    return {"id": step_id, "action": "t.say", "params": {"message": message}, **more}


EVERYWHERE = {
    "inputs": {"limit": "${{ 1 + 2 }}", "n": [3, 1, 2]},
    "context": {"goal": "try"},
    "steps": [
        step("plain", "${{ inputs.limit * 2 }} of ${{ size(inputs.n) }}: ${{ context.goal.upperAscii() }}"),
        step("yes", "yes", depends_on=["plain"], condition="size(steps.plain.message) > 0"),
        step("no", "no", depends_on=["plain"], condition="size(steps.plain.message) > 100"),
        step("unmet", "?", depends_on=["no"], condition="steps.no.output.nothing > 1 && true"),
        step("faulty", "?", condition="inputs.n + 1 > 2", on_error={"strategy": "ignore"}),
        step("broken", "${{ inputs.n.nope + 1 }}", on_error={"strategy": "ignore"}),
        {
            "id": "choose",
            "type": "condition",
            "config": {
                "expression": "inputs.limit > 2 ? 'big' : 'small'",
                "branches": {"big": [step("say", "big ${{ inputs.limit + 0 }}")], "small": []},
            },
        },
        {
            "id": "each",
            "type": "loop",
            "config": {
                "mode": "for_each",
                "over": "inputs.n.filter(i, i > 1)",
                "body": [step("one", "${{ iter.item * 10 }} at ${{ iter.index + 0 }}")],
            },
        },
        {
            "id": "until",
            "type": "loop",
            "config": {
                "mode": "until",
                "condition": "iter.index >= 1 && steps.turn.message != ''",
                "max_iter": 5,
                "body": [step("turn", "${{ iter.index * 2 }}")],
            },
        },
        {
            "id": "while",
            "type": "loop",
            "config": {
                "mode": "while",
                "condition": "iter.index < 2",
                "max_iter": 5,
                "body": [step("turn", "again", condition="iter.index > 0")],
            },
        },
        {
            "id": "both",
            "type": "parallel",
            "config": {
                "branches": [
                    [step("left", "${{ inputs.limit + 1 }}")],
                    [step("right", "${{ -inputs.limit }}")],
                ]
            },
        },
        {
            "id": "secretive",
            "action": "expr.eval",
            "params": {"expression": "filter(data, {# > 1})", "engine": "expr", "data": "${{ inputs.n }}"},
        },
        {
            "id": "ask",
            "type": "reasoning",
            "depends_on": ["plain"],
            "config": {
                "prompt_context": "Is ${{ inputs.limit + 1 }} right?",
                "data_inject": {"twice": "inputs.limit + inputs.limit"},
                "options": [{"id": "yes", "description": "it is"}],
            },
        },
    ],
    "output": {
        "sum": "${{ inputs.n[0] + inputs.n[1] }}",
        "said": "${{ steps.each.results.map(r, r.message) }}",
    },
}


async def outcome(engine: Engine) -> Any:
    state = await engine.run(EVERYWHERE)
    assert state.status == "suspended"
    (question,) = state.decisions.values()
    await engine.signal(state.id, "decision", {"choice": "yes"})
    state = await engine.wait(state.id)
    steps = {
        name: (step.status, step.output, step.reason, (step.error or {}).get("message"))
        for name, step in state.steps.items()
    }
    assert state.error is None, state.error
    return state.status, state.output, steps, question.prompt, question.data


async def test_every_place_gives_what_it_gives_in_place(engine, monkeypatch):
    expected = await outcome(engine)
    assert expected[0] == "completed"
    assert expected[1] == {"sum": 4, "said": ["30 at 0", "20 at 1"]}
    assert expected[2]["unmet"][0] == "skipped"
    sent = []

    def evaluate(self: Timed, scope: Any) -> Any:
        sent.append(self.program.source)
        return self.overtime.evaluate(self.program.source, scope)

    monkeypatch.setattr(Timed, "evaluate", evaluate)
    assert await outcome(engine) == expected
    assert len(set(sent)) >= 20


async def test_a_step_that_waits_for_its_params_begins_and_ends_once(engine, nothing_in_place):
    run_id = await engine.start({"steps": [step("a", "${{ inputs.n * 2 }}"), step("b", "b")]}, {"n": 4})
    state = await engine.wait(run_id)
    assert state.steps["a"].output["message"] == 8
    events = [(event.event_type, event.step_id) for event in await engine.log(run_id)]
    assert events.count(("step_started", "a")) == events.count(("step_completed", "a")) == 1
    assert not [kind for kind, _ in events if "retry" in kind]


async def test_each_long_expression_of_a_step_is_evaluated_once(engine, monkeypatch):
    begun = []
    whole = CelEngine().compile("1").overtime.__class__.evaluate

    async def evaluate(self, source, scope):
        begun.append(source)
        return await whole(self, source, scope)

    monkeypatch.setattr("opcode_core.overtime.Overtime.evaluate", evaluate)
    text = " ".join(f"${{{{ size({LONG}) + {i} }}}}" for i in range(4))
    state = await engine.run({"steps": [step("a", text)]}, {"n": list(range(300))})
    assert state.steps["a"].output["message"] == "300 301 302 303"
    assert len(begun) == len(set(begun)) == 4


async def test_what_took_long_begins_elsewhere_until_it_is_quick():
    engine = CelEngine()
    program = engine.compile(LONG)
    long, short = list(range(300)), [1, 2]
    assert program.evaluate({"inputs": {"n": short}}) == short
    assert await program.evaluate({"inputs": {"n": long}}) == long
    assert await program.evaluate({"inputs": {"n": short}}) == short
    assert program.evaluate({"inputs": {"n": short}}) == short
    engine.close()


@pytest.mark.parametrize(
    ("language", "endless"),
    [(CelEngine, ENDLESS), (ExprEngine, "all(inputs.n, {all(inputs.n, {all(inputs.n, {# >= 0})})})")],
)
async def test_the_endless_is_ended_with_a_clear_error(language, endless):
    engine = language()
    program = engine.compile(endless)
    begun = time.thread_time()
    with pytest.raises(
        OpcodeError, match="EXECUTION_ERROR: took too long: it was stopped after 1 s"
    ) as caught:
        await program.evaluate({"inputs": {"n": list(range(3000))}})
    assert caught.value.details == {"expression": endless}
    assert time.thread_time() - begun < 0.3, "and elsewhere"
    engine.close()


HOSTILE = [
    {"steps": [step("a", "a", condition=ENDLESS)]},
    {"steps": [step("a", f"${{{{ {ENDLESS} }}}}")]},
    {"steps": [step("a", "a")], "output": {"x": f"${{{{ {ENDLESS} }}}}"}},
    {
        "steps": [
            {
                "id": "a",
                "type": "loop",
                "config": {"mode": "while", "condition": ENDLESS, "max_iter": 3, "body": [step("b", "b")]},
            }
        ]
    },
    {
        "steps": [
            {
                "id": "a",
                "action": "expr.eval",
                "params": {
                    "engine": "expr",
                    "expression": "all(inputs.n, {all(inputs.n, {all(inputs.n, {# >= 0})})})",
                },
            }
        ]
    },
]


async def test_the_others_keep_their_pace(engine):
    innocent = {"steps": [step("a", "${{ inputs.n + 1 }}", condition="inputs.n > 0"), step("b", "b")]}
    plan = await engine.plan(innocent)
    numbers = {"n": list(range(3000))}
    assert (await engine.run(plan, {"n": 1})).status == "completed"
    await engine.run(HOSTILE[-1], {"n": [1]})  # what is imported once has been
    hostile = [asyncio.create_task(engine.run(workflow, numbers)) for workflow in HOSTILE]
    paces = []
    while not all(task.done() for task in hostile):
        begun = time.monotonic()
        assert (await engine.run(plan, {"n": 1})).status == "completed"
        paces.append(time.monotonic() - begun)
        await asyncio.sleep(0.005)
    for task in hostile:
        state = await task
        assert state.status == "failed"
        assert "took too long: it was stopped after 1 s" in state.error["message"]
    assert len(paces) > 100
    assert statistics.median(paces) < 0.2
    assert sorted(paces)[len(paces) * 9 // 10] < 0.4, "nobody waited for one of them"


async def test_expressions_that_fail_close_expr_eval_to_nobody(engine):
    for _ in range(7):
        assert (await engine.run(HOSTILE[-1], {"n": 3})).error["code"] == "EXECUTION_ERROR"
    assert (await engine.run(HOSTILE[-1], {"n": [1]})).status == "completed"


async def test_a_run_that_evaluates_is_cancelled_at_once(engine):
    run_id = await engine.start(HOSTILE[0], {"n": list(range(3000))})
    await engine.start({"steps": [step("a", "a")]})
    await engine.signal(run_id, "cancel", {"reason": "enough"})
    begun = time.monotonic()
    state = await engine.wait(run_id)
    assert state.status == "cancelled"
    assert time.monotonic() - begun < 0.9


# ---- what is sent ---------------------------------------------------------------------------------

STEPS = {
    "fetch": StepView({"body": [1]}, "completed", None),
    "big": StepView("x" * 1000, "completed", None),
    "bad": StepView(None, "failed", {"code": "TIMEOUT_ERROR"}),
}
NAMES = {"steps": STEPS, "inputs": {"n": 1}, "context": {"c": 2}, "workflow": {"run_id": "r"}}


@pytest.mark.parametrize(
    ("source", "steps", "names"),
    [
        ("steps.fetch.body[0] > 0", {"fetch"}, set()),
        ("steps['fetch'].body[0] > inputs.n", {"fetch"}, {"inputs"}),
        ('steps["bad"].error.code', {"bad"}, set()),
        ("steps . fetch . body", {"fetch"}, set()),
        ("steps?.fetch?.body", {"fetch"}, set()),
        ("has(steps.fetch) && steps.bad.status == 'failed'", {"fetch", "bad"}, set()),
        ("steps.exists(s, s == 'fetch')", set(STEPS), set()),
        ("steps.map (s, s)", set(STEPS), set()),
        ("steps[inputs.which]", set(STEPS), {"inputs"}),
        ("steps[context.x + 'y'].z", set(STEPS), {"context"}),
        ("let s = steps; s.fetch", set(STEPS), set()),
        ("steps /* a */ .fetch", set(STEPS), set()),
        ("$env['st' + 'eps'].fetch", set(STEPS), {"inputs", "context", "workflow"}),
        ("size(steps) > 1", set(STEPS), set()),
        ("1 + 1", set(), set()),
    ],
)
def test_only_what_an_expression_may_touch_is_sent(source, steps, names):
    sent = packed(NAMES, source)
    assert sent.keys() == NAMES.keys(), "that they are there is always known"
    assert {name for name, (_, output, error) in sent["steps"].items() if output or error} == steps
    assert {name for name, value in sent.items() if value and name != "steps"} == names
    there = unpacked(sent)["steps"]
    assert {name: there[name].status for name in there} == {name: view.status for name, view in STEPS.items()}


async def test_a_large_definition_is_compiled_while_others_go_on(engine):
    large = {"steps": [step(f"s{i}", f"${{{{ [{i}{', 1' * 40}] }}}}") for i in range(300)]}
    defined = asyncio.create_task(engine.define("large", large))
    laps = 0
    while not defined.done():
        await asyncio.sleep(0.001)
        laps += 1
    assert (await defined)[0].version == 1
    assert laps > 5, "on the loop there would be one"
