"""`opcode validate`."""

import click

from opcode_core.cli.problems import DONE, FAILED, count, say_faults, say_warnings
from opcode_core.cli.screen import print_json
from opcode_core.cli.session import JSON, recall_providers, registry
from opcode_core.cli.sources import read_file


@click.command("validate")
@click.argument("file")
@JSON
def command(file: str, as_json: bool) -> int:
    """Check the workflow in FILE (- for standard input) and list every fault with its path."""
    from opcode_core.compiler import make_plan
    from opcode_core.issues import InvalidDefinition

    title = "the workflow" if file == "-" else file
    source = read_file(file)
    recall_providers()
    try:
        plan = make_plan(source, registry())
    except InvalidDefinition as error:
        if as_json:
            issues = [issue.to_dict() for issue in error.issues]
            print_json({"valid": False, "issues": issues, "warnings": []})
        else:
            say_faults(title, error.issues)
        return FAILED
    if as_json:
        warnings = [warning.to_dict() for warning in plan.warnings]
        print_json({"valid": True, "issues": [], "warnings": warnings})
        return DONE
    say_warnings(plan.warnings)
    found = f", {count(len(plan.warnings), 'warning')}" if plan.warnings else ""
    print(f"{title}: valid, {count(len(plan.steps), 'step')}{found}")
    return DONE
