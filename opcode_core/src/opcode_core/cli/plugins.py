"""`opcode plugins`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from opcode_core.cli.problems import DONE, Usage, say
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, plugin_manager, providers, registry
from opcode_core.cli.skeleton import KINDS, write
from opcode_core.errors import OpcodeError

if TYPE_CHECKING:
    from opcode_core.contracts.provider import Provided

NONE = "no plugin is installed: try pip install 'opcode-core[all]'"


@click.group("plugins")
def command() -> None:
    """See what is installed, and what is wrong with it; begin one of your own."""


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """Every plugin with its state, what it adds, and what two of them dispute."""
    offers = registry().offers
    rows = [
        {
            "name": found.name,
            "package": found.package,
            "state": found.state,
            "error": found.error,
            "adds": offers(found.name),
        }
        for found in sorted(plugin_manager().found.values(), key=lambda found: found.name)
    ]
    provided = _providers()
    if as_json:
        collisions = [str(collision) for collision in registry().collisions]
        shown = [{"id": one.id, "state": one.health, "detail": one.detail} for one in provided]
        print_json({"plugins": rows, "collisions": collisions, "providers": shown})
        return DONE
    from opcode_core.cli.screen import show
    from opcode_core.cli.tables import plugin_table, provider_table

    show(plugin_table(rows, registry().collisions) if rows else NONE)
    if provided:
        print()
        show(provider_table(provided))
    return DONE


def _providers() -> "list[Provided]":
    """Those who offer actions that come and go; the plugins are listed also where the storage cannot be read."""
    try:
        return providers()
    except (OpcodeError, Usage) as error:
        say(f"it is not known which tool servers there are: {error}")
        return []


@command.command("new")
@click.argument("name")
@click.option(
    "--kind",
    default="action",
    show_default=True,
    type=click.Choice(KINDS),
    help="What it adds.",
)
@click.option("--folder", default=".", metavar="DIR", help="Where to write it; here by default.")
def new(name: str, kind: str, folder: str) -> int:
    """Write a small complete plugin to begin with: a package with tests that pass at once."""
    root, written = write(name, kind, Path(folder))
    for path in written:
        click.echo(str(path))
    say(f'try it:  cd {root} && pip install -e ".[dev]" && pytest && opcode plugins list')
    return DONE
