"""`opcode serve`."""

import logging
import sys

import click

from opcode_core.hosting import Usage, how_to_get, lasting_storage, plugin_manager
from opcode_server.commands.flags import flags_of, with_flags
from opcode_server.commands.logs import log_in_json


@click.command("serve", short_help="Serve agents over MCP, programs over REST.")
@click.option(
    "--listen", "listen_addr", metavar="HOST:PORT", help="Where [OPCODE_LISTEN_ADDR, 127.0.0.1:4100]."
)
@click.pass_context
def command(ctx: click.Context, listen_addr: str | None) -> int:
    """Serve until SIGTERM or SIGINT: MCP on /sse and /mcp, REST on /api/v1, the panel on /.

    Its log, a line of JSON for each record, goes to standard error.
    """
    import asyncio

    from opcode_server.serving import Daemon

    settings = with_flags(ctx, listen_addr=listen_addr)
    if lasting_storage() is None:
        raise Usage(f"nothing would be remembered, for no storage is installed ({how_to_get('sql')})")
    log_in_json()
    daemon = Daemon(settings, plugin_manager(), flags_of(ctx, listen_addr=listen_addr))
    asyncio.run(daemon.serve(_announce))
    return 0


def _announce(url: str) -> None:
    logger = logging.getLogger("opcode.server")
    extra = {"fields": {"url": url}}
    ready = logger.makeRecord(logger.name, logging.INFO, "", 0, "ready", (), None, extra=extra)
    for handler in logging.getLogger("opcode").handlers:
        handler.handle(ready)  # whatever the level: programs wait for it
    if sys.stderr.isatty():
        lines = (
            f"OPCODE is ready at {url}",
            f"  agents   {url}/mcp (Streamable HTTP), {url}/sse (SSE)",
            f"  programs {url}/api/v1/openapi.json",
            "  stop     Ctrl-C",
        )
        print("\n".join(lines), file=sys.stderr)
