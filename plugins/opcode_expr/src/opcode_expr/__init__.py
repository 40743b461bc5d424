"""OPCODE's expression engine expr: filters, pipes and let, as older workflow files use them."""

from opcode_expr.engine import ExprEngine

__all__ = ["ExprEngine"]
