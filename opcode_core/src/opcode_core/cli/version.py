"""`opcode version`."""

from importlib.metadata import version

import click

from opcode_core.cli.problems import DONE


@click.command("version")
@click.option("--json", "as_json", is_flag=True, help="As a JSON object.")
def command(as_json: bool) -> int:
    """Print the version."""
    number = version("opcode-core")
    print(f'{{"version": "{number}"}}' if as_json else f"opcode {number}")
    return DONE
