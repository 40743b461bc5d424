"""Parallel steps: all and race."""

import asyncio

import pytest
from engine_workbench import echo, flow, for_each, gate, parallel, step, workflow

from opcode_core.engine import deadline


def failing(name):
    return step(name, "t.gate", {"name": name, "fail": True})


# ---- all -------------------------------------------------------------------------------------


async def test_all_gives_the_last_output_of_each_branch_in_their_order(bench):
    run_id = await bench.start(
        workflow(parallel("p", [gate("a"), echo("a2", 1)], [gate("b"), echo("b2", 2)]))
    )
    await bench.lab.reached("a", "b")
    bench.lab.open("b")
    await bench.until(lambda: bench.status(run_id, "p.branch_1.b2") == "completed")
    bench.lab.open("a")
    state = await bench.wait(run_id)
    assert state.output == {"p": {"mode": "all", "branches": [1, 2]}}
    (begun,) = await bench.events(state, "parallel_started")
    (done,) = await bench.events(state, "parallel_completed")
    assert (begun.payload, done.payload) == ({"mode": "all", "branches": 2}, {"mode": "all"})


async def test_all_is_the_default(bench):
    state = await bench.run(workflow(flow("p", "parallel", {"branches": [[echo("a")]]})))
    assert state.output == {"p": {"mode": "all", "branches": ["a"]}}


async def test_a_branch_without_output_gives_null(bench):
    state = await bench.run(workflow(parallel("p", [echo("a", condition="false")], [echo("b")])))
    assert state.output["p"]["branches"] == [None, "b"]


async def test_max_concurrency_bounds_the_branches(bench):
    run_id = await bench.start(
        workflow(parallel("p", [gate("a")], [gate("b")], [gate("c")], max_concurrency=2))
    )
    await bench.lab.reached("a", "b")
    await bench.settle()
    assert bench.lab.calls == ["a", "b"]
    bench.lab.open("b")
    await bench.lab.reached("c")
    bench.lab.open("a", "c")
    assert (await bench.wait(run_id)).output["p"]["branches"] == ["a", "b", "c"]
    assert bench.lab.most_running == 2


async def test_max_concurrency_of_one_is_list_order(bench):
    run_id = await bench.start(workflow(parallel("p", [gate("a")], [gate("b")], max_concurrency=1)))
    await bench.lab.reached("a")
    bench.lab.open("a", "b")
    await bench.wait(run_id)
    assert bench.lab.calls == ["a", "b"]
    assert bench.lab.most_running == 1


async def test_a_failing_branch_lets_what_is_in_flight_end_and_begins_nothing_new(bench):
    run_id = await bench.start(
        workflow(
            parallel(
                "p", [failing("a")], [gate("b"), echo("b2")], [gate("c"), echo("c2")], max_concurrency=2
            ),
            echo("z", after="p"),
        )
    )
    await bench.lab.reached("a", "b")
    bench.lab.open("a")
    await bench.settle()
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert state.error["step_id"] == "p.branch_0.a"
    assert {s: found.status for s, found in state.steps.items()} == {
        "p": "failed",
        "p.branch_0.a": "failed",
        "p.branch_1.b": "completed",
        "z": "skipped",
    }


async def test_the_first_of_several_failures_counts(bench):
    run_id = await bench.start(workflow(parallel("p", [failing("a")], [failing("b")])))
    await bench.lab.reached("a", "b")
    bench.lab.open("b")
    await bench.settle()
    bench.lab.open("a")
    assert (await bench.wait(run_id)).error["step_id"] == "p.branch_1.b"


async def test_a_failure_in_a_branch_cuts_pauses_beside_it_short(bench):
    bench.clock.held = True
    retrying = step("r", "t.flaky", retry={"max": 9, "backoff": "constant", "delay": "1d"})
    run_id = await bench.start(
        workflow(
            parallel("p", [retrying], [failing("b")], on_error={"strategy": "ignore"}), echo("z", after="p")
        )
    )
    await bench.lab.reached("b")
    await bench.until(lambda: bench.status(run_id, "p.branch_0.r") == "retrying")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert state.output == {"z": "z"}
    assert state.steps["p.branch_0.r"].status == "skipped"


# ---- race ------------------------------------------------------------------------------------


async def test_the_first_branch_to_end_wins_and_the_others_are_cancelled(bench):
    run_id = await bench.start(
        workflow(
            parallel("p", [gate("a"), echo("a2")], [gate("b"), echo("b2", "B")], [gate("c")], mode="race")
        )
    )
    await bench.lab.reached("a", "b", "c")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert state.output == {"p": {"mode": "race", "winner": 1, "output": "B"}}
    assert bench.lab.outcome == {"a": "cancelled", "b": "ended", "c": "cancelled"}
    assert {s: found.status for s, found in state.steps.items()} == {
        "p": "completed",
        "p.branch_0.a": "skipped",
        "p.branch_1.b": "completed",
        "p.branch_1.b2": "completed",
        "p.branch_2.c": "skipped",
    }
    assert state.steps["p.branch_0.a"].reason == "another branch won the race"
    (done,) = await bench.events(state, "parallel_completed")
    assert done.payload == {"mode": "race", "winner": 1}


async def test_of_branches_that_end_in_the_same_moment_the_first_wins(bench):
    state = await bench.run(workflow(parallel("p", [echo("a")], [echo("b")], mode="race")))
    assert state.output["p"]["winner"] == 0


async def test_a_branch_that_fails_does_not_win(bench):
    run_id = await bench.start(workflow(parallel("p", [step("a", "t.flaky")], [gate("b")], mode="race")))
    await bench.lab.reached("b")
    await bench.settle()
    assert bench.status(run_id, "p") == "running"
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert (state.status, state.output["p"]["winner"]) == ("completed", 1)


async def test_when_every_branch_fails_the_race_fails_with_all_their_errors(bench):
    state = await bench.run(
        workflow(
            parallel(
                "p", [step("a", "t.flaky")], [step("b", "t.aflaky", {"code": "PATH_DENIED"})], mode="race"
            )
        )
    )
    assert (state.status, state.error["code"], state.error["step_id"]) == ("failed", "STEP_FAILED", "p")
    assert {i: e["code"] for i, e in state.error["details"]["branches"].items()} == {
        "0": "EXECUTION_ERROR",
        "1": "PATH_DENIED",
    }


async def test_a_race_of_one_at_a_time_tries_the_next_after_a_failure(bench):
    state = await bench.run(
        workflow(
            parallel(
                "p",
                [step("a", "t.flaky")],
                [echo("b")],
                [step("c", "t.external")],
                mode="race",
                max_concurrency=1,
            )
        )
    )
    assert state.output["p"] == {"mode": "race", "winner": 1, "output": "b"}
    assert bench.lab.calls == ["p.branch_0.a"]


async def test_losers_deep_inside_are_skipped_too(bench):
    deep = for_each("l", [1, 2], parallel("q", [gate("x")], [gate("y")]))
    run_id = await bench.start(workflow(parallel("p", [deep], [gate("b")], mode="race")))
    await bench.lab.reached("x", "y", "b")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert {s for s, found in state.steps.items() if found.status == "skipped"} == {
        "p.branch_0.l",
        "p.branch_0.l.iter_0.q",
        "p.branch_0.l.iter_0.q.branch_0.x",
        "p.branch_0.l.iter_0.q.branch_1.y",
    }
    assert bench.lab.outcome["x"] == bench.lab.outcome["y"] == "cancelled"


async def test_a_loser_that_waits_or_pauses_is_skipped(bench):
    bench.clock.held = True
    retrying = step("r", "t.flaky", retry={"max": 9, "backoff": "constant", "delay": "1d"})
    run_id = await bench.start(
        workflow(
            parallel("p", [flow("w", "wait", {"duration": "30d"})], [retrying], [gate("b")], mode="race")
        )
    )
    await bench.lab.reached("b")
    await bench.until(lambda: bench.status(run_id, "p.branch_1.r") == "retrying")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert [state.steps[s].status for s in ("p.branch_0.w", "p.branch_1.r")] == ["skipped", "skipped"]


@pytest.mark.parametrize("cancellations", [1, 2])
async def test_a_loser_that_takes_its_cancellation_for_an_answer_does_not_go_on(bench, cancellations):
    loser = [
        step("s", "t.stubborn", {"name": "s", "cancellations": cancellations}),
        step("next", "t.external"),
    ]
    run_id = await bench.start(workflow(parallel("p", loser, [gate("b")], mode="race")))
    await bench.lab.reached("s", "b")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert state.output["p"]["winner"] == 1
    assert "p.branch_0.next" not in bench.lab.calls


async def test_a_loser_that_ends_well_after_all_has_lost_all_the_same(bench):
    loser = [step("s", "t.stubborn", {"name": "s", "cancellations": 1})]
    run_id = await bench.start(workflow(parallel("p", loser, [gate("b")], mode="race")))
    await bench.lab.reached("s", "b")
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert state.output["p"] == {"mode": "race", "winner": 1, "output": "b"}


async def test_a_loser_that_ignores_its_cancellation_is_left_to_itself(bench, monkeypatch, caplog):
    monkeypatch.setattr(deadline, "GRACE", 0.02)
    loser = [step("s", "t.stubborn", {"name": "s"}), step("next", "t.external")]
    run_id = await bench.start(workflow(parallel("p", loser, [gate("b")], mode="race"), gate("z", after="p")))
    await bench.lab.reached("s", "b")
    bench.lab.open("b")
    await bench.lab.reached("z")
    assert bench.status(run_id, "p.branch_0.s") == "skipped"
    assert "ignores its cancellation" in caplog.text
    bench.lab.open("s")  # it ends while the run goes on: too late to say anything
    await bench.until(lambda: bench.lab.outcome.get("s") == "ended")
    await bench.settle()
    bench.lab.open("z")
    state = await bench.wait(run_id)
    assert state.status == "completed"
    assert state.steps["p.branch_0.s"].status == "skipped"
    assert "p.branch_0.next" not in bench.lab.calls


async def test_when_the_run_fails_what_is_in_flight_in_a_race_ends(bench):
    """A branch that cannot go on does not take the others' steps with it."""
    run_id = await bench.start(
        workflow(parallel("p", [gate("a"), echo("a2")], [gate("b"), echo("b2")], mode="race"), failing("x"))
    )
    await bench.lab.reached("a", "b", "x")
    bench.lab.open("x")
    await bench.settle()
    bench.lab.open("a")
    await bench.settle()
    assert bench.lab.outcome == {"x": "ended", "a": "ended"}
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert bench.lab.outcome["b"] == "ended"
    assert state.error["step_id"] == "x"
    assert [state.steps[f"p.branch_{i}.{s}"].status for i, s in enumerate("ab")] == ["completed", "completed"]


async def test_a_race_can_be_won_while_the_run_fails(bench):
    run_id = await bench.start(
        workflow(parallel("p", [gate("a"), echo("a2")], [gate("b")], mode="race"), failing("x"))
    )
    await bench.lab.reached("a", "b", "x")
    bench.lab.open("x")
    await bench.settle()
    bench.lab.open("a")
    await bench.settle()
    bench.lab.open("b")
    state = await bench.wait(run_id)
    assert state.steps["p"].output == {"mode": "race", "winner": 1, "output": "b"}


async def test_a_race_that_is_tried_again_is_run_again(bench):
    state = await bench.run(
        workflow(
            parallel("p", [step("a", "t.aflaky", {"times": 1, "value": "A"})], mode="race", retry={"max": 1})
        )
    )
    assert state.output == {"p": {"mode": "race", "winner": 0, "output": "A"}}
    assert state.steps["p"].attempt == 2


@pytest.mark.parametrize("mode", ["all", "race"])
async def test_cancelled_branches_leave_no_task_behind(bench, mode):
    run_id = await bench.start(workflow(parallel("p", [gate("a")], [gate("b")], mode=mode)))
    await bench.lab.reached("a", "b")
    await bench.engine.cancel(run_id)
    assert bench.lab.outcome == {"a": "cancelled", "b": "cancelled"}
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith(("branch", "step", "run"))]
