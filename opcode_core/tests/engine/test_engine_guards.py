"""Guards: false skips a step, a step that did not run makes it false, any other error fails the step."""

import pytest
from engine_workbench import condition, echo, for_each, step, workflow


async def test_a_false_guard_skips_the_step_and_says_why(bench):
    state = await bench.run(workflow(echo("a", condition="1 > 2")))
    assert state.status == "completed"
    assert (state.steps["a"].status, state.steps["a"].output) == ("skipped", None)
    (event,) = await bench.events(state, step_id="a")
    assert (event.event_type, event.payload) == ("step_skipped", {"reason": "its condition is false: 1 > 2"})


async def test_a_true_guard_lets_the_step_run(bench):
    state = await bench.run(workflow(echo("a", condition="inputs.n > 2")), {"n": 3})
    assert state.output == {"a": "a"}


async def test_dependents_of_a_skipped_step_still_run(bench):
    state = await bench.run(
        workflow(echo("a", condition="false"), echo("b", after="a"), echo("c", after="b"))
    )
    assert [state.steps[s].status for s in "abc"] == ["skipped", "completed", "completed"]


async def test_a_template_around_the_whole_guard_is_accepted(bench):
    state = await bench.run(
        workflow(echo("a", 5), echo("b", condition="${{ steps.a.output > 4 }}", after="a"))
    )
    assert state.output == {"b": "b"}


@pytest.mark.parametrize(
    "guard",
    ["steps.a.output.n > 3", "steps['a'].n > 3", "!(steps.a.output.ok)", "steps.a.n == 1 && steps.a.m == 2"],
)
async def test_a_guard_that_refers_to_a_skipped_step_is_false(bench, guard):
    state = await bench.run(
        workflow(echo("a", {"n": 5, "ok": False}, condition="false"), echo("b", condition=guard, after="a"))
    )
    assert state.status == "completed"
    assert state.steps["b"].status == "skipped"


async def test_a_guard_that_refers_to_a_branch_not_taken_is_false(bench):
    state = await bench.run(
        workflow(
            condition("c", "true", {"true": [echo("yes")], "false": [echo("no", {"n": 1})]}),
            echo("b", condition="steps['c.false.no'].n == 1", after="c"),
            echo(
                "d",
                condition="steps['c.true.yes'] == 'yes' || steps['c.true.yes'].output == 'yes'",
                after="c",
            ),
        )
    )
    assert state.status == "completed"
    assert state.steps["b"].status == "skipped"
    assert state.steps["d"].status == "completed"


async def test_a_guard_may_ask_for_the_status_of_a_skipped_step(bench):
    state = await bench.run(
        workflow(echo("a", condition="false"), echo("b", condition="steps.a.status == 'skipped'", after="a"))
    )
    assert state.steps["b"].status == "completed"


async def test_a_guard_sees_a_failed_step_that_something_stood_in_for(bench):
    failing = step("a", "t.flaky", on_error={"strategy": "fallback_step", "fallback_step": "f"})
    state = await bench.run(
        workflow(
            failing,
            echo("f", {"n": 1}),
            echo("b", condition="steps.a.n == 1 && steps.a.status == 'failed'", after="a"),
        )
    )
    assert state.steps["b"].status == "completed"


@pytest.mark.parametrize(
    ("guard", "code", "words"),
    [
        ("steps.a.missing == 1", "EXECUTION_ERROR", "missing"),
        ("inputs.nope == 1", "EXECUTION_ERROR", "nope"),
        ("1 / 0 == 1", "EXECUTION_ERROR", ""),
    ],
)
async def test_any_other_error_in_a_guard_fails_the_step(bench, guard, code, words):
    state = await bench.run(
        workflow(echo("a", {"n": 1}), echo("b", condition=guard, after="a"), echo("c", after="b"))
    )
    assert state.status == "failed"
    assert (state.error["code"], state.error["step_id"]) == (code, "b")
    assert guard in state.error["message"]
    assert words in state.error["message"]
    assert [state.steps[s].status for s in "abc"] == ["completed", "failed", "skipped"]


@pytest.mark.parametrize("guard", ["3", "'true'", "null", "[true]", "inputs"])
async def test_a_guard_that_is_not_a_boolean_fails_the_step(bench, guard):
    state = await bench.run(workflow(echo("a", condition=guard)))
    assert state.status == "failed"
    assert "a condition is true or false" in state.error["message"]


async def test_on_error_is_asked_when_a_guard_fails(bench):
    ignoring = echo("a", condition="inputs.nope", on_error={"strategy": "ignore"})
    state = await bench.run(workflow(ignoring, echo("b", after="a")))
    assert state.status == "completed"
    assert state.steps["a"].status == "skipped"


async def test_a_failing_guard_is_not_retried(bench):
    state = await bench.run(workflow(echo("a", condition="inputs.nope", retry={"max": 3})))
    assert state.error["code"] == "EXECUTION_ERROR"
    assert await bench.events(state, "step_retrying") == []


async def test_guards_on_blocks_and_inside_them(bench):
    state = await bench.run(
        workflow(
            for_each("never", [1], echo("x"), condition="false"),
            for_each("odd", [1, 2, 3], echo("x", "${{loop.item}}", condition="iter.item % 2 == 1")),
        )
    )
    assert state.steps["never"].status == "skipped"
    assert state.output == {"odd": {"iterations": 3, "results": [1, None, 3]}}
    assert state.steps["odd.iter_1.x"].status == "skipped"


async def test_a_guard_inside_a_block_names_siblings_by_their_bare_ids(bench):
    body = [echo("n", "${{loop.item}}"), echo("big", condition="steps.n.output > 1")]
    state = await bench.run(workflow(for_each("l", [1, 2], *body)))
    assert state.output["l"]["results"] == [1, "big"]
