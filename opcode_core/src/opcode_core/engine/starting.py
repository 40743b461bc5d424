"""What a run starts with: which version, params that fit, inputs with their defaults."""

import asyncio
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from opcode_core import events as e
from opcode_core.codec import dumps, loads
from opcode_core.contracts.storage import TemplateRecord
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.events import Event
from opcode_core.folding import evolve
from opcode_core.plan import Plan
from opcode_core.schemas import Schema
from opcode_core.scope import Scope
from opcode_core.state import RunState
from opcode_core.stop import Stop
from opcode_core.unfinished import finished
from opcode_core.validation import check_json

_VERSION = re.compile("v?[0-9]{1,9}")


def version_number(version: str | int | None) -> int | None:
    """The number in `"v2"`, `"2"` or `2`; None for the newest.

    Raises:
        OpcodeError: VALIDATION_ERROR.
    """
    if version is None or isinstance(version, int):
        return version
    if _VERSION.fullmatch(version):
        return int(version.removeprefix("v"))
    raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"{version!r:.40} is not a version; write v1, v2, …")


LARGE = 64 * 1024
"""Bytes of params that are checked in a thread."""
DEEPEST = 32
"""How many runs may wait for each other, one in the other."""


class Parent(NamedTuple):
    """The step that a run is begun for: of which run, which step, and how many runs wait for that one."""

    id: str
    step_id: str
    depth: int


def parent_of_child(state: RunState, step_id: str) -> Parent:
    """A run's step, as the parent of another run.

    Raises:
        OpcodeError: CYCLE_DETECTED when runs wait for it already, one in the other, as when one begins itself.
    """
    if state.depth + 1 >= DEEPEST:
        raise OpcodeError(
            ErrorCode.CYCLE_DETECTED,
            f"{DEEPEST} runs already wait for each other, one in the other, and at most so many may;"
            f" does '{state.template_name or state.name or state.id}' begin itself without end?",
            details={"limit": DEEPEST},
        )
    return Parent(state.id, step_id, state.depth)


def checked_params(params: dict[str, Any], input_schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Params that are JSON, fit the schema and have its defaults.

    Raises:
        OpcodeError: VALIDATION_ERROR with every issue.
    """
    check_json(params, "params")
    try:
        params = loads(dumps(params))  # as the log will give them back
    except ValueError as error:
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, f"params are not JSON: {error}") from None
    if input_schema is None:
        return params
    schema = Schema(input_schema)
    filled = schema.with_defaults(params)
    issues = schema.issues(
        {name: value for name, value in filled.items() if value is not None or name in params}, "params"
    )
    if issues:
        more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
        raise OpcodeError(
            ErrorCode.VALIDATION_ERROR,
            f"{issues[0]}{more}",
            details={"issues": [issue.to_dict() for issue in issues]},
        )
    return filled


async def params_for(plan: Plan, params: dict[str, Any], template: TemplateRecord | None) -> dict[str, Any]:
    """What `checked_params` gives for a run: what the definition has a default for is not missing, and large
    params are checked in a thread.

    Raises:
        OpcodeError: VALIDATION_ERROR with every issue.
    """
    schema = template.input_schema if template else None
    if schema is None:
        return checked_params(params, None)
    required = [name for name in schema.get("required", ()) if name not in plan.definition.inputs]
    schema = {**schema, "required": required}
    if _is_large(params):
        return await asyncio.to_thread(checked_params, params, schema)
    return checked_params(params, schema)


def _is_large(params: dict[str, Any]) -> bool:
    try:
        return len(dumps(params)) > LARGE
    except ValueError:
        return False


async def default_inputs(
    plan: Plan, payload: dict[str, Any], run_id: str, agent_id: str, now: float
) -> dict[str, Any]:
    """The definition's inputs, with the templates in them rendered over what was given."""
    if plan.inputs.static:
        return dict(plan.inputs.render(Scope(RunState(run_id), Stop())))
    state = RunState(run_id, agent_id=agent_id)
    evolve(state, Event(run_id, 1, e.WORKFLOW_STARTED, None, payload, agent_id, now))
    return dict(await finished(plan.inputs.render, Scope(state, Stop())))


def with_inputs(
    filled: Mapping[str, Any],
    params: Mapping[str, Any],
    defaults: Mapping[str, Any],
    secret: Collection[str],
) -> dict[str, Any]:
    """What a run begins with: `params`, the schema's defaults among `filled`, then the definition's own.

    The null of a property that nobody gave a value to gives way to a default of the definition, also to one
    that is read from a secret when it is needed.
    """
    empty = {name for name, value in filled.items() if value is None and name not in params}
    inputs = {**dict.fromkeys(empty - set(secret)), **defaults}
    return inputs | {name: value for name, value in filled.items() if name not in empty}
