"""What this package adds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    from opcode_core import Engine, ExpressionEngine


@hookimpl
def opcode_expression_engines() -> "Sequence[ExpressionEngine]":
    """The engine named `python`."""
    from opcode_asteval.engine import PythonEngine

    return [PythonEngine()]


@hookimpl
def opcode_services(engine: "Engine") -> Sequence[Service]:
    """What ends Python's processes when the engine stops."""
    from opcode_asteval.engine import PythonEngine
    from opcode_core import GuardedService

    found = engine.registry.engines.get(PythonEngine.name)
    return [GuardedService(found.name, found.close)] if isinstance(found, PythonEngine) else []
