"""Workflows drawn for Markdown."""

from opcode_mermaid.renderer import MermaidRenderer

__all__ = ["MermaidRenderer"]
