"""The actions workflow.*: what a step can do to its own run and to others."""

import asyncio
import logging
from typing import Annotated, Any, Literal

from pydantic import Field

from opcode_core import ActionContext, ErrorCode, OpcodeError, RunEnded, action, dumps

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
NOTIFY_SECONDS = 10.0
"""How long an agent's session may take before the step goes on without it."""

Level = Literal["debug", "info", "warn", "warning", "error"]
Operation = Annotated[Literal["read", "update"], Field(description="read it, or merge `data` into it")]
Text = Annotated[Any, Field(description="a text; anything else is written as JSON")]


@action("workflow.run", effect="idempotent")
async def run(
    context: ActionContext,
    template_name: Annotated[str, Field(min_length=1)],
    version: str | None = None,
    params: dict[str, Any] | None = None,
    wait: bool = True,
) -> Any:
    """Run another workflow as a child; gives its output, or only its id with `wait: false`."""
    run_id = await context.run.start_run(template_name, version, params or {})
    return RunEnded(run_id) if wait else {"workflow_id": run_id, "status": "active"}


# The event lies in the run's own log, beside the end of the step, so nothing outside is touched.
@action("workflow.emit", effect="pure")
async def emit(
    context: ActionContext,
    event_type: str | None = None,
    event: str | None = None,
    signal: str | None = None,
    payload: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
) -> dict[str, bool]:
    """Append an event of one's own type to the run's log (`event` and `signal` mean the same as `event_type`)."""
    names = {name for name in (event_type, event, signal) if name}
    if not names:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "'event_type' is missing")
    if len(names) > 1:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"'event_type', 'event' and 'signal' mean the same, but differ: {', '.join(sorted(names))}",
        )
    await context.run.emit(names.pop(), payload if payload is not None else data or {})
    return {"emitted": True}


@action("workflow.context", effect="idempotent")
async def context_(
    context: ActionContext,
    action: Operation = "read",
    workflow_id: str | None = None,
    data: dict[str, Any] | None = None,
    agent_notes: str | None = None,
) -> dict[str, Any]:
    """Read the workflow context, or merge `data` and `agent_notes` into it."""
    if action == "read":
        return await context.run.read_context(workflow_id)
    change = dict(data or {})
    if agent_notes is not None:
        change["agent_notes"] = agent_notes
    if not change:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "an update needs 'data' or 'agent_notes'")
    await context.run.update_context(change, workflow_id)
    return {"updated": True}


@action("workflow.fail", effect="pure")
def fail(reason: str = "") -> dict[str, Any]:
    """Fail, whatever the retry policy says."""
    raise OpcodeError(ErrorCode.NON_RETRYABLE, reason or "the workflow was told to fail")


# `_context`, because any further key may be given, and `context` is one that people choose.
@action("workflow.log", effect="pure")
def log(
    _context: ActionContext, message: Text, level: Level = "info", data: Any = None, **further: Any
) -> dict[str, bool]:
    """Write a line to the program's log; any further params are written with it."""
    fields = {**further, **({"data": data} if data is not None else {})}
    _context.logger.log(LEVELS[level], "%s", _text(message), extra={"fields": fields})
    return {"logged": True}


@action("workflow.notify", effect="external")
async def notify(context: ActionContext, message: Text, data: Any = None) -> dict[str, Any]:
    """Tell the run's agent in its live session; never fails the step."""
    try:
        async with asyncio.timeout(NOTIFY_SECONDS):
            told = await context.run.notify(_text(message), data)
    except TimeoutError:
        return {"notified": False, "reason": f"the agent's session took more than {NOTIFY_SECONDS:g} s"}
    except Exception as error:
        return {"notified": False, "reason": str(error) or type(error).__name__}
    return {"notified": True} if told else {"notified": False, "reason": "the agent has no live session"}


def _text(message: Any) -> str:
    return message if isinstance(message, str) else dumps(message).decode("utf-8")
