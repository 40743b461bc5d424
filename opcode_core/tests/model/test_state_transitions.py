"""A run's state is the fold of its events, and no event may follow what it cannot follow."""

from typing import Any

import pytest

from opcode_core import ErrorCode, Event, OpcodeError
from opcode_core import events as e
from opcode_core.folding import evolve, fold
from opcode_core.state import RUN_MOVES, STEP_MOVES, RunState, StepState
from opcode_core.tests.model.logs import ERROR, log, started

# SPEC §1, States. A step that waits for its next try can also be skipped, when its run is cancelled.
STEP_PROMISE = {
    "pending": {"scheduled", "running", "skipped"},
    "scheduled": {"running", "skipped"},
    "running": {"completed", "failed", "skipped", "suspended", "retrying"},
    "suspended": {"running", "failed", "skipped"},
    "retrying": {"running", "failed", "skipped"},
    "completed": set(),
    "failed": set(),
    "skipped": set(),
}
RUN_PROMISE = {
    "pending": {"active"},
    "active": {"completed", "failed", "cancelled", "suspended"},
    "suspended": {"active", "cancelled", "failed"},
    "completed": set(),
    "failed": {"active", "cancelled"},  # taken up again, or given up for good, by somebody
    "cancelled": set(),
}
STEP_EVENTS = {
    e.STEP_STARTED: ("running", {}),
    e.STEP_RETRY_ATTEMPT: ("running", {}),
    e.STEP_COMPLETED: ("completed", {"output": 1}),
    e.STEP_FAILED: ("failed", {"error": ERROR}),
    e.STEP_SKIPPED: ("skipped", {"reason": "why"}),
    e.STEP_IGNORED: ("skipped", {"error": ERROR}),
    e.STEP_RETRYING: ("retrying", {"error": ERROR, "delay_ms": 1500}),
    e.STEP_SUSPENDED: ("suspended", {}),
}
RUN_EVENTS = {
    e.WORKFLOW_STARTED: ("active", started()[1]),
    e.WORKFLOW_COMPLETED: ("completed", {"output": {}}),
    e.WORKFLOW_FAILED: ("failed", {"error": ERROR}),
    e.WORKFLOW_CANCELLED: ("cancelled", {}),
    e.WORKFLOW_SUSPENDED: ("suspended", {}),
}


def test_the_tables_of_moves_are_those_of_the_specification():
    assert STEP_MOVES == STEP_PROMISE
    assert RUN_MOVES == RUN_PROMISE


@pytest.mark.parametrize("before", STEP_PROMISE)
@pytest.mark.parametrize("event_type", STEP_EVENTS)
def test_a_step_moves_as_promised_and_in_no_other_way(before: str, event_type: str):
    after, payload = STEP_EVENTS[event_type]
    state = RunState("run-1", "active", steps={"a": StepState(before)})
    event = Event("run-1", 1, event_type, "a", payload, "agent", 5.0)
    if after in STEP_PROMISE[before]:
        assert evolve(state, event).steps["a"].status == after
        return
    with pytest.raises(OpcodeError) as refused:
        evolve(state, event)
    assert refused.value.code is ErrorCode.INVALID_TRANSITION
    assert refused.value.message == f"step a of run run-1 cannot go from {before} to {after}"
    assert refused.value.step_id == "a"
    assert (state.steps["a"].status, state.sequence) == (before, 0)


@pytest.mark.parametrize("before", RUN_PROMISE)
@pytest.mark.parametrize("event_type", RUN_EVENTS)
def test_a_run_moves_as_promised_and_in_no_other_way(before: str, event_type: str):
    after, payload = RUN_EVENTS[event_type]
    state = RunState("run-1", before)
    event = Event("run-1", 1, event_type, None, payload, "agent", 5.0)
    begins_twice = event_type == e.WORKFLOW_STARTED and before == "failed"  # it can only be resumed
    if after in RUN_PROMISE[before] and not begins_twice:
        assert evolve(state, event).status == after
        return
    with pytest.raises(OpcodeError, match=f"run run-1 cannot go from {before} to {after}") as refused:
        evolve(state, event)
    assert refused.value.code is ErrorCode.INVALID_TRANSITION
    assert (state.status, state.sequence) == (before, 0)


@pytest.mark.parametrize("sequence", [0, 1, 3, 9])
def test_a_gap_or_a_repetition_in_the_log_is_refused(sequence: int):
    state = fold("run-1", log(started()))
    with pytest.raises(OpcodeError, match=f"event {sequence} of run run-1 cannot follow event 1") as refused:
        evolve(state, Event("run-1", sequence, e.STEP_STARTED, "a", {}, "agent", 5.0))
    assert refused.value.code is ErrorCode.INVALID_TRANSITION


def test_what_a_run_started_with():
    payload = {
        "definition": "hash",
        "inputs": {"n": 1},
        "context": {"intent": "x"},
        "parent_id": "parent",
        "parent_step_id": "call",
        "idempotency_key": "key",
        "name": "named",
        "template_name": "t",
        "template_version": "v2",
    }
    state = fold("run-1", log((e.WORKFLOW_STARTED, payload)))
    assert (state.status, state.started_at, state.agent_id, state.sequence) == ("active", 1.0, "agent", 1)
    assert (state.definition_hash, state.inputs, state.context) == ("hash", {"n": 1}, {"intent": "x"})
    assert (state.parent_id, state.parent_step_id, state.idempotency_key) == ("parent", "call", "key")
    assert state.workflow == {
        "run_id": "run-1",
        "name": "named",
        "template_name": "t",
        "template_version": "v2",
        "agent_id": "agent",
        "started_at": "1970-01-01T00:00:01+00:00",
        "error": None,
    }


def test_the_context_grows_key_by_key_and_leaves_the_log_alone():
    context = {"intent": "x", "keep": [1]}
    events = log(
        started(context=context),
        (e.VARIABLE_SET, {"data": {"intent": "y", "new": 2}}),
        (e.VARIABLE_SET, {"data": {"new": 3}}),
    )
    assert fold("run-1", events).context == {"intent": "y", "keep": [1], "new": 3}
    assert context == {"intent": "x", "keep": [1]}


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((e.WORKFLOW_COMPLETED, {"output": {"a": 1}}), ("completed", {"a": 1}, None)),
        ((e.WORKFLOW_FAILED, {"error": ERROR}), ("failed", None, ERROR)),
        ((e.WORKFLOW_CANCELLED, {"error": ERROR}), ("cancelled", None, ERROR)),
        ((e.WORKFLOW_CANCELLED, {}), ("cancelled", None, None)),
    ],
)
def test_how_a_run_ended(last: tuple[Any, ...], expected: tuple[Any, ...]):
    state = fold("run-1", log(started(), last))
    assert (state.status, state.output, state.error) == expected
    assert (state.ended, state.ended_at) == (True, 2.0)


def test_a_run_is_suspended_and_resumed_as_often_as_it_takes():
    state = fold("run-1", log(started(), *([(e.WORKFLOW_SUSPENDED, {}), (e.WORKFLOW_RESUMED, {})] * 3)))
    assert (state.status, state.ended) == ("active", False)


def test_resuming_a_run_that_was_interrupted_while_active_changes_nothing():
    state = fold("run-1", log(started(), (e.WORKFLOW_INTERRUPTED, {}), (e.WORKFLOW_RESUMED, {})))
    assert (state.status, state.sequence) == ("active", 3)


def test_the_workflow_s_error_is_seen_by_expressions_from_when_the_hook_begins():
    state = fold("run-1", log(started()))
    assert state.workflow["error"] is None
    evolve(state, Event("run-1", 2, e.ERROR_HANDLER_INVOKED, "a", {"error": ERROR}, "agent", 2.0))
    assert state.workflow["error"] is None
    evolve(state, Event("run-1", 3, e.ERROR_HANDLER_INVOKED, None, {"error": ERROR}, "agent", 3.0))
    assert state.workflow["error"] == ERROR


def test_a_step_through_its_tries():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {}, "a"),
            (e.STEP_RETRYING, {"error": ERROR, "delay_ms": 1500}, "a"),
        ),
    )
    assert state.steps["a"] == StepState(
        "retrying", error=ERROR, attempt=1, failures=1, started_at=2.0, retry_at=3.0 + 1.5
    )
    for event in log(
        started(),
        (e.STEP_STARTED, {}, "a"),
        (e.STEP_RETRYING, {}, "a"),
        (e.STEP_RETRY_ATTEMPT, {}, "a"),
        (e.STEP_COMPLETED, {"output": [1]}, "a"),
    )[3:]:
        evolve(state, event)
    step = state.steps["a"]
    assert (step.status, step.output, step.error) == ("completed", [1], None)
    assert (step.attempt, step.started_at, step.ended_at) == (2, 2.0, 5.0)


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        ((e.STEP_FAILED, {"error": ERROR}, "a"), ("failed", ERROR, None)),
        ((e.STEP_SKIPPED, {"reason": "cancelled"}, "a"), ("skipped", None, "cancelled")),
        ((e.STEP_SKIPPED, {}, "a"), ("skipped", None, None)),
        ((e.STEP_IGNORED, {"error": ERROR}, "a"), ("skipped", ERROR, "its failure is ignored")),
    ],
)
def test_how_a_step_ended(last: tuple[Any, ...], expected: tuple[Any, ...]):
    step = fold("run-1", log(started(), (e.STEP_STARTED, {}, "a"), last)).steps["a"]
    assert (step.status, step.error, step.reason) == expected
    assert step.ended_at == 3.0


def test_the_output_of_a_failed_step_is_its_fallback_s_however_long_the_chain():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {}, "a"),
            (e.STEP_FAILED, {"error": ERROR}, "a"),
            (e.STEP_FALLBACK, {"fallback_step": "b"}, "a"),
            (e.STEP_STARTED, {}, "b"),
            (e.STEP_FAILED, {"error": ERROR}, "b"),
            (e.STEP_FALLBACK, {"fallback_step": "c"}, "b"),
        ),
    )
    assert state.output_of("a") is None
    for event in log(*[("x", {})] * 7, (e.STEP_STARTED, {}, "c"), (e.STEP_COMPLETED, {"output": 7}, "c"))[7:]:
        evolve(state, event)
    assert [state.output_of(step_id) for step_id in "abc"] == [7, 7, 7]
    assert state.steps["a"].status == "failed"


def test_a_block_that_is_tried_again_forgets_what_its_steps_did():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {"block": True}, "p"),
            (e.CONDITION_EVALUATED, {"branch": "yes"}, "p"),
            (e.STEP_STARTED, {}, "p.yes.x"),
            (e.STEP_COMPLETED, {"output": 1}, "p.yes.x"),
            (e.STEP_STARTED, {}, "p2"),
            (e.STEP_RETRYING, {"error": ERROR, "delay_ms": 0}, "p"),
        ),
    )
    assert set(state.steps) == {"p", "p2"}
    assert state.steps["p"].choice is None


def test_a_plain_step_that_is_tried_again_forgets_nothing_of_others():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {}, "a"),
            (e.STEP_STARTED, {}, "a.true.x"),
            (e.STEP_RETRYING, {"error": ERROR, "delay_ms": 0}, "a"),
        ),
    )
    assert set(state.steps) == {"a", "a.true.x"}


def test_a_choice_once_made_is_kept():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {"block": True}, "c"),
            (e.CONDITION_EVALUATED, {"branch": "yes"}, "c"),
        ),
    )
    assert state.steps["c"].choice == {"branch": "yes"}


def iteration(index: int, *, folded: bool, last: str | None = "x") -> list[tuple[Any, ...]]:
    inner = [
        (e.STEP_STARTED, {"block": True}, f"l.iter_{index}.p"),
        (e.STEP_STARTED, {}, f"l.iter_{index}.p.branch_0.y"),
        (e.STEP_STARTED, {}, f"l.iter_{index}.x"),
        (e.STEP_COMPLETED, {"output": index * 10}, f"l.iter_{index}.x"),
    ]
    payload: dict[str, Any] = {"index": index, "last": last}
    if folded:
        payload["folded"] = {"index": index, "steps": ["p", "x", "never-began"]}
    return [*inner, (e.LOOP_ITER_COMPLETED, payload, "l")]


def test_a_finished_iteration_folds_into_its_result():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {"block": True}, "l"),
            *iteration(0, folded=True),
            *iteration(1, folded=True),
        ),
    )
    assert state.steps["l"].results == {0: 0, 1: 10}
    assert set(state.steps) == {"l"}


def test_an_iteration_that_is_referred_to_keeps_its_steps():
    state = fold("run-1", log(started(), (e.STEP_STARTED, {"block": True}, "l"), *iteration(4, folded=False)))
    assert state.steps["l"].results == {4: 40}
    assert {"l.iter_4.x", "l.iter_4.p", "l.iter_4.p.branch_0.y"} < set(state.steps)


def test_an_iteration_in_which_nothing_ran_gives_null():
    state = fold(
        "run-1",
        log(started(), (e.STEP_STARTED, {"block": True}, "l"), *iteration(0, folded=False, last=None)),
    )
    assert state.steps["l"].results == {0: None}


def test_a_loop_that_completed_keeps_its_output_and_not_its_results():
    state = fold(
        "run-1",
        log(
            started(),
            (e.STEP_STARTED, {"block": True}, "l"),
            *iteration(0, folded=True),
            (e.STEP_COMPLETED, {"output": {"iterations": 1, "results": [0]}}, "l"),
        ),
    )
    assert state.steps["l"].results is None
    assert state.steps["l"].output == {"iterations": 1, "results": [0]}


def test_custom_events_and_news_only_count():
    state = fold(
        "run-1", log(started(), ("my.event", {"a": 1}), (e.DAG_MUTATED, {}), (e.LOOP_COMPLETED, {}, "w"))
    )
    assert (state.sequence, state.updated_at, state.steps) == (4, 4.0, {})


def test_the_same_log_gives_the_same_state():
    events = log(started(), (e.STEP_STARTED, {"block": True}, "l"), *iteration(0, folded=True))
    assert fold("run-1", events) == fold("run-1", events)


def test_an_event_s_id_is_unique_over_all_runs():
    first, second = log(started(), ("x", {}))
    assert (first.id, second.id) == ("run-1:1", "run-1:2")
    assert first._replace(workflow_id="run-2").id != first.id


def test_the_engine_s_own_event_types_are_those_of_the_specification():
    workflow = "started completed failed cancelled suspended resumed timed_out interrupted"
    step = "started completed failed skipped retrying suspended retry_attempt fallback ignored"
    others = """decision_requested decision_resolved signal_received variable_set dag_mutated
        error_handler_invoked circuit_breaker_open circuit_breaker_half_open circuit_breaker_closed
        condition_evaluated loop_iter_started loop_iter_completed loop_completed parallel_started
        parallel_completed wait_started wait_completed"""
    named = {f"workflow_{name}" for name in workflow.split()} | {f"step_{name}" for name in step.split()}
    assert named | set(others.split()) == e.RESERVED
