"""`opcode validate`."""

import sys

import click

from opcode_core.cli.problems import DONE, FAILED, Usage, count, explain
from opcode_core.cli.session import JSON, plugin_manager, print_json, read_source


@click.command("validate")
@click.argument("file")
@JSON
def command(file: str, as_json: bool) -> int:
    """Check the workflow in FILE (- for standard input) and list every fault with its path."""
    from opcode_core.compiler import make_plan
    from opcode_core.issues import InvalidDefinition

    source = read_source(file)
    if source is None:
        raise Usage(f"there is no file {file}")
    try:
        plan = make_plan(source, plugin_manager().registry())
    except InvalidDefinition as error:
        if not as_json:
            return explain(error)
        print_json({"valid": False, "issues": [issue.to_dict() for issue in error.issues], "warnings": []})
        return FAILED
    warnings = [warning.to_dict() for warning in plan.warnings]
    if as_json:
        print_json({"valid": True, "issues": [], "warnings": warnings})
        return DONE
    for warning in plan.warnings:
        print(f"  warning: {warning}", file=sys.stderr)
    found = f", {count(len(warnings), 'warning')}" if warnings else ""
    print(f"{file}: valid, {count(len(plan.steps), 'step')}{found}")
    return DONE
