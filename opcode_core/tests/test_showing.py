"""What callers are told, how a plan becomes a diagram, and what the log says."""

import json
import logging

import pytest

from opcode_core.answers import iso, run_answer, status_answer, steps_answer
from opcode_core.logs import JsonLines, PlainLines, printable, set_up
from opcode_core.outline import outline
from opcode_core.state import RunState, StepState
from opcode_core.tests.model_bench import plan, step

FALLBACK = {"strategy": "fallback_step", "fallback_step": "f"}


def everything():
    return plan(
        step("a", on_error=FALLBACK),
        step("f"),
        {
            "id": "c",
            "type": "condition",
            "depends_on": ["a"],
            "config": {
                "expression": "inputs.x > 1",
                "branches": {"true": [step("t")]},
                "default": [step("d")],
            },
        },
        {"id": "l", "type": "loop", "config": {"over": [1, 2], "body": [step("b")]}},
        {"id": "p", "type": "parallel", "config": {"mode": "race", "branches": [[step("x")], [step("y")]]}},
        {"id": "w", "type": "wait", "config": {"duration": "90s"}},
        {"id": "s", "type": "wait", "config": {"signal": "go"}},
        {"id": "r", "type": "reasoning", "config": {"target_agent": "boss"}},
        {"id": "q", "type": "reasoning", "config": {}},
    )


def test_an_outline_without_a_run():
    made = outline(everything(), "t")
    assert [node.id for node in made.nodes][0::10] == ["(start)", "(end)"]
    by_id = {node.id: node for node in made.nodes}
    assert by_id["c"].detail == "inputs.x > 1"
    assert [lane.label for lane in by_id["c"].lanes] == ["true", "default"]
    assert by_id["l"].detail == "for_each [1, 2]"
    assert [node.id for node in by_id["p"].lanes[1].nodes] == ["p.branch_1.y"]
    assert (by_id["w"].detail, by_id["s"].detail, by_id["r"].detail, by_id["q"].detail) == (
        "1m30s",
        "signal go",
        "asks boss",
        "asks",
    )
    assert all(node.status is None for node in made.nodes)
    edges = {(edge.source, edge.target): edge.kind for edge in made.edges}
    assert edges["a", "f"] == "fallback"
    assert edges["f", "c"] == "normal"
    assert ("(start)", "a") in edges
    assert ("c", "(end)") in edges


def test_an_outline_of_a_run():
    state = RunState("r", status="active", started_at=1.0)
    state.steps = {
        "a": StepState("completed", 1, started_at=1.0, ended_at=1.5),
        "l": StepState("completed", {"iterations": 2, "results": [1, 2]}, started_at=1.0, ended_at=2.0),
        "l.iter_0.b": StepState("completed"),
        "l.iter_1.b": StepState("failed"),
        "w": StepState("running", started_at=1.0),
    }
    by_id = {node.id: node for node in outline(everything(), "t", state).nodes}
    assert (by_id["a"].status, by_id["a"].duration) == ("completed", 0.5)
    assert by_id["l"].detail == "for_each [1, 2], 2 iterations"
    assert (by_id["l"].lanes[0].nodes[0].id, by_id["l"].lanes[0].nodes[0].status) == ("l.iter_1.b", "failed")
    assert (by_id["w"].status, by_id["w"].duration, by_id["c"].status) == ("running", None, "pending")
    state.status = "completed"
    assert {node.id: node.status for node in outline(everything(), "t", state).nodes}["c"] == "skipped"


def test_answers():
    made = plan(step("a"), step("b", depends_on=["a"]), step("c"))
    state = RunState("r", status="active", started_at=0.0)
    state.steps["a"] = StepState("skipped", reason="why", attempt=2, started_at=1.0)
    assert {k: v["status"] for k, v in steps_answer(state, made).items()} == {
        "a": "skipped",
        "b": "pending",
        "c": "scheduled",
    }
    assert steps_answer(state)["a"] == {
        "step_id": "a",
        "status": "skipped",
        "output": None,
        "error": None,
        "duration_ms": None,
        "attempts": 2,
        "reason": "why",
    }
    state.steps["a"].ended_at = 2.5
    assert steps_answer(state, made)["b"]["status"] == "scheduled"
    assert steps_answer(state)["a"]["duration_ms"] == 1500
    assert run_answer(state)["started_at"] == "1970-01-01T00:00:00.000Z"
    assert status_answer(state, made)["events"] is None
    assert iso(None) is None


@pytest.fixture
def record():
    made = logging.LogRecord("opcode.action", logging.WARNING, "f", 1, "hi \x1b[31m%s", ("you",), None)
    made.step_id, made.workflow_id, made.fields = "s", "w", {"n": 1}
    return made


def test_log_lines_are_json_with_ids_and_fields(record):
    line = json.loads(JsonLines().format(record))
    assert (line["level"], line["message"], line["step_id"], line["workflow_id"], line["fields"]) == (
        "warning",
        "hi \x1b[31myou",
        "s",
        "w",
        {"n": 1},
    )
    assert "agent_id" not in line


def test_an_exception_is_a_word_and_a_traceback_only_when_debugging(record):
    try:
        raise ValueError("oh")
    except ValueError as error:
        record.exc_info = (type(error), error, error.__traceback__)
    logger = logging.getLogger("opcode")
    before = logger.level
    try:
        logger.setLevel("INFO")
        assert json.loads(JsonLines().format(record))["error"] == "ValueError: oh"
        logger.setLevel("DEBUG")
        assert "Traceback" in json.loads(JsonLines().format(record))["traceback"]
    finally:
        logger.setLevel(before)


def test_lines_for_people_hold_no_control_characters(record):
    assert PlainLines().format(record) == "warning: hi �[31myou  (step s)"
    assert printable("a\tb\nc\x07") == "a\tb\nc�"


def test_the_log_goes_to_standard_error(capsys):
    logger = logging.getLogger("opcode")
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        set_up("info")
        logging.getLogger("opcode.x").info("hello")
        logging.getLogger("opcode.x").debug("not this")
        assert json.loads(capsys.readouterr().err)["message"] == "hello"
    finally:
        logger.handlers[:], logger.level, logger.propagate = before


def test_steps_named_start_and_end_are_not_the_start_and_the_end():
    made = outline(plan(step("end"), step("start", depends_on=["end"])), "t")
    assert [node.id for node in made.nodes] == ["(start)", "end", "start", "(end)"]
