"""What this plugin offers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    from opcode_core import Engine, ExpressionEngine


@hookimpl
def opcode_expression_engines() -> "Sequence[ExpressionEngine]":
    """The engine named `expr`."""
    from opcode_expr.engine import ExprEngine

    return [ExprEngine()]


@hookimpl
def opcode_services(engine: "Engine") -> Sequence[Service]:
    """What ends the processes of long evaluations when the engine stops."""
    from opcode_core import GuardedService
    from opcode_expr.engine import ExprEngine

    found = engine.registry.engines.get(ExprEngine.name)
    return [GuardedService(found.name, found.close)] if isinstance(found, ExprEngine) else []
