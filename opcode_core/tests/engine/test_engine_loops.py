"""Loop steps: for_each, while, until."""

import pytest
from engine_workbench import condition, echo, flow, for_each, gate, repeat, step, workflow

from opcode_core.engine.steps.loop import KEPT


def counting(limit_name="n"):
    return step("n", "t.count", {"name": limit_name})


# ---- for_each --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "over",
    [
        [1, 2, 3],
        "[1, 2, 3]",
        "${{ inputs.list }}",
        "${{ steps.src.output.entries }}",
        "inputs.list",
        "steps['src'].entries",
        "steps.src.output.entries.filter(x, x > 0)",
        ["${{inputs.list[0]}}", 2, "${{ 1 + 2 }}"],
    ],
)
async def test_a_list_may_come_from_anywhere(bench, over):
    state = await bench.run(
        workflow(
            echo("src", {"entries": [1, 2, 3]}), for_each("l", over, echo("x", "${{loop.item}}"), after="src")
        ),
        {"list": [1, 2, 3]},
    )
    assert state.output == {"l": {"iterations": 3, "results": [1, 2, 3]}}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"a": 1}, "an object"),
        ("text", "a text"),
        (5, "a number"),
        (1.5, "a number"),
        (True, "a boolean"),
        (None, "null"),
    ],
)
async def test_over_must_give_a_list(bench, value, kind):
    state = await bench.run(workflow(for_each("l", "${{inputs.v}}", echo("x"))), {"v": value})
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "EXECUTION_ERROR", "l")
    assert f"must give a list, but '${{{{inputs.v}}}}' gave {kind}" in state.error["message"]


async def test_an_empty_list_gives_no_results(bench):
    state = await bench.run(workflow(for_each("l", [], echo("x"))))
    assert state.output == {"l": {"iterations": 0, "results": []}}
    assert [e.event_type for e in await bench.events(state, step_id="l")] == [
        "step_started",
        "loop_completed",
        "step_completed",
    ]


async def test_an_empty_list_with_concurrency(bench):
    state = await bench.run(workflow(for_each("l", [], echo("x"), concurrency=3)))
    assert state.output == {"l": {"iterations": 0, "results": []}}


async def test_item_and_index_in_templates_and_expressions(bench):
    body = [
        echo("t", ["${{loop.item.name}}", "${{loop.index}}", "#${{loop.index}}: ${{loop.item}}"]),
        echo("c", "${{ iter.item.name + string(iter.index) }}"),
    ]
    state = await bench.run(workflow(for_each("l", [{"name": "a"}, {"name": "b"}], *body)))
    assert state.output["l"]["results"] == ["a0", "b1"]
    assert state.steps["l.iter_1.t"].output == ["b", 1, '#1: {"name":"b"}']


async def test_max_iter_ends_a_for_each(bench):
    state = await bench.run(workflow(for_each("l", list(range(10)), echo("x", "${{loop.item}}"), max_iter=4)))
    assert state.output["l"] == {"iterations": 4, "results": [0, 1, 2, 3]}


async def test_a_for_each_has_no_bound_of_its_own(bench):
    state = await bench.run(workflow(for_each("l", "${{inputs.list}}", echo("x", 0))), {"list": [0] * 1200})
    assert state.output["l"]["iterations"] == 1200


async def test_the_story_of_a_loop(bench):
    state = await bench.run(workflow(for_each("l", ["a", "b"], echo("x", "${{loop.item}}"))))
    assert await bench.story(state) == [
        "step_started l",
        "loop_iter_started l",
        "step_started l.iter_0.x",
        "step_completed l.iter_0.x",
        "loop_iter_completed l",
        "loop_iter_started l",
        "step_started l.iter_1.x",
        "step_completed l.iter_1.x",
        "loop_iter_completed l",
        "loop_completed l",
        "step_completed l",
    ]
    assert [e.payload["index"] for e in await bench.events(state, "loop_iter_started")] == [0, 1]
    assert (await bench.events(state, "loop_completed"))[0].payload == {"iterations": 2}


async def test_an_iteration_gives_the_last_output_that_there_is(bench):
    body = [echo("a", "${{loop.item}}"), echo("b", "even", condition="iter.item % 2 == 0")]
    state = await bench.run(workflow(for_each("l", [1, 2], *body)))
    assert state.output["l"]["results"] == [1, "even"]


async def test_an_iteration_in_which_nothing_ran_gives_null(bench):
    state = await bench.run(workflow(for_each("l", [1], echo("a", condition="false"))))
    assert state.output["l"]["results"] == [None]


async def test_a_failing_iteration_fails_the_loop(bench):
    body = [echo("ok", "${{loop.item}}"), echo("x", "${{loop.item.name}}")]
    state = await bench.run(workflow(for_each("l", [{"name": 1}, {"nom": 2}, {"name": 3}], *body)))
    assert state.status == "failed"
    assert (state.error["code"], state.error["step_id"]) == ("INTERPOLATION_ERROR", "l.iter_1.x")
    assert "did you mean 'nom'?" in state.error["message"] or "nom" in state.error["message"]
    assert state.steps["l"].status == "failed"
    assert "l.iter_2.ok" not in state.steps


async def test_steps_inside_see_what_is_outside(bench):
    state = await bench.run(
        workflow(
            echo("base", 10),
            for_each("l", [1, 2], echo("x", "${{ iter.item + steps.base.output }}"), after="base"),
        )
    )
    assert state.output["l"]["results"] == [11, 12]


async def test_an_inner_id_hides_an_outer_one(bench):
    state = await bench.run(
        workflow(
            echo("x", "outer"),
            for_each("l", [1], echo("x", "inner"), echo("y", "${{steps.x.output}}"), after="x"),
        )
    )
    assert state.output["l"]["results"] == ["inner"]


async def test_a_single_iteration_is_read_from_outside_by_its_full_id(bench):
    state = await bench.run(
        workflow(
            for_each("l", ["a", "b"], echo("x", "${{loop.item}}")),
            echo("y", "${{steps.l.iter_1.x.output}}", after="l"),
        )
    )
    assert state.output == {"y": "b"}


# ---- concurrency -----------------------------------------------------------------------------


def gates_by_item(step_id="x"):
    return step(step_id, "t.gate", {"name": "${{loop.item}}"})


async def test_so_many_iterations_at_once(bench):
    run_id = await bench.start(workflow(for_each("l", list("abcd"), gates_by_item(), concurrency=2)))
    await bench.lab.reached("a", "b")
    assert bench.lab.calls == ["a", "b"]
    bench.lab.open("b")
    await bench.lab.reached("c")  # the place of b, while a goes on
    bench.lab.open("c")
    await bench.lab.reached("d")
    bench.lab.open("a", "d")
    state = await bench.wait(run_id)
    assert state.output["l"] == {"iterations": 4, "results": ["a", "b", "c", "d"]}
    assert bench.lab.most_running == 2


async def test_more_places_than_items(bench):
    state_id = await bench.start(workflow(for_each("l", ["a", "b"], gates_by_item(), concurrency=10)))
    await bench.lab.reached("a", "b")
    bench.lab.open("a", "b")
    assert (await bench.wait(state_id)).output["l"]["results"] == ["a", "b"]


async def test_a_failure_among_concurrent_iterations(bench):
    failing = step("x", "t.gate", {"name": "${{loop.item}}", "fail": "${{ iter.item == 'b' }}"})
    run_id = await bench.start(workflow(for_each("l", list("abcd"), failing, echo("y"), concurrency=2)))
    await bench.lab.reached("a", "b")
    bench.lab.open("b")
    await bench.settle()
    bench.lab.open("a")
    state = await bench.wait(run_id)
    assert state.error["step_id"] == "l.iter_1.x"
    assert state.steps["l.iter_0.x"].status == "completed"  # was in flight
    assert "l.iter_0.y" not in state.steps  # was not
    assert bench.lab.calls == ["a", "b"]


async def test_max_iter_with_concurrency(bench):
    state = await bench.run(
        workflow(
            for_each(
                "l",
                list(range(9)),
                step("x", "t.aecho", {"value": "${{loop.item}}"}),
                concurrency=4,
                max_iter=5,
            )
        )
    )
    assert state.output["l"]["results"] == [0, 1, 2, 3, 4]


# ---- while and until -------------------------------------------------------------------------


async def test_while_tests_before_the_body(bench):
    state = await bench.run(workflow(repeat("while", "l", "false", counting())))
    assert state.output["l"] == {"iterations": 0, "results": []}


async def test_until_tests_after_the_body(bench):
    state = await bench.run(workflow(repeat("until", "l", "true", counting())))
    assert state.output["l"] == {"iterations": 1, "results": [{"n": 1}]}


async def test_while_sees_the_index_that_comes_next(bench):
    state = await bench.run(workflow(repeat("while", "l", "iter.index < 3", counting())))
    assert state.output["l"]["iterations"] == 3


async def test_until_sees_the_index_that_was(bench):
    state = await bench.run(workflow(repeat("until", "l", "iter.index == 3", echo("x", "${{loop.index}}"))))
    assert state.output["l"]["results"] == [0, 1, 2, 3]


async def test_while_reads_the_context_that_its_body_changes(bench):
    body = step("set", "t.remember", {"data": {"n": "${{ context.n + 1 }}"}})
    state = await bench.run(workflow(repeat("while", "l", "context.n < 4", body), context={"n": 0}))
    assert state.output["l"]["iterations"] == 4


@pytest.mark.parametrize("rounds", [3, KEPT - 1, KEPT, KEPT + 1, KEPT + 50])
async def test_until_reads_its_bodys_latest_steps_however_many_there_were(bench, rounds):
    state = await bench.run(workflow(repeat("until", "l", f"steps.n.output.n >= {rounds}", counting())))
    assert (state.status, state.error) == ("completed", None)
    assert state.output["l"]["iterations"] == rounds


@pytest.mark.parametrize("rounds", [3, KEPT + 50])
async def test_while_reads_its_bodys_latest_steps_however_many_there_were(bench, rounds):
    state = await bench.run(
        workflow(repeat("while", "l", f"iter.index == 0 || steps.n.output.n < {rounds}", counting()))
    )
    assert (state.status, state.error) == ("completed", None)
    assert state.output["l"]["iterations"] == rounds


@pytest.mark.parametrize(("mode", "expression"), [("while", "true"), ("until", "false")])
async def test_a_thousand_iterations_end_a_loop_without_end(bench, mode, expression):
    state = await bench.run(workflow(repeat(mode, "l", expression, echo("x", 0))))
    assert state.output["l"]["iterations"] == 1000


@pytest.mark.parametrize(("mode", "expression"), [("while", "true"), ("until", "false")])
async def test_max_iter_ends_them_too(bench, mode, expression):
    state = await bench.run(workflow(repeat(mode, "l", expression, echo("x", 0), max_iter=3)))
    assert state.output["l"]["iterations"] == 3


@pytest.mark.parametrize("mode", ["while", "until"])
async def test_a_loops_condition_must_be_a_boolean(bench, mode):
    state = await bench.run(workflow(repeat(mode, "l", "'yes'", echo("x"))))
    assert (state.status, state.error["step_id"]) == ("failed", "l")
    assert "gave 'yes', not true or false" in state.error["message"]


async def test_a_loops_condition_that_fails_fails_the_loop(bench):
    state = await bench.run(workflow(repeat("while", "l", "inputs.nope", echo("x"))))
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "EXECUTION_ERROR", "l")


# ---- loops in loops, and long ones -----------------------------------------------------------


async def test_loops_in_loops_have_their_own_variables(bench):
    inner = for_each("in", "${{loop.item}}", echo("x", "${{loop.index}}:${{loop.item}}"))
    after = echo("y", "${{loop.index}}: ${{steps.in.output.results}}")
    state = await bench.run(workflow(for_each("out", [["a", "b"], ["c"]], inner, after)))
    assert state.output["out"]["results"] == ['0: ["0:a","1:b"]', '1: ["0:c"]']
    assert state.steps["out.iter_0.in.iter_1.x"].output == "1:b"


async def test_a_loop_keeps_every_result_but_not_every_step(bench):
    count = KEPT + 20
    state = await bench.run(
        workflow(
            for_each("l", list(range(count)), echo("x", "${{loop.item}}"), echo("y", "${{steps.x.output}}"))
        )
    )
    assert state.output["l"]["results"] == list(range(count))
    assert f"l.iter_{KEPT - 1}.y" in state.steps
    assert f"l.iter_{KEPT}.y" not in state.steps


async def test_blocks_inside_later_iterations_are_forgotten_as_a_whole(bench):
    inner = condition(
        "c", "iter.item % 2 == 0", {"true": [echo("even")], "false": [for_each("odd", [1], echo("o"))]}
    )
    state = await bench.run(workflow(for_each("l", list(range(KEPT + 10)), inner)))
    assert state.status == "completed"
    assert not [step_id for step_id in state.steps if step_id.startswith(f"l.iter_{KEPT + 1}.")]


async def test_iterations_that_somebody_reads_are_kept(bench):
    count = KEPT + 5
    last = echo("last", f"${{{{steps.l.iter_{count - 1}.x.output}}}}", after="l")
    state = await bench.run(workflow(for_each("l", list(range(count)), echo("x", "${{loop.item}}")), last))
    assert state.output == {"last": count - 1}


async def test_a_loop_with_a_jq_program_needs_jq(bench):
    with pytest.raises(Exception, match="jq"):
        await bench.run(workflow(for_each("l", ".steps.a", echo("x"))))


async def test_over_may_take_its_time(make_bench):
    """An engine may answer later."""
    from opcode_core import hookimpl

    class Slow:
        name = "jq"

        def compile(self, source):
            return self

        async def evaluate(self, scope):
            return scope["inputs"]["list"]

        @hookimpl
        def opcode_expression_engines(self):
            return [self]

    bench = await make_bench(plugins=(Slow(),))
    state = await bench.run(
        workflow(for_each("l", ".inputs.list", echo("x", "${{loop.item}}"))), {"list": [4, 5]}
    )
    assert state.output["l"]["results"] == [4, 5]


async def test_a_body_of_another_type(bench):
    state = await bench.run(workflow(for_each("l", [1, 2], flow("w", "wait", {"duration": "1h"}))))
    assert state.output["l"]["results"] == [{"waited": 3_600_000}] * 2


async def test_stopping_between_iterations(bench):
    run_id = await bench.start(
        workflow(for_each("l", [1, 2, 3], gate("x")), step("b", "t.gate", {"name": "b", "fail": True}))
    )
    await bench.lab.reached("x", "b")
    bench.lab.open("b")
    await bench.settle()
    bench.lab.open("x")
    state = await bench.wait(run_id)
    assert bench.lab.calls == ["x", "b"]
    assert (state.steps["l"].status, state.steps["l"].reason) == ("skipped", "the run failed")
