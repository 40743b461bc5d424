"""Calling an action as the engine would, without an engine."""

import asyncio
import inspect
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from opcode_core import (
    Action,
    ActionContext,
    ErrorCode,
    Isolator,
    OpcodeError,
    PathPolicy,
    ProcessIsolator,
    RunEnded,
    StepLogger,
    dumps,
    loads,
)


@dataclass(slots=True)
class RecordedRun:
    """A run that remembers what an action did to it.

    Attributes:
        context: the workflow context, of other runs by their id in `others`.
        live: whether the agent has a session that can be notified.
        values: what `evaluate` answers, by expression.
    """

    context: dict[str, Any] = field(default_factory=dict)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: bool = True
    values: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    started: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)
    notified: list[tuple[str, Any]] = field(default_factory=list)
    evaluated: list[tuple[str | None, str, Any]] = field(default_factory=list)

    async def emit(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Remember the event."""
        self.events.append((event_type, dict(payload)))

    async def read_context(self, workflow_id: str | None = None) -> dict[str, Any]:
        """The context."""
        return dict(self._context(workflow_id))

    async def update_context(self, data: Mapping[str, Any], workflow_id: str | None = None) -> None:
        """Merge."""
        self._context(workflow_id).update(data)

    async def start_run(self, template_name: str, version: str | None, params: Mapping[str, Any]) -> str:
        """Remember what was to be started."""
        self.started.append((template_name, version, dict(params)))
        return f"child-{len(self.started)}"

    async def notify(self, message: str, data: Any) -> bool:
        """Remember the message."""
        self.notified.append((message, data))
        return self.live

    async def evaluate(self, engine: str | None, expression: str, data: Any) -> Any:
        """Answer from `values`."""
        self.evaluated.append((engine, expression, data))
        return self.values[expression]

    def _context(self, workflow_id: str | None) -> dict[str, Any]:
        if workflow_id is None:
            return self.context
        if workflow_id not in self.others:
            raise OpcodeError(ErrorCode.NOT_FOUND, f"there is no run '{workflow_id}'")
        return self.others[workflow_id]


def make_context(
    run: RecordedRun | None = None,
    *,
    paths: PathPolicy | None = None,
    isolator: Isolator | None = None,
    attempt: int = 1,
    deadline: float | None = None,
) -> ActionContext:
    """A context around one call."""
    return ActionContext(
        run_id="run-1",
        step_id="step-1",
        agent_id="agent-1",
        attempt=attempt,
        idempotency_key="run-1:step-1:0",
        deadline=deadline,
        logger=StepLogger(logging.getLogger("opcode.action"), {"step_id": "step-1"}),
        isolator=isolator or ProcessIsolator(),
        paths=paths or PathPolicy(),
        run=run or RecordedRun(),
    )


async def call(
    action: Action, params: Mapping[str, Any] | None = None, context: ActionContext | None = None
) -> Any:
    """Check the params, call, and check that the output is JSON and of the promised shape.

    Raises:
        OpcodeError: VALIDATION_ERROR for params that the engine would refuse; what the action raises.
        AssertionError: when the action breaks its own promise.
    """
    given = loads(dumps(dict(params or {})))
    for error in Draft202012Validator(dict(action.params_schema)).iter_errors(given):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{error.json_path}: {error.message}")
    context = context or make_context()
    if action.blocking:
        output = await asyncio.to_thread(action.call, given, context)
    else:
        output = action.call(given, context)
    if inspect.isawaitable(output):
        output = await output
    if isinstance(output, RunEnded):
        return output
    read = loads(dumps(output))
    for error in Draft202012Validator(dict(action.output_schema)).iter_errors(read):
        raise AssertionError(f"{action.name} broke its output schema: {error.json_path}: {error.message}")
    return read
