"""One step: its action, params, guard and policies, and the blocks that steps form."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from opcode_core import definition as d
from opcode_core.codec import dumps
from opcode_core.compiler.flows import compile_flow
from opcode_core.compiler.workbench import Place, Workbench
from opcode_core.contracts.action import Action
from opcode_core.errors import ErrorCode
from opcode_core.issues import Issue
from opcode_core.plan import NO_RETRY, Block, RetryPolicy, StepPlan
from opcode_core.schemas import Schema
from opcode_core.suggestions import did_you_mean
from opcode_core.templates import Surroundings, Template, compile_template


def compile_step(bench: Workbench, step: d.StepModel, path: str, place: Place) -> StepPlan:
    """Compile a step and everything inside it."""
    action, params, check = None, compile_template({}, bench.around(place)), None
    if isinstance(step, d.ActionStep):
        action, params, check = _action_call(bench, step, path, bench.around(place, secrets=True))
    return StepPlan(
        id=step.id,
        type=step.type,
        path=path,
        action=action,
        params=params,
        check=check,
        guard=bench.program(step.condition, f"{path}.condition", place.names) if step.condition else None,
        guard_source=step.condition or "",
        timeout=step.timeout,
        retry=_retry_policy(step),
        strategy=step.on_error.strategy if step.on_error else None,
        fallback=step.on_error.fallback_step if step.on_error else None,
        on_crash=step.on_crash,
        flow=compile_flow(bench, step, f"{path}.config", place, compile_block),
        at_once=action is not None and _at_once(action, params, step.timeout),
    )


def compile_block(
    bench: Workbench, name: str, steps: Sequence[d.StepModel], path: str, place: Place
) -> Block:
    """Compile steps that run one after another."""
    check_siblings(bench, steps, path)
    _check_list_order(bench, steps, path)
    inner = Place(place.names.within(steps), place.in_loop)
    plans = tuple(compile_step(bench, step, f"{path}[{i}]", inner) for i, step in enumerate(steps))
    fallbacks = {step.on_error.fallback_step for step in steps if step.on_error}
    return Block(name, plans, frozenset(fallback for fallback in fallbacks if fallback))


def check_siblings(bench: Workbench, steps: Sequence[d.StepModel], path: str) -> None:
    """Ids are unique, and fallbacks exist, among the steps of one list."""
    first: dict[str, int] = {}
    for i, step in enumerate(steps):
        if step.id in first:
            what = f"the id '{step.id}' is already that of {path}[{first[step.id]}]"
            bench.refuse(f"{path}[{i}].id", what, "ids are unique among siblings")
        first.setdefault(step.id, i)
    for i, step in enumerate(steps):
        if step.on_error is not None:
            check_fallback(bench, step, step.on_error, f"{path}[{i}].on_error.fallback_step", first)


def check_fallback(
    bench: Workbench, step: d.StepModel, on_error: d.OnError, path: str, siblings: Collection[str]
) -> None:
    """What stands in for a step is there, and is asked for."""
    fallback = on_error.fallback_step
    if fallback is None:
        if on_error.strategy == "fallback_step":
            bench.refuse(path, "'fallback_step' is missing", "name the step that stands in")
    elif on_error.strategy != "fallback_step":
        bench.refuse(
            path, f"the strategy '{on_error.strategy}' has no fallback", 'use "fallback_step" or remove it'
        )
    elif fallback == step.id:
        bench.refuse(path, f"step '{step.id}' cannot stand in for itself")
    elif fallback not in siblings:
        hint = did_you_mean(fallback, siblings) or "name a sibling"
        bench.refuse(path, f"there is no step '{fallback}'", hint)


def _check_list_order(bench: Workbench, steps: Sequence[d.StepModel], path: str) -> None:
    ids = {step.id for step in steps}
    earlier: set[str] = set()
    for i, step in enumerate(steps):
        for j, before in enumerate(step.depends_on):
            if before not in earlier:
                late = f"step '{before}' comes later in this list"
                what = late if before in ids else f"there is no step '{before}' in this list"
                hint = "steps inside a block run one after another, in list order"
                bench.refuse(f"{path}[{i}].depends_on[{j}]", what, hint)
        earlier.add(step.id)


def _action_call(
    bench: Workbench, step: d.ActionStep, path: str, around: Surroundings
) -> tuple[Action | None, Template, Schema | None]:
    """The action, its params, and the schema where it is left to be checked at the call."""
    action = bench.catalogue.action(step.action)
    if action is None:
        hint = did_you_mean(step.action, bench.catalogue.action_names()) or _package_hint(step.action)
        bench.refuse(f"{path}.action", f"unknown action '{step.action}'", hint)
    elif conflict := bench.catalogue.conflict("action", step.action):
        bench.refuse(f"{path}.action", conflict, "see `opcode plugins list`", ErrorCode.CONFLICT)
    params = bench.attempt(f"{path}.params", lambda: compile_template(step.params, around))
    if action is None or params is None:
        return None, compile_template({}, around), None
    bench.secrets |= params.secrets.union(
        *(bench.secret_inputs[name].secrets for name in params.secret_inputs)
    )
    schema = bench.catalogue.schema(action)
    found = schema.issues(step.params, f"{path}.params")
    if params.static:
        bench.issues.extend(found)
        return action, params, None
    bench.issues.extend(
        issue for issue in found if not _hangs_on_template(issue, step.params, f"{path}.params")
    )
    return action, params, schema


def _hangs_on_template(issue: Issue, params: Mapping[str, Any], path: str) -> bool:
    """Whether the value that an issue is about holds a template, so that only the call can tell."""
    if issue.message.endswith(" is missing") or issue.message.startswith("unknown param"):
        return False  # about a key, and keys hold no templates
    value: Any = params
    for part in re.findall(r"[^.\[\]]+", issue.path[len(path) :]):
        try:
            value = value[int(part)] if isinstance(value, list) else value[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return True
    return b"${{" in dumps(value)


def _package_hint(name: str) -> str:
    if "." not in name:
        return "actions are named package.verb, as http.get"
    return f"is opcode-{name.partition('.')[0]} installed? `opcode plugins list` shows what is"


def _retry_policy(step: d.StepModel) -> RetryPolicy:
    retry = step.retry
    if retry is None:
        asked = step.on_error is not None and step.on_error.strategy == "retry"
        return RetryPolicy(max=3, backoff="exponential", delay=1.0, max_delay=30.0) if asked else NO_RETRY
    backoff = retry.backoff or ("constant" if retry.delay else "none")
    return RetryPolicy(retry.max, backoff, retry.delay, retry.max_delay, retry.jitter)


def _at_once(action: Action, params: Template, timeout: float | None) -> bool:
    quick = not action.is_async and not action.blocking and action.effect != "external"
    return quick and timeout is None and not params.secrets and not params.secret_inputs
