"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Renderer, hookimpl


@hookimpl
def opcode_diagram_renderers() -> Sequence[Renderer]:
    """The renderer mermaid."""
    from opcode_mermaid.renderer import MermaidRenderer

    return [MermaidRenderer()]
