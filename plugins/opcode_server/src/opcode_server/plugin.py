"""What this package adds: commands, and the inboxes of agents."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, hookimpl

if TYPE_CHECKING:
    import click

    from opcode_core import Engine


@hookimpl
def opcode_services(engine: "Engine") -> "Sequence[Service]":
    """Keeps what workflows tell agents, also where no server runs."""
    from opcode_server.notices import Notices

    return [Notices(engine)]


@hookimpl
def opcode_commands(cli: "click.Group") -> None:
    """`serve`, `install`, `mcp` and `token`."""
    from opcode_server.commands import COMMANDS

    for command in COMMANDS:
        cli.add_command(command)
