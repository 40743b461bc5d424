"""`opcode.signal`: say something to a run."""

from typing import Any

from opcode_core.hosting import signal_answer
from opcode_server.callers import OPERATOR
from opcode_server.tools.schemas import (
    AGENT,
    NAME,
    OBJECT,
    RUN_ID,
    STATUS,
    TEXT,
    arguments,
    described,
    result,
)
from opcode_server.tools.tool import Call, Tool


async def signal(call: Call) -> dict[str, Any]:
    """Tell the run; answer once that is stored."""
    given = call.arguments
    kind, payload = given["signal_type"], dict(given["payload"])
    if "reasoning" in given:
        payload.setdefault("reasoning" if kind == "decision" else "reason", given["reasoning"])
    state = await call.house.engine.signal(
        given["workflow_id"], kind, payload, step_id=given.get("step_id"), agent_id=call.agent_id
    )
    return signal_answer(state, kind)


TOOL = Tool(
    name="opcode.signal",
    title="Steer a run",
    role=OPERATOR,
    perform=signal,
    destructive=True,
    open_world=True,
    about=lambda arguments, _: (
        f"{arguments.get('signal_type', '')} {arguments.get('workflow_id', '')}".strip()
    ),
    input_schema=arguments(
        {
            "workflow_id": RUN_ID,
            "signal_type": {
                "type": "string",
                "enum": ["decision", "data", "cancel", "retry", "skip"],
                "description": "decision: answer what a reasoning step asks. data: give the run data, or what a wait"
                " step waits for. cancel: end it. retry: go on from what failed. skip: go on without a step.",
            },
            "payload": described(
                OBJECT,
                'decision: {"choice": option id or free text, "data": {}} or {"reject": reason}. data: any object,'
                ' with {"signal": name} for a step that waits for that signal. cancel, retry, skip: {}.',
            ),
            "step_id": described(NAME, "The step that it is about, by its full id."),
            "agent_id": AGENT,
            "reasoning": described(TEXT, "Why; it stays in the run's log."),
        },
        ["workflow_id", "signal_type", "payload"],
    ),
    output_schema=result(
        {
            "ok": {"type": "boolean"},
            "workflow_id": TEXT,
            "signal_type": TEXT,
            "resumed": {"type": "boolean"},
            "status": STATUS,
        },
        ["ok", "workflow_id", "signal_type", "status"],
    ),
)
