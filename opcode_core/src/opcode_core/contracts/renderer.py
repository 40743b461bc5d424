"""A diagram renderer."""

from typing import Protocol

from opcode_core.diagram import Diagram


class Renderer(Protocol):
    """Draws the one diagram model in one format."""

    format: str
    media_type: str

    def render(self, diagram: Diagram) -> str | bytes:
        """The drawing: text, or the bytes of an image. Labels are data and must be escaped."""
        ...
