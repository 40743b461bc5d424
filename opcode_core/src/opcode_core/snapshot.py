"""A run's state as bytes, so that a long log need not be folded from its beginning."""

from dataclasses import MISSING, Field, fields
from typing import Any

from opcode_core.codec import dumps, loads
from opcode_core.decisions import Decision
from opcode_core.events import FORMAT
from opcode_core.state import KeptSignal, RunState, StepState

_RUN = [f for f in fields(RunState) if f.name != "_workflow"]
_STEP = list(fields(StepState))
_FORM = [FORMAT, *(f.name for group in (_RUN, _STEP, fields(Decision), fields(KeptSignal)) for f in group)]
"""What a snapshot must say of itself; one of a version with another state is not read."""


def freeze(state: RunState) -> bytes:
    """All of a state but what can be made again."""
    run = _changed(state, _RUN)
    run["steps"] = {step_id: _frozen_step(step) for step_id, step in state.steps.items()}
    run["decisions"] = [_changed(decision, fields(Decision)) for decision in state.decisions.values()]
    run["signals"] = [_changed(kept, fields(KeptSignal)) for kept in state.signals]
    return dumps({"form": _FORM, "run": run})


def thaw(frozen: bytes) -> RunState | None:
    """The state, or None when another version wrote it, and the log has to be folded."""
    found = loads(frozen)
    if found["form"] != _FORM:
        return None
    run = found["run"]
    run["steps"] = {step_id: _thawed_step(step) for step_id, step in run["steps"].items()}
    run["decisions"] = {decision["id"]: Decision(**decision) for decision in run["decisions"]}
    run["signals"] = [KeptSignal(**kept) for kept in run["signals"]]
    return RunState(**run)


def _frozen_step(step: StepState) -> dict[str, Any]:
    frozen = _changed(step, _STEP)
    if step.results is not None:
        frozen["results"] = list(step.results.items())
    return frozen


def _thawed_step(frozen: dict[str, Any]) -> StepState:
    if "results" in frozen:
        frozen["results"] = dict(frozen["results"])
    return StepState(**frozen)


def _changed(value: Any, names: "list[Field[Any]] | tuple[Field[Any], ...]") -> dict[str, Any]:
    """The fields that are not what they are by default."""
    found = {}
    for one in names:
        held = getattr(value, one.name)
        if one.default is MISSING or held is not one.default:
            found[one.name] = held
    return found
