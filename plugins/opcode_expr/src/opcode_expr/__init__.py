"""OPCODE's expression engine expr: filters, pipes and let, as older workflow files use them."""

# What only lists the plugins does not pay for what evaluates.

TYPE_CHECKING = False
if TYPE_CHECKING:
    from opcode_expr.engine import ExprEngine as ExprEngine

__all__ = ["ExprEngine"]  # noqa: F822, RUF100


def __getattr__(name: str) -> object:
    if name != "ExprEngine":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from opcode_expr.engine import ExprEngine

    return ExprEngine
