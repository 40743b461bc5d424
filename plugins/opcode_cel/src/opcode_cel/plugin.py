"""What this plugin offers."""

from collections.abc import Sequence

from opcode_cel.engine import CelEngine
from opcode_core import ExpressionEngine, hookimpl


@hookimpl
def opcode_expression_engines() -> Sequence[ExpressionEngine]:
    """The engine named `cel`."""
    return [CelEngine()]
