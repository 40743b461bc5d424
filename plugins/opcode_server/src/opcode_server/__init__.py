"""The server: agents drive OPCODE over MCP, programs over REST."""
