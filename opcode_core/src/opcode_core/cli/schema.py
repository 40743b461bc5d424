"""`opcode schema`."""

import click

from opcode_core.cli.problems import DONE
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON


@click.command("schema")
@JSON
def command(as_json: bool) -> int:
    """Print the JSON Schema of workflow files; give it to an editor to get completion and checks."""
    del as_json  # it is JSON either way
    from opcode_core.definition import definition_schema

    print_json(definition_schema())
    return DONE
