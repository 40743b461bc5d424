"""The action step: params in, the action called, its output checked."""

import asyncio
import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

from opcode_core import events as e
from opcode_core.codec import dumps, loads
from opcode_core.contracts.action import Action, RunEnded
from opcode_core.engine.access import hidden_from
from opcode_core.engine.breaker import Breaker
from opcode_core.engine.failure import Halted, as_error, is_own
from opcode_core.engine.steps.child import output_of_child
from opcode_core.errors import ErrorCode, OpcodeError
from opcode_core.plan import StepPlan
from opcode_core.redaction import hiding, redact
from opcode_core.scope import Scope
from opcode_core.state import STEP_ENDED
from opcode_core.unfinished import finished

if TYPE_CHECKING:
    from opcode_core.engine.run import Run

MAX_OUTPUT = 16 * 1024 * 1024
"""Bytes of JSON that one step may give; what is larger belongs into a file."""
MOST_IN_PLACE = 128 * 1024
"""Bytes of JSON that are searched for secrets on the loop; more is left to a thread."""


def call_at_once(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> OpcodeError | None:
    """Do a step whose action returns at once: None when it completed, else what went wrong.

    Raises:
        Unfinished: its params take their time; nothing was done yet.
    """
    action = step.action
    assert action is not None
    breakers = run.engine.breakers
    breaker = None
    try:
        params = step.params.render(scope)
        if step.check is not None and not step.check.accepts(params):
            raise _bad_params(step, params)
        if breakers and (breaker := breakers.get(action.name)) is not None:
            _note(run, step_id, breaker.enter(run.engine.clock.monotonic()), breaker)
        context = run.engine.context_for(run, step, step_id, scope) if action.wants_context else None
        output = _checked(action.call(params, context), action)
    except BaseException as raised:
        if not is_own(raised):
            raise
        error = as_error(raised, f"action {action.name}")
        if error.step_id is None:
            error.step_id = step_id
        count_failure(run, step_id, action, error)
        return error
    if breaker is not None:
        _note(run, step_id, breaker.succeeded(), breaker)
    run.record(e.STEP_COMPLETED, step_id, {"output": output})
    return None


async def run_action(run: "Run", step: StepPlan, step_id: str, scope: Scope) -> Any:
    """Do a step whose action takes time, touches the world or needs secrets."""
    action = step.action
    assert action is not None
    child = run.state.steps[step_id].child
    if child is not None:
        output = _checked(await output_of_child(run, step_id, child), action)
        await run.engine.recall_secrets(run)
        return redact(output, hidden_from(run, scope))
    secrets = await run.engine.secrets_for(run, step)
    if secrets:
        scope = scope.with_secrets(secrets)
    if not secrets and not run.plan.secrets:
        return await _called(run, step, step_id, scope, action)
    with hiding(partial(hidden_from, run, scope)):
        return await _discreetly(run, step, step_id, scope, action)


async def _discreetly(run: "Run", step: StepPlan, step_id: str, scope: Scope, action: Action) -> Any:
    """The same without the secrets of the run, in what it gives and in how it fails."""
    try:
        output = await _called(run, step, step_id, scope, action)
    except BaseException as raised:
        if not is_own(raised):
            raise
        error = as_error(raised, f"step '{step_id}'")
        hidden = hidden_from(run, scope)
        raise OpcodeError(
            error.code,
            redact(error.message, hidden),
            details=redact(error.details, hidden),
            step_id=error.step_id,
        ) from None
    hidden = hidden_from(run, scope)
    if hidden and len(dumps(output)) > MOST_IN_PLACE:
        return await asyncio.to_thread(redact, output, hidden)
    return redact(output, hidden)


async def _called(run: "Run", step: StepPlan, step_id: str, scope: Scope, action: Action) -> Any:
    params = await finished(step.params.render, scope)
    if step.check is not None and not step.check.accepts(params):
        raise _bad_params(step, params)
    output = await _call(run, step, step_id, scope, action, params)
    if isinstance(output, RunEnded):
        run.record(e.WAIT_STARTED, step_id, {"for": "run", "run_id": output.run_id, "until": None})
        output = _checked(await output_of_child(run, step_id, output.run_id), action)
    return output


async def _call(
    run: "Run", step: StepPlan, step_id: str, scope: Scope, action: Action, params: dict[str, Any]
) -> Any:
    """Call within the pool, past the breaker, after everything before is stored if the world will change."""
    engine = run.engine
    if action.effect == "external":
        await run.commit()
    else:
        run.commit_meanwhile()
    breaker = engine.breakers.get(action.name)
    if breaker is not None:
        _note(run, step_id, breaker.enter(engine.clock.monotonic()), breaker)
    context = engine.context_for(run, step, step_id, scope)
    try:
        async with engine.pool:
            if run.state.steps[step_id].status in STEP_ENDED:
                raise Halted("it was given up before its turn came")
            output = await engine.runner.run(action, params, context)
        if not isinstance(output, RunEnded):
            output = _checked(output, action)
    except BaseException as raised:
        if not is_own(raised):
            if breaker is not None:
                breaker.left()
            raise
        error = as_error(raised, f"action {action.name}")
        count_failure(run, step_id, action, error)
        raise error from None
    if breaker is not None:
        _note(run, step_id, breaker.succeeded(), breaker)
    return output


def _checked(output: Any, action: Action) -> Any:
    """`output` as the log will give it back, so that nobody ever sees anything else."""
    try:
        body = dumps(output)
    except ValueError as error:
        if inspect.iscoroutine(output):
            output.close()
        raise OpcodeError(
            ErrorCode.EXECUTION_ERROR, f"action {action.name} returned what is not JSON: {error}"
        ) from None
    if len(body) > MAX_OUTPUT:
        raise OpcodeError(
            ErrorCode.EXECUTION_ERROR,
            f"action {action.name} returned {len(body):,} bytes of JSON; at most {MAX_OUTPUT:,} are allowed."
            " Write large results to a file and return its path",
            details={"bytes": len(body), "limit": MAX_OUTPUT},
        )
    return loads(body)


def _bad_params(step: StepPlan, params: dict[str, Any]) -> OpcodeError:
    assert step.check is not None
    assert step.action is not None
    issues = step.check.issues(params, "params")
    more = f", and {len(issues) - 1} more" if len(issues) > 1 else ""
    return OpcodeError(
        ErrorCode.VALIDATION_ERROR,
        f"action {step.action.name}: {issues[0]}{more}",
        details={"issues": [issue.to_dict() for issue in issues]},
    )


def count_failure(run: "Run", step_id: str, action: Action, error: OpcodeError) -> None:
    """Tell the action's breaker."""
    if not action.breaker or error.code is ErrorCode.CIRCUIT_OPEN:
        return
    breaker = run.engine.breaker(action.name)
    _note(run, step_id, breaker.failed(error.code, run.engine.clock.monotonic()), breaker)


def _note(run: "Run", step_id: str, event_type: str | None, breaker: Breaker) -> None:
    if event_type is not None:
        run.record(event_type, step_id, {"action": breaker.action, "failures": breaker.failures})
