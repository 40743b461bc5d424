"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Action, hookimpl


@hookimpl
def opcode_actions() -> Sequence[Action]:
    """The actions fs.*."""
    from opcode_fs import actions as fs

    return [fs.read, fs.write, fs.append, fs.delete, fs.list_, fs.stat, fs.copy, fs.move]
