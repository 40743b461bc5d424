"""What the tests of the model share: a registry with a few actions, with and without CEL."""

from typing import Any

import pytest

import opcode_cel.plugin
from opcode_core import action, hookimpl
from opcode_core.compiler import make_plan
from opcode_core.issues import InvalidDefinition, Issue
from opcode_core.plan import Plan
from opcode_core.plugins.manager import PluginManager
from opcode_core.plugins.registry import Registry


@action("t.echo", effect="pure")
def echo(value: Any = None) -> Any:
    """Give back what came in."""
    return value


@action("t.typed", effect="pure")
def typed(text: str, count: int = 1, mode: str | None = None, options: dict[str, Any] | None = None) -> dict:
    """Params with types."""
    return {"text": text, "count": count, "mode": mode, "options": options}


@action("t.slow", effect="external", blocking=True)
def slow(value: Any = None) -> Any:
    """Not done at once."""
    return value


class Plugin:
    @hookimpl
    def opcode_actions(self):
        return [echo, typed, slow]


def registry(*, cel: bool = True) -> Registry:
    manager = PluginManager(discover=False)
    manager.register(Plugin(), "test")
    if cel:
        manager.register(opcode_cel.plugin, "cel")
    return manager.registry()


WITH_CEL, WITHOUT_CEL = registry(), registry(cel=False)


def plan(*steps: dict[str, Any], cel: bool = True, **fields: Any) -> Plan:
    return make_plan({"steps": list(steps), **fields}, WITH_CEL if cel else WITHOUT_CEL)


def issues(definition: Any, *, cel: bool = True) -> list[Issue]:
    """What is wrong with a definition; there must be something."""
    with pytest.raises(InvalidDefinition) as refused:
        make_plan(definition, WITH_CEL if cel else WITHOUT_CEL)
    return list(refused.value.issues)


def faults(*steps: dict[str, Any], cel: bool = True, **fields: Any) -> list[str]:
    return [str(issue) for issue in issues({"steps": list(steps), **fields}, cel=cel)]


def step(step_id: str = "a", value: Any = 1, **fields: Any) -> dict[str, Any]:
    return {"id": step_id, "action": "t.echo", "params": {"value": value}, **fields}
