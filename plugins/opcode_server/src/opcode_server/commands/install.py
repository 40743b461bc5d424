"""`opcode install`."""

import json
from dataclasses import asdict

import click

from opcode_core.hosting import HOME, Usage
from opcode_server.commands.flags import with_flags

KEPT = (
    *("db_path", "storage", "listen_addr", "base_url", "panel", "pool_size", "log_level", "durability"),
    *("read_only_paths", "writable_paths", "deny_paths", "http_allow_private", "isolation", "breakers"),
    *("recovery", "retention", "plugins_allow", "plugins_deny"),
)


@click.command("install", short_help="Write the settings file, and say how agents reach the server.")
@click.option("--listen", "listen_addr", metavar="HOST:PORT", help="Where the server is to listen.")
@click.option("--force", is_flag=True, help="Write over a settings file that is there.")
@click.pass_context
def command(ctx: click.Context, listen_addr: str | None, force: bool) -> int:
    """Write ~/.opcode/settings.json from the settings of this call; secrets are not written."""
    settings = with_flags(ctx, listen_addr=listen_addr)
    path = (HOME / "settings.json").expanduser()
    if path.exists() and not force:
        raise Usage(f"{path} is there already; --force writes over it")
    values = {name: getattr(settings, name) for name in KEPT}
    values["db_path"] = str(values["db_path"])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    values["breakers"] = {action: asdict(policy) for action, policy in settings.breakers.items()}
    kept = {name: value for name, value in values.items() if value not in ("", (), {}, None)}
    path.write_text(json.dumps(kept, indent=2, default=str) + "\n")
    path.chmod(0o600)
    click.echo(f"settings are in {path}")
    click.echo("start the server:  opcode serve")
    click.echo("let agents use it, in .mcp.json:")
    url = settings.base_url or f"http://{settings.listen_addr}"
    entry = {"mcpServers": {"opcode": {"type": "http", "url": f"{url}/mcp"}}}
    click.echo(json.dumps(entry, indent=2))
    return 0
