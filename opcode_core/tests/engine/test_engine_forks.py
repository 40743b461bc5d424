"""A new run from any step of an old one: what came before is taken over, the rest is done anew."""

import pytest
from engine_workbench import condition, echo, flow, for_each, parallel, repeat, step, workflow

from opcode_core import OpcodeError


def external(step_id, value=None, **fields):
    return step(step_id, "t.external", {"value": step_id if value is None else value}, **fields)


async def forked(bench, run_id, step_id, params=None):
    """The fork's state, and what it did itself."""
    bench.lab.calls.clear()
    fork_id = await bench.engine.fork(run_id, step_id, params)
    return await bench.finished(fork_id), list(bench.lab.calls)


async def test_what_came_before_is_taken_over(bench):
    chain = workflow(external("a"), external("b", after="a"), external("c", "${{steps.a.output}}", after="b"))
    old = await bench.run(chain)
    new, calls = await forked(bench, old.id, "b")
    assert (new.status, new.output, calls) == ("completed", {"c": "a"}, ["b", "c"])
    assert new.id != old.id
    assert new.forked_from == {"workflow_id": old.id, "step_id": "b"}
    assert (await bench.engine.state(old.id)) == old


async def test_what_does_not_depend_on_the_step_is_taken_over_too(bench):
    old = await bench.run(
        workflow(external("a"), external("b"), external("c", after="a"), external("d", after="b c"))
    )
    new, calls = await forked(bench, old.id, "a")
    assert (new.status, calls) == ("completed", ["a", "c", "d"])


async def test_other_inputs(bench):
    old = await bench.run(
        workflow(external("a", "${{inputs.n}}"), external("b", "${{inputs.n}}", after="a"), inputs={"n": 1})
    )
    new, _ = await forked(bench, old.id, "b", {"n": 2})
    assert (new.steps["a"].output, new.output) == (1, {"b": 2})


async def test_from_inside_a_loop(bench):
    body = [external("x", "${{loop.item}}"), external("y", "${{steps.x.output}}")]
    old = await bench.run(workflow(for_each("l", [1, 2, 3], *body), external("z", after="l")))
    new, calls = await forked(bench, old.id, "l.iter_1.y")
    assert calls == ["l.iter_1.y", "l.iter_2.x", "l.iter_2.y", "z"]
    assert new.steps["l"].output == old.steps["l"].output


async def test_from_inside_a_loop_whose_list_was_made(bench):
    old = await bench.run(
        workflow(
            external("list", [5, 6]),
            for_each("l", "${{steps.list.output}}", external("x", "${{loop.item}}"), after="list"),
        )
    )
    new, calls = await forked(bench, old.id, "l.iter_1.x")
    assert (calls, new.output) == (["l.iter_1.x"], old.output)


@pytest.mark.parametrize("mode", ["while", "until"])
async def test_from_inside_a_loop_by_condition(bench, mode):
    condition_ = {"while": "iter.index < 3", "until": "iter.index >= 2"}[mode]
    old = await bench.run(workflow(repeat(mode, "l", condition_, external("x", "${{loop.index}}"))))
    new, calls = await forked(bench, old.id, "l.iter_1.x")
    assert (calls, new.output) == (["l.iter_1.x", "l.iter_2.x"], old.output)


async def test_from_inside_a_branch(bench):
    old = await bench.run(
        workflow(condition("c", "'t'", {"t": [external("x"), external("y")]}), external("z", after="c"))
    )
    new, calls = await forked(bench, old.id, "c.t.y")
    assert (calls, new.steps["c"].output) == (["c.t.y", "z"], old.steps["c"].output)


async def test_from_inside_one_of_several_branches(bench):
    old = await bench.run(
        workflow(parallel("p", [external("a"), external("b")], [external("c")]), external("z", after="p"))
    )
    new, calls = await forked(bench, old.id, "p.branch_0.b")
    assert (calls, new.steps["p"].output) == (["p.branch_0.b", "z"], old.steps["p"].output)


async def test_deep_inside(bench):
    inner = for_each("m", [1, 2], external("x"), condition("c", "'t'", {"t": [external("y")]}))
    old = await bench.run(workflow(parallel("p", [inner], [external("q")])))
    new, calls = await forked(bench, old.id, "p.branch_0.m.iter_0.c.t.y")
    assert calls == [f"p.branch_0.m.{s}" for s in ("iter_0.c.t.y", "iter_1.x", "iter_1.c.t.y")]
    assert new.output == old.output


async def test_from_the_step_that_failed_with_its_input_corrected(bench):
    old = await bench.run(
        workflow(
            external("a"),
            step("b", "t.external", {"fail": "${{inputs.bad}}"}, after="a"),
            inputs={"bad": True},
        )
    )
    assert old.status == "failed"
    new, calls = await forked(bench, old.id, "b", {"bad": False})
    assert (new.status, calls) == ("completed", ["b"])


async def test_a_decision_that_was_made_is_kept(bench):
    old = await bench.run(
        workflow(
            flow("q", "reasoning", {"prompt_context": "?"}),
            external("z", "${{steps.q.output.choice}}", after="q"),
        )
    )
    await bench.engine.signal(old.id, "decision", {"choice": "yes"})
    old = await bench.finished(old.id)
    new, calls = await forked(bench, old.id, "z")
    assert (new.output, calls) == ({"z": "yes"}, ["z"])


async def test_from_a_run_that_still_waits(bench):
    old = await bench.run(
        workflow(external("a"), flow("w", "wait", {"signal": "go"}), external("z", after="a w"))
    )
    new_id = await bench.engine.fork(old.id, "w")
    await bench.engine.signal(new_id, "data", {"signal": "go"})
    assert (await bench.finished(new_id)).status == "completed"
    assert bench.lab.calls == ["a", "z"]
    assert (await bench.engine.state(old.id)).status == "suspended"


async def test_the_context_is_as_it_was_before_the_step(bench):
    old = await bench.run(
        workflow(
            step("a", "t.remember", {"data": {"n": 1}}),
            echo("b", "${{context.n}}", after="a"),
            step("c", "t.remember", {"data": {"n": 2}}, after="b"),
        )
    )
    new, _ = await forked(bench, old.id, "b")
    assert (new.steps["b"].output, new.context) == (1, {"n": 2})


async def test_a_step_that_did_not_begin(bench):
    old = await bench.run(workflow(echo("a")))
    with pytest.raises(OpcodeError, match="no step 'b' of run .* has begun; it has: a") as caught:
        await bench.engine.fork(old.id, "b")
    assert caught.value.code == "NOT_FOUND"
