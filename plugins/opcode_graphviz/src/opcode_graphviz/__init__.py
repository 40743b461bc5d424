"""Workflows drawn by Graphviz."""

from opcode_graphviz.renderers import DotRenderer, ImageRenderer, SvgRenderer

__all__ = ["DotRenderer", "ImageRenderer", "SvgRenderer"]
