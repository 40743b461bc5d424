"""The subcommands of `opcode` that this package adds."""

from opcode_server.commands import install, mcp, serve, token

COMMANDS = (serve.command, install.command, mcp.command, token.command)
