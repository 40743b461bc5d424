"""Reasoning steps: asked once, answered by whom it may concern, wherever they stand."""

import pytest
from engine_workbench import condition, echo, flow, for_each, parallel, step, workflow

from opcode_core import DecisionFilter, OpcodeError

OPTIONS = [{"id": "approve", "description": "go on"}, {"id": "reject", "description": "stop"}]


def ask(step_id="ask", *, fields=None, **config):
    return flow(step_id, "reasoning", {"prompt_context": "well?", **config}, **(fields or {}))


async def decide(bench, run_id, choice="approve", **options):
    return await bench.engine.signal(run_id, "decision", {"choice": choice}, **options)


async def test_the_run_is_suspended_and_asks(bench):
    question = ask(
        prompt_context="Deploy ${{steps.build.output}}?",
        data_inject={"tag": "steps.build.output", "who": "${{ context.owner }}", "none": "context.nobody.x"},
        options=OPTIONS, target_agent="boss", timeout="1h", fallback="reject",
        response_schema={"type": "object"}, fields={"depends_on": ["build"]},
    )  # fmt: skip
    state = await bench.run(workflow(echo("build", "v7"), question, context={"owner": "ann"}))
    assert (state.status, state.steps["ask"].status) == ("suspended", "suspended")
    (decision,) = (await bench.storage.decisions(DecisionFilter(status="pending"))).items
    assert (decision.workflow_id, decision.step_id, decision.target_agent_id) == (state.id, "ask", "boss")
    assert (decision.prompt, decision.data) == ("Deploy v7?", {"tag": "v7", "who": "ann", "none": None})
    assert (decision.options, decision.fallback) == (OPTIONS, "reject")
    assert decision.timeout_at == decision.created_at + 3600
    assert decision == state.decisions[decision.id]


async def test_the_answer_is_the_output(bench):
    state = await bench.run(workflow(ask(options=OPTIONS), echo("z", "${{steps.ask.output}}", after="ask")))
    answer = {"choice": "approve", "data": {"n": 1}, "reasoning": "looks good"}
    await bench.engine.signal(state.id, "decision", answer, agent_id="ann")
    state = await bench.finished(state.id)
    assert state.output == {"z": {**answer, "resolved_by": "ann"}}
    (decision,) = (await bench.storage.decisions(DecisionFilter())).items
    assert (decision.status, decision.choice, decision.answer) == ("resolved", "approve", {"n": 1})
    assert (decision.reasoning, decision.resolved_by) == ("looks good", "ann")
    assert await bench.story(state) == [
        "step_started ask", "decision_requested ask", "step_suspended ask", "signal_received ask",
        "decision_resolved ask", "step_completed ask", "step_started z", "step_completed z",
    ]  # fmt: skip


async def test_the_log_tells_that_it_was_suspended_and_resumed(bench):
    state = await bench.run(workflow(ask()))
    await decide(bench, state.id)
    await bench.finished(state.id)
    kinds = [e.event_type for e in await bench.events(state) if e.event_type.startswith("workflow_")]
    assert kinds == ["workflow_started", "workflow_suspended", "workflow_resumed", "workflow_completed"]


@pytest.mark.parametrize("choice", ["approve", "anything else", 5])
async def test_without_options_any_answer_is_one(bench, choice):
    state = await bench.run(workflow(ask()))
    await decide(bench, state.id, choice)
    assert (await bench.finished(state.id)).output["ask"]["choice"] == choice


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"choice": "aprove"}, "did you mean 'approve'"),
        ({"choice": "x"}, "the options are approve, reject"),
        ({}, "the options are approve, reject"),
        ({"choice": None}, "the options are"),
    ],
)
async def test_an_answer_that_is_no_option_is_refused_and_changes_nothing(bench, payload, told):
    state = await bench.run(workflow(ask(options=OPTIONS)))
    before = await bench.events(state)
    with pytest.raises(OpcodeError, match=told) as caught:
        await bench.engine.signal(state.id, "decision", payload)
    assert caught.value.code == "VALIDATION_ERROR"
    assert await bench.events(state) == before
    await decide(bench, state.id)
    assert (await bench.finished(state.id)).status == "completed"


@pytest.mark.parametrize("choice", [None, "", "  "])
async def test_an_empty_answer_is_refused(bench, choice):
    state = await bench.run(workflow(ask()))
    with pytest.raises(OpcodeError, match=r"payload\.choice is missing"):
        await decide(bench, state.id, choice)


async def test_data_must_fit_the_schema(bench):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    state = await bench.run(workflow(ask(response_schema=schema)))
    for data in (None, {}, {"n": "five"}):
        with pytest.raises(OpcodeError, match=r"payload\.data") as caught:
            await bench.engine.signal(state.id, "decision", {"choice": "x", "data": data})
        assert caught.value.code == "VALIDATION_ERROR"
    await bench.engine.signal(state.id, "decision", {"choice": "x", "data": {"n": 5}})
    assert (await bench.finished(state.id)).output["ask"]["data"] == {"n": 5}


async def test_only_the_agent_that_is_asked_may_answer(bench):
    state = await bench.run(workflow(ask(target_agent="boss")))
    with pytest.raises(OpcodeError, match="asked of agent 'boss', not of 'ann'") as caught:
        await decide(bench, state.id, agent_id="ann")
    assert caught.value.code == "PERMISSION_DENIED"
    await decide(bench, state.id, agent_id="boss")
    assert (await bench.finished(state.id)).output["ask"]["resolved_by"] == "boss"


async def test_a_decision_is_made_once(bench):
    state = await bench.run(workflow(ask(), flow("w", "wait", {"signal": "go"})))
    await decide(bench, state.id, "first")
    with pytest.raises(OpcodeError, match="decided already: 'first' by local") as caught:
        await decide(bench, state.id, "second", step_id="ask")
    assert caught.value.code == "CONFLICT"
    with pytest.raises(OpcodeError, match="no decision of run") as caught:
        await decide(bench, state.id, "second")
    assert caught.value.code == "NOT_FOUND"


async def test_of_several_decisions_one_is_named(bench):
    state = await bench.run(workflow(ask("a"), ask("b"), echo("z", after="a b")))
    with pytest.raises(OpcodeError, match="2 decisions are pending; name one by step_id: a, b"):
        await decide(bench, state.id)
    await decide(bench, state.id, step_id="b")
    state = await bench.engine.wait(state.id)
    assert (state.status, state.steps["a"].status) == ("suspended", "suspended")
    await decide(bench, state.id)  # only one is left
    assert (await bench.finished(state.id)).output == {"z": "z"}


async def test_a_rejected_decision_fails_its_step(bench):
    state = await bench.run(workflow(ask()))
    await bench.engine.signal(state.id, "decision", {"reject": "not on a Friday"}, agent_id="ann")
    state = await bench.finished(state.id)
    assert (state.status, state.error["code"]) == ("failed", "NON_RETRYABLE")
    assert state.error["message"] == "ann rejected the decision: not on a Friday"
    (decision,) = (await bench.storage.decisions(DecisionFilter())).items
    assert (decision.status, decision.reasoning) == ("rejected", "not on a Friday")


async def test_a_rejection_can_be_handled(bench):
    handled = ask(fields={"on_error": {"strategy": "fallback_step", "fallback_step": "f"}})
    state = await bench.run(workflow(handled, echo("f"), echo("z", "${{steps.ask.output}}", after="ask")))
    await bench.engine.signal(state.id, "decision", {"reject": True})
    assert (await bench.finished(state.id)).steps["z"].output == "f"


async def test_when_the_time_is_over_the_fallback_is_chosen(bench):
    bench.clock.held = True
    state = await bench.run(workflow(ask(options=OPTIONS, timeout="1h", fallback="reject")))
    bench.clock.advance(3600)
    state = await bench.finished(state.id)
    assert state.output == {
        "ask": {
            "choice": "reject",
            "reasoning": "timeout_auto_resolved",
            "data": None,
            "resolved_by": "system",
        }
    }


async def test_when_the_time_is_over_without_a_fallback_the_step_fails(bench):
    bench.clock.held = True
    state = await bench.run(workflow(ask(timeout="1h")))
    bench.clock.advance(3600)
    state = await bench.finished(state.id)
    assert (state.error["code"], state.error["step_id"]) == ("TIMEOUT_ERROR", "ask")
    (decision,) = (await bench.storage.decisions(DecisionFilter())).items
    assert decision.status == "timed_out"


async def test_the_time_of_a_decision_that_rests_is_over_too(make_bench):
    bench = await make_bench(linger=0)
    bench.clock.held = True
    state = await bench.run(
        workflow(ask(timeout="30d", fallback="x", options=[{"id": "x", "description": ""}]))
    )
    await bench.until(lambda: not bench.engine.runs.live)
    assert (await bench.storage.run(state.id)).wakes_at == bench.clock.time + 30 * 86400
    bench.clock.advance(30 * 86400)
    assert (await bench.finished(state.id)).output["ask"]["choice"] == "x"


async def test_a_step_timeout_gives_the_question_up(bench):
    state = await bench.run(workflow(ask(fields={"timeout": "1m", "on_error": {"strategy": "ignore"}})))
    state = await bench.finished(state.id)
    assert (state.status, state.steps["ask"].status) == ("completed", "skipped")
    (decision,) = (await bench.storage.decisions(DecisionFilter())).items
    assert decision.status == "cancelled"


async def test_a_retried_question_is_a_new_one(bench):
    fields = {"timeout": "1m", "retry": {"max": 1}}
    state = await bench.run(workflow(ask(fields=fields)))
    await bench.until(lambda: bench.engine.driven[-1].state.steps["ask"].attempt == 2)
    await bench.settle()
    decisions = (await bench.storage.decisions(DecisionFilter())).items
    assert [decision.status for decision in decisions] == ["cancelled", "pending"]
    await decide(bench, state.id)
    assert (await bench.finished(state.id)).status == "completed"


async def test_inside_a_loop_it_goes_on_in_the_same_iteration(bench):
    body = [step("x", "t.external"), ask(), echo("y", "${{steps.ask.output.choice}}-${{loop.item}}")]
    state = await bench.run(workflow(for_each("l", ["a", "b", "c"], *body)))
    for index in range(3):
        assert list(state.steps)[-1] == f"l.iter_{index}.ask"
        await decide(bench, state.id, f"c{index}")
        state = await bench.engine.wait(state.id)
    assert state.output["l"]["results"] == ["c0-a", "c1-b", "c2-c"]
    assert bench.lab.calls == ["l.iter_0.x", "l.iter_1.x", "l.iter_2.x"]


async def test_iterations_beside_each_other_ask_at_once(bench):
    state = await bench.run(
        workflow(for_each("l", [1, 2, 3], ask(), echo("y", "${{loop.item}}"), concurrency=2))
    )
    assert sorted(d.step_id for d in state.decisions.values()) == ["l.iter_0.ask", "l.iter_1.ask"]
    await decide(bench, state.id, step_id="l.iter_1.ask")
    state = await bench.engine.wait(state.id)
    assert sorted(d.step_id for d in state.decisions.values()) == ["l.iter_0.ask", "l.iter_2.ask"]
    for decision in list(state.decisions.values()):
        await decide(bench, state.id, step_id=decision.step_id)
    assert (await bench.finished(state.id)).output["l"]["results"] == [1, 2, 3]


async def test_a_branch_asks_while_another_goes_on(bench):
    inner = condition("c", "'t'", {"t": [ask(), echo("said", "${{steps.ask.output.choice}}")]})
    run_id = await bench.start(
        workflow(parallel("p", [inner], [step("g", "t.gate", {"name": "g"})]), echo("o"))
    )
    await bench.lab.reached("g")
    await bench.until(lambda: bench.status(run_id, "p.branch_0.c.t.ask") == "suspended")
    state = await bench.engine.state(run_id)
    assert state.status == "active"  # it does not wait for the decision alone
    await decide(bench, run_id, "now")
    await bench.until(lambda: bench.status(run_id, "p.branch_0.c") == "completed")  # and needs not wait for g
    bench.lab.open("g")
    assert (await bench.finished(run_id)).output["p"]["branches"][0] == {"branch": "t", "output": "now"}


async def test_a_childs_question_suspends_the_parent_until_the_child_ends(bench):
    await bench.engine.define(
        "child", workflow(ask(), echo("end", "${{steps.ask.output.choice}}", after="ask"))
    )
    state = await bench.run(workflow(step("c", "t.child", {"template": "child"}), echo("z", after="c")))
    assert (state.status, state.steps["c"].status) == ("suspended", "suspended")
    await decide(bench, state.steps["c"].child, "fine")
    state = await bench.finished(state.id)
    assert (state.steps["c"].output, state.output) == ({"end": "fine"}, {"z": "z"})


async def test_cancelling_withdraws_the_question(bench):
    state = await bench.run(workflow(ask(), ask("other")))
    await bench.engine.cancel(state.id)
    decisions = (await bench.storage.decisions(DecisionFilter())).items
    assert [decision.status for decision in decisions] == ["cancelled", "cancelled"]


async def test_what_is_asked_and_answered_is_data(bench):
    state = await bench.run(
        workflow(
            echo("a", "${{ 1 + 1 }} is in here"),
            ask(prompt_context="${{inputs.q}}", fields={"depends_on": ["a"]}),
            echo("z", "${{steps.ask.output.choice}}", after="ask"),
        ),
        {"q": "${{secrets.KEY}}"},
    )
    (decision,) = state.decisions.values()
    assert decision.prompt == "${{secrets.KEY}}"
    await decide(bench, state.id, "${{ 1 + 1 }}")
    assert (await bench.finished(state.id)).output == {"z": "${{ 1 + 1 }}"}
