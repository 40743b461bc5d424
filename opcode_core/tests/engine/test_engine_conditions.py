"""Condition steps: one branch of many, by the text of the result."""

import pytest
from engine_workbench import condition, echo, step, workflow


@pytest.mark.parametrize(
    ("expression", "branch"),
    [
        ("true", "true"),
        ("1 > 2", "false"),
        ("3", "3"),
        ("1 + 2", "3"),
        ("-7", "-7"),
        ("3.0", "3"),
        ("1.5", "1.5"),
        ("'text'", "text"),
        ("'with space and \"quotes\"'", 'with space and "quotes"'),
        ("''", ""),
        ("null", "null"),
        ("inputs.big", "1e+300"),
        ("inputs.exact", "9007199254740993"),
        ("size(inputs.list)", "2"),
    ],
)
async def test_the_text_of_the_result_picks_the_branch(bench, expression, branch):
    branches = {branch or "x": [echo("taken")], "other": [echo("no")]}
    state = await bench.run(
        workflow(condition("c", expression, branches, [echo("by_default")])),
        {"big": 1e300, "exact": 2**53 + 1, "list": [1, 2]},
    )
    expected = {"branch": branch, "output": "taken" if branch else "by_default"}
    assert state.output == {"c": expected}


@pytest.mark.parametrize(("expression", "kind"), [("[1]", "list"), ("{'a': 1}", "dict"), ("inputs", "dict")])
async def test_a_result_that_is_no_text_fails_the_step(bench, expression, kind):
    state = await bench.run(workflow(condition("c", expression, {"true": [echo("a")]})))
    assert (state.status, state.error["code"]) == ("failed", "EXECUTION_ERROR")
    assert kind in state.error["message"]


@pytest.mark.parametrize("expression", ["1.0 / 0.0", "0.0 / 0.0", "-1.0 / 0.0"])
async def test_a_result_that_is_no_number_fails_the_step(bench, expression):
    state = await bench.run(workflow(condition("c", expression, {"true": [echo("a")]}), echo("b", after="c")))
    assert (state.status, state.error["step_id"], state.error["code"]) == ("failed", "c", "EXECUTION_ERROR")


async def test_no_match_and_no_default_takes_no_branch(bench):
    state = await bench.run(
        workflow(
            condition("c", "'x'", {"y": [echo("a")]}), echo("b", "${{steps.c.output.skipped}}", after="c")
        )
    )
    assert state.steps["c"].output == {"branch": "x", "skipped": True}
    assert state.output == {"b": True}
    assert "c.y.a" not in state.steps


async def test_no_match_takes_the_default(bench):
    state = await bench.run(
        workflow(condition("c", "'x'", {"y": [echo("a")]}, [echo("d1"), echo("d2", "${{steps.d1.output}}!")]))
    )
    assert state.output == {"c": {"branch": "x", "output": "d1!"}}
    assert state.steps["c.default.d2"].output == "d1!"


async def test_only_the_branch_that_is_taken_runs(bench):
    state = await bench.run(
        workflow(
            condition("c", "true", {"true": [step("a", "t.external")], "false": [step("b", "t.external")]})
        )
    )
    assert bench.lab.calls == ["c.true.a"]
    assert list(state.steps) == ["c", "c.true.a"]


async def test_what_was_decided_is_an_event(bench):
    state = await bench.run(workflow(condition("c", "inputs.n * 2", {"4": [echo("a")]})), {"n": 2})
    (event,) = await bench.events(state, "condition_evaluated")
    assert (event.step_id, event.payload) == (
        "c",
        {"expression": "inputs.n * 2", "value": 4, "branch": "4", "taken": "4"},
    )
    assert await bench.story(state) == [
        "step_started c",
        "condition_evaluated c",
        "step_started c.true.a".replace("true", "4"),
        "step_completed c.4.a",
        "step_completed c",
    ]


async def test_an_empty_branch_gives_null(bench):
    state = await bench.run(workflow(condition("c", "true", {"true": []}, [echo("d")])))
    assert state.output == {"c": {"branch": "true", "output": None}}


async def test_the_output_is_that_of_the_last_step_which_completed(bench):
    block = [
        echo("a", 1),
        echo("b", 2, condition="false"),
        step("f", "t.flaky", on_error={"strategy": "ignore"}),
    ]
    state = await bench.run(workflow(condition("c", "true", {"true": block})))
    assert state.output == {"c": {"branch": "true", "output": 1}}


async def test_an_expression_that_fails_fails_the_step(bench):
    state = await bench.run(workflow(condition("c", "inputs.nope > 1", {"true": [echo("a")]})))
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "EXECUTION_ERROR", "c")


async def test_inner_steps_are_read_from_outside_by_their_full_id(bench):
    state = await bench.run(
        workflow(
            condition("c", "true", {"true": [echo("a", {"n": 1})], "false": [echo("z", 5)]}),
            echo(
                "b",
                [
                    "${{steps.c.true.a.output.n}}",
                    "${{steps.c.output.output.n}}",
                    "${{steps.c.false.z.output}}",
                ],
                after="c",
            ),
        )
    )
    assert state.output == {"b": [1, 1, None]}


async def test_a_template_around_the_whole_expression_is_accepted(bench):
    state = await bench.run(workflow(condition("c", "${{ inputs.n > 1 }}", {"true": [echo("a")]})), {"n": 2})
    assert state.output["c"]["branch"] == "true"


async def test_a_condition_that_is_tried_again_decides_again(bench):
    choice = condition(
        "c",
        "context.way",
        {"one": [step("f", "t.flaky")], "two": [echo("a")]},
        retry={"max": 1, "backoff": "constant", "delay": 1},
    )
    bench.clock.held = True
    run_id = await bench.start(workflow(choice, context={"way": "one"}))
    await bench.clock.somebody_sleeps()
    await bench.engine.update_context(run_id, {"way": "two"})
    bench.clock.advance(1)
    state = await bench.wait(run_id)
    assert state.output == {"c": {"branch": "two", "output": "a"}}
    assert "c.one.f" not in state.steps
