"""Calling an action as the engine would, without an engine."""

import asyncio
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
    NetworkPolicy,
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
        context: the workflow context; that of other runs is in `others`, by their id.
        live: whether the agent has a session that can be notified.
        values: what `evaluate` answers, by expression.
        events, started, notified, evaluated: what was asked of it, in order.
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
        """A copy of the context, as an engine gives it."""
        return dict(loads(dumps(self._context(workflow_id))))

    async def update_context(self, data: Mapping[str, Any], workflow_id: str | None = None) -> None:
        """Merge."""
        self._context(workflow_id).update(data)

    async def start_run(self, template_name: str, version: str | None, params: Mapping[str, Any]) -> str:
        """Remember what was to be started; a step has one child, however often it asks."""
        self.started.append((template_name, version, dict(params)))
        return "child-1"

    async def notify(self, message: str, data: Any) -> bool:
        """Remember the message."""
        self.notified.append((message, data))
        return self.live

    async def evaluate(self, engine: str | None, expression: str, data: Any) -> Any:
        """Answer from `values`.

        Raises:
            OpcodeError: VALIDATION_ERROR when there is no such expression.
        """
        self.evaluated.append((engine, expression, data))
        if expression not in self.values:
            raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"no value was given for {expression!r}")
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
    network: NetworkPolicy | None = None,
    isolator: Isolator | None = None,
    attempt: int = 1,
    deadline: float | None = None,
) -> ActionContext:
    """A context around one call."""
    ids = {"workflow_id": "run-1", "step_id": "step-1", "agent_id": "agent-1"}
    return ActionContext(
        run_id="run-1",
        step_id="step-1",
        agent_id="agent-1",
        attempt=attempt,
        idempotency_key="run-1:step-1:0",
        deadline=deadline,
        logger=StepLogger(logging.getLogger("opcode.action"), ids),
        isolator=isolator or ProcessIsolator(),
        paths=paths or PathPolicy(),
        network=network or NetworkPolicy(),
        run=run or RecordedRun(),
    )


async def call(action: Action, params: Mapping[str, Any] | None = None, **context: Any) -> Any:
    """Check the params, call, and check that the output is JSON and of the promised shape.

    Args:
        action: what to call.
        params: as a step would give them, templates resolved.
        **context: what surrounds the call, as for `make_context`.

    Raises:
        OpcodeError: VALIDATION_ERROR for params that the engine would refuse; what the action raises.
        AssertionError: when the action breaks its own promise.
    """
    given = _checked_params(action, dict(params or {}))
    surroundings = make_context(**context)
    if action.is_async:
        output = await action.call(given, surroundings)
    elif action.blocking:
        output = await asyncio.to_thread(action.call, given, surroundings)
    else:
        output = action.call(given, surroundings)
    return output if isinstance(output, RunEnded) else _checked_output(action, output)


def _checked_params(action: Action, params: dict[str, Any]) -> dict[str, Any]:
    try:
        given: dict[str, Any] = loads(dumps(params))
    except ValueError as error:
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR, f"action {action.name}: params are not JSON: {error}"
        ) from None
    fault = _first_fault(action.params_schema, given, "params")
    if fault is not None:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"action {action.name}: {fault}")
    return given


def _checked_output(action: Action, output: Any) -> Any:
    try:
        read = loads(dumps(output))
    except ValueError as error:
        raise AssertionError(f"action {action.name} returned what is not JSON: {error}") from None
    fault = _first_fault(action.output_schema, read, "output")
    if fault is not None:
        raise AssertionError(f"action {action.name} broke its output schema: {fault}")
    return read


def _first_fault(schema: Mapping[str, Any], value: Any, name: str) -> str | None:
    """Where and how `value` does not fit, or None."""
    for error in Draft202012Validator(dict(schema)).iter_errors(value):
        return f"{name}{error.json_path.removeprefix('$')}: {error.message}"
    return None
