"""`opcode define`."""

import asyncio
from pathlib import Path
from typing import Any

import click

from opcode_core.cli.problems import DONE, Usage, say_warnings
from opcode_core.cli.screen import print_json
from opcode_core.cli.server import ask, running
from opcode_core.cli.session import JSON, engine, registry
from opcode_core.cli.sources import read_file, read_object
from opcode_core.codec import loads
from opcode_core.compiler import make_plan
from opcode_core.issues import Issue


@click.command("define")
@click.argument("file")
@click.option("--name", help="The template's name; the file's by default.")
@click.option("--description", default="", help="What it is for.")
@click.option("--input-schema", metavar="FILE", help="JSON Schema of the params.")
@click.option("--triggers", metavar="FILE", help="What starts it by itself: cron, webhook, as JSON.")
@click.option("--agent", default="local", show_default=True, help="Whose template it is.")
@JSON
def command(as_json: bool, **options: Any) -> int:
    """Store the workflow in FILE (- for standard input) as the next version of a template."""
    return asyncio.run(_define(as_json=as_json, **options))


async def _define(
    *,
    file: str,
    name: str | None,
    description: str,
    input_schema: str | None,
    triggers: str | None,
    agent: str,
    as_json: bool,
) -> int:
    if name is None and file == "-":
        raise Usage("a workflow from standard input needs --name")
    source = read_file(file)
    schema = None if input_schema is None else read_object(input_schema, "--input-schema")
    starts = None if triggers is None else read_object(triggers, "--triggers")
    about: dict[str, Any] = {"description": description, "input_schema": schema, "triggers": starts}
    server = None if starts is None else running()
    name = name or Path(file).stem
    if server is None:
        async with engine() as ready:
            stored, warnings = await ready.define(name, source, agent_id=agent, **about)
        version = f"v{stored.version}"
    else:  # so that it hears of new times at once
        make_plan(source, registry())  # for its errors, which name the line in the file
        given = {key: value for key, value in about.items() if value is not None}
        definition = {"name": name, "definition": loads(source), "agent_id": agent}
        answer = await ask(server, "define", {**definition, **given})
        version, warnings = answer["version"], [Issue(**warning) for warning in answer["warnings"]]
    if as_json:
        found = [warning.to_dict() for warning in warnings]
        print_json({"name": name, "version": version, "warnings": found})
        return DONE
    say_warnings(warnings)
    print(f"{name} {version}: run it with `opcode run {name}`")
    return DONE
