"""Words to write workflows with."""

from typing import Any

IGNORE = {"strategy": "ignore"}
YES_OR_NO = [{"id": "yes", "description": "go on"}, {"id": "no", "description": "stop"}]


def step(step_id: str, action: str, params: dict, **fields: Any) -> dict:
    """An action step; `after` is short for `depends_on`."""
    return _made({"id": step_id, "action": action, "params": params}, fields)


def external(step_id: str, value: Any = None, ms: int = 60, **fields: Any) -> dict:
    return step(step_id, "kill.external", {"value": value or step_id, "ms": ms}, **fields)


def idempotent(step_id: str, value: Any = None, ms: int = 60, **fields: Any) -> dict:
    return step(step_id, "kill.idempotent", {"value": value or step_id, "ms": ms}, **fields)


def blocking(step_id: str, value: Any = None, ms: int = 60, **fields: Any) -> dict:
    return step(step_id, "kill.blocking", {"value": value or step_id, "ms": ms}, **fields)


def pure(step_id: str, value: Any = None, **fields: Any) -> dict:
    return step(step_id, "kill.pure", {"value": value or step_id}, **fields)


def flaky(step_id: str, times: int, **fields: Any) -> dict:
    return step(step_id, "kill.flaky", {"times": times, "value": step_id}, **fields)


def retry(most: int, delay: str) -> dict:
    return {"max": most, "backoff": "constant", "delay": delay}


def fallback(step_id: str) -> dict:
    return {"strategy": "fallback_step", "fallback_step": step_id}


def condition(step_id: str, expression: str, branches: dict, **fields: Any) -> dict:
    return flow(step_id, "condition", {"expression": expression, "branches": branches}, **fields)


def for_each(step_id: str, over: Any, *body: dict, at_once: int = 1, **fields: Any) -> dict:
    config = {"mode": "for_each", "over": over, "body": list(body), "concurrency": at_once}
    return flow(step_id, "loop", config, **fields)


def repeat(mode: str, step_id: str, expression: str, *body: dict, **fields: Any) -> dict:
    return flow(step_id, "loop", {"mode": mode, "condition": expression, "body": list(body)}, **fields)


def parallel(step_id: str, *branches: list[dict], mode: str = "all", **fields: Any) -> dict:
    return flow(step_id, "parallel", {"mode": mode, "branches": list(branches)}, **fields)


def pause(step_id: str, duration: str, **fields: Any) -> dict:
    return flow(step_id, "wait", {"duration": duration}, **fields)


def signal(step_id: str, name: str = "go", **fields: Any) -> dict:
    return flow(step_id, "wait", {"signal": name}, **fields)


def ask(step_id: str, **fields: Any) -> dict:
    return flow(step_id, "reasoning", {"prompt_context": "well?", "options": YES_OR_NO}, **fields)


def ask_for(step_id: str, timeout: str, choice: str | None, **fields: Any) -> dict:
    config = {"prompt_context": "well?", "options": YES_OR_NO, "timeout": timeout}
    return flow(step_id, "reasoning", {**config, **({"fallback": choice} if choice else {})}, **fields)


def child(step_id: str, template: str, **fields: Any) -> dict:
    return step(step_id, "workflow.run", {"template_name": template}, **fields)


def flow(step_id: str, kind: str, config: dict, **fields: Any) -> dict:
    """A step of another type."""
    return _made({"id": step_id, "type": kind, "config": config}, fields)


def workflow(*steps: dict, **fields: Any) -> dict:
    return {"steps": list(steps), **fields}


def _made(made: dict, fields: dict) -> dict:
    if "after" in fields:
        fields["depends_on"] = fields.pop("after").split()
    return {**made, **fields}
