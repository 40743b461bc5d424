"""`on_error`: ignore, fallback_step, fail_workflow, retry."""

import pytest
from engine_workbench import condition, echo, for_each, gate, parallel, step, workflow

IGNORE = {"strategy": "ignore"}
BOTH = pytest.mark.parametrize("action", ["t.flaky", "t.aflaky"])


def fallback(step_id):
    return {"strategy": "fallback_step", "fallback_step": step_id}


# ---- ignore ----------------------------------------------------------------------------------


@BOTH
async def test_an_ignored_failure_skips_the_step_and_the_run_goes_on(bench, action):
    state = await bench.run(workflow(step("a", action, on_error=IGNORE), echo("b", after="a")))
    assert state.status == "completed"
    assert state.output == {"b": "b"}
    a = state.steps["a"]
    assert (a.status, a.output, a.error["message"]) == ("skipped", None, "boom 1")
    assert await bench.story(state) == [
        "step_started a",
        "error_handler_invoked a",
        "step_ignored a",
        "step_started b",
        "step_completed b",
    ]
    (event,) = await bench.events(state, "step_ignored")
    assert event.payload["error"]["code"] == "EXECUTION_ERROR"


async def test_retries_come_before_ignoring(bench):
    state = await bench.run(workflow(step("a", "t.flaky", retry={"max": 2}, on_error=IGNORE)))
    assert state.status == "completed"
    assert bench.lab.tries["a"] == 3
    assert state.steps["a"].error["code"] == "RETRY_EXHAUSTED"


async def test_a_failure_ignored_inside_a_block(bench):
    state = await bench.run(
        workflow(for_each("l", [1, 2], echo("n", "${{loop.item}}"), step("f", "t.flaky", on_error=IGNORE)))
    )
    assert state.output == {"l": {"iterations": 2, "results": [1, 2]}}


async def test_a_block_whose_failure_is_ignored(bench):
    state = await bench.run(
        workflow(parallel("p", [step("f", "t.flaky")], on_error=IGNORE), echo("b", after="p"))
    )
    assert state.output == {"b": "b"}
    assert state.steps["p"].status == "skipped"
    assert state.steps["p.branch_0.f"].status == "failed"


# ---- fallback_step ---------------------------------------------------------------------------


@BOTH
async def test_a_fallback_stands_in_under_both_ids(bench, action):
    state = await bench.run(
        workflow(
            step("a", action, on_error=fallback("f")),
            echo("f", {"from": "f"}),
            echo(
                "b",
                ["${{steps.a.output.from}}", "${{steps.f.output.from}}", "${{steps.a.status}}"],
                after="a",
            ),
        )
    )
    assert state.status == "completed"
    assert state.output["b"] == ["f", "f", "failed"]
    assert [state.steps[s].status for s in "afb"] == ["failed", "completed", "completed"]
    assert await bench.story(state) == [
        "step_started a",
        "step_failed a",
        "error_handler_invoked a",
        "step_fallback a",
        "step_started f",
        "step_completed f",
        "step_started b",
        "step_completed b",
    ]
    (event,) = await bench.events(state, "step_fallback")
    assert event.payload == {"fallback_step": "f"}


async def test_dependents_of_the_failed_step_wait_for_the_fallback(bench):
    run_id = await bench.start(
        workflow(step("a", "t.flaky", on_error=fallback("f")), gate("f"), gate("b", after="a"))
    )
    await bench.lab.reached("f")
    assert bench.status(run_id, "b") is None
    bench.lab.open("f", "b")
    await bench.wait(run_id)
    assert bench.lab.calls == ["a", "f", "b"]


async def test_a_fallback_that_nobody_needs_does_not_run(bench):
    state = await bench.run(
        workflow(
            echo("a", on_error=fallback("f")),
            step("f", "t.external"),
            echo("b", after="a"),
            echo("c", after="f"),
        )
    )
    assert bench.lab.calls == []
    assert (state.steps["f"].status, state.steps["f"].reason) == ("skipped", "not needed as a fallback")
    assert state.output == {"b": "b", "c": "c"}


async def test_fallbacks_chain(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", on_error=fallback("f")),
            step("f", "t.flaky", on_error=fallback("g")),
            echo("g", 7),
            echo("b", ["${{steps.a.output}}", "${{steps.f.output}}", "${{steps.g.output}}"], after="a"),
        )
    )
    assert state.output["b"] == [7, 7, 7]
    assert [e.step_id for e in await bench.events(state, "step_fallback")] == ["a", "f"]


async def test_two_owners_share_one_run_of_their_fallback(bench):
    state = await bench.run(
        workflow(
            step("a", "t.aflaky", on_error=fallback("f")),
            step("b", "t.flaky", on_error=fallback("f")),
            step("f", "t.count"),
            echo("c", ["${{steps.a.output.n}}", "${{steps.b.output.n}}"], after="a b"),
        )
    )
    assert state.output["c"] == [1, 1]
    assert bench.lab.tries["n"] == 1


async def test_a_shared_fallback_runs_when_only_one_owner_failed(bench):
    state = await bench.run(
        workflow(
            echo("a", 1, on_error=fallback("f")),
            step("b", "t.flaky", on_error=fallback("f")),
            echo("f", 2),
            echo("c", ["${{steps.a.output}}", "${{steps.b.output}}"], after="a b"),
        )
    )
    assert state.output["c"] == [1, 2]


@pytest.mark.xfail(reason="a fallback is made to wait for all its owners (docs/adr/0003)", strict=True)
async def test_steps_in_sequence_may_share_a_fallback(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", on_error=fallback("f")),
            step("b", "t.flaky", after="a", on_error=fallback("f")),
            step("f", "t.count"),
            echo("c", ["${{steps.a.n}}", "${{steps.b.n}}"], after="b"),
        )
    )
    assert state.output["c"] == [1, 1]


@pytest.mark.xfail(reason="a fallback is made to wait for all its owners (docs/adr/0003)", strict=True)
async def test_who_waits_for_a_step_that_ended_well_does_not_wait_for_its_fallback(bench):
    run_id = await bench.start(
        workflow(
            echo("a", on_error=fallback("f")),
            step("slow", "t.gate", {"name": "slow"}, on_error=fallback("f")),
            echo("f"),
            gate("c", after="a"),
        )
    )
    await bench.lab.reached("slow")
    await bench.settle()
    bench.lab.open("slow", "c")
    await bench.wait(run_id)
    assert bench.lab.calls == ["slow", "c"]
    log = [f"{event.event_type} {event.step_id}" for event in await bench.events(run_id)]
    assert log.index("step_started c") < log.index("step_completed slow")


async def test_a_fallback_that_fails_fails_the_run(bench):
    state = await bench.run(
        workflow(step("a", "t.flaky", on_error=fallback("f")), step("f", "t.flaky"), echo("b", after="a"))
    )
    assert (state.status, state.error["step_id"]) == ("failed", "f")
    assert state.steps["b"].status == "skipped"


async def test_a_fallback_whose_failure_is_ignored_gives_null(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", on_error=fallback("f")),
            step("f", "t.flaky", on_error=IGNORE),
            echo("b", ["${{steps.a.output}}"], after="a"),
        )
    )
    assert state.output["b"] == [None]


async def test_a_fallback_keeps_its_own_dependencies(bench):
    run_id = await bench.start(
        workflow(step("a", "t.flaky", on_error=fallback("f")), gate("x"), gate("f", after="x"))
    )
    await bench.lab.reached("x")
    assert bench.lab.calls == ["a", "x"]
    bench.lab.open("x", "f")
    assert (await bench.wait(run_id)).status == "completed"
    assert bench.lab.calls == ["a", "x", "f"]


async def test_a_fallback_may_be_a_block(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", on_error=fallback("f")),
            for_each("f", [1, 2], echo("n", "${{loop.item}}")),
            echo("b", "${{steps.a.output}}", after="a"),
        )
    )
    assert state.output["b"] == {"iterations": 2, "results": [1, 2]}


async def test_a_block_may_have_a_fallback(bench):
    state = await bench.run(
        workflow(
            parallel("p", [step("x", "t.flaky")], on_error=fallback("f")),
            echo("f", 3),
            echo("b", "${{steps.p.output}}", after="p"),
        )
    )
    assert state.output["b"] == 3


async def test_a_fallback_inside_a_block(bench):
    body = [
        step("a", "t.aflaky", on_error=fallback("f")),
        echo("f", "F${{loop.index}}"),
        echo("b", "${{steps.a.output}} ${{steps.f.output}} ${{steps.a.status}}"),
    ]
    state = await bench.run(workflow(for_each("l", [1, 2], *body)))
    assert state.output["l"]["results"] == ["F0 F0 failed", "F1 F1 failed"]
    assert state.steps["l.iter_1.a"].fallback == "l.iter_1.f"


async def test_a_fallback_inside_a_block_does_not_run_otherwise(bench):
    state = await bench.run(
        workflow(parallel("p", [echo("a", on_error=fallback("f")), step("f", "t.external"), echo("b")]))
    )
    assert bench.lab.calls == []
    assert "p.branch_0.f" not in state.steps
    assert state.output["p"]["branches"] == ["b"]


async def test_a_fallback_is_the_last_output_of_its_block(bench):
    state = await bench.run(
        workflow(parallel("p", [echo("f", "stand-in"), step("a", "t.flaky", on_error=fallback("f"))]))
    )
    assert state.output["p"]["branches"] == ["stand-in"]


async def test_two_owners_in_a_block_share_one_run_of_their_fallback(bench):
    block = [
        step("a", "t.flaky", on_error=fallback("f")),
        step("b", "t.flaky", on_error=fallback("f")),
        step("f", "t.count"),
        echo("c", ["${{steps.a.n}}", "${{steps.b.n}}"]),
    ]
    state = await bench.run(workflow(condition("k", "true", {"true": block})))
    assert state.output["k"]["output"] == [1, 1]
    assert bench.lab.tries["n"] == 1


async def test_fallbacks_chain_inside_a_block(bench):
    block = [
        step("a", "t.flaky", on_error=fallback("f")),
        step("f", "t.flaky", on_error=fallback("g")),
        echo("g", "G"),
        echo("z", "${{steps.a.output}}"),
    ]
    state = await bench.run(workflow(parallel("p", block)))
    assert state.output["p"]["branches"] == ["G"]


# ---- fail_workflow and retry -----------------------------------------------------------------


async def test_fail_workflow_fails_the_run_and_says_that_it_was_asked(bench):
    state = await bench.run(
        workflow(step("a", "t.flaky", on_error={"strategy": "fail_workflow"}), echo("b", after="a"))
    )
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "EXECUTION_ERROR", "a")
    (event,) = await bench.events(state, "error_handler_invoked")
    assert (event.step_id, event.payload["strategy"]) == ("a", "fail_workflow")


async def test_strategy_retry_uses_the_steps_own_policy(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", {"times": 1, "value": 1}, retry={"max": 1}, on_error={"strategy": "retry"})
        )
    )
    assert state.output == {"a": 1}
    assert bench.clock.slept == []


async def test_strategy_retry_fails_the_run_in_the_end(bench):
    state = await bench.run(
        workflow(step("a", "t.flaky", retry={"max": 1}, on_error={"strategy": "retry"}), echo("b", after="a"))
    )
    assert (state.status, state.error["code"]) == ("failed", "RETRY_EXHAUSTED")
    assert state.steps["b"].status == "skipped"
