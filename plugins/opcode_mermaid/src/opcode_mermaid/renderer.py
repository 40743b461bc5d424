"""The renderer `mermaid`."""

from typing import Final

from opcode_core import Diagram, condensed

_LONGEST: Final = 45_000
"""Letters; Mermaid shows no text of more than 50,000."""


class MermaidRenderer:
    """A flowchart for Markdown, as GitHub, GitLab and many editors show it."""

    format = "mermaid"
    media_type = "text/vnd.mermaid; charset=utf-8"

    def render(self, diagram: Diagram) -> str:
        """The text, without a fence around it; a large diagram is condensed."""
        from opcode_mermaid.flowchart import Flowchart

        for nodes in (100, 60, 30, 10):
            text = Flowchart().draw(condensed(diagram, nodes))
            if len(text) <= _LONGEST:
                break
        return text
