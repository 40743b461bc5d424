"""Workflows drawn as text."""

from opcode_ascii.renderer import AsciiRenderer

__all__ = ["AsciiRenderer"]
