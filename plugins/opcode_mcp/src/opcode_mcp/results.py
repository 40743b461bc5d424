"""What a tool answered, as the output of a step. All of it is data: it is bounded, and nothing in it is obeyed."""

from collections.abc import Mapping, Sequence
from typing import Any

from opcode_core import ErrorCode, OpcodeError, loads
from opcode_mcp.watch import shortened

MOST_DATA = 4 * 1024 * 1024
"""Characters of base64 of one image, sound or file; of what is larger only the size is told."""
MOST_ERROR = 2000
"""Characters of what a tool says when it fails."""


def output_of(result: Mapping[str, Any], action: str) -> Any:
    """The step's output.

    Structured content is the output as it is. Otherwise text that is a JSON object or list is that; other text is
    `{"text": …}`; and with images, sounds and resources it is `{"text": …, "content": [{"type", "mimeType", "data"}]}`.

    Raises:
        OpcodeError: EXECUTION_ERROR with the tool's text when the tool failed.
    """
    content = [item for item in result.get("content") or () if isinstance(item, Mapping)]
    texts = [str(item.get("text", "")) for item in content if item.get("type") == "text"]
    if result.get("isError"):
        said = shortened("\n".join(texts).strip(), MOST_ERROR) or "it says nothing about why"
        raise OpcodeError(ErrorCode.EXECUTION_ERROR, f"{action} failed: {said}", details={"tool_error": True})
    structured = result.get("structuredContent")
    if structured is not None:
        return structured
    if len(texts) == len(content):
        return _of_texts(texts)
    return {"text": "\n".join(texts), "content": [_item(item) for item in content]}


def _of_texts(texts: Sequence[str]) -> Any:
    text = "\n".join(texts)
    if len(texts) == 1 and text.lstrip()[:1] in ("{", "["):
        try:
            return loads(text)
        except ValueError:
            pass
    return {"text": text}


def _item(item: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(item.get("type"))
    if kind == "text":
        return {"type": kind, "text": item.get("text")}
    if kind == "resource" and isinstance(item.get("resource"), Mapping):
        resource = item["resource"]
        found = {"type": kind, "mimeType": resource.get("mimeType"), "uri": resource.get("uri")}
        return found | ({"text": resource["text"]} if "text" in resource else _data(resource.get("blob")))
    if kind == "resource_link":
        return {"type": kind, **{name: item.get(name) for name in ("mimeType", "uri", "name", "description")}}
    return {"type": kind, "mimeType": item.get("mimeType"), **_data(item.get("data"))}


def _data(data: Any) -> dict[str, Any]:
    text = data if isinstance(data, str) else ""
    if len(text) <= MOST_DATA:
        return {"data": text}
    return {"data": None, "omitted": f"{len(text) * 3 // 4:,} bytes; at most {MOST_DATA * 3 // 4:,} are kept"}
