"""CEL for OPCODE."""

from opcode_cel.engine import CelEngine

__all__ = ["CelEngine"]
