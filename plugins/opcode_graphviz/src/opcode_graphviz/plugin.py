"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Renderer, hookimpl


@hookimpl
def opcode_diagram_renderers() -> Sequence[Renderer]:
    """The renderers dot, svg and image."""
    from opcode_graphviz.renderers import DotRenderer, ImageRenderer, SvgRenderer

    return [DotRenderer(), SvgRenderer(), ImageRenderer()]
