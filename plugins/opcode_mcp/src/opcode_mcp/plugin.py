"""What this package adds: providers of actions, what runs their servers, and `opcode tools`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import ProviderSource, Service, hookimpl

if TYPE_CHECKING:
    import click

    from opcode_core import Engine


@hookimpl
def opcode_action_providers() -> "Sequence[ProviderSource]":
    """Tool servers."""
    from opcode_mcp.source import ToolServers

    return [ToolServers()]


@hookimpl
def opcode_services(engine: "Engine") -> "Sequence[Service]":
    """What runs them."""
    from opcode_mcp.service import Supervisor

    return [Supervisor(engine)]


@hookimpl
def opcode_commands(cli: "click.Group") -> None:
    """`tools`."""
    from opcode_mcp.commands import command

    cli.add_command(command)
