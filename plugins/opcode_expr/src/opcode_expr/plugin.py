"""What this package adds."""

from collections.abc import Sequence

from opcode_core import ExpressionEngine, hookimpl
from opcode_expr.engine import ExprEngine


@hookimpl
def opcode_expression_engines() -> Sequence[ExpressionEngine]:
    """The engine named `expr`."""
    return [ExprEngine()]
