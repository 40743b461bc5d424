"""What this package adds."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    from opcode_core import Engine, ExpressionEngine
    from opcode_jq.engine import JqEngine


@hookimpl
def opcode_expression_engines() -> "Sequence[ExpressionEngine]":
    """The engine named `jq`."""
    from opcode_jq.engine import JqEngine

    return [JqEngine()]


@hookimpl
def opcode_services(engine: "Engine") -> Sequence[Service]:
    """What ends jq's processes when the engine stops."""
    from opcode_jq.engine import JqEngine

    found = engine.registry.engines.get(JqEngine.name)
    return [Processes(found)] if isinstance(found, JqEngine) else []


class Processes:
    """jq's processes, as a part of the engine that is stopped with it."""

    name = "jq"

    def __init__(self, jq: "JqEngine") -> None:
        self._jq = jq

    async def start(self) -> None:
        """Nothing: they are started by the first program."""

    async def stop(self) -> None:
        """End them."""
        self._jq.close()
