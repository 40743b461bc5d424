"""How a run fails: what is in flight ends, nothing new begins, the rest is skipped."""

import pytest
from engine_workbench import RAISED, WEIRD, condition, echo, for_each, gate, parallel, step, workflow


async def test_steps_in_flight_end_and_the_rest_is_skipped(bench):
    run_id = await bench.start(
        workflow(
            gate("a"),
            step("b", "t.gate", {"name": "b", "fail": True}),
            echo("after_a", after="a"),
            echo("after_b", after="b"),
        )
    )
    await bench.lab.reached("a", "b")
    bench.lab.open("b")
    await bench.settle()
    assert bench.status(run_id, "b") == "failed"
    assert (await bench.engine.state(run_id)).status == "active"
    bench.lab.open("a")
    state = await bench.wait(run_id)
    assert state.status == "failed"
    assert {s: step.status for s, step in state.steps.items()} == {
        "a": "completed",
        "b": "failed",
        "after_a": "skipped",
        "after_b": "skipped",
    }
    assert state.steps["after_a"].reason == "the run failed"
    assert state.output is None


async def test_the_runs_error_is_the_steps_own(bench):
    state = await bench.run(workflow(step("a", "t.flaky", {"code": "PATH_DENIED"})))
    assert state.error == {"code": "PATH_DENIED", "message": "boom 1", "details": {"try": 1}, "step_id": "a"}
    record = await bench.storage.run(state.id)
    assert (record.status, record.error) == ("failed", state.error)


async def test_the_first_failure_is_the_runs(bench):
    fail = {"fail": True}
    run_id = await bench.start(
        workflow(step("a", "t.gate", {"name": "a", **fail}), step("b", "t.gate", {"name": "b", **fail}))
    )
    await bench.lab.reached("a", "b")
    bench.lab.open("b")
    await bench.settle()
    bench.lab.open("a")
    state = await bench.wait(run_id)
    assert state.error["step_id"] == "b"
    assert [state.steps[s].status for s in "ab"] == ["failed", "failed"]


async def test_what_is_in_flight_inside_blocks_ends_and_their_rest_does_not_begin(bench):
    run_id = await bench.start(
        workflow(
            for_each("l", [1, 2], gate("x"), echo("y")),
            parallel("p", [gate("u"), echo("v")], [gate("w"), echo("z")]),
            step("b", "t.gate", {"name": "b", "fail": True}),
        )
    )
    await bench.lab.reached("x", "u", "w", "b")
    bench.lab.open("b")
    await bench.settle()
    bench.lab.open("x", "u", "w")
    state = await bench.wait(run_id)
    assert {s: step.status for s, step in state.steps.items()} == {
        "l": "skipped",
        "l.iter_0.x": "completed",
        "p": "skipped",
        "p.branch_0.u": "completed",
        "p.branch_1.w": "completed",
        "b": "failed",
    }


async def test_a_failure_deep_inside_fails_everything_around_it(bench):
    inner = condition("c", "true", {"true": [step("x", "t.flaky")]})
    state = await bench.run(workflow(for_each("l", [1], parallel("p", [inner])), echo("after", after="l")))
    assert state.error["step_id"] == "l.iter_0.p.branch_0.c.true.x"
    assert {s: step.status for s, step in state.steps.items()} == {
        "l": "failed",
        "l.iter_0.p": "failed",
        "l.iter_0.p.branch_0.c": "failed",
        "l.iter_0.p.branch_0.c.true.x": "failed",
        "after": "skipped",
    }


# ---- whatever an action does -----------------------------------------------------------------


@pytest.mark.parametrize("action", ["t.raise", "t.araise", "t.braise"])
@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("plain", "EXECUTION_ERROR", "raised SomeError: oh"),
        ("value", "EXECUTION_ERROR", "raised ValueError: oh"),
        ("key", "EXECUTION_ERROR", "raised KeyError: 'oh'"),
        ("timeout", "TIMEOUT_ERROR", "timed out: oh"),
        ("recursion", "EXECUTION_ERROR", "raised RecursionError: oh"),
        ("stop", "EXECUTION_ERROR", "raised "),
        ("exit", "EXECUTION_ERROR", "raised SystemExit: oh"),
        ("cancelled", "CANCELLED", "cancelled"),
    ],
)
async def test_whatever_an_action_raises_fails_its_step(bench, action, kind, code, words):
    state = await bench.run(workflow(step("a", action, {"kind": kind, "message": "oh"})))
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", code, "a")
    assert state.error["message"].startswith(f"action {action}")
    assert words in state.error["message"]
    assert "Traceback" not in state.error["message"]


@pytest.mark.parametrize("kind", sorted(set(RAISED) - {"exit", "cancelled"}))
async def test_an_exception_without_words_is_named(bench, kind):
    state = await bench.run(workflow(step("a", "t.raise", {"kind": kind})))
    expected = "timed out" if kind == "timeout" else f"raised {RAISED[kind].__name__}"
    assert state.error["message"] == f"action t.raise {expected}"


async def test_a_message_without_end_is_cut(bench):
    state = await bench.run(workflow(step("a", "t.raise", {"kind": "value", "message": "x" * 100_000})))
    assert len(state.error["message"]) < 3000


@pytest.mark.parametrize("action", ["t.weird", "t.aweird"])
@pytest.mark.parametrize("kind", sorted(WEIRD))
async def test_what_is_not_json_fails_the_step(bench, action, kind):
    state = await bench.run(workflow(step("a", action, {"kind": kind})))
    assert (state.status, state.error["code"]) == ("failed", "EXECUTION_ERROR")
    assert state.error["message"].startswith(f"action {action} returned what is not JSON: ")


async def test_an_output_that_is_too_large_fails_the_step_and_says_what_to_do(bench):
    state = await bench.run(workflow(step("a", "t.big", {"size": 50 * 1024 * 1024})))
    assert state.error["code"] == "EXECUTION_ERROR"
    assert "52,428,802 bytes" in state.error["message"]
    assert "Write large results to a file" in state.error["message"]
    assert state.error["details"] == {"bytes": 52_428_802, "limit": 16 * 1024 * 1024}


async def test_an_output_just_within_the_limit_is_kept(bench):
    state = await bench.run(workflow(step("a", "t.big", {"size": 16 * 1024 * 1024 - 2})))
    assert len(state.output["a"]) == 16 * 1024 * 1024 - 2


async def test_params_that_do_not_fit_name_the_param_and_the_value(bench):
    state = await bench.run(
        workflow(step("a", "t.typed", {"n": "${{inputs.n}}", "name": "${{inputs.m}}"})), {"n": "x", "m": 5}
    )
    assert state.error["code"] == "VALIDATION_ERROR"
    assert "params.n: should be integer" in state.error["message"]
    assert "and 1 more" in state.error["message"]
    assert {issue["path"] for issue in state.error["details"]["issues"]} == {"params.n", "params.name"}


async def test_params_of_an_async_action_are_checked_too(bench):
    state = await bench.run(workflow(step("a", "t.atyped", {"n": "${{inputs.n}}"})), {"n": None})
    assert state.error["code"] == "VALIDATION_ERROR"
    assert "params.n" in state.error["message"]


async def test_a_run_that_breaks_says_so_and_harms_no_other(bench, caplog):
    """A fault of the engine itself, here of its dice, is not taken for the step's."""
    bench.ids.fraction = lambda: 1 / 0
    bench.broken.add("run-1")
    with pytest.raises(ZeroDivisionError):
        await bench.run(workflow(step("a", "t.flaky", retry={"max": 1})))
    assert "run run-1 broke" in caplog.text
    assert (await bench.run(workflow(echo("a")))).status == "completed"
