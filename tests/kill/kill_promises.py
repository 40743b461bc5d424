"""What is promised, held against what a history has left."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kill_database import Left
from kill_tending import Tender, Wanted

from opcode_core import events as e
from opcode_core.engine.recovery import MOST_DEATHS
from opcode_core.events import Event
from opcode_core.state import RunState

LONGEST = 10.0
"""Seconds after the last restart within which every run must have ended, without the waits of its own."""
PROGRESS = frozenset({
    e.STEP_COMPLETED, e.STEP_FAILED, e.STEP_SKIPPED, e.STEP_IGNORED, e.WAIT_COMPLETED, e.DECISION_RESOLVED,
})  # fmt: skip

Outcome = tuple[str, Any, str | None]
"""How a run ends: its status, output, and its error's code."""


def outcome_of(state: RunState) -> Outcome:
    return (state.status, state.output, state.error["code"] if state.error else None)


def lost(left: Left, tender: Tender, purged: set[str]) -> Iterator[str]:
    """What was acknowledged and is not there."""
    for wanted in tender.wanted:
        if wanted.run_id is not None and wanted.run_id not in left.rows and wanted.run_id not in purged:
            yield f"run {wanted.run_id} ({wanted.name}) was acknowledged and is not stored"
    there = left.nonces() | left.posted()
    for nonce in tender.given - there:
        if nonce.partition(":")[0] not in purged:
            yield f"'{nonce}' was acknowledged and is not in the log"


def left_over(left: Left) -> Iterator[str]:
    """What should be gone when everything has come to its end."""
    yield from (f"message {dict(message)} is left" for message in left.messages)
    for run_id, row in left.rows.items():
        if row["owner"] is not None:
            yield f"run {run_id} is still owned by {row['owner']}"
        if row["completed_at"] is None:
            yield f"run {run_id} is {row['status']}, and did not end in good time"
    families = Counter(
        (row["parent_id"], row["parent_step_id"]) for row in left.rows.values() if row["parent_id"]
    )
    yield from (f"step {step} has {count} children" for step, count in families.items() if count > 1)


def wrong_outcomes(
    left: Left, wanted: Sequence[Wanted], outcomes: Mapping[str, Outcome], began: float
) -> Iterator[str]:
    """Runs that ended otherwise than without kills, or late after `began`, the last restart."""
    for one in wanted:
        if one.run_id is None:
            yield f"{one.name} was never started"
        elif (state := left.states.get(one.run_id)) is not None and state.ended:
            what = f"{one.name} ({one.run_id})"
            took = took_after(state, one, began)
            if took > LONGEST:
                yield f"{what} ended {took:.1f} s after the last restart, apart from its own waits"
            outcome, expected = outcome_of(state), outcomes[one.name]
            if outcome != expected and not _was_given_up(left, one.run_id):
                yield f"{what} ended as {outcome}, and without kills as {expected}"


def took_after(state: RunState, wanted: Wanted, began: float) -> float:
    """Seconds until a run had ended, without the waits of its own."""
    return (state.ended_at or 0.0) - began - wanted.story.longest


def _was_given_up(left: Left, run_id: str) -> bool:
    """Whether the run, or one that it waited for, was set aside."""
    if was_set_aside(left.logs[run_id]):
        return True
    return any(_was_given_up(left, child) for child, row in left.rows.items() if row["parent_id"] == run_id)


def was_set_aside(log: Sequence[Event]) -> bool:
    """Whether the log shows so many deaths in a row that the run is given up on purpose."""
    deaths = 0
    for event in log:
        if event.event_type == e.WORKFLOW_INTERRUPTED:
            deaths += 1
            if deaths == MOST_DEATHS:
                return True
        elif event.event_type in PROGRESS or event.payload.get("reason") == "retry":
            deaths = 0  # it came further, or somebody said that it may
    return False
