"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Renderer, hookimpl


@hookimpl
def opcode_diagram_renderers() -> Sequence[Renderer]:
    """The renderer ascii."""
    from opcode_ascii.renderer import AsciiRenderer

    return [AsciiRenderer()]
