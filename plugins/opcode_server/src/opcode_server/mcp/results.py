"""What a tool gave, as MCP says it: text for the model, the same as structured content for programs."""

from collections.abc import Mapping
from typing import Any

import mcp_types as t

from opcode_core import OpcodeError, dumps
from opcode_server.mcp.clean import clean, clean_text


def answered(answer: Mapping[str, Any]) -> t.CallToolResult:
    """A result; a PNG is also there as an image."""
    shown = clean(answer)
    content: list[t.ContentBlock] = [t.TextContent(type="text", text=dumps(shown).decode())]
    if answer.get("format") == "image":
        content.append(t.ImageContent(type="image", data=answer["diagram"], mime_type="image/png"))
    return t.CallToolResult(content=content, structured_content=dict(shown))


def refused(error: OpcodeError) -> t.CallToolResult:
    """An error that the model can act on: the code first, then every fault with its path."""
    lines = [str(error)]
    issues = error.details.get("issues", ())
    if len(issues) > 1:
        lines += [f"- {issue['path']}: {issue['message']}{_hint(issue)}" for issue in issues]
    if error.step_id:
        lines.append(f"step: {error.step_id}")
    return t.CallToolResult(
        content=[t.TextContent(type="text", text=clean_text("\n".join(lines)))],
        is_error=True,
        _meta={"opcode/error": clean(error.to_dict())},  # what is structured must fit the output schema
    )


def _hint(issue: Mapping[str, str]) -> str:
    return f" ({issue['hint']})" if issue.get("hint") else ""
