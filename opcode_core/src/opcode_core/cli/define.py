"""`opcode define`."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from opcode_core.cli.problems import DONE, Usage
from opcode_core.cli.session import JSON, engine, print_json, read_source


@click.command("define")
@click.argument("file")
@click.option("--name", help="The template's name; the file's by default.")
@click.option("--description", default="", help="What it is for.")
@click.option("--input-schema", metavar="FILE", help="JSON Schema of the params.")
@click.option("--agent", default="local", show_default=True, help="Whose template it is.")
@JSON
def command(as_json: bool, **options: Any) -> int:
    """Store the workflow in FILE as the next version of a template."""
    return asyncio.run(_define(as_json=as_json, **options))


async def _define(
    *, file: str, name: str | None, description: str, input_schema: str | None, agent: str, as_json: bool
) -> int:
    source = read_source(file)
    if source is None:
        raise Usage(f"there is no file {file}")
    if name is None and file == "-":
        raise Usage("a workflow from standard input needs --name")
    async with engine() as ready:
        stored, warnings = await ready.define(
            name or Path(file).stem,
            source,
            agent_id=agent,
            description=description,
            input_schema=_schema(input_schema),
        )
    if as_json:
        found = [warning.to_dict() for warning in warnings]
        print_json({"name": stored.name, "version": f"v{stored.version}", "warnings": found})
        return DONE
    for warning in warnings:
        print(f"  warning: {warning}", file=sys.stderr)
    print(f"{stored.name} v{stored.version}: run it with `opcode run {stored.name}`")
    return DONE


def _schema(file: str | None) -> Any:
    from opcode_core.codec import loads

    if file is None:
        return None
    try:
        return loads(read_source(file) or b"")
    except ValueError as error:
        raise Usage(f"--input-schema {file}: not JSON: {error}") from None
