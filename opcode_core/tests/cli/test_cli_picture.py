"""The live picture, the tables' choice of steps, and diagrams of runs, from states made by hand."""

import io
import re
import time

import pytest
from rich.console import Console

from opcode_core import Event
from opcode_core import events as e
from opcode_core.cli.event_lines import Lines
from opcode_core.cli.picture import Picture
from opcode_core.cli.shortened import without_old_iterations
from opcode_core.outline import outline
from opcode_core.state import RunState, StepState
from opcode_core.tests.model_bench import plan, step


def drawn(picture: Picture, height: int = 30, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(picture.render(height))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def picture_of(made, **steps: StepState) -> Picture:
    picture = Picture("w.json", made, RunState("r"))
    picture.state.started_at, picture.state.status = time.time(), "active"
    picture.state.steps.update(steps)
    return picture


def ended(status: str = "completed", **fields) -> StepState:
    return StepState(status, started_at=1.0, ended_at=1.25, **fields)


def test_without_room_settled_steps_go_first_and_failed_and_running_ones_stay():
    made = plan(*(step(f"s{number}") for number in range(50)))
    steps = {f"s{number}": ended() for number in range(49)}
    steps["s3"] = ended("failed", error={"code": "X", "message": "bad"})
    steps["s49"] = StepState("running", started_at=time.time())
    lines = drawn(picture_of(made, **steps), height=15)
    assert len(lines) <= 15
    assert lines[0].split() == ["✓", "42", "steps", "done"]
    assert any("s3 " in line and "bad" in line for line in lines)
    assert any("s49" in line for line in lines)
    assert not any("s10" in line for line in lines)


def test_one_step_too_many_to_show_never_grows_the_picture():
    made = plan(*(step(f"s{number}") for number in range(60)))
    steps = {f"s{number}": StepState("running", started_at=time.time()) for number in range(60)}
    for height in (1, 10, 30, 200):
        lines = drawn(picture_of(made, **steps), height)
        assert len(lines) <= max(height, 5)
        assert lines[-2].split()[:3] == ["…", "and", str(60 - len(lines) + 2)]


def test_a_retry_says_why_and_when():
    error = {"code": "EXECUTION_ERROR", "message": "no answer"}
    waiting = StepState("retrying", attempt=2, error=error, retry_at=time.time() + 60, started_at=1.0)
    again = StepState("running", attempt=3, error=error, started_at=1.0)
    late = ended(attempt=3)
    lines = drawn(picture_of(plan(step("a"), step("b"), step("c")), a=waiting, b=again, c=late))
    assert "↻  a" in lines[0]
    assert re.search(r"try 2 failed, again in (1m|5\d(\.\d)?s): no answer$", lines[0])
    assert lines[1].endswith("try 3 after: no answer")
    assert lines[2].endswith("3 tries")


def test_a_failure_is_one_line_while_it_goes_and_told_in_full_at_the_end():
    cause = {"code": "EXECUTION_ERROR", "message": "word " * 40 + "end"}
    error = {"code": "RETRY_EXHAUSTED", "message": "failed 2 times", "details": {"cause": cause}}
    picture = picture_of(plan(step("a")), a=ended("failed", attempt=2, error=error))
    assert len(drawn(picture)) == 2
    assert "2 tries: word" in drawn(picture)[0]
    last = RunState("r", "failed", started_at=1.0, ended_at=3.0, steps=picture.state.steps)
    picture.finish(last)
    lines = drawn(picture)
    assert len(lines) > 3
    assert lines[-2].endswith("end")
    assert lines[-1].startswith("✗ failed in 2s")


def test_events_that_come_after_the_end_is_known_change_nothing():
    picture = Picture("w.json", plan(step("a")), RunState("r"))
    picture.finish(RunState("r", "completed", sequence=9, started_at=1.0, ended_at=2.0))
    picture.show(Event("r", 2, e.STEP_STARTED, "a", {}, "local", 1.0))
    assert drawn(picture) == ["✓ completed in 1s  w.json  r"]


def test_a_line_says_how_it_ended_when_the_last_events_were_lost(capsys):
    lines = Lines(plan(step("a")), RunState("r"))
    lines.show(Event("r", 1, e.WORKFLOW_STARTED, None, {}, "local", 1.0))
    lines.finish(RunState("r", "completed"))
    assert capsys.readouterr().err.splitlines()[-1].strip() == "completed; the log has all of its events"
    lines.show(Event("r", 2, e.WORKFLOW_COMPLETED, None, {"output": 1}, "local", 2.5))
    lines.finish(RunState("r", "completed"))
    assert capsys.readouterr().err.splitlines()[-1].split()[1:] == ["workflow_completed", "1.5s"]


def test_what_waits_says_until_when_also_inside_of_a_loop():
    until = time.time() + 90
    steps = {
        "l": StepState("running", started_at=1.0, block=True),
        "l.iter_0.ask": StepState(
            "suspended", block=True, waiting={"for": "decision", "decision_id": "d", "until": None}
        ),
        "w": StepState("suspended", block=True, waiting={"for": "time", "until": until}),
        "s": StepState("suspended", block=True, waiting={"for": "signal", "signal": "paid", "until": None}),
        "k": StepState("suspended", waiting={"for": "run", "run_id": "r2", "until": None}),
        "o": StepState("suspended", waiting={"for": "operator", "reason": "interrupted", "until": None}),
    }
    made = plan(
        {"id": "l", "type": "loop", "config": {"over": [1], "body": [step("ask")]}},
        *(step(step_id) for step_id in "wsko"),
    )
    lines = [" ".join(line.split()) for line in drawn(picture_of(made, **steps))]
    assert lines[1] == "‖ iter_0.ask waits for a decision"
    assert re.fullmatch(r"‖ w t.echo waits until [\d: -]+ \(in 1m\d+s\)", lines[2])
    assert [line.split(maxsplit=3)[3] for line in lines[3:6]] == [
        "waits for the signal 'paid'",
        "waits for run r2",
        "held (interrupted)",
    ]


def test_a_run_that_is_taken_up_goes_on_from_where_it_stood(capsys):
    state = RunState(
        "r", "active", sequence=3, started_at=1.0, steps={"a": StepState("running", started_at=2.0)}
    )
    lines = Lines(plan(step("a")), state)
    lines.show(Event("r", 4, e.STEP_COMPLETED, "a", {"output": 1}, "local", 4.5))
    lines.show(Event("r", 5, e.WORKFLOW_COMPLETED, None, {"output": 1}, "local", 11.0))
    first, *others = capsys.readouterr().err.splitlines()
    assert first.split() == ["workflow", "run", "r"]
    assert [line.split()[1:] for line in others] == [
        ["step_completed", "a", "2.5s"],
        ["workflow_completed", "10s"],
    ]


def test_of_many_iterations_the_last_and_the_failed_ones_are_shown():
    steps = {"outer": {"status": "completed"}}
    for outer in range(6):
        for inner in range(10):
            steps[f"outer.iter_{outer}.inner.iter_{inner}.x"] = {"status": "completed"}
    steps["outer.iter_2.inner.iter_4.x"] = {"status": "failed"}
    shown, left_out = without_old_iterations(steps)
    assert shown == ["outer", "outer.iter_2.inner.iter_4.x", "outer.iter_5.inner.iter_9.x"]
    assert left_out == 58
    few = dict(list(steps.items())[:40])
    assert without_old_iterations(few) == (list(few), 0)
    many = {f"s{number}": {"status": "completed"} for number in range(500)}
    assert [len(part) if isinstance(part, list) else part for part in without_old_iterations(many)] == [
        200,
        300,
    ]


@pytest.mark.parametrize(
    ("outcome", "inner"),
    [("running", "pending"), ("completed", "skipped"), ("failed", "skipped")],
)
def test_a_branch_that_is_not_taken_is_pending_until_its_block_has_ended(outcome, inner):
    branches = {"true": [step("t")], "false": [step("f")]}
    made = plan({"id": "c", "type": "condition", "config": {"expression": "true", "branches": branches}})
    state = RunState("r", "active", steps={"c": StepState(outcome), "c.true.t": StepState("running")})
    (node,) = (node for node in outline(made, "t", state).nodes if node.id == "c")
    assert [inside.status for lane in node.lanes for inside in lane.nodes] == ["running", inner]


def test_a_diagram_knows_scheduled_retrying_and_counted_iterations():
    loop = {"id": "l", "type": "loop", "config": {"over": [1, 2, 3], "body": [step("b")]}}
    made = plan(loop, step("next", depends_on=["l"]), step("free"), step("shaky"))
    state = RunState("r", "active")
    state.steps = {
        "l": StepState("running", results={0: 1}, block=True),
        "l.iter_0.b": StepState("completed"),
        "l.iter_1.b": StepState("retrying"),
        "shaky": StepState("retrying"),
    }
    nodes = {node.id: node for node in outline(made, "t", state).nodes}
    assert nodes["l"].detail == "for_each [1, 2, 3], 1 iteration"
    assert nodes["l"].lanes[0].nodes[0].status == "retrying"
    assert (nodes["next"].status, nodes["free"].status) == ("pending", "scheduled")
    assert nodes["shaky"].status == "retrying"
