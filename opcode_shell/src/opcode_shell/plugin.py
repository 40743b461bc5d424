"""What this package adds to OPCODE."""

from opcode_core import Action, hookimpl
from opcode_shell.execute import execute


@hookimpl
def opcode_actions() -> list[Action]:
    """`shell.exec`."""
    return [execute]
