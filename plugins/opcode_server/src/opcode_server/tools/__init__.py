"""The six tools."""

from opcode_server.tools import define, diagram, query, run, signal, status
from opcode_server.tools.tool import Tool

TOOLS: dict[str, Tool] = {
    tool.name: tool for tool in (define.TOOL, run.TOOL, status.TOOL, signal.TOOL, query.TOOL, diagram.TOOL)
}
