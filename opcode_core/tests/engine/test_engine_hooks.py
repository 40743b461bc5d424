"""`on_complete` and `on_error`: one more step when all others have ended."""

from engine_workbench import echo, for_each, gate, parallel, step, workflow


async def test_on_complete_runs_after_everything_else(bench):
    run_id = await bench.start(workflow(gate("a"), echo("b"), on_complete=echo("h", "${{steps.a.output}}!")))
    await bench.lab.reached("a")
    assert bench.status(run_id, "h") is None
    bench.lab.open("a")
    state = await bench.wait(run_id)
    assert (state.status, state.steps["h"].output) == ("completed", "a!")
    assert (await bench.story(state))[-2:] == ["step_started h", "step_completed h"]
    assert state.output == {"a": "a", "b": "b"}


async def test_on_error_sees_what_went_wrong(bench):
    told = echo(
        "h",
        [
            "${{workflow.error.code}}",
            "${{workflow.error.message}}",
            "${{workflow.error.step_id}}",
            "${{workflow.run_id}}",
        ],
    )
    state = await bench.run(
        workflow(step("a", "t.flaky", {"code": "PATH_DENIED"}), echo("b", after="a"), on_error=told)
    )
    assert (state.status, state.error["code"]) == ("failed", "PATH_DENIED")
    assert state.steps["h"].output == ["PATH_DENIED", "boom 1", "a", state.id]
    (event,) = await bench.events(state, "error_handler_invoked")
    assert (event.step_id, event.payload["handler"], event.payload["error"]) == (None, "h", state.error)


async def test_only_the_hook_that_fits_runs(bench):
    hooks = {"on_complete": step("c", "t.external"), "on_error": step("e", "t.external")}
    await bench.run(workflow(echo("a"), **hooks))
    await bench.run(workflow(step("a", "t.flaky"), **hooks))
    assert bench.lab.calls == ["c", "a", "e"]


async def test_a_failing_on_complete_is_recorded_and_changes_nothing(bench):
    state = await bench.run(workflow(echo("a"), on_complete=step("h", "t.flaky", retry={"max": 1})))
    assert (state.status, state.output, state.error) == ("completed", {"a": "a"}, None)
    assert (state.steps["h"].status, state.steps["h"].error["code"]) == ("failed", "RETRY_EXHAUSTED")


async def test_a_failing_on_error_is_recorded_and_changes_nothing(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", {"code": "NOT_FOUND"}), on_error=step("h", "t.raise", {"kind": "value"})
        )
    )
    assert (state.status, state.error["code"]) == ("failed", "NOT_FOUND")
    assert state.steps["h"].status == "failed"


async def test_an_ignored_failure_is_no_error(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky", on_error={"strategy": "ignore"}), on_complete=echo("c"), on_error=echo("e")
        )
    )
    assert (state.status, "c" in state.steps, "e" in state.steps) == ("completed", True, False)


async def test_a_hook_may_have_a_guard(bench):
    hook = echo("h", condition="workflow.error.code == 'TIMEOUT_ERROR'")
    state = await bench.run(workflow(step("a", "t.flaky"), on_error=hook))
    assert state.steps["h"].status == "skipped"


async def test_a_hook_may_be_a_block(bench):
    hook = for_each("h", [1, 2], parallel("p", [echo("x", "${{loop.item}}")]))
    state = await bench.run(workflow(step("a", "t.flaky"), on_error=hook))
    assert state.steps["h"].output["results"] == [
        {"mode": "all", "branches": [1]},
        {"mode": "all", "branches": [2]},
    ]


async def test_a_hook_reads_steps_that_did_not_run_as_null(bench):
    state = await bench.run(
        workflow(
            step("a", "t.flaky"),
            echo("b", after="a"),
            on_error=echo("h", ["${{steps.a.error.code}}", "${{steps.a.status}}"]),
        )
    )
    assert state.steps["h"].output == ["EXECUTION_ERROR", "failed"]


async def test_workflow_error_is_null_where_nothing_failed(bench):
    state = await bench.run(workflow(echo("a", ["${{workflow.error}}"])))
    assert state.output == {"a": [None]}


async def test_an_output_that_cannot_be_made_fails_the_run_and_on_error_is_told(bench):
    hooks = {"on_complete": step("c", "t.external"), "on_error": echo("e", "${{workflow.error.code}}")}
    state = await bench.run(workflow(echo("a", {"n": 1}), output={"x": "${{steps.a.output.nope}}"}, **hooks))
    assert (state.status, state.error["code"]) == ("failed", "INTERPOLATION_ERROR")
    assert state.steps["e"].output == "INTERPOLATION_ERROR"
    assert bench.lab.calls == []
