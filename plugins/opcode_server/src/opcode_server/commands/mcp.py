"""`opcode mcp`."""

import click

from opcode_core.hosting import Usage, current_settings, how_to_get, lasting_storage, plugin_manager, runfile
from opcode_server.commands.logs import log_in_json


@click.command("mcp", short_help="Serve one agent over standard input and output.")
def command() -> int:
    """MCP on standard input and output, for clients that start their servers themselves.

    Where a server runs on the same storage, this connects the client to it, so that runs outlive the client.
    """
    import asyncio

    from opcode_server.mcp import stdio

    settings = current_settings()
    url = lasting_storage()
    if url is None:
        raise Usage(f"nothing would be remembered, for no storage is installed ({how_to_get('sql')})")
    log_in_json()
    server = runfile.find(url)
    if server is not None and stdio.answers(server):
        asyncio.run(stdio.bridge(server))
    else:
        asyncio.run(stdio.serve(settings, plugin_manager()))
    return 0
