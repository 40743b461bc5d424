"""`opcode.run`: start a run of a template, and wait for it a while."""

import asyncio
from typing import Any

from opcode_core import Decision, ErrorCode, OpcodeError, parse_duration
from opcode_core.hosting import SUSPENDED, RunState, run_answer
from opcode_server.callers import OPERATOR
from opcode_server.progress import telling
from opcode_server.tools.schemas import (
    AGENT,
    DECISIONS,
    MAYBE_OBJECT,
    MAYBE_TEXT,
    NAME,
    OBJECT,
    STATUS,
    STEPS,
    TEXT,
    VERSION,
    arguments,
    described,
    result,
)
from opcode_server.tools.tool import Call, Tool

MOST_SECONDS = 3600.0


async def run(call: Call) -> dict[str, Any]:
    """Begin it; answer when it has ended, when it needs somebody, or when the time is over."""
    given, engine = call.arguments, call.house.engine
    seconds = seconds_of(given.get("timeout", 60))
    run_id = call.continues or await engine.start(
        given["template_name"],
        given.get("params"),
        version=given.get("version"),
        agent_id=call.agent_id,
        idempotency_key=given.get("idempotency_key"),
    )
    return await seen(call, run_id, seconds if given.get("wait", True) else 0.0)


async def seen(call: Call, run_id: str, seconds: float) -> dict[str, Any]:
    """How a run stands once it has ended or needs somebody, or after so many seconds."""
    engine = call.house.engine
    if seconds == 0:
        state = await engine.state(run_id)
    elif call.progress is None:
        state = await _settled(call, run_id, seconds)
    else:
        async with telling(engine, run_id, call.progress):
            state = await _settled(call, run_id, seconds)
    return run_answer(state, await engine.plan_of(state))


async def _settled(call: Call, run_id: str, seconds: float) -> RunState:
    engine = call.house.engine
    until = engine.clock.monotonic() + seconds
    asked: set[str] = set()
    while True:
        state = await engine.wait(run_id, max(until - engine.clock.monotonic(), 0.0))
        decision = _for_the_user(call, state, asked)
        if decision is None or call.ask is None:
            return state
        asked.add(decision.id)
        try:
            async with asyncio.timeout(max(until - engine.clock.monotonic(), 0.0)):
                said = await call.ask(decision)
        except TimeoutError:
            return state
        if said is None:
            return state
        try:
            await engine.signal(run_id, "decision", said, step_id=decision.step_id, agent_id=call.agent_id)
        except OpcodeError as error:  # somebody else was quicker
            if error.code not in (ErrorCode.CONFLICT, ErrorCode.NOT_FOUND, ErrorCode.INVALID_TRANSITION):
                raise


def _for_the_user(call: Call, state: RunState, asked: set[str]) -> Decision | None:
    """A decision that waits for whoever is at hand; one asked of an agent by name is that agent's."""
    if state.status != SUSPENDED or not call.arguments.get("ask_user", True):
        return None
    for decision in state.decisions.values():
        if decision.target_agent_id is None and decision.id not in asked:
            return decision
    return None


def seconds_of(timeout: Any) -> float:
    """How long a caller waits.

    Raises:
        OpcodeError: VALIDATION_ERROR for what is no duration.
    """
    try:
        seconds = parse_duration(timeout)
    except ValueError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"timeout: {error}", details={"path": "timeout"}
        ) from None
    return min(seconds, MOST_SECONDS)


OUTPUT = result(
    {
        "workflow_id": described(TEXT, "Names the run from now on."),
        "status": STATUS,
        "output": {},
        "error": MAYBE_OBJECT,
        "started_at": MAYBE_TEXT,
        "completed_at": MAYBE_TEXT,
        "steps": described(STEPS, "By the step's full id."),
        "pending_decisions": DECISIONS,
    }
)

TOOL = Tool(
    name="opcode.run",
    title="Run a workflow",
    role=OPERATOR,
    perform=run,
    open_world=True,
    about=lambda arguments, answer: (
        f"{arguments.get('template_name', '')} {answer.get('workflow_id', '')}".strip()
    ),
    input_schema=arguments(
        {
            "template_name": described(NAME, "Of a template that opcode.define stored."),
            "agent_id": AGENT,
            "version": described(VERSION, 'Of the template, as "v2" or 2; the newest when left out.'),
            "params": described(OBJECT, "Override the workflow's inputs, key by key."),
            "wait": described(
                {"type": "boolean", "default": True}, "false: answer at once with the id; the run goes on."
            ),
            "timeout": described(
                {"type": ["string", "number"], "default": "60s"},
                'How long to wait, as "90s", "10m" or seconds; then the answer says active, and the run goes on.',
            ),
            "idempotency_key": described(
                NAME, "The same key gives the same run, so a call that got no answer can be made again."
            ),
            "ask_user": described(
                {"type": "boolean", "default": True},
                "Whether the person at your client is asked to answer decisions that are addressed to nobody"
                " in particular, where the client can ask. false: they are left to you.",
            ),
        },
        ["template_name", "agent_id"],
    ),
    output_schema=OUTPUT,
)
