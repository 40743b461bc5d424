"""What this package adds: the vault, a look at it at the start, and `opcode secret`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opcode_core import Service, StoredVault, hookimpl

if TYPE_CHECKING:
    import click

    from opcode_core import Engine


@hookimpl
def opcode_vaults() -> "Sequence[StoredVault]":
    """The vault in the engine's storage."""
    from opcode_vault.vault import InStorage

    return [InStorage()]


@hookimpl
def opcode_services(engine: "Engine") -> "Sequence[Service]":
    """A look at the passphrase."""
    from opcode_vault.guard import Guard

    return [Guard(engine)]


@hookimpl
def opcode_commands(cli: "click.Group") -> None:
    """`secret`."""
    from opcode_vault.commands import command

    cli.add_command(command)
