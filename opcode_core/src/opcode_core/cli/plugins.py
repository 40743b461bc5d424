"""`opcode plugins`."""

import click

from opcode_core.cli.problems import DONE
from opcode_core.cli.session import JSON, plugin_manager, print_json


@click.group("plugins")
def command() -> None:
    """See what is installed, and what is wrong with it."""


@command.command("list")
@JSON
def list_(as_json: bool) -> int:
    """Every plugin with its state, what it adds, and what two of them dispute."""
    manager = plugin_manager()
    registry = manager.registry()
    rows = [
        {
            "name": found.name,
            "package": found.package,
            "state": found.state,
            "error": found.error,
            "adds": registry.offers(found.name),
        }
        for found in sorted(manager.found.values(), key=lambda found: found.name)
    ]
    if as_json:
        print_json({"plugins": rows, "collisions": [str(collision) for collision in registry.collisions]})
        return DONE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("plugin", "package", "state", "adds"):
        table.add_column(heading, overflow="fold")
    colours = {"active": "green", "denied": "yellow", "broken": "red"}
    for found in sorted(manager.found.values(), key=lambda found: found.name):
        adds = "; ".join(f"{kind} {', '.join(names)}" for kind, names in registry.offers(found.name).items())
        what = Text(found.error, "red") if found.error else Text(adds)
        table.add_row(Text(found.name), Text(found.package), Text(found.state, colours[found.state]), what)
    console = Console(soft_wrap=False)
    console.print(table if rows else "no plugin is installed: try pip install 'opcode-core[all]'")
    for collision in registry.collisions:
        console.print(Text(str(collision), "red"))
    return DONE
