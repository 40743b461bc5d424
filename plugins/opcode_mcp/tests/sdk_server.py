"""A well-behaved server made with the official SDK: `sdk_server.py stdio`, or `http` and `sse`, which print a port."""

import socket
import sys

import uvicorn
from mcp.server import MCPServer

server = MCPServer("sdk")


@server.tool(name="add")
def add(a: int, b: int) -> dict[str, int]:
    """Add."""
    return {"sum": a + b}


if sys.argv[1] == "stdio":
    server.run("stdio")
else:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    app = server.sse_app() if sys.argv[1] == "sse" else server.streamable_http_app()
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run([listener])
