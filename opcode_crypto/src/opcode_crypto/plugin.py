"""What this package adds."""

from collections.abc import Sequence

from opcode_core import Action, hookimpl


@hookimpl
def opcode_actions() -> Sequence[Action]:
    """The actions crypto.*."""
    from opcode_crypto import actions

    return [actions.hash_, actions.hmac_, actions.uuid_, actions.encode, actions.decode]
