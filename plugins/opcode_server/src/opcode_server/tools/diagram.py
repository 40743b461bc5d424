"""`opcode.diagram`: a picture of a workflow or a run."""

import base64
from typing import Any

from opcode_core import Diagram, ErrorCode, OpcodeError, Renderer
from opcode_core.hosting import draw, outline
from opcode_server.callers import VIEWER
from opcode_server.tools.schemas import NAME, TEXT, VERSION, arguments, described, result
from opcode_server.tools.tool import Call, Tool

FORMATS = ("ascii", "mermaid", "image", "svg", "dot")
DRAWN_BY = {"mermaid": "mermaid", "image": "graphviz", "svg": "graphviz", "dot": "graphviz", "ascii": "ascii"}


async def diagram(call: Call) -> dict[str, Any]:
    """Draw it; bytes become base64."""
    format_ = call.arguments["format"]
    drawing = await draw(_renderer(call, format_), await _outlined(call))
    if isinstance(drawing, bytes):
        drawing = base64.b64encode(drawing).decode("ascii")
    return {"format": format_, "diagram": drawing}


def _renderer(call: Call, format_: str) -> Renderer:
    renderers = call.house.engine.registry.renderers
    if format_ in renderers:
        return renderers[format_]
    raise OpcodeError(
        ErrorCode.VALIDATION_ERROR,
        f"format: nothing here draws '{format_}' (pip install opcode-{DRAWN_BY[format_]});"
        f" installed are {', '.join(sorted(renderers)) or 'none'}",
        details={"path": "format"},
    )


async def _outlined(call: Call) -> Diagram:
    given, engine = call.arguments, call.house.engine
    template_name, run_id = given.get("template_name"), given.get("workflow_id")
    if (template_name is None) == (run_id is None):
        raise OpcodeError(ErrorCode.VALIDATION_ERROR, "give one of template_name and workflow_id")
    if template_name is not None:
        template = await engine.template(template_name, given.get("version"))
        return outline(await engine.plan(template.definition), f"{template.name} v{template.version}", None)
    state = await engine.state(str(run_id))
    shown = state if given.get("include_status", True) else None
    return outline(await engine.plan_of(state), state.name or state.id, shown)


TOOL = Tool(
    name="opcode.diagram",
    title="Draw a workflow or a run",
    role=VIEWER,
    perform=diagram,
    read_only=True,
    idempotent=True,
    input_schema=arguments(
        {
            "format": {
                "type": "string",
                "enum": list(FORMATS),
                "description": "ascii: text for a terminal. mermaid: for Markdown. image: PNG. svg. dot: Graphviz.",
            },
            "template_name": described(NAME, "Of the template to draw; or give a workflow_id."),
            "workflow_id": described(NAME, "Of the run to draw, with what became of its steps."),
            "version": described(VERSION, "Of the template; the newest when left out."),
            "include_status": described(
                {"type": "boolean", "default": True},
                "With a workflow_id: whether to show how the steps stand.",
            ),
        },
        ["format"],
    ),
    output_schema=result(
        {"format": TEXT, "diagram": described(TEXT, "The picture; a PNG is written in base64.")}
    ),
)
