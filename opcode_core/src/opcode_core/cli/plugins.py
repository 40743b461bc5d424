"""`opcode plugins`."""

import click

from opcode_core.cli.problems import DONE
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, plugin_manager, registry

NONE = "no plugin is installed: try pip install 'opcode-core[all]'"


@click.group("plugins")
def command() -> None:
    """See what is installed, and what is wrong with it."""


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
    if as_json:
        print_json({"plugins": rows, "collisions": [str(collision) for collision in registry().collisions]})
        return DONE
    from opcode_core.cli.screen import show
    from opcode_core.cli.tables import plugin_table

    show(plugin_table(rows, registry().collisions) if rows else NONE)
    return DONE
