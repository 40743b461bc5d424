"""Blocks in blocks, to a depth of 32."""

import pytest
from engine_workbench import condition, echo, for_each, gate, parallel, repeat, step, workflow

from opcode_core import OpcodeError

DEEPEST = 32


def nested(depth, innermost):
    """`innermost` inside that many blocks of changing kinds."""
    inner = innermost
    for level in range(depth):
        name = f"n{level}"
        match level % 4:
            case 0:
                inner = for_each(name, [1], inner)
            case 1:
                inner = condition(name, "true", {"true": [inner]})
            case 2:
                inner = parallel(name, [inner], mode="race" if level % 8 == 2 else "all")
            case 3:
                inner = repeat("until", name, "true", inner)
    return inner


def deepest_output(output):
    while isinstance(output, dict):
        output = next(
            iter(
                output["results"]
                if "results" in output
                else output["branches"]
                if "branches" in output
                else [output["output"]]
            )
        )
    return output


@pytest.mark.parametrize("depth", [1, 8, DEEPEST - 1])
async def test_any_kind_in_any_other(bench, depth):
    state = await bench.run(workflow(nested(depth, echo("x", "${{inputs.v}}"))), {"v": "deep"})
    assert (state.status, state.error) == ("completed", None)
    assert deepest_output(state.output[f"n{depth - 1}"]) == "deep"
    full_id = next(step_id for step_id in state.steps if step_id.endswith(".x"))
    assert full_id.count("n") >= depth
    assert len(state.steps) == depth + 1


async def test_deeper_than_that_is_refused(bench):
    with pytest.raises(OpcodeError) as caught:
        await bench.run(workflow(nested(DEEPEST + 1, echo("x"))))
    assert caught.value.code == "VALIDATION_ERROR"
    assert "32" in str(caught.value)


async def test_a_failure_at_the_bottom_comes_up(bench):
    state = await bench.run(workflow(nested(DEEPEST - 1, step("x", "t.flaky", {"code": "PATH_DENIED"}))))
    assert state.status == "failed"
    assert {found.status for found in state.steps.values()} == {"failed"}


async def test_a_cancellation_reaches_the_bottom(bench):
    run_id = await bench.start(workflow(nested(DEEPEST - 1, gate("x"))))
    await bench.lab.reached("x")
    state = await bench.engine.cancel(run_id)
    assert bench.lab.outcome == {"x": "cancelled"}
    assert {found.status for found in state.steps.values()} == {"skipped"}


async def test_full_ids_tell_the_way(bench):
    state = await bench.run(
        workflow(
            condition(
                "check",
                "true",
                {"true": [for_each("sweep", [1, 2], parallel("fan", [echo("get")], [echo("put")]))]},
            ),
            condition("other", "'x'", {}, [echo("log")]),
        )
    )
    assert set(state.steps) == {
        "check",
        "check.true.sweep",
        *(f"check.true.sweep.iter_{i}.fan" for i in range(2)),
        *(
            f"check.true.sweep.iter_{i}.fan.branch_{j}.{s}"
            for i in range(2)
            for j, s in enumerate(("get", "put"))
        ),
        "other",
        "other.default.log",
    }


async def test_bare_ids_are_looked_up_from_the_inside_out(bench):
    inner = for_each(
        "l", [1], echo("see", ["${{steps.here.output}}", "${{steps.there.output}}", "${{steps.out.output}}"])
    )
    state = await bench.run(
        workflow(
            echo("out", "outermost"),
            echo("here", "not this"),
            condition(
                "c",
                "true",
                {"true": [echo("here", "sibling"), parallel("p", [echo("there", "nearest"), inner])]},
                after="out here",
            ),
        )
    )
    assert state.steps["c.true.p.branch_0.l.iter_0.see"].output == ["sibling", "nearest", "outermost"]


async def test_guards_retries_and_strategies_work_at_any_depth(bench):
    block = [
        step("f", "t.aflaky", {"times": 1, "value": 1}, retry={"max": 1}),
        echo("g", condition="steps.f.output == 2"),
        step("i", "t.flaky", on_error={"strategy": "ignore"}),
        step("s", "t.flaky", on_error={"strategy": "fallback_step", "fallback_step": "b"}),
        echo("b", "stand-in"),
    ]
    state = await bench.run(
        workflow(for_each("l", [1], condition("c", "true", {"true": [parallel("p", block)]})))
    )
    prefix = "l.iter_0.c.true.p.branch_0."
    assert {
        step_id.removeprefix(prefix): found.status
        for step_id, found in state.steps.items()
        if step_id.startswith(prefix)
    } == {
        "f": "completed",
        "g": "skipped",
        "i": "skipped",
        "s": "failed",
        "b": "completed",
    }
    assert deepest_output(state.output["l"]) == "stand-in"
