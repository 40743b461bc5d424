"""What an expression can see, as JSON for another process."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from opcode_core.scope import Scope, Steps, StepView
from opcode_core.state import RunState, StepState
from opcode_core.stop import Stop

_STEPS = re.compile(r"\bsteps\b")
_ONE_STEP = re.compile(
    r"""\s*(?:\??\.\s*(?P<name>\w+)\b(?!\s*\()|\[\s*(?P<quote>["'])(?P<key>[^"'\\]*)(?P=quote)\s*\])"""
)


def packed(names: Mapping[str, Any], source: str) -> dict[str, Any]:
    """What `source` can touch of `names`, in a language whose paths look like `steps.a.b` or `steps["a"]`.

    What is called by a name that its text does not hold is left out, and what steps gave that it does not name.
    `data` is always there: in `expr` its keys are names.
    """
    every = "$env" in source
    seen = {
        name: value if every or name == "data" or name in source else None for name, value in names.items()
    }
    steps = names.get("steps")
    if isinstance(steps, Mapping):
        named = steps if every else _named(source, steps)
        seen["steps"] = {step_id: _packed(steps[step_id], step_id in named) for step_id in steps}
    return seen


def unpacked(seen: Mapping[str, Any]) -> dict[str, Any]:
    """The names again."""
    names = dict(seen)
    if "steps" in names:
        state = RunState("")
        for step_id, (status, output, error) in names["steps"].items():
            state.steps[step_id] = StepState(status=status, output=output, error=error)
        names["steps"] = Steps(Scope(state, Stop()))
    return names


def _packed(step: StepView, named: bool) -> tuple[str, Any, Any]:
    return (step.status, step.output, step.error) if named else (step.status, None, None)


def _named(source: str, steps: Collection[str]) -> Collection[str]:
    """The steps that it names; all of them when it may ask for any."""
    named = set()
    for match in _STEPS.finditer(source):
        step = _ONE_STEP.match(source, match.end())
        if step is None:
            return steps
        named.add(step["name"] or step["key"])
    return named
