"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Action, hookimpl


@hookimpl
def opcode_actions() -> Sequence[Action]:
    """The actions assert.*."""
    from opcode_assert import actions

    return [actions.equals, actions.contains, actions.matches, actions.schema, actions.truthy]
