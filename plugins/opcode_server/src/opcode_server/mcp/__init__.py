"""MCP: the tools, resources and prompts over SSE, Streamable HTTP and stdio."""
