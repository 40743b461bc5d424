"""Runs that start other runs."""

from engine_workbench import echo, for_each, gate, step, workflow

from opcode_core.contracts.storage import RunFilter


def child(step_id="p", template="child", params=None, **fields):
    return step(step_id, "t.child", {"template": template, "params": params or {}}, **fields)


async def test_the_step_takes_over_the_childs_output(bench):
    await bench.engine.define("child", workflow(echo("c", "${{inputs.n}}"), inputs={"n": 0}))
    state = await bench.run(
        workflow(child(params={"n": 5}), echo("after", "${{steps.p.output.c}}", after="p"))
    )
    assert state.output == {"after": 5}
    (run,) = [run.state for run in bench.engine.driven if run.state.parent_id]
    assert (run.parent_id, run.parent_step_id, run.agent_id) == (state.id, "p", state.agent_id)
    record = await bench.storage.run(run.id)
    assert (record.parent_id, record.parent_step_id, record.template_name) == (state.id, "p", "child")


async def test_a_failing_child_fails_the_step_with_its_own_code(bench):
    await bench.engine.define("child", workflow(step("c", "t.flaky", {"code": "PATH_DENIED"})))
    state = await bench.run(workflow(child()))
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "PATH_DENIED", "p")
    (run,) = [run.state for run in bench.engine.driven if run.state.parent_id]
    assert state.error["message"] == f"child run {run.id} failed: boom 1"
    assert state.error["details"] == {"workflow_id": run.id, "error": run.error}


async def test_waiting_for_a_child_holds_no_place_in_the_pool(make_bench):
    bench = await make_bench(pool_size=1)
    await bench.engine.define("grandchild", workflow(step("g", "t.aecho", {"value": "deep"})))
    await bench.engine.define("child", workflow(child("c", "grandchild")))
    state = await bench.run(workflow(child()))
    assert state.output == {"p": {"c": {"g": "deep"}}}


async def test_everything_is_stored_before_the_child_is_waited_for(bench):
    await bench.engine.define("child", workflow(gate("c")))
    run_id = await bench.start(workflow(echo("a"), child(after="a")))
    await bench.lab.reached("c")
    await bench.until(lambda: bench.status(run_id, "p") == "suspended")
    await bench.settle()
    story = await bench.story(run_id)
    assert story[-3:] == ["step_started p", "wait_started p", "step_suspended p"]
    bench.lab.open("c")
    await bench.wait(run_id)


async def test_each_iteration_has_its_own_child(bench):
    await bench.engine.define("child", workflow(echo("c", "${{inputs.n}}"), inputs={"n": 0}))
    state = await bench.run(workflow(for_each("l", [1, 2], child(params={"n": "${{loop.item}}"}))))
    assert state.output["l"]["results"] == [{"c": 1}, {"c": 2}]


async def test_a_template_that_begins_itself_without_end_is_stopped(bench):
    await bench.engine.define("child", workflow(child()))
    state = await bench.run("child")
    assert (state.status, state.error["code"]) == ("failed", "CYCLE_DETECTED")
    assert "does 'child' begin itself without end?" in state.error["message"]
    assert state.error["message"].count("child run") == 1, "the first cause, and not all that lies between"
    assert "details" not in (state.error["details"]["error"].get("details") or {})
    assert len((await bench.storage.runs(RunFilter(), 100)).items) == 32


async def test_a_template_that_does_not_exist(bench):
    state = await bench.run(workflow(child(template="chidl")))
    assert (state.error["code"], state.error["step_id"]) == ("NOT_FOUND", "p")


async def test_a_child_with_params_that_do_not_fit(bench):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    await bench.engine.define("child", workflow(echo("c")), input_schema=schema)
    state = await bench.run(workflow(child(params={"n": "five"})))
    assert state.error["code"] == "VALIDATION_ERROR"
    assert "params.n" in state.error["message"]


async def test_a_child_that_took_too_long_is_cancelled_before_another_is_tried(bench):
    await bench.engine.define("child", workflow(gate("c")))
    state = await bench.run(workflow(child(timeout="500ms", retry={"max": 1, "delay": "10ms"})))
    assert state.error["code"] == "RETRY_EXHAUSTED"
    children = (await bench.storage.runs(RunFilter(parent_id=state.id), 10)).items
    assert len(children) == 2
    for run in children:
        ended = await bench.wait(run.id)
        assert ended.status == "cancelled"
        assert ended.error["message"] == f"its parent run {state.id} no longer waits for it"


async def test_a_timeout_covers_the_wait_for_the_child(bench):
    await bench.engine.define("child", workflow(gate("c")))
    state = await bench.run(workflow(child(timeout="20ms")))
    assert (state.error["code"], state.error["step_id"]) == ("TIMEOUT_ERROR", "p")


async def test_a_child_that_is_suspended_suspends_its_parent(bench):
    await bench.engine.define("child", workflow(gate("c"), timeout="20ms", on_timeout="suspend"))
    state = await bench.run(workflow(child()))
    assert (state.status, state.steps["p"].status) == ("suspended", "suspended")
    bench.lab.open("c")
    await bench.engine.signal(state.steps["p"].child, "retry")
    assert (await bench.finished(state.id)).output == {"p": {"c": "c"}}
