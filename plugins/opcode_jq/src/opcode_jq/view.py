"""The scope as the input of a program."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from opcode_core import StepView
from opcode_jq.reach import Path, Paths

_VIEW_KEYS = ("output", "status", "error")


def view(scope: Mapping[str, Any], paths: Paths | None, source: str) -> dict[str, Any]:
    """What `paths` lead to in `scope`, all of it for None, as plain JSON.

    A step is its output. Where `source` names `output`, `status` or `error` of a step whose output
    has no such key, that is there too; so what a program does not name is not in its way.
    """
    if paths is None:
        seen = {name: value for name, value in scope.items() if name not in {"steps", "data"}}
        seen["steps"] = _all_steps(scope["steps"], source) if "steps" in scope else {}
        return seen
    seen = {}
    for name, rests in _by_first(paths).items():
        if name == "steps" and "steps" in scope:
            seen[name] = (
                _all_steps(scope["steps"], source) if () in rests else _named_steps(scope["steps"], rests)
            )
        elif name in scope and name != "data":
            seen[name] = _part(scope[name], rests)
    return seen


def _named_steps(steps: Mapping[str, StepView], paths: Paths) -> dict[str, Any]:
    return {
        step_id: _named_step(steps[step_id], rests)
        for step_id, rests in _by_first(paths).items()
        if step_id in steps
    }


def _named_step(step: StepView, paths: Paths) -> Any:
    output = step.output
    own = isinstance(output, dict)
    extra = {
        key: _part(getattr(step, key), rests)
        for key, rests in _by_first(paths - {()}).items()
        if key in _VIEW_KEYS and not (own and key in output)
    }
    if not own:
        # Both a list and an object it cannot be: an object only when nothing asks for the list.
        return extra if all(path and path[0] in extra for path in paths) else output
    rest = frozenset(path for path in paths if not path or path[0] not in extra)
    part = _part(output, rest) if rest else {}
    return {**part, **extra}


def _all_steps(steps: Mapping[str, StepView], source: str) -> dict[str, Any]:
    names = [key for key in _VIEW_KEYS if re.search(rf"\b{key}\b", source)]
    return {step_id: _whole_step(step_id, steps[step_id], names, source) for step_id in steps}


def _whole_step(step_id: str, step: StepView, names: Iterable[str], source: str) -> Any:
    output = step.output
    if isinstance(output, dict):
        extra = {key: getattr(step, key) for key in names if key not in output}
        return {**output, **extra} if extra else output
    literal = re.escape(step_id)
    extra = {
        key: getattr(step, key)
        for key in names
        if re.search(rf"""steps\s*(?:\.\s*|\[\s*)"?{literal}"?\s*\]?\s*\.?\s*\[?\s*"?{key}\b""", source)
    }
    return extra or output


def _part(value: Any, paths: Paths) -> Any:
    """What `paths` lead to in `value`; what is not there is left out, which jq reads as null."""
    if () in paths or not isinstance(value, Mapping):
        return value
    return {name: _part(value[name], rests) for name, rests in _by_first(paths).items() if name in value}


def _by_first(paths: Iterable[Path]) -> dict[str, Paths]:
    grouped: dict[str, set[Path]] = {}
    for path in paths:
        if path:
            grouped.setdefault(path[0], set()).add(path[1:])
    return {name: frozenset(rests) for name, rests in grouped.items()}
