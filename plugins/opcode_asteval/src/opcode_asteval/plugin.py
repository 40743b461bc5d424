"""What this package adds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    from opcode_asteval.engine import PythonEngine
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

    found = engine.registry.engines.get(PythonEngine.name)
    return [Processes(found)] if isinstance(found, PythonEngine) else []


class Processes:
    """The processes that evaluate Python, as a part of the engine that is stopped with it."""

    name = "python"

    def __init__(self, python: "PythonEngine") -> None:
        self._python = python

    async def start(self) -> None:
        """Nothing: they are started by the first expression."""

    async def stop(self) -> None:
        """End them."""
        self._python.close()
