"""What this plugin offers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    from opcode_core import Engine, ExpressionEngine


@hookimpl
def opcode_expression_engines() -> "Sequence[ExpressionEngine]":
    """The engine named `cel`."""
    from opcode_cel.engine import CelEngine

    return [CelEngine()]


@hookimpl
def opcode_services(engine: "Engine") -> Sequence[Service]:
    """What ends the processes of long evaluations when the engine stops."""
    from opcode_cel.engine import CelEngine
    from opcode_core import GuardedService

    found = engine.registry.engines.get(CelEngine.name)
    return [GuardedService(found.name, found.close)] if isinstance(found, CelEngine) else []
