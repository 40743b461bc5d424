"""What this package adds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    from opcode_core import Engine, ExpressionEngine


@hookimpl
def opcode_expression_engines() -> "Sequence[ExpressionEngine]":
    """The engine named `jq`."""
    from opcode_jq.engine import JqEngine

    return [JqEngine()]


@hookimpl
def opcode_services(engine: "Engine") -> Sequence[Service]:
    """What ends jq's processes when the engine stops."""
    from opcode_core import GuardedService
    from opcode_jq.engine import JqEngine

    found = engine.registry.engines.get(JqEngine.name)
    return [GuardedService(found.name, found.close)] if isinstance(found, JqEngine) else []
