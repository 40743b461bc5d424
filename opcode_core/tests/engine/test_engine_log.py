"""The log: gap-free, the same for the same run, and enough to rebuild it."""

import pytest
from engine_workbench import condition, echo, flow, for_each, gate, parallel, repeat, step, workflow

from opcode_core import Event, OpcodeError, dumps, loads
from opcode_core import events as e
from opcode_core.folding import evolve, fold
from opcode_core.state import RUN_MOVES, STEP_MOVES, RunState

EVERYTHING = workflow(
    echo("a", {"n": 1}),
    step("b", "t.aflaky", {"times": 1, "value": 2}, retry={"max": 2, "backoff": "linear", "delay": "1s"}, after="a"),
    echo("guarded", condition="steps.b.output > 5", after="b"),
    step("ignored", "t.flaky", on_error={"strategy": "ignore"}),
    step("owner", "t.aflaky", on_error={"strategy": "fallback_step", "fallback_step": "spare"}),
    echo("spare", "stand-in"),
    echo("reader", "${{steps.owner.output}}", after="owner"),
    condition("check", "steps.a.n", {"1": [step("r", "t.remember", {"data": {"seen": True}})]}, after="a"),
    for_each("sweep", [1, 2, 3], step("x", "t.aecho", {"value": "${{loop.item}}"}), concurrency=2),
    repeat("until", "again", "iter.index == 1", echo("y", "${{loop.index}}")),
    parallel("fan", [step("p", "t.aecho", {"value": 1}), echo("q")], [step("s", "t.external")]),
    parallel("race", [flow("w", "wait", {"duration": "1h"})], [echo("quick")], mode="race"),
    step("custom", "t.emit", {"event_type": "note", "payload": {"k": [1]}}),
    flow("pause", "wait", {"duration": "5s"}),
    inputs={"v": "${{context.intent}}"},
    context={"intent": "all"},
    on_complete=echo("bye"),
)  # fmt: skip


async def test_everything_at_once(bench):
    state = await bench.run(EVERYTHING)
    assert (state.status, state.error) == ("completed", None)
    assert {event.event_type for event in await bench.events(state)} >= {
        e.WORKFLOW_STARTED, e.WORKFLOW_COMPLETED, e.STEP_STARTED, e.STEP_COMPLETED, e.STEP_FAILED, e.STEP_SKIPPED,
        e.STEP_RETRYING, e.STEP_RETRY_ATTEMPT, e.STEP_IGNORED, e.STEP_FALLBACK, e.ERROR_HANDLER_INVOKED,
        e.CONDITION_EVALUATED, e.LOOP_ITER_STARTED, e.LOOP_ITER_COMPLETED, e.LOOP_COMPLETED, e.PARALLEL_STARTED,
        e.PARALLEL_COMPLETED, e.WAIT_STARTED, e.WAIT_COMPLETED, e.VARIABLE_SET, "note",
    }  # fmt: skip


async def test_a_second_run_has_the_same_log_but_for_ids_and_times(make_bench):
    logs = []
    for offset in (0, 5000):
        bench = await make_bench()
        bench.clock.time += offset
        bench.ids.made = offset
        state = await bench.run(EVERYTHING)
        logs.append(
            [
                (event.sequence, event.event_type, event.step_id, _without_times(event.payload))
                for event in await bench.events(state)
            ]
        )
    assert logs[0] == logs[1]


def _without_times(payload):
    return dumps({key: value for key, value in payload.items() if key not in ("until", "timeout_at")})


async def test_events_are_whole(bench):
    state = await bench.run(EVERYTHING, agent_id="agent-7")
    log = await bench.events(state)
    assert [event.sequence for event in log] == list(range(1, len(log) + 1))
    assert {event.workflow_id for event in log} == {state.id}
    assert {event.agent_id for event in log} == {"agent-7"}
    assert len({event.id for event in log}) == len(log)
    assert sorted(event.timestamp for event in log) == [event.timestamp for event in log]
    assert log[0].payload["format"] == e.FORMAT
    assert log[-1].event_type == e.WORKFLOW_COMPLETED


@pytest.mark.parametrize("at", range(0, 60, 7))
async def test_every_prefix_of_a_log_folds(bench, at):
    """A crash may leave any of them behind."""
    state = await bench.run(EVERYTHING)
    log = await bench.events(state)
    assert fold(state.id, log[: at + 1]).sequence == at + 1


async def test_a_step_never_completes_twice(bench):
    state = await bench.run(EVERYTHING)
    completed = [event.step_id for event in await bench.events(state, "step_completed")]
    assert len(completed) == len(set(completed))


# ---- the transitions -------------------------------------------------------------------------

STEP_EVENTS = {
    "running": [(e.STEP_STARTED, {})],
    "completed": [(e.STEP_STARTED, {}), (e.STEP_COMPLETED, {"output": 1})],
    "failed": [(e.STEP_STARTED, {}), (e.STEP_FAILED, {"error": {}})],
    "skipped": [(e.STEP_SKIPPED, {})],
    "suspended": [(e.STEP_STARTED, {}), (e.STEP_SUSPENDED, {})],
    "retrying": [(e.STEP_STARTED, {}), (e.STEP_RETRYING, {"error": {}, "delay_ms": 5})],
    "pending": [],
}
INTO = {
    "running": (e.STEP_STARTED, {}),
    "completed": (e.STEP_COMPLETED, {"output": 1}),
    "failed": (e.STEP_FAILED, {"error": {}}),
    "skipped": (e.STEP_SKIPPED, {}),
    "suspended": (e.STEP_SUSPENDED, {}),
    "retrying": (e.STEP_RETRYING, {"error": {}, "delay_ms": 5}),
}
BEGIN = (e.WORKFLOW_STARTED, {"definition": "h", "inputs": {}, "context": {}})
RUN_EVENTS = {
    "pending": [],
    "active": [BEGIN],
    "completed": [BEGIN, (e.WORKFLOW_COMPLETED, {"output": 1})],
    "failed": [BEGIN, (e.WORKFLOW_FAILED, {"error": {}})],
    "cancelled": [BEGIN, (e.WORKFLOW_CANCELLED, {})],
    "suspended": [BEGIN, (e.WORKFLOW_SUSPENDED, {})],
}
RUN_INTO = {
    "active": BEGIN,
    "completed": (e.WORKFLOW_COMPLETED, {"output": 1}),
    "failed": (e.WORKFLOW_FAILED, {"error": {}}),
    "cancelled": (e.WORKFLOW_CANCELLED, {}),
    "suspended": (e.WORKFLOW_SUSPENDED, {}),
}
STEPS_BY_SPECIFICATION = {
    "pending": {"scheduled", "running", "skipped"},
    "scheduled": {"running", "skipped"},
    "running": {"completed", "failed", "skipped", "suspended", "retrying"},
    "suspended": {"running", "failed", "skipped"},
    "retrying": {"running", "failed", "skipped"},
    "completed": set(),
    "failed": set(),
    "skipped": set(),
}
RUNS_BY_SPECIFICATION = {
    "pending": {"active"},
    "active": {"completed", "failed", "cancelled", "suspended"},
    "suspended": {"active", "cancelled", "failed"},
    "completed": set(),
    "failed": {"active", "cancelled"},  # by the signals retry, skip and cancel only
    "cancelled": set(),
}


def told(state, step_id, *facts):
    for event_type, payload in facts:
        evolve(state, Event(state.id, state.sequence + 1, event_type, step_id, payload, "agent", 5.0))
    return state


def test_the_tables_of_transitions():
    assert {state: set(moves) for state, moves in STEP_MOVES.items()} == STEPS_BY_SPECIFICATION
    assert {state: set(moves) for state, moves in RUN_MOVES.items()} == RUNS_BY_SPECIFICATION


@pytest.mark.parametrize("before", STEP_EVENTS)
@pytest.mark.parametrize("after", INTO)
def test_a_step_goes_where_it_may_and_nowhere_else(before, after):
    state = told(RunState("r"), "s", *STEP_EVENTS[before])
    if after in STEPS_BY_SPECIFICATION[before]:
        assert told(state, "s", INTO[after]).steps["s"].status == after
        return
    sequence = state.sequence
    with pytest.raises(OpcodeError, match=f"step s of run r cannot go from {before} to {after}") as caught:
        told(state, "s", INTO[after])
    assert (str(caught.value.code), caught.value.step_id) == ("INVALID_TRANSITION", "s")
    assert state.sequence == sequence  # what could not follow was not taken in


@pytest.mark.parametrize("before", RUN_EVENTS)
@pytest.mark.parametrize("after", RUN_INTO)
def test_a_run_goes_where_it_may_and_nowhere_else(before, after):
    state = told(RunState("r"), None, *RUN_EVENTS[before])
    resumed = before in ("suspended", "failed") and after == "active"
    fact = (e.WORKFLOW_RESUMED, {}) if resumed else RUN_INTO[after]
    if after in RUNS_BY_SPECIFICATION[before]:
        assert told(state, None, fact).status == after
        return
    with pytest.raises(OpcodeError, match=f"run r cannot go from {before} to {after}") as caught:
        told(state, None, fact)
    assert str(caught.value.code) == "INVALID_TRANSITION"


def test_resuming_an_active_run_leaves_it_active():
    assert told(RunState("r"), None, BEGIN, (e.WORKFLOW_RESUMED, {})).status == "active"


@pytest.mark.parametrize("sequence", [0, 2, 7])
def test_an_event_that_leaves_a_gap_is_refused(sequence):
    with pytest.raises(OpcodeError, match=f"event {sequence} of run r cannot follow event 0") as caught:
        evolve(RunState("r"), Event("r", sequence, "custom", None, {}, "agent", 1.0))
    assert str(caught.value.code) == "INVALID_TRANSITION"


def test_events_that_nobody_knows_change_nothing_but_the_sequence():
    state = told(RunState("r"), "s", ("order.placed", {"any": "thing"}))
    assert state == RunState("r", sequence=1, updated_at=5.0)


def test_what_is_known_of_a_retrying_step():
    state = told(
        RunState("r"),
        "s",
        (e.STEP_STARTED, {}),
        (e.STEP_RETRYING, {"error": {"code": "X"}, "delay_ms": 1500}),
    )
    step_state = state.steps["s"]
    assert (step_state.retry_at, step_state.error, step_state.attempt) == (6.5, {"code": "X"}, 1)
    told(state, "s", (e.STEP_RETRY_ATTEMPT, {"attempt": 2}), (e.STEP_COMPLETED, {"output": 7}))
    assert (step_state.attempt, step_state.error, step_state.output) == (2, None, 7)


def test_a_retried_block_forgets_what_was_inside():
    state = told(RunState("r"), "b", (e.STEP_STARTED, {"block": True}))
    told(state, "b.x", (e.STEP_STARTED, {}), (e.STEP_COMPLETED, {"output": 1}))
    told(state, "bb", (e.STEP_STARTED, {}))
    told(state, "b", (e.STEP_RETRYING, {"error": {}, "delay_ms": 0}))
    assert set(state.steps) == {"b", "bb"}


async def test_a_run_that_is_suspended_can_be_shown(bench):
    state = await bench.run(workflow(gate("a"), timeout="10ms", on_timeout="suspend"))
    again = fold(state.id, [Event(*loads(dumps([*event]))) for event in await bench.events(state)])
    assert (again.status, again.ended) == ("suspended", False)
    assert state.workflow["run_id"] == state.id
