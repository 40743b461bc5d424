"""What a definition promises about single events, whatever else happens."""

from typing import Any

from opcode_core import Event
from opcode_core import events as e
from opcode_core.definition import ActionStep
from opcode_core.durations import parse_duration
from opcode_core.engine.reopening import around
from opcode_core.state import FAILED, RETRYING, STEP_ENDED, RunState

BEGINS = frozenset({e.STEP_STARTED, e.STEP_RETRY_ATTEMPT})
AFTER_FAILURE = frozenset({e.WORKFLOW_RESUMED, e.WORKFLOW_CANCELLED, e.SIGNAL_RECEIVED, e.VARIABLE_SET})
"""What may happen to a failed run: somebody speaks to it, and so brings it back."""
EARLY = 0.002
"""Seconds that something may come too early: payloads hold whole milliseconds."""


def broken_promise(state: RunState, event: Event, step: dict[str, Any], exact: bool) -> str | None:
    """What is wrong with `event` after `state`, or None.

    Args:
        step: what the definition says about the event's step, {} if it is about the run.
        exact: the clock is never set, so times can be compared.
    """
    if state.ended and (state.status != FAILED or event.event_type not in AFTER_FAILURE):
        return f"is recorded after the run {state.status}"
    if event.event_type in BEGINS and state.held is not None:
        return f"a step begins while the run is held: {state.held}"
    if event.event_type in BEGINS:
        for block in around(event.step_id or ""):
            if (status := state.steps[block].status) in STEP_ENDED:
                return f"a step begins inside {block}, which is {status}"
    check = _CHECKS.get(event.event_type)
    return None if check is None else check(state, event, step, exact)


def _retrying(state: RunState, event: Event, step: dict[str, Any], _: bool) -> str | None:
    if "interrupted" in event.payload:
        policy = step.get("on_crash", ActionStep.model_fields["on_crash"].default)
        return None if policy == "retry" else f"tried again after a crash, though on_crash is {policy}"
    failures = state.steps[event.step_id or ""].failures
    asked = (step.get("on_error") or {}).get("strategy") == "retry"
    most = step["retry"]["max"] if "retry" in step else 3 if asked else 0
    return None if failures < most else f"is failure {failures + 1} with at most {most} retries"


def _tried_again(state: RunState, event: Event, _: dict[str, Any], exact: bool) -> str | None:
    mine = state.steps[event.step_id or ""]
    if not exact or mine.status != RETRYING or mine.retry_at is None:
        return None
    early = mine.retry_at - event.timestamp
    return f"begins {early} s before its pause is over" if early > EARLY else None


def _waited(state: RunState, event: Event, step: dict[str, Any], exact: bool) -> str | None:
    waiting = state.steps[event.step_id or ""].waiting or {}
    if not exact or waiting.get("for") != "time" or "given_up" in event.payload:
        return None
    early = waiting["until"] - event.timestamp
    asked = parse_duration(step["config"]["duration"])
    return f"is over {early} s too early, of {asked} s" if early > EARLY else None


_CHECKS = {e.STEP_RETRYING: _retrying, e.STEP_RETRY_ATTEMPT: _tried_again, e.WAIT_COMPLETED: _waited}


def broken_end(state: RunState, log: list[Event]) -> str | None:
    """What is wrong with how a run ended, or None."""
    cancelled = any(
        event.event_type == e.SIGNAL_RECEIVED and event.payload["signal_type"] == "cancel" for event in log
    )
    if cancelled and state.status != "cancelled":
        return f"was cancelled, by its log, and is {state.status}"
    return None
