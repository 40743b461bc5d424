"""What this package adds to OPCODE."""

from opcode_core import Action, hookimpl


@hookimpl
def opcode_actions() -> list[Action]:
    """`shell.exec`."""
    from opcode_shell.execute import execute

    return [execute]
