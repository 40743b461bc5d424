"""`opcode.status`: how a run stands."""

from datetime import datetime
from typing import Any

from opcode_core import ErrorCode, EventFilter, OpcodeError
from opcode_core.hosting import event_answer, status_answer
from opcode_server.callers import VIEWER
from opcode_server.tools.schemas import (
    DECISIONS,
    MAYBE_OBJECT,
    OBJECT,
    RUN_ID,
    STATUS,
    STEPS,
    TEXT,
    arguments,
    described,
    result,
)
from opcode_server.tools.tool import Call, Tool

MOST_EVENTS = 1000


async def status(call: Call) -> dict[str, Any]:
    """The run, and the events that the caller has not seen yet."""
    given, engine = call.arguments, call.house.engine
    state = await engine.state(given["workflow_id"])
    answer = status_answer(state, await engine.plan_of(state))
    answer["events"] = []
    if given.get("events", True):
        where = EventFilter(workflow_id=state.id, **_since(given.get("since")))
        page = await engine.storage.events(where, MOST_EVENTS)
        answer["events"] = [event_answer(event) for event in page.items]
        answer["more_events"] = page.cursor is not None
    return answer


def _since(since: Any) -> dict[str, Any]:
    """A number is the last sequence that is known; a text is a time."""
    if since is None:
        return {}
    if isinstance(since, int):
        return {"after": since}
    if since.isascii() and since.isdecimal() and len(since) < 17:
        return {"after": int(since)}
    return {"since": seconds(since, "since")}


def seconds(text: str, path: str) -> float:
    """A time of RFC 3339 as seconds since the epoch; one without a zone is in UTC.

    Raises:
        OpcodeError: VALIDATION_ERROR with the path.
    """
    try:
        time = datetime.fromisoformat(text)
        return (time if time.tzinfo else datetime.fromisoformat(f"{text}+00:00")).timestamp()
    except (ValueError, OverflowError):
        message = f'{path} is {text!r:.80}; it must be a time like "2026-01-31T12:00:00Z"'
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, message, details={"path": path}) from None


TOOL = Tool(
    name="opcode.status",
    title="Look at a run",
    role=VIEWER,
    perform=status,
    read_only=True,
    idempotent=True,
    input_schema=arguments(
        {
            "workflow_id": RUN_ID,
            "events": described(
                {"type": "boolean", "default": True}, "Whether to give the run's events too."
            ),
            "since": described(
                {"type": ["string", "integer"], "minimum": 0, "maximum": 2**53, "maxLength": 40},
                "Only events after this sequence number, or since this time (RFC 3339).",
            ),
        },
        ["workflow_id"],
    ),
    output_schema=result(
        {
            "workflow_id": TEXT,
            "status": STATUS,
            "steps": STEPS,
            "pending_decisions": DECISIONS,
            "context": OBJECT,
            "events": {"type": "array", "items": OBJECT},
            "output": {},
            "error": MAYBE_OBJECT,
        }
    ),
)
