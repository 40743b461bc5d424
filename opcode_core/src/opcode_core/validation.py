"""From what somebody wrote to a Definition, or to the list of what is wrong with it."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from opcode_core import definition as d
from opcode_core.codec import dumps, loads
from opcode_core.issues import InvalidDefinition, Issue, format_path, shown
from opcode_core.suggestions import available, did_you_mean

MAX_BYTES = 4 * 1024 * 1024
MAX_NESTING = 32
MAX_DEPTH = 200
MAX_STEPS = 20_000


def parse_definition(source: str | bytes | Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object in `source`, bounded in size and depth.

    Raises:
        InvalidDefinition: when it is none.
    """
    raw = _parse(source) if isinstance(source, str | bytes) else source
    if not isinstance(raw, dict):
        raise InvalidDefinition(
            [Issue("", f"a workflow is a JSON object, got {shown(raw)}", 'start with {"steps": [...]}')]
        )
    check_json(raw)
    _check_nesting(raw)
    return raw


def read_definition(raw: dict[str, Any]) -> tuple[d.Definition, list[Issue]]:
    """Check the form of a definition; what its parts mean is the compiler's business.

    Unknown fields are noted and left out, so that they hide no other fault.

    Raises:
        InvalidDefinition: with every issue of the form, when there is more than unknown fields.
    """
    known = _without_extensions(raw)
    try:
        return d.Definition.model_validate(known), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
    issues = [_issue(fault) for fault in faults]
    if any(fault["type"] != "extra_forbidden" for fault in faults):
        raise InvalidDefinition(issues)
    for fault in faults:
        _remove(known, [part for i, part in enumerate(fault["loc"]) if not _is_tag(fault["loc"], i)])
    return d.Definition.model_validate(known), issues


def _remove(value: Any, path: list[Any]) -> None:
    for part in path[:-1]:
        value = value[part]
    del value[path[-1]]


def check_size(body: bytes) -> None:
    """Refuse a definition that is too large to be kept with every run.

    Raises:
        InvalidDefinition: saying how large it is and may be.
    """
    if len(body) > MAX_BYTES:
        what = f"the definition has {len(body):,} bytes; at most {MAX_BYTES:,} are allowed"
        raise InvalidDefinition([Issue("", what, "keep data out of it and pass it as inputs")])


def check_json(value: Any, path: str = "") -> None:
    """Refuse what is not storable JSON, without recursion, so depth cannot hurt.

    Raises:
        InvalidDefinition: for NaN, infinities, NULs, keys that are not text, other types, or too much depth.
    """
    if not _is_plain(value):
        _refuse(value, path)


_CONTAINERS = frozenset({dict, list, tuple})


def _is_plain(value: Any) -> bool:
    """Whether nothing can be wrong with it; twenty times as fast as looking for what is."""
    try:
        if b"\\u0000" in dumps(value):
            return False
    except ValueError:
        return False
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            for inner in (item.values() if type(item) is dict else item)
            if type(inner) in _CONTAINERS  # and no subclass, which would not have come so far
        ]
        if not level:
            return True
    return False


def _refuse(value: Any, path: str) -> None:
    pending: list[tuple[Any, str, int]] = [(value, path, 0)]
    while pending:
        item, where, depth = pending.pop()
        if depth > MAX_DEPTH:
            raise InvalidDefinition([Issue(where[:200], f"nested deeper than {MAX_DEPTH} levels")])
        if isinstance(item, dict):
            pending.extend(
                (inner, f"{where}.{key}" if where else str(key), depth + 1) for key, inner in item.items()
            )
            faults = [_fault_of_key(key) for key in item]
        elif isinstance(item, list | tuple):
            pending.extend((inner, f"{where}[{i}]", depth + 1) for i, inner in enumerate(item))
            continue
        else:
            faults = [_fault_of_scalar(item)]
        for fault in faults:
            if fault:
                raise InvalidDefinition([Issue(where, fault)])


def _fault_of_key(key: Any) -> str:
    return (
        "" if isinstance(key, str) and "\0" not in key else f"the key {shown(key)} is not a text without NULs"
    )


def _fault_of_scalar(item: Any) -> str:
    if isinstance(item, str):
        return "holds a NUL character; remove it" if "\0" in item else ""
    if isinstance(item, float):
        return "" if math.isfinite(item) else f"{item} is not a JSON number"
    if isinstance(item, int) and not -(2**63) <= item < 2**64:
        return f"{shown(item)} has more than 64 bits; write it as a text"
    return "" if item is None or isinstance(item, bool | int) else f"{shown(item)} has no place in JSON"


def _parse(source: str | bytes) -> Any:
    check_size(source.encode("utf-8", "surrogatepass") if isinstance(source, str) else source)
    try:
        return loads(source)
    except (ValueError, RecursionError) as error:
        raise InvalidDefinition(
            [Issue("", _json_fault(source, error), "check commas, quotes and brackets")]
        ) from None


def _json_fault(source: str | bytes, error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text at byte {error.start} of {len(source)}"
    return "nested too deeply" if isinstance(error, RecursionError) else f"not JSON: {error}"


def _check_nesting(raw: dict[str, Any]) -> None:
    """Blocks within blocks are bounded before anything recursive looks at them."""
    pending: list[tuple[Any, str, int]] = [(raw.get("steps"), "steps", 1)]
    for hook in ("on_complete", "on_error"):
        pending.extend((inner, f"{hook}.{key}", 2) for key, inner in _blocks(raw.get(hook)))
    steps = 0
    while pending:
        block, where, depth = pending.pop()
        if depth > MAX_NESTING:
            raise InvalidDefinition(
                [
                    Issue(
                        where,
                        f"steps are nested {depth} levels deep; at most {MAX_NESTING} are allowed",
                        "move the inner steps to a workflow of their own and call it with workflow.run",
                    )
                ]
            )
        for index, step in enumerate(block if isinstance(block, list) else ()):
            steps += 1
            pending.extend((inner, f"{where}[{index}].{key}", depth + 1) for key, inner in _blocks(step))
    if steps > MAX_STEPS:
        raise InvalidDefinition(
            [Issue("steps", f"{steps:,} steps; at most {MAX_STEPS:,} are allowed", "use a loop")]
        )


def _blocks(step: Any) -> list[tuple[str, Any]]:
    """What may be the blocks inside `step`, if it is one, and where in it they stand."""
    config = step.get("config") if isinstance(step, dict) else None
    if not isinstance(config, dict):
        return []
    branches = config.get("branches")
    found = [("config.body", config.get("body")), ("config.default", config.get("default"))]
    if isinstance(branches, dict):
        found.extend((f"config.branches.{name}", block) for name, block in branches.items())
    if isinstance(branches, list):
        found.extend((f"config.branches[{i}]", block) for i, block in enumerate(branches))
    return found


def _without_extensions(value: Any) -> Any:
    """A copy without the `x-` keys of the model's own objects; what users put into free fields stays,
    and so do the names that they give to branches."""
    if isinstance(value, dict):
        return {
            key: item
            if key in _FREE
            else _inside_branches(item)
            if key == "branches"
            else _without_extensions(item)
            for key, item in value.items()
            if not key.startswith("x-")
        }
    return [_without_extensions(item) for item in value] if isinstance(value, list) else value


def _inside_branches(branches: Any) -> Any:
    if isinstance(branches, dict):
        return {name: _without_extensions(block) for name, block in branches.items()}
    return _without_extensions(branches)


_FREE = frozenset(
    {"params", "inputs", "context", "metadata", "output", "data_inject", "response_schema", "over"}
)


def _issue(found: Any) -> Issue:
    """One of pydantic's errors in our words."""
    location = [part for i, part in enumerate(found["loc"]) if not _is_tag(found["loc"], i)]
    of_key = location[-1:] == ["[key]"]
    path = format_path(location[:-1] if of_key else location)
    kind, value = found["type"], found.get("input")
    if of_key:
        return Issue(path, f"{shown(value)} cannot be the name of a branch", "any text without '[' and ']'")
    if kind == "extra_forbidden":
        known = _known_fields(found["loc"])
        hint = did_you_mean(str(location[-1]), known) or available(sorted(known))
        return Issue(path, f"unknown field '{location[-1]}'", hint)
    if kind == "missing":
        return Issue(path, f"'{location[-1]}' is missing", _MISSING.get(str(location[-1]), ""))
    if kind == "union_tag_invalid":
        tag = str(found["ctx"]["tag"])
        return Issue(
            f"{path}.type",
            f"unknown step type '{tag}'",
            did_you_mean(tag, d.STEP_TYPES) or f"one of {', '.join(d.STEP_TYPES)}",
        )
    if kind == "union_tag_not_found":
        return Issue(path, f"a step is an object with an id, got {shown(value)}")
    if kind == "string_pattern_mismatch" and location and location[-1] in ("id", "fallback_step"):
        return Issue(path, f"{shown(value)} is not a step id", "letters, digits, '_' and '-' only")
    if kind == "literal_error":
        return Issue(path, f"{shown(value)} is not allowed here", _choices(value, found["ctx"]["expected"]))
    if kind == "value_error":
        return Issue(path, str(found["ctx"]["error"]))
    message = re.sub(r"^Input should be", "should be", found["msg"])
    return Issue(path, f"{message}, got {shown(value)}")


def _choices(value: Any, expected: str) -> str:
    names = re.findall(r"'([^']+)'", expected)
    return did_you_mean(str(value), names) or f"one of {', '.join(names)}"


_MISSING = {
    "steps": 'a workflow needs "steps": [...]',
    "action": 'an action step names its action, as "http.get"',
    "id": "give the step an id that its siblings do not have",
    "config": "this type of step is described by its config",
}
_TAGS = frozenset(d.STEP_TYPES)


def _is_tag(location: tuple[Any, ...], index: int) -> bool:
    """Whether that part of pydantic's location is a union's tag and not a place in the JSON."""
    part, before = location[index], location[index - 1] if index else None
    return part in _TAGS and (
        isinstance(before, int) or (index == 1 and before in ("on_complete", "on_error"))
    )


def _known_fields(location: tuple[Any, ...]) -> set[str]:
    """The fields that the object at `location` may have."""
    model: Any = d.Definition
    for index, part in enumerate(location[:-1]):
        if _is_tag(location, index):
            model = _STEP_MODELS[part]
        elif part == "config" and "config" in model.model_fields:  # a branch may be named so too
            model = model.model_fields["config"].annotation or model
        elif part in ("retry", "on_error") and model is not d.Definition:
            model = d.Retry if part == "retry" else d.OnError
        elif part == "options":
            model = d.Option
    return set(model.model_fields)


_STEP_MODELS: dict[str, type[d.Model]] = {
    "action": d.ActionStep,
    "condition": d.ConditionStep,
    "loop": d.LoopStep,
    "parallel": d.ParallelStep,
    "wait": d.WaitStep,
    "reasoning": d.ReasoningStep,
}
