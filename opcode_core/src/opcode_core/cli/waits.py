"""What a step waits for, in a few words."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opcode_core.answers import waiting_answer
from opcode_core.durations import format_duration
from opcode_core.state import StepState


def wait_of(step: StepState) -> str:
    """What a suspended or retrying step waits for; empty when it waits for nothing."""
    waiting = waiting_answer(step)
    return "" if waiting is None else wait_in_words(waiting)


def wait_in_words(waiting: Mapping[str, Any]) -> str:
    """The same for the `waiting` of a step's answer."""
    what = {
        "time": "waits",
        "retry": "tries again",
        "signal": f"waits for the signal '{waiting.get('signal')}'",
        "decision": "waits for a decision",
        "run": f"waits for run {waiting.get('workflow_id')}",
        "operator": f"held ({waiting.get('reason')})",
    }[waiting["for"]]
    if waiting["until"] is None:
        return what
    until = datetime.fromisoformat(waiting["until"]).timestamp()
    return f"{what} {due(until)}" if waiting["for"] == "retry" else f"{what} {until_when(until)}"


def due(seconds: float) -> str:
    """`now`, or `in 4m10s`."""
    left = seconds - time.time()
    return "now" if left <= 0 else f"in {format_duration(left)}"


def until_when(seconds: float) -> str:
    """`until 14:05:10 (in 4m10s)`, on another day with its date."""
    when = datetime.fromtimestamp(seconds).astimezone()
    is_today = when.date() == datetime.now().astimezone().date()
    return f"until {when.strftime('%H:%M:%S' if is_today else '%Y-%m-%d %H:%M:%S')} ({due(seconds)})"
