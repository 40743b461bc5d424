"""The renderers `dot`, `svg` and `image`."""

from typing import Final

from opcode_core import Diagram

_LARGEST: Final = "40,40"
"""Inches; what is larger is drawn smaller."""


class DotRenderer:
    """Graphviz's own language, for those who draw it themselves."""

    format = "dot"
    media_type = "text/vnd.graphviz; charset=utf-8"

    def render(self, diagram: Diagram) -> str:
        """DOT."""
        from opcode_graphviz.dot import dot

        return dot(diagram)


class SvgRenderer:
    """For pages: it stands in the page itself, in the colours of the page."""

    format = "svg"
    media_type = "image/svg+xml"

    def render(self, diagram: Diagram) -> str:
        """One `<svg>` element."""
        from opcode_graphviz.dot import dot
        from opcode_graphviz.program import graphviz
        from opcode_graphviz.svg import page_svg

        return page_svg(graphviz(dot(diagram), "-Tsvg"), diagram)


class ImageRenderer:
    """For everything else."""

    format = "image"
    media_type = "image/png"

    def __init__(self, dpi: int = 144) -> None:
        self.dpi = dpi

    def render(self, diagram: Diagram) -> bytes:
        """A PNG on white."""
        from opcode_graphviz.dot import dot
        from opcode_graphviz.program import graphviz

        return graphviz(dot(diagram), "-Tpng", f"-Gdpi={self.dpi}", f"-Gsize={_LARGEST}")
