"""`opcode define`."""

import asyncio
from pathlib import Path
from typing import Any

import click

from opcode_core.cli.problems import DONE, Usage, say_warnings
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, engine
from opcode_core.cli.sources import read_file, read_object


@click.command("define")
@click.argument("file")
@click.option("--name", help="The template's name; the file's by default.")
@click.option("--description", default="", help="What it is for.")
@click.option("--input-schema", metavar="FILE", help="JSON Schema of the params.")
@click.option("--agent", default="local", show_default=True, help="Whose template it is.")
@JSON
def command(as_json: bool, **options: Any) -> int:
    """Store the workflow in FILE (- for standard input) as the next version of a template."""
    return asyncio.run(_define(as_json=as_json, **options))


async def _define(
    *, file: str, name: str | None, description: str, input_schema: str | None, agent: str, as_json: bool
) -> int:
    if name is None and file == "-":
        raise Usage("a workflow from standard input needs --name")
    source = read_file(file)
    schema = None if input_schema is None else read_object(input_schema, "--input-schema")
    async with engine() as ready:
        stored, warnings = await ready.define(
            name or Path(file).stem, source, agent_id=agent, description=description, input_schema=schema
        )
    if as_json:
        found = [warning.to_dict() for warning in warnings]
        print_json({"name": stored.name, "version": f"v{stored.version}", "warnings": found})
        return DONE
    say_warnings(warnings)
    print(f"{stored.name} v{stored.version}: run it with `opcode run {stored.name}`")
    return DONE
